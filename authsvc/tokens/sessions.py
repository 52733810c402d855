"""The fate of a session: the table of refresh, row by row, as one pure function."""

from __future__ import annotations

import hmac
from datetime import timedelta
from enum import Enum
from typing import NamedTuple

from authsvc.errors import Reason, RefreshRefused
from authsvc.model import AppSettings, Session
from authsvc.storage.base import SessionState
from authsvc.tokens.derived_ids import first_generation


class Fate(Enum):
    """What to do with a presented generation of a live session.

    AHEAD: it was never given out, so the store is a restored copy, or one of two under one key.
    """

    ROTATE = "rotate"
    REPLAY = "replay"
    REUSED = "reused"
    AHEAD = "ahead"


class Presented(NamedTuple):
    """What came with the call: a generation, and the hash of its request id (empty: none)."""

    generation: int
    request_id_hash: bytes


def end_of(state: SessionState) -> Reason | None:
    """SESSION_REVOKED for one that was ended, REFRESH_TOKEN_EXPIRED for one that is over; None while it is live."""
    session = state.session
    if session.revoked_at is not None or state.covered:
        return Reason.SESSION_REVOKED
    if state.now >= session.idle_expires_at or state.now >= session.absolute_expires_at:
        return Reason.REFRESH_TOKEN_EXPIRED
    return None


def refuse_ended(state: SessionState) -> None:
    """Raise ``RefreshRefused`` for a session that is not live, with how it ended."""
    end = end_of(state)
    if end is not None:
        raise RefreshRefused(end)


def refreshes_of(session: Session) -> int:
    """How often it was turned; its generation alone does not say so."""
    return session.generation - first_generation(session.id, session.created_at)


def judge(state: SessionState, presented: Presented, settings: AppSettings) -> Fate:
    """Decide by generations; time only says whether the parent of the live token may be answered once more.

    Raises ``RefreshRefused``: SESSION_REVOKED or REFRESH_TOKEN_EXPIRED, the latter also for the refresh token of an
    earlier session that had the id, which was over before this one was opened.
    """
    refuse_ended(state)
    if presented.generation < first_generation(state.session.id, state.session.created_at):
        raise RefreshRefused(Reason.REFRESH_TOKEN_EXPIRED, detail="of an earlier session with this id")
    behind = state.session.generation - presented.generation
    if behind < 0:
        return Fate.AHEAD
    if behind == 0:
        return Fate.ROTATE
    if behind == 1 and (_same_request(state, presented, settings) or _in_grace(state, settings)):
        return Fate.REPLAY
    return Fate.REUSED


def _same_request(state: SessionState, presented: Presented, settings: AppSettings) -> bool:
    """A lost reply: the very request that made the rotation, come again."""
    known = state.session.request_id_hash
    same = bool(presented.request_id_hash) and hmac.compare_digest(known, presented.request_id_hash)
    return same and _age(state) <= settings.refresh_replay_ttl


def _in_grace(state: SessionState, settings: AppSettings) -> bool:
    """A race: several tabs or replicas present one token at nearly the same time."""
    return _age(state) <= settings.refresh_grace


def _age(state: SessionState) -> timedelta:
    return state.now - state.session.rotated_at
