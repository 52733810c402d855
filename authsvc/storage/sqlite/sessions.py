"""The statements of sessions: each decides and changes at once, so that nothing comes between.

The store's present for a session is the clock's, never before ``rotated_at``: a clock that goes backwards revives
nothing. A session has expired when its moment is not after that present.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw

from authsvc.clock import to_microseconds
from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, AuditEvent, SessionId, SessionRevoked
from authsvc.storage.columns import Columns
from authsvc.storage.rows.retention import revoked_session_due
from authsvc.storage.rows.revocations import SESSION_COLUMNS, session_from, sessions_of
from authsvc.storage.rows.sessions import COLUMNS
from authsvc.storage.sqlite.apps import is_there, life_of
from authsvc.storage.sqlite.connection import Row, fetch_one, stream
from authsvc.storage.sqlite.transaction import Transaction

_OPEN = f"""
INSERT INTO sessions ({COLUMNS}, due_at) VALUES (
    :id, :api_key, :kind, :user_id, :claims, :profile, :access_ttl, :generation, :rotated_at, :request_id_hash,
    (SELECT revision FROM feed_head), :created_at, :idle_expires_at, :absolute_expires_at, :revoked_at, :revoke_reason,
    :caller, :opened_public, :due_at
) ON CONFLICT (id) DO NOTHING RETURNING {COLUMNS}"""

# Created before a watermark; a time that is not set compares as unknown.
_BEFORE_MARK_OF = """EXISTS (
    SELECT 1 FROM watermarks AS mark
    WHERE mark.api_key = sessions.api_key AND mark.user_id = {}
        AND (sessions.created_revision < mark.sessions_revision OR sessions.created_at < mark.sessions_created_before)
)"""

# Its whole app's, or its user's. Two look-ups: an IN would build a table of two rows each time.
COVERED = f"""({_BEFORE_MARK_OF.format("''")} OR {_BEFORE_MARK_OF.format("sessions.user_id")})"""

_READ = f"SELECT {COLUMNS} FROM sessions WHERE id = ?"

_STATE = f"SELECT {COLUMNS}, {COVERED} FROM sessions WHERE id = ?"

_TURN = f"""
UPDATE sessions SET
    generation = generation + 1,
    rotated_at = max(:now, rotated_at),
    request_id_hash = :request_id_hash,
    claims = coalesce(:claims, claims),
    idle_expires_at = min(max(:now, rotated_at) + :idle_ttl, absolute_expires_at)
WHERE id = :id AND generation = :generation AND revoked_at IS NULL
    AND idle_expires_at > max(:now, rotated_at) AND absolute_expires_at > max(:now, rotated_at)
    AND NOT {COVERED}
RETURNING """

TURN = _TURN + COLUMNS

_TURN_ONE_OF_MANY = _TURN + "idle_expires_at"

_LIVE = "SELECT api_key, absolute_expires_at, generation FROM sessions WHERE id = ? AND revoked_at IS NULL"

REVOKE = f"""
UPDATE sessions SET revoked_at = max(?, rotated_at), revoke_reason = ?, revoked_revision = ?, due_at = ?
WHERE id = ? RETURNING {SESSION_COLUMNS}"""

_REVOKED = f"SELECT {SESSION_COLUMNS} FROM sessions WHERE revoked_revision IS NOT NULL AND due_at > ?"


def open_session(transaction: Transaction, row: Mapping[str, object]) -> Row:
    """See ``Store.open_session``; takes and returns columns, so that callers do the conversions, not the writer."""
    if not is_there(transaction.connection, ApiKey(str(row["api_key"]))):
        raise NotFound(Reason.APP_NOT_FOUND)
    kept = transaction.fetch_one(_OPEN, row)
    if kept is None:
        (kept,) = transaction.fetch(_READ, (row["id"],))
    return kept


def read_session(connection: apsw.Connection, session_id: SessionId) -> tuple[Row, bool] | None:
    """The columns of a session, and whether a watermark covers it."""
    row = fetch_one(connection, _STATE, (session_id,))
    return None if row is None else (row[:-1], bool(row[-1]))


def turn_session(transaction: Transaction, turn: Mapping[str, object]) -> Row | None:
    """See ``Store.turn_session``."""
    return transaction.fetch_one(TURN, {**turn, "now": to_microseconds(transaction.clock())})


def turn_sessions(transaction: Transaction, turns: Sequence[Mapping[str, object]]) -> list[int | None]:
    """See ``Store.turn_sessions``."""
    now = to_microseconds(transaction.clock())
    turned = (transaction.fetch_one(_TURN_ONE_OF_MANY, {**turn, "now": now}) for turn in turns)
    return [None if row is None else row[0] for row in turned]


def revoke_session(transaction: Transaction, session_id: SessionId, reason: str, audit: AuditEvent) -> bool:
    """See ``Store.revoke_session``."""
    live = transaction.fetch_one(_LIVE, (session_id,))
    if live is None:
        return False
    api_key, ends_at, generation = live
    due_at = revoked_session_due(ends_at, life_of(transaction.connection, api_key), generation)
    revision = transaction.next_revision()
    values = (to_microseconds(transaction.clock()), reason, revision, due_at, session_id)
    (row,) = transaction.fetch(REVOKE, values)
    transaction.publish(revision, (session_from(row),), audit)
    return True


def read_revoked(connection: apsw.Connection, now: int) -> Columns[SessionRevoked]:
    """The sessions that were ended, and whose access tokens could still live."""
    return sessions_of(stream(connection, _REVOKED, (now,)))
