"""Between messages and values, for sessions and for what ends them."""

from __future__ import annotations

from authsvc.errors import Reason
from authsvc.model import SessionId, session_id_of, session_text
from authsvc.rpc.convert import KINDS, fill_scope, fill_user, seconds_of, set_moment
from authsvc.storage.base import SessionState
from authsvc.tokens.session_list import SessionQuery
from authsvc.tokens.sessions import end_of, refreshes_of
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
from authsvc.v1 import auth_pb2 as pb

_STATES = {
    None: pb.SESSION_STATE_LIVE,
    Reason.SESSION_REVOKED: pb.SESSION_STATE_REVOKED,
    Reason.REFRESH_TOKEN_EXPIRED: pb.SESSION_STATE_EXPIRED,
}


def revoke_request(message: pb.RevokeTokensRequest) -> RevokeRequest:
    """Decode."""
    moment = seconds_of(message.issued_before) if message.HasField("issued_before") else None
    return RevokeRequest(message.api_key, _target(message), moment)


def _target(message: pb.RevokeTokensRequest) -> Target | None:
    match message.WhichOneof("target"):
        case "user_id":
            return UserTarget(message.user_id)
        case "session_id":
            return SessionTarget(message.session_id)
        case "token":
            return TokenTarget(message.token)
        case "token_id":
            return TokenIdTarget(message.token_id)
        case "refresh_token":
            return RefreshTokenTarget(message.refresh_token)
        case "all_users":
            return AllUsersTarget(message.all_users)
    return None


def session_query(message: pb.ListSessionsRequest) -> SessionQuery:
    """Decode."""
    return SessionQuery(message.api_key, message.user_id, message.include_ended)


def session_place(key: str) -> SessionId:
    """Where a list has got to; raises ``ValueError`` for what is no session's id."""
    session_id = session_id_of(key)
    if session_id is None:
        raise ValueError("not a session's id")
    return session_id


def session_key(state: SessionState) -> str:
    """What ``session_place`` reads."""
    return session_text(state.session.id)


def session_message(state: SessionState) -> pb.Session:
    """Encode."""
    session = state.session
    message = pb.Session(
        session_id=session_text(session.id),
        kind=KINDS[session.kind],
        audience=session.audience,
        state=_STATES[end_of(state)],
        refreshes=refreshes_of(session),
        opened_by="" if session.opened_public else session.caller,
    )
    fill_user(message.user, session.user)
    if session.scope.limited:
        fill_scope(message.scope, session.scope)
    set_moment(message.created_at, session.created_at)
    set_moment(message.refreshed_at, session.rotated_at)
    set_moment(message.idle_expires_at, session.idle_expires_at)
    set_moment(message.absolute_expires_at, session.absolute_expires_at)
    return message
