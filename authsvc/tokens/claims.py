"""From ``AccessClaims`` to the bytes of a payload: the only place that decides what a token of ours says."""

from __future__ import annotations

from authsvc.errors import Faults, Reason
from authsvc.model import session_text
from authsvc.signing.strict_json import MAX_MEMBERS, write_object
from authsvc.verify.claims import AccessClaims


def payload_of(claims: AccessClaims) -> bytes:
    """The ``classic`` payload: ASCII, keys sorted, only what is set (RFC 7519, section 4).

    Raises ``InvalidRequest`` when there are more claims than a verifier of ours accepts.
    """
    user, scope = claims.user, claims.scope
    members: dict[str, object] = {
        **claims.custom_claims,
        "iss": claims.issuer,
        "sub": f"user/{user.id}",
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
        "sid": session_text(claims.session_id) if claims.session_id is not None else None,
    }
    members.update((name, value) for name, value in optional.items() if value is not None)
    if len(members) > MAX_MEMBERS:
        faults = Faults()
        faults.add("custom_claims", f"make more than {MAX_MEMBERS} claims in all", Reason.INVALID_REQUEST)
        faults.refuse_any()
    return write_object(members)
