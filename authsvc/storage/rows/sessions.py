"""Sessions as rows and back."""

from __future__ import annotations

from typing import Any, Final

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import AccountId, ApiKey, Kind, Profile, Revision, Session, SessionId, UserId
from authsvc.storage.base import Turn
from authsvc.storage.rows.moments import lifetime, lifetime_microseconds, optional_microseconds, optional_moment
from authsvc.storage.rows.retention import session_due
from authsvc.storage.texts import claims_from, claims_text

COLUMNS: Final = (
    "id, api_key, kind, user_id, claims, profile, access_ttl, generation, rotated_at, request_id_hash,"
    " created_revision, created_at, idle_expires_at, absolute_expires_at, revoked_at, revoke_reason,"
    " caller, opened_public"
)

# Calling the type to find a member costs more than the rest of its column.
_KINDS = {kind.value: kind for kind in Kind}
_PROFILES = {profile.value: profile for profile in Profile}


def to_row(session: Session) -> dict[str, object]:
    """The columns of a session by name and ``due_at``, but for ``created_revision``, which the store decides."""
    idle, absolute = to_microseconds(session.idle_expires_at), to_microseconds(session.absolute_expires_at)
    access_ttl = lifetime_microseconds(session.access_ttl)
    return {
        "id": session.id,
        "api_key": session.api_key,
        "kind": session.kind,
        "user_id": session.user.id,
        "claims": claims_text(session),
        "profile": session.profile,
        "access_ttl": access_ttl,
        "generation": session.generation,
        "rotated_at": to_microseconds(session.rotated_at),
        "request_id_hash": session.request_id_hash,
        "created_at": to_microseconds(session.created_at),
        "idle_expires_at": idle,
        "absolute_expires_at": absolute,
        "revoked_at": optional_microseconds(session.revoked_at),
        "revoke_reason": session.revoke_reason,
        "caller": session.caller,
        "opened_public": session.opened_public,
        "due_at": session_due(idle, absolute, access_ttl, session.generation),
    }


def from_row(row: tuple[Any, ...]) -> Session:
    """The session in the columns ``COLUMNS``; raises ``StoredDataInvalid``."""
    session_id, api_key, kind, user_id, claims, profile, access_ttl, generation, rotated_at, request_id_hash = row[:10]
    created_revision, created_at, idle_expires_at, absolute_expires_at, revoked_at, revoke_reason = row[10:16]
    caller, opened_public = row[16:]
    return Session(
        id=SessionId(session_id),
        api_key=ApiKey(api_key),
        kind=_KINDS[kind],
        **claims_from(UserId(user_id), claims),
        profile=_PROFILES[profile],
        access_ttl=lifetime(access_ttl),
        generation=generation,
        rotated_at=from_microseconds(rotated_at),
        request_id_hash=request_id_hash,
        created_revision=Revision(created_revision),
        created_at=from_microseconds(created_at),
        idle_expires_at=from_microseconds(idle_expires_at),
        absolute_expires_at=from_microseconds(absolute_expires_at),
        revoked_at=optional_moment(revoked_at),
        revoke_reason=revoke_reason,
        caller=AccountId(caller),
        opened_public=bool(opened_public),
    )


def turn_values(turn: Turn, changed: Session | None = None) -> dict[str, object]:
    """The values of the statement that turns a session, but for the present."""
    return {
        "id": turn.session_id,
        "generation": turn.generation,
        "request_id_hash": turn.request_id_hash,
        "idle_ttl": lifetime_microseconds(turn.idle_ttl),
        "claims": None if changed is None else claims_text(changed),
    }
