"""What the tests here share: a sink that keeps what it gets, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from authsvc.logs import Level, LoggerSystem

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


@dataclass
class Keeping:
    """A sink that keeps every call."""

    calls: list[tuple[Level, str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, level: Level, message: str, event: Mapping[str, Any]) -> None:
        self.calls.append((level, message, dict(event)))

    @property
    def messages(self) -> list[str]:
        return [message for _, message, _ in self.calls]

    @property
    def event(self) -> dict[str, Any]:
        """The fields of the one event kept, without its heading."""
        [(_, _, event)] = self.calls
        return {name: value for name, value in event.items() if name not in ("at", "scope")}


def system(sink: Keeping | None = None, *, scopes: tuple[str, ...] = ("rpc", "storage", "audit")) -> LoggerSystem:
    """A logger system whose built-in sink is `sink`."""
    return LoggerSystem(scopes, clock=lambda: NOW, built_in=sink or Keeping())
