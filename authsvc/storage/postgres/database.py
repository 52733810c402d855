"""Where the database is, and how every connection to it behaves."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import psycopg
from psycopg import conninfo, errors
from psycopg_pool import ConnectionPool

from authsvc.clock import deadline_after
from authsvc.storage.errors import StoreUnfit, StoreUrlInvalid
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.statement import Statement

DEFAULT_SECONDS: Final = 5.0
"""How long a call may take that names no deadline."""

SETTLING_SECONDS: Final = 5.0
OLDEST: Final = 140_000

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # A commit is on the disk, and on the standbys that must confirm, before anyone hears of it.
        "synchronous_commit": "on",
        "default_transaction_isolation": "read committed",
        # Bounds for calls that name no deadline; a transaction that has less time, or more, sets its own.
        "statement_timeout": f"{DEFAULT_SECONDS:.0f}s",
        "lock_timeout": f"{DEFAULT_SECONDS:.0f}s",
        # A process that freezes or is cut off gives up its locks.
        "idle_in_transaction_session_timeout": "10s",
        "tcp_keepalives_idle": "3",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        # A commit that a standby did not confirm is told by a warning alone.
        "client_min_messages": "warning",
        # Statements are few and look rows up by their keys: planned once is planned well, and where that was while a
        # table had a page or two, as if it had many. Those for which this is not so say it (``Statement.planned``).
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "jit": "off",
    }
)

# What an address may say otherwise. Without the keep-alives a peer that vanished would be waited for for hours.
_PARAMETERS: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        "application_name": "authsvc",
        "connect_timeout": 3,
        "keepalives_idle": 3,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
)

_SETTLE = Statement("SELECT set_config(:name, :value, false)")
# An operator who wants more than "on" keeps it.
_SYNCHRONOUS = Statement(
    "SELECT set_config('synchronous_commit', :value, false)"
    " WHERE current_setting('synchronous_commit') <> 'remote_apply'"
)
_NATURE = Statement(
    "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on',"
    " current_setting('server_encoding'), current_setting('server_version_num')::bigint"
)


@dataclass(frozen=True, slots=True)
class Database:
    """An address as libpq takes it, and the settings of every session.

    Does not show the address: a password may be in it.
    """

    conninfo: str = field(repr=False)
    settings: Mapping[str, str]

    def connect(self) -> Link:
        """Open a connection; may raise ``psycopg.Error`` and ``StoreUnfit``."""
        link = Link.connect(self.conninfo)
        try:
            self.settle(link)
        except BaseException:
            link.close()
            raise
        return link

    def pool(self, *, size: int, note: Callable[[Exception | None], None]) -> ConnectionPool[Link]:
        """A pool of connections that are made when they are needed; not open yet.

        A connection that cannot be made is tried again for a short while only, since the wait between two attempts
        doubles: the next caller that needs one starts afresh. ``note`` is told why, and None when one was made.
        """

        def configure(link: Link) -> None:
            try:
                self.settle(link)
            except Exception as fault:
                note(fault)
                raise
            note(None)

        return ConnectionPool(
            self.conninfo,
            connection_class=Link,
            kwargs={"failed": note},
            configure=configure,
            min_size=1,
            max_size=size,
            open=False,
            name="authsvc",
            reconnect_timeout=3,
        )

    def settle(self, link: Link) -> None:
        """Make a new connection behave, and refuse one that leads to a server that cannot keep what is to be kept."""
        settings = [
            (_SYNCHRONOUS if name == "synchronous_commit" else _SETTLE).of({"name": name, "value": value})
            for name, value in self.settings.items()
        ]
        *_, ((in_recovery, read_only, encoding, version),) = link.exchange(
            [*settings, _NATURE()], deadline_after(SETTLING_SECONDS)
        )
        if version < OLDEST:
            raise StoreUnfit(f"the server is PostgreSQL {version // 10_000}; {OLDEST // 10_000} or newer is needed")
        if encoding != "UTF8":
            raise StoreUnfit(f"the database's encoding is {encoding}; it must be UTF8")
        if in_recovery or read_only:
            raise errors.ReadOnlySqlTransaction("the node takes no changes")


def database_at(url: str, settings: Mapping[str, str] = SETTINGS) -> Database:
    """The database an address names; raises ``StoreUrlInvalid``, whose text repeats nothing of it."""
    try:
        given = conninfo.conninfo_to_dict(url)
        complete = conninfo.make_conninfo("", **{**_PARAMETERS, **given})
    except psycopg.Error:
        raise _invalid() from None
    # A password with a slash that is not encoded ends up here: libpq would repeat it when it cannot connect.
    if not re.fullmatch(r"[0-9,]*", str(given.get("port", "")), re.ASCII):
        raise _invalid()
    return Database(complete, settings)


def _invalid() -> StoreUrlInvalid:
    return StoreUrlInvalid(
        "the store's address is not one that PostgreSQL's libpq understands; "
        "use postgresql://user:password@host:5432/database, with special characters percent-encoded"
    )


# What the pool has to say names hosts and roles, on standard error where nobody configured logging; what matters of it
# reaches the service's own log as a refusal's detail.
logging.getLogger("psycopg").addHandler(logging.NullHandler())
