"""What can be revoked, and how what cannot is reached: the rules for the targets of a revocation."""

from __future__ import annotations

from datetime import datetime

from authsvc.clock import from_microseconds
from authsvc.errors import Faults, InvalidRequest, Violation
from authsvc.model import AppSettings, session_id_of
from authsvc.signing.rejected import Rejected
from authsvc.tokens.requests import Seconds
from authsvc.tokens.targets import (
    AllUsersTarget,
    RefreshTokenTarget,
    RevokeRequest,
    SessionTarget,
    Target,
    TokenIdTarget,
    TokenTarget,
    UserTarget,
)
from authsvc.verify.claims import AccessClaims, is_token_id
from authsvc.verify.development import SUFFIX
from authsvc.verify.identifiers import ANONYMOUS_ID, USER_ID_FORM, is_user_id
from authsvc.verify.verdict import MESSAGES

TARGETS = "user_id, session_id, token, token_id, refresh_token, all_users"

_NANOS = 1_000_000_000
_OTHER_KINDS = {
    "art1_": "is a refresh token: send it as refresh_token, which ends its whole session",
    "ask1_": "is a service credential: AdminService.RevokeCredential ends it",
}
_SECRET_LENGTH = 40  # no user has an id like a refresh token's or a credential's text; what is ended is audited by name
_OTHERWISE = "what it says may be ended all the same: name its token_id, or its user_id"
_NO_TOKEN_ID = "has no jti of ours, so that it cannot be ended alone: name its user_id"


def check_target(target: Target | None, faults: Faults) -> None:
    """A target is there, and of the form of its kind; present but empty is a fault."""
    match target:
        case None:
            faults.add("target", f"must be set: one of {TARGETS}")
        case UserTarget(user_id):
            _check_user(user_id, faults)
        case SessionTarget(session_id) if session_id_of(session_id) is None:
            faults.add("session_id", "must be a session_id as tokens have it: a UUID in lower case with hyphens")
        case TokenTarget(token) if not token:
            faults.add("token", "must be set where it is the target")
        case TokenIdTarget(token_id) if not is_token_id(token_id):
            faults.add("token_id", "must be the token_id (jti) of a token of this service")
        case RefreshTokenTarget(refresh_token) if not refresh_token:
            faults.add("refresh_token", "must be set where it is the target")
        case AllUsersTarget(value) if not value:
            faults.add("all_users", "is present but false: set it, or name another target")


def _check_user(user_id: str, faults: Faults) -> None:
    if not (is_user_id(user_id) or user_id == ANONYMOUS_ID):
        faults.add("user_id", f"must be {USER_ID_FORM}, or {ANONYMOUS_ID} for all anonymous visitors")
    elif len(user_id) > _SECRET_LENGTH and (hint := _other_kind(user_id)):
        faults.add("user_id", hint)


def check_issued_before(request: RevokeRequest, settings: AppSettings, now: datetime, faults: Faults) -> None:
    """A moment goes with users alone, and is not ahead of the clock by more than clocks differ."""
    wanted = request.issued_before
    if wanted is None:
        return
    if not isinstance(request.target, UserTarget | AllUsersTarget):
        faults.add("issued_before", "goes with user_id and all_users only: others are ended as a whole")
    latest = now + settings.clock_skew
    # In seconds first: what is out of range cannot be made a moment.
    if not (0 <= wanted.nanos < _NANOS and 0 <= wanted.seconds <= latest.timestamp() and moment_of(wanted) <= latest):
        skew = int(settings.clock_skew.total_seconds())
        faults.add("issued_before", f"must be a moment since 1970, at most {skew} s (clock_skew) ahead of now")


def moment_of(wanted: Seconds) -> datetime:
    """The moment; a part of a microsecond is rounded up, so that nothing before it is left out."""
    return from_microseconds(wanted.seconds * 1_000_000 - (-wanted.nanos // 1_000))


def unknown_token(text: str, rejected: Rejected) -> InvalidRequest:
    """The refusal of a text that is no access token of the app, with what would be right instead."""
    hint = _other_kind(text)
    if not hint and text.endswith(SUFFIX):
        hint = _without_token_id(issued_at=None)
    description = hint or f"is refused ({MESSAGES[rejected.status]}); {_OTHERWISE}"
    return InvalidRequest([Violation("token", description)], detail=rejected.detail)


def without_token_id(claims: AccessClaims) -> InvalidRequest:
    """The refusal of a good token that has no jti of ours: it is reached by when it was issued."""
    return InvalidRequest([Violation("token", _without_token_id(claims.issued_at))])


def _other_kind(text: str) -> str:
    """What a text is that is no access token; empty where it does not look like another kind."""
    return next((hint for prefix, hint in _OTHER_KINDS.items() if text.startswith(prefix)), "")


def _without_token_id(issued_at: int | None) -> str:
    if issued_at is None:
        return f"{_NO_TOKEN_ID}; it does not say when it was issued, so that any revocation of the user ends it"
    return f"{_NO_TOKEN_ID}, with an issued_before later than its iat"
