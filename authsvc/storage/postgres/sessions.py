"""The statements of sessions: each decides and changes at once, so that nothing comes between.

The store's present for a session is the clock's, never before ``rotated_at``: a clock that goes backwards revives
nothing. A session has expired when its moment is not after that present. Whoever waited for a rival's change of a row
sees the row as the rival left it, and its conditions are judged again.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from typing import Final

from authsvc.clock import to_microseconds
from authsvc.model import AuditEvent, SessionId
from authsvc.storage.postgres.present import NOW
from authsvc.storage.postgres.statement import Statement
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.rows.retention import LARGEST_SKEW, SECOND
from authsvc.storage.rows.revocations import SESSION_COLUMNS, session_from
from authsvc.storage.rows.sessions import COLUMNS

# One that has the id keeps its row; one whose app is not there is not kept. Neither returns a row.
OPEN: Final = Statement(f"""
INSERT INTO sessions ({COLUMNS}, due_at)
SELECT
    :id, :api_key, :kind, :user_id, :claims, :profile, :access_ttl, :generation, :rotated_at, :request_id_hash,
    (SELECT revision FROM feed_head), :created_at, :idle_expires_at, :absolute_expires_at, :revoked_at, :revoke_reason,
    :caller, :opened_public, :due_at
FROM apps WHERE apps.api_key = :api_key
ON CONFLICT (id) DO NOTHING RETURNING {COLUMNS}""")

# Created before a watermark of its whole app or of its user; a time that is not set compares as unknown.
COVERED = """EXISTS (
    SELECT FROM watermarks AS mark
    WHERE mark.api_key = sessions.api_key AND mark.user_id IN ('', sessions.user_id)
        AND (sessions.created_revision < mark.sessions_revision OR sessions.created_at < mark.sessions_created_before)
)"""

READ: Final = Statement(f"SELECT {COLUMNS} FROM sessions WHERE id = :id")

STATE: Final = Statement(f"SELECT {COLUMNS}, {COVERED}, greatest({NOW}, rotated_at) FROM sessions WHERE id = :id")

STATES: Final = Statement(
    f"SELECT {COLUMNS}, {COVERED}, greatest({NOW}, rotated_at) FROM sessions WHERE id = ANY(:ids::bytea[])",
    planned=True,
)

TURN: Final = Statement(f"""
WITH present AS MATERIALIZED (SELECT {NOW} AS moment)
UPDATE sessions SET
    generation = generation + 1,
    rotated_at = greatest(moment, rotated_at),
    request_id_hash = :request_id_hash,
    claims = coalesce(:claims, claims),
    idle_expires_at = least(greatest(moment, rotated_at) + :idle_ttl, absolute_expires_at)
FROM present
WHERE id = :id AND generation = :generation AND revoked_at IS NULL
    AND idle_expires_at > greatest(moment, rotated_at) AND absolute_expires_at > greatest(moment, rotated_at)
    AND NOT {COVERED}
RETURNING {COLUMNS}""")

# Numbers come as texts, as arrays are of texts or of byte strings.
TURN_MANY: Final = Statement(
    f"""
WITH present AS MATERIALIZED (SELECT {NOW} AS moment),
turns AS MATERIALIZED (
    SELECT * FROM unnest(
        :ids::bytea[], :generations::text[]::bigint[], :hashes::bytea[], :idle_ttls::text[]::bigint[]
    ) AS turn (session_id, presented, hash, idle_ttl)
)
UPDATE sessions SET
    generation = generation + 1,
    rotated_at = greatest(moment, rotated_at),
    request_id_hash = hash,
    idle_expires_at = least(greatest(moment, rotated_at) + idle_ttl, absolute_expires_at)
FROM present, turns
WHERE id = session_id AND generation = presented AND revoked_at IS NULL
    AND idle_expires_at > greatest(moment, rotated_at) AND absolute_expires_at > greatest(moment, rotated_at)
    AND NOT {COVERED}
RETURNING id, idle_expires_at""",
    planned=True,
)

# A turn waits for the end of whoever holds the row, and then finds it revoked. It is remembered until an access token
# that was minted at its very end is dead.
_HOLD = Statement(f"""
SELECT api_key, id, greatest(generation * {SECOND}, absolute_expires_at + {LARGEST_SKEW} + (
    SELECT longest_ttl_ever FROM apps WHERE apps.api_key = sessions.api_key
)) FROM sessions WHERE id = :id AND revoked_at IS NULL FOR NO KEY UPDATE""")

_REVOKE = Statement(f"""
UPDATE sessions SET
    revoked_at = greatest({NOW}, rotated_at), revoke_reason = :reason, revoked_revision = :revision, due_at = :due_at
WHERE id = :id""")

REVOKED: Final = f"SELECT {SESSION_COLUMNS} FROM sessions WHERE revoked_revision IS NOT NULL AND due_at > :now"


def revoke_session(transaction: Transaction, session_id: SessionId, reason: str, audit: AuditEvent) -> bool:
    """See ``Store.revoke_session``."""
    live = transaction.fetch_one(_HOLD(id=session_id))
    if live is None:
        return False
    revision = transaction.next_revision()
    revoked = session_from((*live, revision))
    values = {"id": session_id, "reason": reason, "revision": revision, "due_at": to_microseconds(revoked.until)}
    transaction.later(_REVOKE.of({**values, "present": transaction.present}))
    transaction.publish(revision, (revoked,), audit)
    return True
