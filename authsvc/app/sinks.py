"""The loggers of a process, and where their lines go: standard error, the audit's own file, Sentry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from authsvc import __version__
from authsvc.clock import Clock
from authsvc.config import Settings, SettingsInvalid
from authsvc.logs import (
    SERVER_SCOPES,
    FileLines,
    Level,
    LoggerSettings,
    LoggerSystem,
    MissingExtraError,
    SecretText,
    SentrySink,
    Sink,
    sentry_client,
    sink_for_format,
)

LAST_SECONDS: Final = 2.0
"""How long the end of the server waits for its last errors to be sent to Sentry."""


def make_logs(settings: Settings, clock: Clock) -> LoggerSystem:
    """A server's own logger system, or a command's on the store, as the settings want it. It writes to stderr."""
    # The audit is nothing that gets quieter with the rest: who wants less of it says so by its name.
    own = {"audit": Level.INFO}
    logs = LoggerSystem(SERVER_SCOPES, clock=clock, built_in=sink_for_format(settings.log_format), own_levels=own)
    logs.configure_levels(settings.levels)
    return logs


@contextmanager
def open_sinks(settings: Settings, logs: LoggerSystem, *, transport: object = None) -> Iterator[None]:
    """Within it, lines go where the settings say: those of the scope ``audit`` to its file, errors to Sentry as well.

    ``transport`` as ``sentry_client`` has it. Raises ``SettingsInvalid``.
    """
    with ExitStack() as opened:
        sinks: dict[str, LoggerSettings] = {}
        plain = sink_for_format(settings.log_format)
        sent_too = _sending(settings.sentry_dsn, transport, opened)
        if settings.sentry_dsn is not None:
            sinks["default"] = {"sink": sent_too(plain)}
        if settings.audit_log is not None:
            file = _audit_file(settings.audit_log, sent_too(plain))
            opened.callback(file.close)
            sinks["audit"] = {"sink": sent_too(file)}
        opened.callback(logs.configure_loggers, {scope: LoggerSettings(sink=None) for scope in sinks})
        logs.configure_loggers(sinks)
        yield


def _audit_file(path: Path, instead: Sink) -> FileLines:
    try:
        return FileLines(path, instead=instead)
    except OSError as fault:
        raise SettingsInvalid(f"AUTHSVC_AUDIT_LOG: {path} cannot be opened for writing: {fault.strerror}") from None


def _sending(dsn: SecretText | None, transport: object, opened: ExitStack) -> Callable[[Sink], Sink]:
    """What makes of a sink one whose errors are sent to Sentry too; the same one where nobody asked for that."""
    if dsn is None:
        return lambda sink: sink
    try:
        client = sentry_client(dsn, release=__version__, transport=transport)
    except MissingExtraError as missing:
        raise SettingsInvalid(f"AUTHSVC_SENTRY_DSN: {missing}") from None
    except ValueError:  # its words would repeat what was given
        raise SettingsInvalid("AUTHSVC_SENTRY_DSN must be a DSN of Sentry: https://<key>@<host>/<project>") from None
    opened.callback(client.close, LAST_SECONDS)
    return lambda sink: SentrySink(client.capture_event, minimum=Level.ERROR, then=sink)
