"""Apps as rows and back."""

from __future__ import annotations

from typing import Any, Final

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import ApiKey, App, Revision
from authsvc.storage.rows.moments import lifetime, lifetime_microseconds
from authsvc.storage.texts import past_issuers_from, past_issuers_text, settings_from, settings_text

COLUMNS: Final = (
    "api_key, settings, past_issuers, longest_ttl_ever, longest_session_ever, ever_non_expiring,"
    " version, revision, created_at, updated_at"
)


def to_row(app: App) -> tuple[Any, ...]:
    """The columns ``COLUMNS`` of an app."""
    return (
        app.api_key,
        settings_text(app.settings),
        past_issuers_text(app.past_issuers),
        lifetime_microseconds(app.longest_ttl_ever),
        lifetime_microseconds(app.longest_session_ever),
        app.ever_non_expiring,
        app.version,
        app.revision,
        to_microseconds(app.created_at),
        to_microseconds(app.updated_at),
    )


def from_row(row: tuple[Any, ...]) -> App:
    """The app in the columns ``COLUMNS``; raises ``StoredDataInvalid``."""
    api_key, settings, past_issuers, longest_ttl, longest_session, non_expiring, version, revision, *moments = row
    created_at, updated_at = map(from_microseconds, moments)
    return App(
        api_key=ApiKey(api_key),
        settings=settings_from(settings),
        longest_ttl_ever=lifetime(longest_ttl),
        longest_session_ever=lifetime(longest_session),
        ever_non_expiring=bool(non_expiring),
        past_issuers=past_issuers_from(past_issuers),
        version=version,
        revision=Revision(revision),
        created_at=created_at,
        updated_at=updated_at,
    )
