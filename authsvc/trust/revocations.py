"""What is revoked in one app, kept small: a million live revocations have to fit into a worker.

Nothing here is an object of ours: keys are bytes and text, values bytes and shared whole numbers. So an entry takes
about a hundred bytes, and the garbage collector has nothing to walk through.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import ApiKey, Revision, SessionId, SessionRevoked, TokenId, TokenRevoked, UserId, Watermark

_HOUR: Final = 3_600
_HOUR_US: Final = _HOUR * 1_000_000
_PACKED: Final = struct.Struct(">QQII")
_LAST_SECOND: Final = 2**32 - 1
MARGIN: Final = timedelta(days=1)
"""How much longer than needed a watermark is remembered: workers' clocks differ, and one may have lagged behind."""


class Mark(NamedTuple):
    """What a watermark says about tokens. Times in whole seconds since 1970 UTC; 0: not set.

    ``tokens_revision``: all of ours with a smaller revision. ``revoked_at``: tokens without a revision of ours whose
    iat is missing or not after it. ``issued_before``: tokens whose iat is missing or before it.
    """

    revision: int
    tokens_revision: int = 0
    revoked_at: int = 0
    issued_before: int = 0

    @property
    def empty(self) -> bool:
        """Whether it ends no token: it was cleared, or is about sessions alone."""
        return self[1:] == _NOTHING


_NOTHING = (0, 0, 0)


