"""The loggers of one client: a system of its own, which touches nothing that is the program's."""

from __future__ import annotations

from collections.abc import Mapping

from authsvc.logs import CLIENT_SCOPES, LoggerSettings, LoggerSystem

LogOptions = Mapping[str, LoggerSettings]
"""By scope, or ``default``: ``{"client.tokens": {"level": "debug"}, "default": {"sink": sink}}``."""


def make_client_logs(log_options: LogOptions | LoggerSystem | None = None) -> LoggerSystem:
    """The loggers of a client that is given ``log_options``; raises ``LogSettingError``, naming what is known.

    A client that works for another one is given that one's system and writes through it. Without options: warnings
    and worse, and the little that is told at info, as JSON lines to stderr.
    """
    if isinstance(log_options, LoggerSystem):
        return log_options
    logs = LoggerSystem(CLIENT_SCOPES)
    logs.configure_loggers(log_options or {})
    return logs
