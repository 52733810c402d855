"""Scoped, structured logging.

Owns levels, scopes, sinks and what a line may say: the list of fields, the types that hide
secrets. Must not know who logs, nor tokens, stores, settings or gRPC: it imports nothing of ours.

`Logger` is imported when it is first asked for, or the first logger is made: structlog comes with it.
"""

from typing import TYPE_CHECKING

from authsvc.logs.files import FileLines
from authsvc.logs.later import Later
from authsvc.logs.levels import LEVEL_NAMES, Level, LogSettingError, parse_levels
from authsvc.logs.redaction import FIELDS, shown
from authsvc.logs.routing import LoggerSettings, Sink
from authsvc.logs.secret import Secret, SecretBytes, SecretText
from authsvc.logs.sentry import MissingExtraError, SentrySink, sentry_client
from authsvc.logs.sinks import Console, JsonLines, sink_for_format
from authsvc.logs.system import CLIENT_SCOPES, SERVER_SCOPES, LoggerSystem
from authsvc.logs.temporary import Alarm, Held, ScopeState, TemporaryLevels

if TYPE_CHECKING:
    from authsvc.logs.logger import Logger

__all__ = [
    "CLIENT_SCOPES",
    "FIELDS",
    "LEVEL_NAMES",
    "SERVER_SCOPES",
    "Alarm",
    "Console",
    "FileLines",
    "Held",
    "JsonLines",
    "Later",
    "Level",
    "LogSettingError",
    "Logger",
    "LoggerSettings",
    "LoggerSystem",
    "MissingExtraError",
    "ScopeState",
    "Secret",
    "SecretBytes",
    "SecretText",
    "SentrySink",
    "Sink",
    "TemporaryLevels",
    "parse_levels",
    "sentry_client",
    "shown",
    "sink_for_format",
]

# Hidden from type checkers, which would take every misspelt name for one that is found here.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name != "Logger":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from authsvc.logs.logger import Logger  # noqa: PLC0415 - structlog loads rich too, where it is installed

        return Logger