class AppRevocations:
    """The revocations of one app. Looking one up is a dictionary access; one mover at a time changes it."""

    __slots__ = ("_endless", "_marks", "_sessions", "_tokens", "mark")

    def __init__(self) -> None:
        self._sessions: dict[SessionId, int] = {}  # until which hour
        self._tokens: dict[TokenId, int | None] = {}  # likewise; None: for ever
        self._endless = 0  # how many of those
        self._marks: dict[UserId, bytes] = {}
        self.mark: Mark | None = None
        """The watermark of the whole app."""

    def __len__(self) -> int:
        return len(self._sessions) + len(self._tokens) + len(self._marks) + (self.mark is not None)

    # -- reading -------------------------------------------------------------------------------

    def count_endless(self, life: timedelta | None) -> int:
        """How many are remembered for ever, ``life`` as in ``prune``: those of tokens that never expire, and the
        watermark of the whole app."""
        marks = len(self._marks) if life is None else 0
        return self._endless + marks + (self.mark is not None and not self.mark.empty)

    def has_session(self, session_id: SessionId) -> bool:
        """Whether the session was ended before its time."""
        return session_id in self._sessions

    def has_token(self, token_id: TokenId) -> bool:
        """Whether that single token was revoked."""
        return token_id in self._tokens

    def mark_of(self, user_id: UserId) -> Mark | None:
        """What was revoked for the user."""
        packed = self._marks.get(user_id)
        return None if packed is None else _unpacked(packed)

    def records(self, api_key: ApiKey, revision: Revision) -> Iterator[SessionRevoked | TokenRevoked | Watermark]:
        """All of them, as of that revision, the app's watermark first; moments are rounded up.

        What is learnt while this goes on may be among them or not.
        """
        if self.mark is not None:
            yield _watermark(api_key, None, self.mark)
        for user_id, packed in self._marks.copy().items():
            yield _watermark(api_key, user_id, _unpacked(packed))
        for session_id, hour in self._sessions.copy().items():
            yield SessionRevoked(api_key, session_id, _moment(hour * _HOUR), revision)
        for token_id, until in self._tokens.copy().items():
            yield TokenRevoked(api_key, token_id, None if until is None else _moment(until * _HOUR), revision)

    # -- loading: what a store has plenty of, with moments in microseconds -----------------------

    def load_session(self, session_id: SessionId, until: int) -> None:
        """As ``put_session``."""
        self._sessions[session_id] = _shared(until // _HOUR_US + 1)

    def load_token(self, token_id: TokenId, until: int | None) -> None:
        """As ``put_token``."""
        self.drop_token(token_id)
        self._endless += until is None
        self._tokens[token_id] = None if until is None else _shared(until // _HOUR_US + 1)

    def load_mark(self, user_id: UserId | None, mark: Mark) -> None:
        """As ``put_watermark``, where nothing is known yet."""
        if user_id is None:
            self.mark = mark
        else:
            self._marks[user_id] = _PACKED.pack(*mark)

    # -- moving --------------------------------------------------------------------------------

    def put_session(self, session_id: SessionId, until: datetime) -> None:
        """Learn that a session has ended."""
        self.load_session(session_id, to_microseconds(until))

    def put_token(self, token_id: TokenId, until: datetime | None) -> None:
        """Learn that a token has ended."""
        self.load_token(token_id, None if until is None else to_microseconds(until))

    def drop_token(self, token_id: TokenId) -> None:
        """Take a token's revocation back."""
        self._endless -= self._tokens.pop(token_id, 0) is None

    def put_watermark(self, watermark: Watermark) -> None:
        """Learn a watermark, unless what is known is newer."""
        user_id, revoked, before = watermark.user_id, watermark.tokens_revoked_at, watermark.tokens_issued_before
        known = self.mark if user_id is None else self.mark_of(user_id)
        if known is None or known.revision <= watermark.revision:
            mark = mark_from(
                watermark.revision,
                watermark.tokens_revision,
                None if revoked is None else to_microseconds(revoked),
                None if before is None else to_microseconds(before),
            )
            self.load_mark(user_id, mark)

    def prune(self, now: datetime, life: timedelta | None, reached: Revision) -> int:
        """Forget what no longer matters, and say how much that was.

        ``life``: how long a token minted now can live (None: for ever). What is newer than ``reached`` stays: older
        news of the same thing may still come. The whole app's watermark stays while it ends anything: it is one, and
        after a restore it ends tokens that lived longer than anybody remembers.
        """
        hour = int(now.timestamp()) // _HOUR
        sessions = [name for name, until in self._sessions.items() if until <= hour]
        tokens = [name for name, until in self._tokens.items() if until is not None and until <= hour]
        marks = [name for name, packed in self._marks.items() if _over(_unpacked(packed), now, life, reached)]
        for session_id in sessions:
            del self._sessions[session_id]
        for token_id in tokens:
            del self._tokens[token_id]
        for user_id in marks:
            del self._marks[user_id]
        app = self.mark is not None and self.mark.empty and self.mark.revision <= reached
        if app:
            self.mark = None
        return len(sessions) + len(tokens) + len(marks) + app


NOTHING_REVOKED: Final = AppRevocations()
"""Of an app that nothing is known to be revoked of; never changed."""


def _unpacked(packed: bytes) -> Mark:
    return Mark._make(_PACKED.unpack(packed))


def mark_from(revision: int, tokens_revision: int, revoked_at: int | None, issued_before: int | None) -> Mark:
    """A mark, its moments given in microseconds since 1970 UTC.

    Seconds are enough, for ``iat`` has no more: rounded down where it is compared by ≤, and up where by <.
    """
    return Mark(
        revision,
        tokens_revision,
        0 if revoked_at is None else _second(revoked_at // 1_000_000),
        0 if issued_before is None else _second(-(issued_before // -1_000_000)),
    )


def _second(number: int) -> int:
    """A second that can be kept; 0 would be none at all."""
    return min(max(1, number), _LAST_SECOND)


def _watermark(api_key: ApiKey, user_id: UserId | None, mark: Mark) -> Watermark:
    return Watermark(
        api_key,
        user_id,
        tokens_revision=Revision(mark.tokens_revision),
        tokens_revoked_at=_moment(mark.revoked_at) if mark.revoked_at else None,
        tokens_issued_before=_moment(mark.issued_before) if mark.issued_before else None,
        revision=Revision(mark.revision),
    )


def _over(mark: Mark, now: datetime, life: timedelta | None, reached: Revision) -> bool:
    """Whether no token that the watermark ends can be alive."""
    if mark.revision > reached:
        return False
    if mark.empty:
        return True
    last = max(mark.revoked_at, mark.issued_before)
    return life is not None and last > 0 and _moment(last) + life + MARGIN < now


def _moment(seconds: int) -> datetime:
    return from_microseconds(seconds * 1_000_000)


@lru_cache(maxsize=8_192)
def _shared(number: int) -> int:
    """The same object for the same number: a million entries share a few thousand of them."""
    return number
