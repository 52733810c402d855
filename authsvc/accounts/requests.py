"""What operators ask for, as values: decoded but not judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountProfile:
    """What an operator chooses for a service account."""

    name: str
    permissions: tuple[str, ...] = ()
    all_apps: bool = False
    apps: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()


FIELDS = ("name", "permissions", "all_apps", "apps", "audiences")
"""The paths an update mask may name."""
