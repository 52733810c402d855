"""Between messages and values, for what operators look at and take back: revocations and the audit."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from authsvc.model import (
    AuditRow,
    Revision,
    SessionRevoked,
    Subject,
    TokenRevoked,
    Watermark,
    session_id_of,
    session_text,
)
from authsvc.operations.audit import AuditQuery, Moment
from authsvc.operations.revocations import ClearRequest, RevocationPlace, RevocationQuery
from authsvc.rpc.convert import set_moment
from authsvc.storage.base import Revocation
from authsvc.v1 import admin_pb2 as pb
from authsvc.verify.claims import is_token_id
from authsvc.verify.identifiers import ANONYMOUS_ID, is_user_id

_KINDS = {
    pb.REVOCATION_KIND_USERS: Subject.WATERMARK,
    pb.REVOCATION_KIND_SESSION: Subject.SESSION,
    pb.REVOCATION_KIND_TOKEN: Subject.TOKEN,
}
_MOST_ID = 2**63


def clear_request(message: pb.ClearRevocationRequest) -> ClearRequest:
    """Decode."""
    target = message.WhichOneof("target")
    return ClearRequest(
        message.api_key,
        user_id=message.user_id if target == "user_id" else None,
        token_id=message.token_id if target == "token_id" else None,
        all_users=message.all_users if target == "all_users" else None,
    )


def cleared_response(revision: Revision | None) -> pb.ClearRevocationResponse:
    """Encode the revision that took a revocation back, None where there was nothing to take back."""
    return pb.ClearRevocationResponse(cleared=revision is not None, revision=revision or 0)


def revocation_query(message: pb.ListRevocationsRequest) -> RevocationQuery:
    """Decode; a kind of a newer contract becomes one that cannot be revoked, for the rules to refuse."""
    kind = _KINDS.get(message.kind, Subject.LEVEL) if message.kind else None
    return RevocationQuery(message.api_key, kind, message.user_id)


def revocation_key(revocation: Revocation) -> str:
    """What ``revocation_place`` reads."""
    match revocation:
        case Watermark():
            return f"{Subject.WATERMARK}/{revocation.user_id or ''}"
        case SessionRevoked():
            return f"{Subject.SESSION}/{session_text(revocation.session_id)}"
        case TokenRevoked():
            return f"{Subject.TOKEN}/{revocation.token_id}"


def revocation_place(key: str) -> RevocationPlace:
    """Where a list has got to; raises ``ValueError`` for what no revocation is called."""
    kind, slash, name = key.partition("/")
    match kind + slash:
        case "watermark/" if name in ("", ANONYMOUS_ID) or is_user_id(name):
            return RevocationPlace(Subject.WATERMARK, name)
        case "session/" if session_id_of(name) is not None:
            return RevocationPlace(Subject.SESSION, name)
        case "token/" if is_token_id(name):
            return RevocationPlace(Subject.TOKEN, name)
    raise ValueError("not a revocation's name")


def revocation_message(revocation: Revocation) -> pb.Revocation:
    """Encode."""
    message = pb.Revocation(revision=revocation.revision)
    match revocation:
        case Watermark():
            message.kind, message.user_id = pb.REVOCATION_KIND_USERS, revocation.user_id or ""
            _set(message.tokens_revoked_at, revocation.tokens_revoked_at)
            _set(message.tokens_issued_before, revocation.tokens_issued_before)
            _set(message.sessions_revoked_at, revocation.sessions_revoked_at)
            _set(message.sessions_created_before, revocation.sessions_created_before)
        case SessionRevoked():
            message.kind, message.session_id = pb.REVOCATION_KIND_SESSION, session_text(revocation.session_id)
            _set(message.remembered_until, revocation.until)
        case TokenRevoked():
            message.kind, message.token_id = pb.REVOCATION_KIND_TOKEN, revocation.token_id
            _set(message.remembered_until, revocation.until)
    return message


def audit_query(message: pb.ListAuditEventsRequest) -> AuditQuery:
    """Decode."""
    return AuditQuery(
        api_key=message.api_key,
        principal=message.principal,
        action=message.action,
        subject=message.subject,
        outcome=message.outcome,
        since=_moment(message.since) if message.HasField("since") else None,
        until=_moment(message.until) if message.HasField("until") else None,
    )


def audit_key(row: AuditRow) -> str:
    """What ``audit_place`` reads."""
    return str(row.id)


def audit_place(key: str) -> int:
    """Where a list has got to; raises ``ValueError`` for what is no row's id."""
    if not (key.isascii() and key.isdigit() and len(key) < 20 and int(key) < _MOST_ID):
        raise ValueError("not a row's id")
    return int(key)


def event_message(row: AuditRow) -> pb.AuditEvent:
    """Encode."""
    event = row.event
    message = pb.AuditEvent(
        id=row.id,
        action=event.action,
        principal=event.principal,
        api_key=event.api_key,
        subject=event.subject,
        outcome=event.outcome,
        reason=event.reason,
        revision=row.revision,
    )
    set_moment(message.at, event.at)
    return message


def _moment(message: Timestamp) -> Moment:
    return Moment(message.seconds, message.nanos)


def _set(message: Timestamp, moment: datetime | None) -> None:
    if moment is not None:
        set_moment(message, moment)
