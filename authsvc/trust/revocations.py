"""What is revoked in one app, kept small: a million live revocations have to fit into a worker.

Nothing here is an object of ours, see ``PackedMap``: an entry takes 30 to 60 bytes, and the garbage collector has
nothing to walk through. All numbers are packed big-endian, so that texts of them compare as they do.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import ApiKey, Revision, SessionId, SessionRevoked, TokenId, TokenRevoked, UserId, Watermark
from authsvc.trust.packed import PackedMap

_HOUR: Final = 3_600
_HOUR_US: Final = _HOUR * 1_000_000
_NUMBER: Final = struct.Struct(">I")
_PACKED_MARK: Final = struct.Struct(">QQII")
_REVISION: Final = struct.Struct(">Q")
_LAST: Final = 2**32 - 1
_FOR_EVER: Final = "\xff" * 4  # an hour that never comes
_NONE: Final = "\0" * 4
_EMPTY: Final = "\0" * 16
_MICROSECOND: Final = timedelta(microseconds=1)
_ONE_BYTE: Final = "latin-1"
_BUCKETS_A_STEP: Final = 64
_SESSION_LENGTH: Final = 16
_TOKEN_LENGTH: Final = 27
_USER_LENGTH: Final = 12  # or longer: no more room is made than is needed
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
    """The revocations of one app. Looking one up takes no lock; one mover at a time changes it."""

    __slots__ = ("_endless", "_marks", "_sessions", "_tokens", "mark")

    def __init__(self) -> None:
        self._sessions = PackedMap(_NUMBER.size)  # by the id's bytes: until which hour
        self._tokens = PackedMap(_NUMBER.size)  # likewise, or for ever
        self._endless = 0  # how many of those
        self._marks = PackedMap(_PACKED_MARK.size)
        self.mark: Mark | None = None
        """The watermark of the whole app."""

    def __len__(self) -> int:
        return len(self._sessions) + len(self._tokens) + len(self._marks) + (self.mark is not None)

    # -- reading -------------------------------------------------------------------------------

    def count_endless(self, life: timedelta | None) -> int:
        """How many are remembered for ever, ``life`` as in ``pruning``: those of tokens that never expire, and the
        watermark of the whole app."""
        marks = len(self._marks) if life is None else 0
        return self._endless + marks + (self.mark is not None and not self.mark.empty)

    def has_session(self, session_id: SessionId) -> bool:
        """Whether the session was ended before its time."""
        return self._sessions.get(session_id.decode(_ONE_BYTE)) is not None

    def has_token(self, token_id: TokenId) -> bool:
        """Whether that single token was revoked."""
        return self._tokens.get(token_id) is not None

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
        for user_id, packed in self._marks.items():
            yield _watermark(api_key, UserId(user_id), _unpacked(packed))
        for session_id, until in self._sessions.items():
            yield SessionRevoked(api_key, SessionId(session_id.encode(_ONE_BYTE)), _end_of(until), revision)
        for token_id, until in self._tokens.items():
            end = None if until == _FOR_EVER else _end_of(until)
            yield TokenRevoked(api_key, TokenId(token_id), end, revision)

    # -- loading: rows of the app as ``TrustState`` describes its plain ones, nothing of them known yet; with about how
    # many there will be in all -------------------------------------------------------------------

    def load_sessions(self, rows: Iterable[tuple[Any, ...]], expected: int) -> None:
        """Learn which sessions have ended."""
        self._sessions.expect(expected, _SESSION_LENGTH)
        self._sessions.fill(
            (session_id.decode(_ONE_BYTE), _hour(until // _HOUR_US + 1)) for _, session_id, until, _ in rows
        )

    def load_tokens(self, rows: Iterable[tuple[Any, ...]], expected: int) -> None:
        """Learn which single tokens have ended."""
        self._tokens.expect(expected, _TOKEN_LENGTH)
        self._tokens.fill((token_id, self._end_of_token(until)) for _, token_id, until, _ in rows)

    def load_watermarks(self, rows: Iterable[tuple[Any, ...]], expected: int) -> None:
        """Learn what was revoked of users, and of the whole app."""
        self._marks.expect(expected, _USER_LENGTH)
        self._marks.fill(self._marks_of_users(rows))

    def _marks_of_users(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[UserId, str]]:
        for _, user_id, tokens_revision, revoked_at, issued_before, _, _, revision, _ in rows:
            moments = _seconds_of(revoked_at, issued_before)
            if user_id:
                yield user_id, _PACKED_MARK.pack(revision, tokens_revision, *moments).decode(_ONE_BYTE)
            else:
                self.mark = Mark(revision, tokens_revision, *moments)

    def _end_of_token(self, until: int | None) -> str:
        self._endless += until is None
        return _FOR_EVER if until is None else _hour_after(until)

    # -- moving --------------------------------------------------------------------------------

    def put_session(self, session_id: SessionId, until: datetime) -> None:
        """Learn that a session has ended."""
        self._sessions.put(session_id.decode(_ONE_BYTE), _hour_after(to_microseconds(until)))

    def put_token(self, token_id: TokenId, until: datetime | None) -> None:
        """Learn that a token has ended; one that is known to have stays so all the while, for those who look."""
        known = self._tokens.get(token_id)
        self._tokens.put(token_id, self._end_of_token(None if until is None else to_microseconds(until)))
        self._endless -= known == _FOR_EVER

    def drop_token(self, token_id: TokenId) -> None:
        """Take a token's revocation back."""
        self._endless -= self._tokens.pop(token_id) == _FOR_EVER

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
            if user_id is None:
                self.mark = mark
            else:
                self._marks.put(user_id, _packed_mark(mark))

    def pruning(self, now: datetime, life: timedelta | None, reached: Revision) -> Iterator[int]:
        """Forget what no longer matters, a part at each step; yields how many buckets that was.

        ``life``: how long a token minted now can live (None: for ever). What is newer than ``reached`` stays: older
        news of the same thing may still come. The whole app's watermark stays while it ends anything: it is one, and
        after a restore it ends tokens that lived longer than anybody remembers.
        """
        if self.mark is not None and self.mark.empty and self.mark.revision <= reached:
            self.mark = None
        this_hour = _hour(int(now.timestamp()) // _HOUR)
        for known, over in (
            (self._sessions, this_hour.__ge__),
            (self._tokens, this_hour.__ge__),
            (self._marks, _over(now, life, reached)),
        ):
            first = 0
            while first < known.size:
                last = min(first + _BUCKETS_A_STEP, known.size)
                known.remove(over, range(first, last))
                yield last - first
                first = last


NOTHING_REVOKED: Final = AppRevocations()
"""Of an app that nothing is known to be revoked of; never changed."""


def _unpacked(packed: str) -> Mark:
    return Mark._make(_PACKED_MARK.unpack(packed.encode(_ONE_BYTE)))


def _packed_mark(mark: Mark) -> str:
    return _PACKED_MARK.pack(*mark).decode(_ONE_BYTE)


def mark_from(revision: int, tokens_revision: int, revoked_at: int | None, issued_before: int | None) -> Mark:
    """A mark, its moments given in microseconds since 1970 UTC."""
    return Mark(revision, tokens_revision, *_seconds_of(revoked_at, issued_before))


def _seconds_of(revoked_at: int | None, issued_before: int | None) -> tuple[int, int]:
    """Seconds are enough, for ``iat`` has no more: rounded down where it is compared by ≤, and up where by <.

    0 is none at all, so that no moment is; what is too late for the room there is becomes the last that has some.
    """
    return (
        0 if revoked_at is None else min(max(1, revoked_at // 1_000_000), _LAST),
        0 if issued_before is None else min(max(1, -(issued_before // -1_000_000)), _LAST),
    )


def _watermark(api_key: ApiKey, user_id: UserId | None, mark: Mark) -> Watermark:
    return Watermark(
        api_key,
        user_id,
        tokens_revision=Revision(mark.tokens_revision),
        tokens_revoked_at=_moment(mark.revoked_at) if mark.revoked_at else None,
        tokens_issued_before=_moment(mark.issued_before) if mark.issued_before else None,
        revision=Revision(mark.revision),
    )


def _over(now: datetime, life: timedelta | None, reached: Revision) -> Callable[[str], bool]:
    """What tells of a packed watermark whether no token that it ends can be alive."""
    newest = _REVISION.pack(reached).decode(_ONE_BYTE)
    oldest = 0 if life is None else (to_microseconds(now) - (life + MARGIN) // _MICROSECOND - 1) // 1_000_000
    ended = _packed(oldest)  # and all before, but the 0 that stands for none

    def over(packed: str) -> bool:
        if packed[:8] > newest:
            return False
        last = max(packed[16:20], packed[20:])
        return _NONE < last <= ended or packed[8:] == _EMPTY

    return over


def _hour_after(until: int) -> str:
    """The hour after a moment in microseconds, packed."""
    return _hour(until // _HOUR_US + 1)


@lru_cache(maxsize=8_192)
def _hour(number: int) -> str:
    """An hour since 1970, packed; what lies beyond is the last one that is not for ever."""
    return _packed(min(number, _LAST - 1))


def _packed(number: int) -> str:
    return _NUMBER.pack(min(max(0, number), _LAST)).decode(_ONE_BYTE)


def _end_of(hour: str) -> datetime:
    (number,) = _NUMBER.unpack(hour.encode(_ONE_BYTE))
    return _moment(number * _HOUR)


def _moment(seconds: int) -> datetime:
    return from_microseconds(seconds * 1_000_000)
