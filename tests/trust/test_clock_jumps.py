"""What is revoked stays so, whatever a worker's clock is set to meanwhile: 200 jumps, by up to four hundred days."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.keys.watched_clock import WatchedClock
from authsvc.model import SessionId, TokenId, UserId
from tests.storage.places import START
from tests.trust.workers import ACME, Worker, opening

T = TypeVar("T")

JUMPS = 200
TTL = timedelta(hours=2)
DAY = timedelta(days=1)
NOTHING, SECOND, LATER = timedelta(0), timedelta(seconds=1), timedelta(minutes=15)

# Where the clock is set to, compared with true time: half the times it is put right.
ERRORS = [NOTHING] * 10 + [sign * span for sign in (1, -1) for span in (2 * SECOND, TTL, DAY, 30 * DAY, 400 * DAY)]
WAITS = [SECOND, LATER, timedelta(minutes=50), TTL, 10 * DAY]


class Step(NamedTuple):
    """The clock is set, time passes, and somebody is revoked, or the store is read anew."""

    error: timedelta
    wait: timedelta
    deed: str


steps = st.builds(
    Step,
    st.sampled_from(ERRORS),
    st.sampled_from(WAITS),
    st.sampled_from(["look", "look", "token", "session", "user", "read anew"]),
)


@dataclass
class World:
    """True time, and what a clock that is set shows of it."""

    passed: timedelta = NOTHING
    error: timedelta = NOTHING
    tokens: dict[TokenId, timedelta] = field(default_factory=dict)
    sessions: dict[SessionId, timedelta] = field(default_factory=dict)
    users: dict[UserId, timedelta] = field(default_factory=dict)

    def clock(self) -> datetime:
        return START + self.passed + self.error

    def monotonic(self) -> int:
        return self.passed // timedelta(microseconds=1) * 1_000

    def revoke(self, worker: Worker, what: str, number: int) -> None:
        """Revoke something; tokens of it live for as long as tokens do."""
        store, end = worker.domain.store, self.passed + TTL
        if what == "token":
            token_id = TokenId(f"{number:027}")
            store.revoke_token(ACME, token_id, START + end, worker.event())
            self.tokens[token_id] = end
        elif what == "session":
            now = self.clock()
            session = worker.open_session(rotated_at=now, created_at=now, absolute_expires_at=now + DAY)
            store.revoke_session(session.id, "REVOKED", worker.event())
            self.sessions[session.id] = end
        else:
            worker.revoke(user := UserId(f"user-{number}"))
            self.users[user] = end

    def live(self, ends: dict[T, timedelta]) -> list[T]:
        """Those of which a token can still be alive."""
        return [name for name, end in ends.items() if end > self.passed]

    def revived(self, worker: Worker) -> list[str]:
        """What was revoked, could still live by true time, and is not known to be revoked any more."""
        known = worker.domain.view.revoked(ACME)
        lost: list[object] = [name for name in self.live(self.tokens) if not known.has_token(name)]
        lost += [name for name in self.live(self.sessions) if not known.has_session(name)]
        lost += [name for name in self.live(self.users) if known.mark_of(name) is None]
        return list(map(str, lost))


def lived(story: list[Step]) -> list[str]:
    """Let it happen to a worker that follows its store and forgets what is over; what was ever revived."""
    world, revived = World(), list[str]()
    with tempfile.TemporaryDirectory(prefix="authsvc-test-") as folder, opening(Path(folder), world.clock) as open_one:
        worker = open_one(monotonic=world.monotonic)
        worker.make_app()
        for number, step in enumerate(story):
            world.error = step.error
            worker.look()
            world.passed += step.wait
            if step.deed in ("token", "session", "user") and step.error == NOTHING:
                world.revoke(worker, step.deed, number)
            worker.domain.janitor.round()
            if step.deed == "read anew":
                worker.domain.feed._reload(at_start=False)
            worker.look()
            worker.look()
            revived += world.revived(worker)
    return revived


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(steps, min_size=JUMPS, max_size=JUMPS))
def test_no_jump_of_a_clock_revives_what_was_revoked(story: list[Step]) -> None:
    """Tokens, sessions and users that were revoked are known to be for as long as a token of theirs can live."""
    assert lived(story) == []


@pytest.mark.parametrize("what", ["token", "session", "user"])
@pytest.mark.parametrize("deed", ["look", "read anew"])
def test_a_worker_that_believes_a_clock_that_was_set_is_noticed(
    monkeypatch: pytest.MonkeyPatch, what: str, deed: str
) -> None:
    """Control: by what the clock shows it is forgotten, and is missing once that was put right."""
    story = [Step(NOTHING, SECOND, what), Step(400 * DAY, LATER, deed), Step(NOTHING, SECOND, "look")]
    assert lived(story) == []
    monkeypatch.setattr(WatchedClock, "earliest", lambda self: self.present().now)
    assert lived(story) != []
