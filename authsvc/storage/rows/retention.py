"""Until when things are remembered: the rules of forgetting, as the moments (microseconds) that columns hold.

What is forgotten too late costs room, what is forgotten too early revives what was revoked; so every doubt is decided
for keeping. Tokens of an app live for ``longest_ttl_ever`` at most, sessions for ``longest_session_ever``; both only
grow, so that a moment computed earlier is never later than the right one, and is computed again before a row goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from authsvc.model import Watermark
from authsvc.storage.rows.moments import lifetime_microseconds, optional_microseconds
from authsvc.storage.rows.revocations import Floor

LARGEST_SKEW: Final = lifetime_microseconds(timedelta(seconds=120))
"""The largest difference of clocks that an app can allow its verifiers."""

SECOND: Final = lifetime_microseconds(timedelta(seconds=1))
"""Of a generation: where ids can come again the count begins at the second of the opening, so a session whose count
is ahead of the clock is kept until it no longer is: none that is opened with its id begins within what it gave out."""

LEEWAY: Final = lifetime_microseconds(timedelta(hours=1))
"""Everything is kept for that much longer: clocks of several machines differ, and are set back; tokens say that they
were issued earlier than they were; a worker that is behind still mints under the revision that it has seen."""

FOR_EVER: Final = 2**63 - 1
"""Later than any moment; the largest integer of a column."""

_NO_FLOOR: Final = Floor()

LIFE_COLUMNS: Final = "longest_ttl_ever, longest_session_ever, ever_non_expiring"


@dataclass(frozen=True, slots=True)
class Life:
    """How long what an app gives out can live, in microseconds."""

    token: int
    session: int
    endless_tokens: bool


def life_from(row: tuple[Any, ...]) -> Life:
    """The lives in the columns ``LIFE_COLUMNS`` of an app."""
    token, session, endless = row
    return Life(token, session, bool(endless))


def session_due(idle_expires_at: int, absolute_expires_at: int, access_ttl: int, generation: int) -> int:
    """When a session that is not revoked can go: when its last access token is dead, and its count in the past."""
    return max(min(idle_expires_at, absolute_expires_at) + access_ttl + LARGEST_SKEW, generation * SECOND)


def revoked_session_due(absolute_expires_at: int, life: Life, generation: int) -> int:
    """When an ended session is forgotten: an access token that was minted at its very end is dead by then."""
    return max(absolute_expires_at + life.token + LARGEST_SKEW, generation * SECOND)


def watermark_due(mark: Watermark, life: Life, floor: Floor = _NO_FLOOR) -> int:
    """When no token and no session that a watermark covers can live; for ever where it holds what a restore revoked."""
    if floor.revision:
        return FOR_EVER
    tokens = [optional_microseconds(mark.tokens_revoked_at), optional_microseconds(mark.tokens_issued_before)]
    sessions = [optional_microseconds(mark.sessions_revoked_at), optional_microseconds(mark.sessions_created_before)]
    latest_token = max((moment for moment in tokens if moment is not None), default=None)
    latest_session = max((moment for moment in sessions if moment is not None), default=0)
    if latest_token is None:
        return latest_session + life.session
    if life.endless_tokens:
        return FOR_EVER
    return max(latest_token + life.token + LARGEST_SKEW, latest_session + life.session)


def forgotten(now: int) -> int:
    """What was due by this moment may go now."""
    return now - LEEWAY
