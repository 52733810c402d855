"""Scoped, structured logging.

Owns levels, scopes, sinks and what a line may say: the list of fields, the types that hide
secrets. Must not know who logs, nor tokens, stores, settings or gRPC: it imports nothing of ours.
"""

from authsvc.logs.levels import Level, LogSettingError, parse_levels
from authsvc.logs.logger import Logger
from authsvc.logs.redaction import FIELDS
from authsvc.logs.routing import LoggerSettings, Sink
from authsvc.logs.secret import Secret, SecretBytes, SecretText
from authsvc.logs.sentry import MissingExtraError, SentrySink, sentry_client
from authsvc.logs.sinks import Console, JsonLines, sink_for_format
from authsvc.logs.system import CLIENT_SCOPES, SERVER_SCOPES, LoggerSystem

__all__ = [
    "CLIENT_SCOPES",
    "FIELDS",
    "SERVER_SCOPES",
    "Console",
    "JsonLines",
    "Level",
    "LogSettingError",
    "Logger",
    "LoggerSettings",
    "LoggerSystem",
    "MissingExtraError",
    "Secret",
    "SecretBytes",
    "SecretText",
    "SentrySink",
    "Sink",
    "parse_levels",
    "sentry_client",
    "sink_for_format",
]
