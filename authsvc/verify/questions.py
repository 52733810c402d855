"""What a caller may ask about a token: its audience, a call or channel, a role."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from authsvc.errors import Faults
from authsvc.model import ApiKey, TokenScope, TokenStatus
from authsvc.signing.rejected import Rejected
from authsvc.verify.claims import AccessClaims
from authsvc.verify.identifiers import CID_FORM, MAX_AUDIENCE_LENGTH, ROLE_FORM, is_cid, is_role


@dataclass(frozen=True, slots=True)
class Questions:
    """None: not asked. ``caller_audiences``: what the calling service itself goes by."""

    call_cid: str | None = None
    channel_cid: str | None = None
    audience: str | None = None
    any_role_of: tuple[str, ...] | None = None
    caller_audiences: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def no_questions(caller_audiences: tuple[str, ...]) -> Questions:
    """What a service asks that asks nothing: nearly all that is ever asked, so it is kept."""
    return Questions(caller_audiences=caller_audiences)


def check_askable(questions: Questions, faults: Faults) -> None:
    """Note what cannot be asked: a question that is present is never empty, and has the form of what it asks about."""
    for field, cid in (("call_cid", questions.call_cid), ("channel_cid", questions.channel_cid)):
        if cid is not None and not is_cid(cid):
            faults.add(field, f"must be {CID_FORM}")
    if questions.audience is not None and not 0 < len(questions.audience) <= MAX_AUDIENCE_LENGTH:
        faults.add("audience", f"must be 1 to {MAX_AUDIENCE_LENGTH} characters where it is present")
    if questions.any_role_of is not None:
        if not questions.any_role_of:
            faults.add("roles", "is present but empty: list any_of, or leave it out")
        for index, role in enumerate(questions.any_role_of):
            if not is_role(role):
                faults.add(f"roles.any_of[{index}]", f"must be {ROLE_FORM}")


def check_audience(claims: AccessClaims, questions: Questions, *, api_key: ApiKey) -> None:
    """Raise ``Rejected(AUDIENCE_MISMATCH)`` when the token is not meant for the one who asks (RFC 7519, 4.1.3).

    A stated audience must be one of the token's. Without one, a token whose audience is more than its own app must
    name an audience of the calling service: a token meant for others is never accepted by silence.
    """
    if questions.audience is not None:
        if questions.audience not in claims.audience:
            raise Rejected(TokenStatus.AUDIENCE_MISMATCH)
    elif claims.audience not in ((), (api_key,)) and set(claims.audience).isdisjoint(questions.caller_audiences):
        raise Rejected(TokenStatus.AUDIENCE_MISMATCH)


def check_scope(scope: TokenScope, questions: Questions) -> None:
    """Raise ``Rejected(SCOPE_DENIED)`` unless the token may be used for the call and the channel that were asked.

    A token with any list is denied the kind it does not list, and is no answer to nothing: ask with a cid.
    """
    if not (scope.call_cids or scope.channel_cids):
        return
    if questions.call_cid is None and questions.channel_cid is None:
        raise Rejected(TokenStatus.SCOPE_DENIED, "no cid was asked")
    if questions.call_cid is not None and questions.call_cid not in scope.call_cids:
        raise Rejected(TokenStatus.SCOPE_DENIED, "call")
    if questions.channel_cid is not None and questions.channel_cid not in scope.channel_cids:
        raise Rejected(TokenStatus.SCOPE_DENIED, "channel")


def check_role(role: str, questions: Questions) -> None:
    """Raise ``Rejected(ROLE_DENIED)`` unless the token's role is one of those asked."""
    if questions.any_role_of is not None and role not in questions.any_role_of:
        raise Rejected(TokenStatus.ROLE_DENIED)
