"""From ``AccessClaims`` to the bytes of a payload: the only place that decides what a token of ours says."""

from __future__ import annotations

from authsvc.errors import Faults, Reason
from authsvc.model import ApiKey, Profile, session_text
from authsvc.signing.strict_json import MAX_MEMBERS, write_flat, write_object
from authsvc.verify.claims import AccessClaims, subject_of


def payload_of(claims: AccessClaims, *, profile: Profile, api_key: ApiKey) -> bytes:
    """The payload in that profile: ASCII, keys sorted, only what is set (RFC 7519, 4; RFC 9068, 2.2).

    Raises ``InvalidRequest`` when there are more claims than a verifier of ours accepts.
    """
    user, scope = claims.user, claims.scope
    members: dict[str, object] = {
        **claims.custom_claims,
        "iss": claims.issuer,
        "sub": subject_of(user.id, profile),
        "user_id": user.id,
        "iat": claims.issued_at,
        "jti": claims.token_id,
    }
    optional = {
        "exp": claims.expires_at,
        "role": user.role or None,
        "name": user.name or None,
        "image": user.image or None,
        "custom": user.custom,
        "call_cids": scope.call_cids or None,
        "channel_cids": scope.channel_cids or None,
        "aud": claims.audience[0] if len(claims.audience) == 1 else claims.audience or None,
        "client_id": api_key if profile is Profile.AT_JWT else None,
        "sid": session_text(claims.session_id) if claims.session_id is not None else None,
    }
    members.update((name, value) for name, value in optional.items() if value is not None)
    if len(members) > MAX_MEMBERS:
        faults = Faults()
        faults.add("custom_claims", f"make more than {MAX_MEMBERS} claims in all", Reason.INVALID_REQUEST)
        faults.refuse_any()
    flat = user.custom is None and not claims.custom_claims
    return write_flat(members) if flat else write_object(members)
