"""Development tokens: ``header.payload.devtoken``, which anyone can make and nobody has signed.

They exist so that a front end can be tried without a backend, and are accepted only where the server's setting and the
app's both say so. The payload is *standard padded* base64 of JSON with ``user_id`` alone, as the seed SDKs make it.
"""

from __future__ import annotations

import base64
import binascii
import json

from authsvc.model import Kind, TokenId, TokenScope, TokenStatus, User, UserId
from authsvc.signing.rejected import Rejected
from authsvc.signing.strict_json import read_object
from authsvc.verify.claims import AccessClaims
from authsvc.verify.identifiers import GUEST_PREFIX, is_user_id

SUFFIX = ".devtoken"
HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"  # {"alg":"HS256","typ":"JWT"}


def make_development_token(user_id: str) -> str:
    """The development token of a user; raises ``ValueError`` for what cannot be a user's id."""
    if not _is_plain_user(user_id):
        raise ValueError("not the id of a user")
    payload = json.dumps({"user_id": user_id}, separators=(",", ":")).encode("ascii")
    return f"{HEADER}.{base64.b64encode(payload).decode('ascii')}{SUFFIX}"


def read_development_token(text: str) -> AccessClaims:
    """What a development token claims, in its one exact form.

    Raises ``Rejected``: MALFORMED for another form, CLAIM_INVALID unless it holds a user's id and nothing else.
    """
    segments = text.removesuffix(SUFFIX).split(".")
    if len(segments) != 2 or segments[0] != HEADER:
        raise Rejected(TokenStatus.MALFORMED, "not a development token's header")
    members = _members(segments[1])
    user_id = members.get("user_id")
    if members.keys() != {"user_id"} or not isinstance(user_id, str) or not _is_plain_user(user_id):
        raise Rejected(TokenStatus.CLAIM_INVALID, "user_id alone")
    return AccessClaims(
        issuer="",
        kind=Kind.DEVELOPMENT,
        user=User(UserId(user_id)),
        token_id=TokenId(""),
        token_revision=None,
        issued_at=None,
        expires_at=None,
        not_before=None,
        session_id=None,
        audience=(),
        scope=TokenScope(),
        custom_claims={},
        managed=False,
    )


def _members(segment: str) -> dict[str, object]:
    try:
        raw = base64.b64decode(segment.encode("ascii"), validate=True)
        if base64.b64encode(raw).decode("ascii") == segment:
            return read_object(raw)
    except (ValueError, binascii.Error):
        pass
    raise Rejected(TokenStatus.MALFORMED, "not a development token's payload")


def _is_plain_user(user_id: str) -> bool:
    return is_user_id(user_id) and not user_id.startswith(GUEST_PREFIX)
