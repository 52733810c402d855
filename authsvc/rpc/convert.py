"""Between messages and values, for tokens: decoding judges nothing, so that the rules can name every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from authsvc.clock import to_microseconds
from authsvc.model import Kind, TokenScope, TokenStatus, User, session_text
from authsvc.tokens.issue import IssuedToken
from authsvc.tokens.refresh import RefreshedToken
from authsvc.tokens.requests import (
    AnonymousSubject,
    ExpiresAt,
    GuestSubject,
    IssueRequest,
    Lifetime,
    NeverExpires,
    RefreshRequest,
    ScopeRequest,
    Seconds,
    Subject,
    Ttl,
    UserSubject,
    ValidateRequest,
)
from authsvc.v1 import auth_pb2 as pb
from authsvc.verify.verdict import ERROR_CODES, MESSAGES, Verdict, VerifiedToken

UNSET = object()
"""What a Struct value without a kind decodes to: no value of JSON, so the rules refuse it."""

KINDS = {
    Kind.USER: pb.TOKEN_KIND_USER,
    Kind.GUEST: pb.TOKEN_KIND_GUEST,
    Kind.ANONYMOUS: pb.TOKEN_KIND_ANONYMOUS,
    Kind.DEVELOPMENT: pb.TOKEN_KIND_DEVELOPMENT,
}
_STRONG = {pb.CONSISTENCY_UNSPECIFIED: False, pb.CONSISTENCY_CACHED: False, pb.CONSISTENCY_STRONG: True}
_STATUSES = {status: pb.TokenStatus.Value(f"TOKEN_STATUS_{status.value}") for status in TokenStatus}


def issue_request(message: pb.IssueTokenRequest, *, api_key: str = "") -> IssueRequest:
    """Decode; ``api_key`` is the app of a message that names none."""
    return IssueRequest(
        api_key=message.api_key or api_key,
        subject=_subject(message),
        scope=scope_request(message.scope) if message.HasField("scope") else None,
        lifetime=_lifetime(message),
        refreshable=message.refreshable,
        audience=tuple(message.audience),
        custom_claims=mapping_of(message.custom_claims) if message.HasField("custom_claims") else None,
        request_id=message.request_id,
        after_revision=message.after_revision,
    )


def refresh_request(message: pb.RefreshTokenRequest) -> RefreshRequest:
    """Decode."""
    return RefreshRequest(
        message.refresh_token,
        message.request_id,
        ttl=seconds_of(message.ttl) if message.HasField("ttl") else None,
        user=_user_subject(message.user) if message.HasField("user") else None,
        scope=scope_request(message.scope) if message.HasField("scope") else None,
    )


def validate_request(message: pb.ValidateTokenRequest, *, api_key: str = "") -> ValidateRequest:
    """Decode; ``api_key`` is the app of a message that names none."""
    token, named = message.token, message.api_key
    if len(message.ListFields()) == bool(token) + bool(named):  # nothing else is set: no need to look at each
        return ValidateRequest(token, named or api_key)
    return ValidateRequest(
        token=token,
        api_key=named or api_key,
        call_cid=message.call_cid if message.HasField("call_cid") else None,
        channel_cid=message.channel_cid if message.HasField("channel_cid") else None,
        audience=message.audience if message.HasField("audience") else None,
        any_role_of=tuple(message.roles.any_of) if message.HasField("roles") else None,
        strong=_STRONG.get(message.consistency),
        after_revision=message.after_revision,
    )


def issue_response(issued: IssuedToken) -> pb.IssueTokenResponse:
    """Encode."""
    response = pb.IssueTokenResponse(token=issued.minted.text, refresh_token=issued.refresh_token)
    fill_token_info(response.info, issued.minted.token)
    if issued.refresh_expires_at is not None:
        set_moment(response.refresh_expires_at, issued.refresh_expires_at)
    return response


def issued_in_batch(issued: IssuedToken) -> bytes:
    """Encode as the one result of a batch."""
    result = pb.BatchIssueTokensResult(response=issue_response(issued))
    return pb.BatchIssueTokensResponse(results=[result]).SerializeToString()


def refresh_response(refreshed: RefreshedToken) -> pb.RefreshTokenResponse:
    """Encode."""
    outcome = pb.REFRESH_OUTCOME_ROTATED if refreshed.rotated else pb.REFRESH_OUTCOME_REPLAYED
    response = pb.RefreshTokenResponse(
        token=refreshed.minted.text, refresh_token=refreshed.refresh_token, outcome=outcome
    )
    fill_token_info(response.info, refreshed.minted.token)
    set_moment(response.refresh_expires_at, refreshed.refresh_expires_at)
    return response


def validate_response(verdict: Verdict) -> pb.ValidateTokenResponse:
    """Encode."""
    response = pb.ValidateTokenResponse(
        active=verdict.active,
        status=_STATUSES[verdict.status],
        message=MESSAGES[verdict.status],
        error_code=ERROR_CODES[verdict.status],
    )
    if verdict.token is not None:
        fill_token_info(response.info, verdict.token)
    return response


def fill_token_info(info: pb.TokenInfo, token: VerifiedToken) -> None:
    """Encode into a message that is there: copying a sub-message costs more than filling it."""
    claims = token.claims
    info.token_id = claims.token_id
    info.api_key = token.api_key
    info.kind = KINDS[claims.kind]
    info.key_id = token.key_id
    info.issuer = claims.issuer
    if token.algorithm is not None:
        info.algorithm = token.algorithm.value
    if claims.issued_at is not None:
        info.issued_at.seconds = claims.issued_at
    if claims.session_id is not None:
        info.session_id = session_text(claims.session_id)
    if claims.expires_at is not None:
        info.expires_at.seconds = claims.expires_at
    info.audience.extend(claims.audience)
    if claims.scope.limited:
        fill_scope(info.scope, claims.scope)
    if claims.custom_claims:
        fill_struct(info.custom_claims, claims.custom_claims)
    fill_user(info.user, claims.user)


def fill_user(message: pb.User, user: User) -> None:
    """Encode into a message that is there."""
    message.id, message.role, message.name, message.image = user.id, user.role, user.name, user.image
    if user.custom is not None:
        fill_struct(message.custom, user.custom)


def fill_scope(message: pb.TokenScope, scope: TokenScope) -> None:
    """Encode into a message that is there."""
    message.call_cids.extend(scope.call_cids)
    message.channel_cids.extend(scope.channel_cids)


def fill_struct(struct: Struct, members: Mapping[str, object]) -> None:
    """Write JSON members into a struct that is there."""
    json_members: Any = members  # JSON by construction: it came out of a token or went into one
    struct.update(json_members)


def set_moment(message: Timestamp, moment: datetime) -> None:
    """Write a moment into a message that is there."""
    # By itself: the library's own way costs ten times as much.
    message.seconds, microseconds = divmod(to_microseconds(moment), 1_000_000)
    message.nanos = microseconds * 1_000


def seconds_of(message: Duration | Timestamp) -> Seconds:
    """Decode, without believing that it is in range."""
    return Seconds(message.seconds, message.nanos)


def mapping_of(struct: Struct) -> Mapping[str, object]:
    """Decode; numbers stay floats, as the wire has them."""
    return {name: _value(value) for name, value in struct.fields.items()}


def _value(value: Value) -> object:
    match value.WhichOneof("kind"):
        case "struct_value":
            return mapping_of(value.struct_value)
        case "list_value":
            return _list(value.list_value)
        case "null_value":
            return None
        case None:
            return UNSET
        case kind:
            return getattr(value, kind)


def _list(values: ListValue) -> list[object]:
    return [_value(value) for value in values.values]


def scope_request(message: pb.TokenScope) -> ScopeRequest:
    """Decode."""
    return ScopeRequest(tuple(message.call_cids), tuple(message.channel_cids))


def _custom(message: pb.User | pb.Guest) -> Mapping[str, object] | None:
    return mapping_of(message.custom) if message.HasField("custom") else None


def _user_subject(user: pb.User) -> UserSubject:
    return UserSubject(user.id, user.role, user.name, user.image, _custom(user))


def guest_subject(guest: pb.Guest) -> GuestSubject:
    """Decode."""
    return GuestSubject(guest.id_hint, guest.name, guest.image, _custom(guest))


def _subject(message: pb.IssueTokenRequest) -> Subject | None:
    match message.WhichOneof("subject"):
        case "user":
            return _user_subject(message.user)
        case "guest":
            return guest_subject(message.guest)
        case "anonymous":
            return AnonymousSubject(message.anonymous.role)
    return None


def _lifetime(message: pb.IssueTokenRequest) -> Lifetime | None:
    match message.WhichOneof("lifetime"):
        case "ttl":
            return Ttl(seconds_of(message.ttl))
        case "expires_at":
            return ExpiresAt(seconds_of(message.expires_at))
        case "never_expires":
            return NeverExpires(message.never_expires)
    return None
