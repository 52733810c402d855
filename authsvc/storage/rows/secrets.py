"""Service-wide secrets as rows and back."""

from __future__ import annotations

from typing import Any, Final

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import Revision, SealedSecret

COLUMNS: Final = "purpose, number, sealed, created_at, revision"


def to_row(secret: SealedSecret) -> tuple[Any, ...]:
    """The columns ``COLUMNS`` of a secret."""
    return secret.purpose, secret.number, secret.sealed, to_microseconds(secret.created_at), secret.revision


def from_row(row: tuple[Any, ...]) -> SealedSecret:
    """The secret in the columns ``COLUMNS``."""
    purpose, number, sealed, created_at, revision = row
    return SealedSecret(purpose, number, sealed, from_microseconds(created_at), Revision(revision))
