"""The logger system: one object that knows the scopes, their levels and their sinks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from authsvc.logs.delivery import Delivery
from authsvc.logs.events import EventShape
from authsvc.logs.levels import Level, LogSettingError, unknown
from authsvc.logs.routing import DEFAULT, Choices, LoggerSettings, Route, Sink
from authsvc.logs.sinks import JsonLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from authsvc.logs.logger import Logger

SERVER_SCOPES: Final = (
    "server", "rpc", "credentials", "accounts", "apps", "signing", "tokens", "sessions",
    "storage", "trust", "audit", "cli",
)  # fmt: skip
CLIENT_SCOPES: Final = ("client", "client.tokens", "client.user", "client.verifier", "client.interceptor")

NO_LEVELS: Final[Mapping[str, Level]] = MappingProxyType({})

_SCOPE_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LoggerSystem:
    """Loggers by scope, and what they write where, changed while they are in use.

    Each system stands alone: it changes nothing global, neither structlog's configuration nor
    logging's. Safe to use from any thread; loggers take no lock. `clock` returns an aware
    datetime, an event's `at`; `built_in` is the sink where none is configured (JSON lines to
    stderr), its level is info. Scopes in `own_levels` write from that level unless another is set
    for them by name: the default's is not theirs.
    """

    def __init__(
        self,
        scopes: Iterable[str],
        *,
        clock: Callable[[], datetime] = _utc_now,
        built_in: Sink | None = None,
        own_levels: Mapping[str, Level] = NO_LEVELS,
    ) -> None:
        self._built_in = Route(Level.INFO, built_in or JsonLines())
        self._processors = (EventShape(clock),)
        self._lock = Lock()
        self._choices = Choices()
        self._own = dict(own_levels)
        self._scopes = frozenset({DEFAULT, *map(_checked_name, scopes)})
        self._delivery = Delivery(self._routes(), self._built_in.sink)

    def get_logger(self, scope: str, tags: Iterable[str] = ()) -> Logger:
        """A logger of `scope`; raises LogSettingError, naming the known ones, for another."""
        if scope not in self._scopes:
            raise unknown("scope", scope, self.scopes)
        if isinstance(tags, str):
            raise LogSettingError("tags are a list of texts, not one text")
        from authsvc.logs.logger import Logger, Origin  # noqa: PLC0415 - loads structlog

        origin = Origin(self._delivery, scope, ()).tagged(tuple(tags))
        return Logger(origin, self._processors, {})

    def configure_loggers(self, settings: Mapping[str, LoggerSettings]) -> None:
        """Merge `settings` per scope and key into what was configured before.

        `{"storage": {"level": "debug"}, "default": {"sink": s}}`: a key that is absent is kept,
        None goes back to the default's (for `default` itself: the built-in; for a scope with
        a level of its own: to that). Raises
        LogSettingError, naming what is known, for any other level, key or scope: all of
        `settings` is checked first, so then nothing has changed.
        """
        with self._lock:
            self._follow(self._choices.merged(settings, self._scopes))

    def configure_levels(self, levels: Mapping[str, Level | str | None]) -> None:
        """`configure_loggers` for levels alone: `{"storage": "debug", "rpc": None}`."""
        self.configure_loggers({scope: {"level": level} for scope, level in levels.items()})

    def restore_defaults(self) -> None:
        """Forget every level and sink that was configured; scopes and loggers stay."""
        with self._lock:
            self._follow(Choices())

    def register_scopes(self, *scopes: str) -> None:
        """Make more scopes known; one that is known already is left as it is."""
        names = set(map(_checked_name, scopes))
        with self._lock:
            self._scopes |= names
            self._follow(self._choices)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The known scopes, `default` among them."""
        return tuple(sorted(self._scopes))

    def levels(self) -> dict[str, Level]:
        """The level each scope writes from now."""
        return {scope: route.level for scope, route in self._delivery.routes.items()}

    def configured_levels(self) -> dict[str, Level]:
        """Only what was set: what to put back after a change for a while."""
        return dict(self._choices.levels)

    def follows_default(self, scope: str) -> bool:
        """Whether the level of `scope` is the default's: none was set for it, and it has none of its own."""
        return scope != DEFAULT and scope not in self._choices.levels and scope not in self._own

    def _follow(self, choices: Choices) -> None:
        self._choices = choices
        self._delivery.replace(self._routes())

    def _routes(self) -> dict[str, Route]:
        return {scope: self._choices.route(scope, self._built_in, self._own.get(scope)) for scope in self._scopes}


def _checked_name(scope: str) -> str:
    if not _SCOPE_NAME.fullmatch(scope):
        raise LogSettingError(f"{scope!r} is no scope: lower-case letters, digits, '.', '_', '-'")
    return scope
