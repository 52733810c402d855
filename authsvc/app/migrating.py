"""The schema of the store that the settings name: what it still needs, and bringing it there."""

from __future__ import annotations

from collections.abc import Sequence

from authsvc.app.commanding import command
from authsvc.clock import system_clock
from authsvc.storage import apply_missing, find_missing
from authsvc.storage.migrate import Migration


def missing_migrations() -> Sequence[Migration]:
    """What the store still needs, in order; changes nothing. Raises ``Refused``."""
    with command("migrate --check") as settings:
        return find_missing(settings.store_url)


def apply_migrations() -> Sequence[Migration]:
    """Apply it; returns what this call applied. Raises ``Refused``."""
    with command("migrate") as settings:
        return apply_missing(settings.store_url, clock=system_clock)
