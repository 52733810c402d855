"""What operators ask for, as values: decoded but not judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from authsvc.model import AppSettings


@dataclass(frozen=True, slots=True)
class Span:
    """A duration as the wire has it."""

    seconds: int
    nanos: int = 0


Wish = str | bool | tuple[str, ...] | Span | None
"""What is wished for one setting; None, "", False and () stand for: its default."""

Wishes = Mapping[str, Wish]
"""Wishes by setting, every setting of the contract being there."""

SETTINGS = tuple(field.name for field in fields(AppSettings))
"""The settings there are."""
