"""What a worker decides from, and what people count: reads over several tables at one instant."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import apsw

from authsvc.clock import to_microseconds
from authsvc.model import Revision
from authsvc.storage.base import TrustState
from authsvc.storage.sqlite.accounts import read_accounts
from authsvc.storage.sqlite.apps import read_apps
from authsvc.storage.sqlite.connection import fetch
from authsvc.storage.sqlite.keys import read_keys
from authsvc.storage.sqlite.levels import read_levels
from authsvc.storage.sqlite.secrets import read_all_secrets
from authsvc.storage.sqlite.sessions import read_revoked
from authsvc.storage.sqlite.tokens import read_revoked_tokens
from authsvc.storage.sqlite.watermarks import read_watermarks


def read_trust_state(connection: apsw.Connection, now: datetime, over_at: datetime) -> TrustState:
    """See ``Store.trust_state``; to be run in one read transaction. Revocations of what is over at ``over_at`` are left
    out."""
    over = to_microseconds(over_at)
    ((revision,),) = fetch(connection, "SELECT revision FROM feed_head")
    return TrustState(
        revision=Revision(revision),
        apps=read_apps(connection),
        keys=read_keys(connection),
        accounts=read_accounts(connection),
        sessions=read_revoked(connection, over),
        tokens=read_revoked_tokens(connection, over),
        watermarks=read_watermarks(connection),
        secrets=read_all_secrets(connection),
        levels=read_levels(connection, to_microseconds(now)),
    )


def read_counts(connection: apsw.Connection) -> Mapping[str, int]:
    """See ``Store.counts``; to be run in one read transaction."""
    tables = fetch(
        connection, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    )
    return {name: fetch(connection, f'SELECT count(*) FROM "{name}"')[0][0] for (name,) in tables}
