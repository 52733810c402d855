"""A server in this process that writes of errors alone, where nobody reads of anything else."""

from __future__ import annotations

from authsvc.logs import LoggerSystem


def hush(logs: LoggerSystem) -> None:
    """Write errors; of the audit, which does not follow the other levels, nothing at all."""
    logs.configure_loggers({"default": {"level": "error"}, "audit": {"sink": lambda *_: None}})
