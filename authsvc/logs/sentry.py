"""The Sentry sink; `pip install 'authsvc[sentry]'` brings the sentry-sdk it speaks to."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from authsvc.logs.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from authsvc.logs.routing import Sink
    from authsvc.logs.secret import SecretText

SENTRY_LEVELS: Final = {
    Level.TRACE: "debug",
    Level.DEBUG: "debug",
    Level.INFO: "info",
    Level.WARN: "warning",
    Level.ERROR: "error",
}


class MissingExtraError(ImportError):
    """An optional part of authsvc is not installed; the text is the command that installs it."""


class SentryClient(Protocol):
    """What is used of `sentry_sdk.Client`; who makes one closes it, which sends what is waiting."""

    def capture_event(self, event: dict[str, Any], /) -> object: ...
    def close(self, timeout: float | None = None) -> None: ...


class SentrySink:
    """Sends events of `minimum` and above to Sentry; all of them go to `then` first, if given.

    `capture` takes a Sentry event: `sentry_client(dsn, release=…).capture_event`, or
    `sentry_sdk.capture_event` in a program that has set Sentry up for itself.
    """

    def __init__(
        self,
        capture: Callable[[Any], object],  # Any: sentry-sdk's type of an event is there with the extra only
        *,
        minimum: Level = Level.WARN,
        then: Sink | None = None,
    ) -> None:
        self._capture = capture
        self._minimum = minimum
        self._then = then

    def together(self) -> AbstractContextManager[None]:
        """As the sink has it that everything goes to first."""
        held: AbstractContextManager[None] = getattr(self._then, "together", nullcontext)()
        return held

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sentry sink is not pickled: its client would bring the DSN along")

    def __call__(self, level: Level, message: str, event: Mapping[str, Any]) -> None:
        if self._then is not None:
            self._then(level, message, event)
        if level >= self._minimum:
            self._capture(_sentry_event(level, message, event))


def sentry_client(dsn: SecretText, *, release: str, transport: object = None) -> SentryClient:
    """A Sentry client that sends what it is given and nothing it finds.

    It is not Sentry's global one, and it collects neither local variables nor the request, the
    arguments of the process or other libraries' log lines: those hold tokens.
    `transport` replaces the way out, as in `sentry_sdk.Client`. Raises MissingExtraError.
    """
    try:
        sdk = import_module("sentry_sdk")
    except ImportError:
        raise MissingExtraError("the Sentry sink needs sentry-sdk: pip install 'authsvc[sentry]'") from None
    client: SentryClient = sdk.Client(
        dsn=dsn.reveal(),
        release=release,
        transport=transport,
        default_integrations=False,
        auto_enabling_integrations=False,
        attach_stacktrace=False,
        include_local_variables=False,
        include_source_context=False,
    )
    return client


def _sentry_event(level: Level, message: str, event: Mapping[str, Any]) -> dict[str, Any]:
    extra = dict(event)
    at, scope = extra.pop("at", None), extra.pop("scope", None)
    return {
        "level": SENTRY_LEVELS[level],
        "logger": f"authsvc.{scope}",
        "timestamp": at,
        "message": message,
        "tags": {"scope": scope},
        "extra": extra,
    }
