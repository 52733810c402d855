"""The logger that modules hold: a scope, its tags and the fields bound to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from structlog import BoundLoggerBase

from authsvc.logs.levels import Level
from authsvc.logs.redaction import SHORTEST_CREDENTIAL, redact_into, shown

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Self

    from authsvc.logs.delivery import Delivery
    from authsvc.logs.routing import Route

# A member looked up on its class at each call would double the price of a disabled one.
TRACE, DEBUG, INFO, WARN, ERROR = Level


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a logger's events come from; structlog carries it as the wrapped logger."""

    delivery: Delivery
    scope: str
    tags: tuple[str, ...]

    def route(self) -> Route:
        return self.delivery.routes[self.scope]

    def tagged(self, tags: tuple[str, ...]) -> Origin:
        # Tags are written as given, so they are made safe as a field's value is.
        safe = (str(shown(tag)) for tag in tags)
        return replace(self, tags=tuple(dict.fromkeys((*self.tags, *safe))))


class Logger(BoundLoggerBase):
    """Writes events of one scope; made by LoggerSystem.get_logger, never changed by its methods.

    `log.info("session revoked", session_id=sid)`: the message is a constant sentence, what varies
    is a field, and only fields of authsvc.logs.FIELDS are written with their values. Level and
    sink are looked up at each call, so a logger handed out long ago follows every change.
    """

    _logger: Origin

    def trace(self, message: str, /, **fields: object) -> None:
        """The single steps of a call."""
        if (route := self._logger.route()).level <= TRACE:
            self._emit(route, TRACE, message, fields)

    def debug(self, message: str, /, **fields: object) -> None:
        """What someone who looks for a fault wants to know."""
        if (route := self._logger.route()).level <= DEBUG:
            self._emit(route, DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """What happened, in normal operation."""
        if (route := self._logger.route()).level <= INFO:
            self._emit(route, INFO, message, fields)

    def warn(self, message: str, /, **fields: object) -> None:
        """What works and should not stay as it is."""
        if (route := self._logger.route()).level <= WARN:
            self._emit(route, WARN, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """What failed, and nobody else will be told."""
        if (route := self._logger.route()).level <= ERROR:
            self._emit(route, ERROR, message, fields)

    def writes(self, level: Level) -> bool:
        """Whether an event of that level would be written now; for those whose fields cost something."""
        return self._logger.route().level <= level

    def bind(self, /, **fields: object) -> Self:
        """A logger that adds `fields` to each of its events; a call's own fields win."""
        # Redacted here already, so that no logger keeps a secret in memory.
        return self._with(self._logger, redact_into(self._context.copy(), fields))

    def new(self, /, **fields: object) -> Self:
        """A logger with `fields` bound and nothing else."""
        # structlog's own would empty this logger's fields in place.
        return self._with(self._logger, redact_into({}, fields))

    def with_tags(self, *tags: str) -> Self:
        """A logger whose events carry `tags` after those of this one, each once."""
        return self._with(self._logger.tagged(tags), self._context)

    def together(self) -> AbstractContextManager[None]:
        """Within it, the sink of now may write this thread's events in one piece at the end, if it knows how to."""
        return self._logger.delivery.together(self._logger.route().sink)

    def __repr__(self) -> str:
        return f"<Logger {self._logger.scope} tags={list(self._logger.tags)} fields={list(self._context)}>"

    def _with(self, origin: Origin, context: dict[str, Any]) -> Self:
        return type(self)(origin, self._processors, context)

    def _emit(self, route: Route, level: Level, message: str, fields: dict[str, Any]) -> None:
        # What structlog's own ``_process_event`` does with one processor, at a third of its price.
        (shape,) = self._processors
        given = {**self._context, **fields} if self._context else fields
        event = cast("dict[str, Any]", shape(self._logger, "", given))
        if type(message) is not str or len(message) >= SHORTEST_CREDENTIAL:
            message = str(shown(message))
        try:
            route.sink(level, message, event)
        except Exception as fault:  # noqa: BLE001 - whatever a sink raises is not the caller's
            self._logger.delivery.failed(route.sink, fault, event)
