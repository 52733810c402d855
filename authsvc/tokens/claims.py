"""From ``AccessClaims`` to the bytes of a payload: the only place that decides what a token of ours says."""

from __future__ import annotations

from collections.abc import Iterator

from authsvc.errors import Faults, Reason
from authsvc.model import ApiKey, Profile, TokenScope, User, session_text
from authsvc.signing.strict_json import MAX_MEMBERS, write_flat, write_object
from authsvc.verify.claims import AccessClaims, subject_of

_AT_JWT = Profile.AT_JWT


def payload_of(claims: AccessClaims, *, profile: Profile, api_key: ApiKey) -> bytes:
    """The payload in that profile: ASCII, keys sorted, only what is set (RFC 7519, 4; RFC 9068, 2.2).

    Raises ``InvalidRequest`` when there are more claims than a verifier of ours accepts.
    """
    user = claims.user
    members: dict[str, object] = {
        **claims.custom_claims,
        "iss": claims.issuer,
        "sub": subject_of(user.id, profile),
        "user_id": user.id,
        "iat": claims.issued_at,
        "jti": claims.token_id,
    }
    if claims.expires_at is not None:
        members["exp"] = claims.expires_at
    if claims.audience:
        members["aud"] = claims.audience[0] if len(claims.audience) == 1 else claims.audience
    if profile is _AT_JWT:
        members["client_id"] = api_key
    if claims.session_id is not None:
        members["sid"] = session_text(claims.session_id)
    if claims.scope.limited:
        members.update(_of_scope(claims.scope))
    _add_user(members, user)
    if len(members) > MAX_MEMBERS:
        faults = Faults()
        faults.add("custom_claims", f"make more than {MAX_MEMBERS} claims in all", Reason.INVALID_REQUEST)
        faults.refuse_any()
    flat = user.custom is None and not claims.custom_claims
    return write_flat(members) if flat else write_object(members)


def _of_scope(scope: TokenScope) -> Iterator[tuple[str, object]]:
    if scope.call_cids:
        yield "call_cids", scope.call_cids
    if scope.channel_cids:
        yield "channel_cids", scope.channel_cids


def _add_user(members: dict[str, object], user: User) -> None:
    if user.role:
        members["role"] = user.role
    if user.name:
        members["name"] = user.name
    if user.image:
        members["image"] = user.image
    if user.custom is not None:
        members["custom"] = user.custom
