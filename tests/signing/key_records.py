"""Apps and keys as the store keeps them, without a store: for rules that are functions of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from authsvc.model import Algorithm, ApiKey, App, AppSettings, KeyId, KeyRecord, KeyState, Revision

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
ACME = ApiKey("acme")


def an_app(**settings: Any) -> App:
    """An app with those settings, which remembers as much as it would have from the start."""
    chosen = AppSettings(**settings)
    return App(
        api_key=ACME,
        settings=chosen,
        longest_ttl_ever=chosen.max_ttl,
        longest_session_ever=chosen.session_max_ttl,
        ever_non_expiring=chosen.allow_never_expires or chosen.accept_unmanaged_tokens,
        past_issuers=(),
        version=1,
        revision=Revision(0),
        created_at=NOW,
        updated_at=NOW,
    )


def a_key(key_id: str = "first", **changes: Any) -> KeyRecord:
    """A key that was made and became active now."""
    key = KeyRecord(
        api_key=ACME,
        key_id=KeyId(key_id),
        algorithm=Algorithm.ES256,
        state=KeyState.ACTIVE,
        sealed=b"sealed",
        public_jwk="",
        created_at=NOW,
        activated_at=NOW,
        retired_at=None,
        revoked_at=None,
        imported=False,
        revision=Revision(0),
    )
    return replace(key, **changes)


def a_pending_key(key_id: str = "next", **changes: Any) -> KeyRecord:
    """A key that was published now."""
    return a_key(key_id, **{"state": KeyState.PENDING, "activated_at": None, **changes})
