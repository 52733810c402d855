"""The claims of an access token: their names, their types, and the strict way from bytes to ``AccessClaims``.

Three shapes: ours in the ``classic`` profile, ours as RFC 9068 has it, and unmanaged tokens, which the holder of an
imported secret mints without us.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from authsvc.model import (
    NO_SCOPE,
    ApiKey,
    Kind,
    Profile,
    Revision,
    SessionId,
    TokenId,
    TokenScope,
    TokenStatus,
    User,
    UserId,
    session_id_of,
)
from authsvc.signing import base64url
from authsvc.signing.rejected import Rejected
from authsvc.signing.strict_json import JsonObject, read_object
from authsvc.verify.identifiers import ANONYMOUS_ID, GUEST_PREFIX, MAX_CIDS, is_cid, is_role, is_user_id

TYP = {Profile.CLASSIC: "JWT", Profile.AT_JWT: "at+jwt"}
PROFILE_OF_TYP = {typ: profile for profile, typ in TYP.items()}
MAX_SECONDS = 2**53  # the largest whole number every JSON reader keeps (RFC 8259, section 6)

# RFC 7519 section 4.1, then ours.
REGISTERED_NAMES = frozenset(("iss", "sub", "aud", "exp", "nbf", "iat", "jti"))
CLAIM_NAMES = REGISTERED_NAMES | {"user_id", "role", "name", "image", "custom", "call_cids", "channel_cids", "sid"}
# Names that mean something to others who read our tokens: never a custom claim.
RESERVED_NAMES = CLAIM_NAMES | {"scope", "client_id", "server", "cnf", "act", "typ", "kid"}

_KNOWN_NAMES = {Profile.CLASSIC: CLAIM_NAMES, Profile.AT_JWT: CLAIM_NAMES | {"client_id"}}
_UNMANAGED_NAMES = CLAIM_NAMES - {"jti", "sid"}  # theirs are not ours, and no look-up of ours may meet them

_JTI_BYTES = 20


class AccessClaims(NamedTuple):
    """What a token says, every type checked. Times are whole seconds since 1970 UTC.

    Tokens of ours always have an issuer, ``token_id``, ``token_revision`` and ``issued_at``; unmanaged and development
    tokens may lack them (empty text, None).
    """

    issuer: str
    kind: Kind
    user: User
    token_id: TokenId
    token_revision: Revision | None
    issued_at: int | None
    expires_at: int | None
    not_before: int | None
    session_id: SessionId | None
    audience: tuple[str, ...]
    scope: TokenScope
    custom_claims: Mapping[str, object]
    managed: bool = True


# Members looked up on their class at each token would be a tenth of what reading its claims costs.
_USER, _GUEST, _ANONYMOUS, _CLASSIC = Kind.USER, Kind.GUEST, Kind.ANONYMOUS, Profile.CLASSIC


def kind_of(user_id: str) -> Kind:
    """Whom an id belongs to: ``!anon``, ``guest-…``, or a user."""
    if user_id == ANONYMOUS_ID:
        return _ANONYMOUS
    return _GUEST if user_id.startswith(GUEST_PREFIX) else _USER


def token_id_of(revision: Revision, random_bytes: bytes) -> TokenId:
    """The ``jti``: the revision its issuer had seen, then 12 random bytes; revocation orders by it, not by a clock."""
    return TokenId(base64url.encode(revision.to_bytes(8, "big") + random_bytes))


def is_token_id(text: str) -> bool:
    """Whether ``text`` can be the ``jti`` of a token of ours."""
    try:
        _revision(text)
    except _Invalid:
        return False
    return True


def subject_of(user_id: str, profile: Profile) -> str:
    """The ``sub`` of a user in a profile."""
    return f"user/{user_id}" if profile is _CLASSIC else user_id


def read_members(payload: bytes) -> JsonObject:
    """The members of a payload whose signature is verified; raises ``Rejected(MALFORMED)`` unless strict JSON."""
    try:
        return read_object(payload)
    except ValueError as fault:
        raise Rejected(TokenStatus.MALFORMED, str(fault)) from None


def issuer_of(members: JsonObject) -> str:
    """The ``iss`` claim, judged before any other; raises ``Rejected(CLAIM_INVALID)`` when it is not text."""
    issuer = members.get("iss")
    if not isinstance(issuer, str):
        raise Rejected(TokenStatus.CLAIM_INVALID, "iss")
    return issuer


def parse_claims(members: JsonObject, *, profile: Profile, api_key: ApiKey) -> AccessClaims:
    """Read the claims of a token of ours in that profile.

    Raises ``Rejected``: WRONG_TYPE for a server token, CLAIM_INVALID for a claim that is missing, of a wrong type or
    out of range.
    """
    _refuse_server(members)
    try:
        return _managed(members, profile, api_key)
    except _Invalid as fault:
        raise Rejected(TokenStatus.CLAIM_INVALID, str(fault)) from None


def parse_unmanaged(members: JsonObject) -> AccessClaims:
    """Read what others mint with an imported secret: ``user_id`` required, any ``iss``, times optional.

    What is not known here becomes a custom claim. Raises ``Rejected`` as ``parse_claims`` does.
    """
    _refuse_server(members)
    try:
        return _unmanaged(members)
    except _Invalid as fault:
        raise Rejected(TokenStatus.CLAIM_INVALID, str(fault)) from None


class _Invalid(ValueError):
    pass


def _refuse_server(members: JsonObject) -> None:
    if "server" in members:
        raise Rejected(TokenStatus.WRONG_TYPE, "a server token")


def _managed(members: JsonObject, profile: Profile, api_key: ApiKey) -> AccessClaims:
    # For each token that is new: a name is looked for before a function is called for it.
    if profile is not _CLASSIC:
        _check_client(members, api_key)
    custom_claims = {} if members.keys() <= CLAIM_NAMES else _custom_claims(members, _KNOWN_NAMES[profile])
    if custom_claims and not RESERVED_NAMES.isdisjoint(custom_claims):
        raise _Invalid("a reserved name")
    user = _user(members)
    user_id = user.id
    if members.get("sub") != subject_of(user_id, profile):
        raise _Invalid("sub")
    token_id, issued_at = _text(members, "jti"), _seconds(members, "iat")
    expires_at = _seconds(members, "exp") if "exp" in members else None
    if expires_at is not None and expires_at <= issued_at:
        raise _Invalid("exp")
    return AccessClaims(
        issuer_of(members),
        kind_of(user_id),
        user,
        TokenId(token_id),
        _revision(token_id),
        issued_at,
        expires_at,
        _seconds(members, "nbf") if "nbf" in members else None,
        _session_id(members) if "sid" in members else None,
        _audience(members) if "aud" in members else (),
        _scope(members),
        custom_claims,
    )


def _unmanaged(members: JsonObject) -> AccessClaims:
    if "user_id" not in members:  # some of the vendor's packages mint server tokens that say nothing at all
        raise Rejected(TokenStatus.WRONG_TYPE, "a token of no user")
    user = _user(members)
    if "sub" in members and members["sub"] != subject_of(user.id, Profile.CLASSIC):
        raise _Invalid("sub")
    issued_at, expires_at = _optional_seconds(members, "iat"), _optional_seconds(members, "exp")
    _check_order(issued_at, expires_at)
    return AccessClaims(
        issuer=_text(members, "iss", ""),
        kind=kind_of(user.id),
        user=user,
        token_id=TokenId(""),
        token_revision=None,
        issued_at=issued_at,
        expires_at=expires_at,
        not_before=_optional_seconds(members, "nbf"),
        session_id=None,
        audience=_audience(members) if "aud" in members else (),
        scope=_scope(members),
        custom_claims=_custom_claims(members, _UNMANAGED_NAMES),
        managed=False,
    )


def _check_client(members: JsonObject, api_key: ApiKey) -> None:
    """RFC 9068, section 2.2: the client and an audience are always stated."""
    if members.get("client_id") != api_key or "aud" not in members:
        raise _Invalid("client_id or aud")


def _check_order(issued_at: int | None, expires_at: int | None) -> None:
    if issued_at is not None and expires_at is not None and expires_at <= issued_at:
        raise _Invalid("exp")


def _user(members: JsonObject) -> User:
    get = members.get
    user_id, role, name, image = get("user_id"), get("role", ""), get("name", ""), get("image", "")
    custom = get("custom")
    if not isinstance(user_id, str) or not (is_user_id(user_id) or user_id == ANONYMOUS_ID):
        raise _Invalid("user_id")
    if not isinstance(role, str) or not (is_role(role) or (not role and "role" not in members)):
        raise _Invalid("role")
    if custom is None and "custom" in members:
        raise _Invalid("custom")
    if custom is not None and not isinstance(custom, dict):
        raise _Invalid("custom")
    if not isinstance(name, str):
        raise _Invalid("name")
    if not isinstance(image, str):
        raise _Invalid("image")
    return User(UserId(user_id), role, name, image, custom)


def _text(members: JsonObject, name: str, default: str | None = None) -> str:
    value = members.get(name, default)
    if not isinstance(value, str):
        raise _Invalid(name)
    return value


def _seconds(members: JsonObject, name: str) -> int:
    value = members.get(name)
    # bool is an int in Python, and 1.0 is a number in JSON: neither is a NumericDate of ours.
    if type(value) is not int or not 0 <= value <= MAX_SECONDS:
        raise _Invalid(name)
    return value


def _optional_seconds(members: JsonObject, name: str) -> int | None:
    return _seconds(members, name) if name in members else None


def _revision(token_id: str) -> Revision:
    try:
        raw = base64url.decode(token_id)
    except ValueError:
        raise _Invalid("jti") from None
    if len(raw) != _JTI_BYTES:
        raise _Invalid("jti")
    return Revision(int.from_bytes(raw[:8], "big"))


def _session_id(members: JsonObject) -> SessionId:
    session_id = session_id_of(_text(members, "sid"))
    if session_id is None:
        raise _Invalid("sid")
    return session_id


def _custom_claims(members: JsonObject, known: frozenset[str]) -> JsonObject:
    return {name: value for name, value in members.items() if name not in known}


def _audience(members: JsonObject) -> tuple[str, ...]:
    value = members["aud"]
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values:
        raise _Invalid("aud")
    return _distinct_texts(values, "aud")


def _scope(members: JsonObject) -> TokenScope:
    if "call_cids" not in members and "channel_cids" not in members:
        return NO_SCOPE
    return TokenScope(_cids(members, "call_cids"), _cids(members, "channel_cids"))


def _cids(members: JsonObject, name: str) -> tuple[str, ...]:
    if name not in members:
        return ()
    values = members[name]
    if not isinstance(values, list) or not 0 < len(values) <= MAX_CIDS:
        raise _Invalid(name)
    cids = _distinct_texts(values, name)
    if not all(map(is_cid, cids)):
        raise _Invalid(name)
    return cids


def _distinct_texts(values: list[object], name: str) -> tuple[str, ...]:
    texts = tuple(value for value in values if isinstance(value, str) and value)
    if len(texts) != len(values) or len(set(texts)) != len(texts):
        raise _Invalid(name)
    return texts
