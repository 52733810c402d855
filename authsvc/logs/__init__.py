"""Scoped, structured logging.

Owns levels, scopes, sinks and what a line may say: the list of fields, the types that hide
secrets. Must not know who logs, nor tokens, stores, settings or gRPC: it imports nothing of ours.
"""

from authsvc.logs.files import FileLines
from authsvc.logs.later import Later
from authsvc.logs.levels import LEVEL_NAMES, Level, LogSettingError, parse_levels
from authsvc.logs.logger import Logger
from authsvc.logs.redaction import FIELDS, shown
from authsvc.logs.routing import LoggerSettings, Sink
from authsvc.logs.secret import Secret, SecretBytes, SecretText
from authsvc.logs.sentry import MissingExtraError, SentrySink, sentry_client
from authsvc.logs.sinks import Console, JsonLines, sink_for_format
from authsvc.logs.system import CLIENT_SCOPES, SERVER_SCOPES, LoggerSystem
from authsvc.logs.temporary import Alarm, Held, ScopeState, TemporaryLevels

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
