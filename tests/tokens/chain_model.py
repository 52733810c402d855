"""The table of refresh as a few lines of arithmetic, and a state machine that plays it against the real thing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from authsvc.errors import RefreshRefused
from authsvc.model import ApiKey, TokenStatus
from authsvc.tokens.refresh import RefreshedToken
from tests.tokens.service import Service

GRACE, REPLAY = timedelta(seconds=30), timedelta(hours=1)
IDLE, WHOLE = timedelta(days=1), timedelta(days=3)
PARTIES = ("phone", "laptop", "thief")


@dataclass
class Chain:
    """What must be true of a session, told without a store."""

    opened_at: datetime
    rotated_at: datetime
    idle_end: datetime
    generation: int = 0
    request_id: str = ""
    revoked: bool = False

    def present(self, generation: int, request_id: str, clock: datetime) -> str:
        """The answer to a presentation; changes what is true afterwards."""
        now = max(clock, self.rotated_at)
        age = now - self.rotated_at
        if self.revoked:
            return "SESSION_REVOKED"
        if now >= self.idle_end or now >= self.opened_at + WHOLE:
            return "REFRESH_TOKEN_EXPIRED"
        if generation == self.generation:
            self.generation, self.rotated_at, self.request_id = generation + 1, now, request_id
            self.idle_end = min(now + IDLE, self.opened_at + WHOLE)
            return "ROTATED"
        retried = request_id != "" and request_id == self.request_id and age <= REPLAY
        if generation == self.generation - 1 and (retried or age <= GRACE):
            return "REPLAYED"
        self.revoked = True
        return "REFRESH_TOKEN_REUSED"


class Parties(RuleBasedStateMachine):
    """Two devices of one user and a thief, with replies that get lost and a clock that moves."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service
        self.app: ApiKey = service.app(
            refresh_grace=GRACE, refresh_replay_ttl=REPLAY, session_idle_ttl=IDLE, session_max_ttl=WHOLE
        )
        self.numbers = 0

    @initialize()
    def sign_in(self) -> None:
        """A new session; both devices have its first refresh token."""
        issued = self.service.issue(self.app, refreshable=True)
        now = self.service.clock()
        self.chain = Chain(now, now, now + IDLE)
        self.first = issued.refresh_token
        self.access = issued.minted.text
        self.held = {party: [issued.refresh_token] for party in PARTIES}
        self.asked = dict.fromkeys(PARTIES, "")

    @precondition(lambda self: self.chain.revoked or self.chain.idle_end <= self.service.clock())
    @rule()
    def sign_in_again(self) -> None:
        """After the end of a session the user signs in anew."""
        self.sign_in()

    @rule(
        party=st.sampled_from(PARTIES),
        back=st.sampled_from([0, 0, 1, 1, 2, 5]),
        request=st.sampled_from(["none", "new", "same"]),
        lost=st.booleans(),
    )
    def present(self, party: str, back: int, request: str, lost: bool) -> None:
        """A party presents its latest token or an earlier one, with a request id or not; the reply may get lost."""
        text = self.held[party][-1 - min(back, len(self.held[party]) - 1)]
        answer = self.presented(text, self.request_id(party, request))
        if answer is not None and not lost:
            self.held[party].append(answer.refresh_token)

    @rule(party=st.sampled_from(PARTIES), later=st.sampled_from([1, 31, 3600, 3601]))
    def lose_a_reply(self, party: str, later: int) -> None:
        """A party does not get the reply, and repeats the very request after a while."""
        text, request_id = self.held[party][-1], self.request_id(party, "new")
        self.presented(text, request_id)
        self.service.clock.move(seconds=later)
        answer = self.presented(text, request_id)
        if answer is not None:
            self.held[party].append(answer.refresh_token)

    def presented(self, text: str, request_id: str) -> RefreshedToken | None:
        """Present a token to the model and to the service, which must agree."""
        expected = self.chain.present(self.service.ticket(text).generation, request_id, self.service.clock())
        outcome, answer = self.refresh(text, request_id)
        assert outcome == expected
        if answer is not None:
            assert self.service.ticket(answer.refresh_token).generation == self.chain.generation
            assert answer.refresh_expires_at == self.chain.idle_end
            self.access = answer.minted.text
        self.check()
        return answer

    def refresh(self, text: str, request_id: str) -> tuple[str, RefreshedToken | None]:
        try:
            answer = self.service.refresh(text, request_id)
        except RefreshRefused as refused:
            return refused.reason.value, None
        return "ROTATED" if answer.rotated else "REPLAYED", answer

    def request_id(self, party: str, request: str) -> str:
        if request == "new":
            self.numbers += 1
            self.asked[party] = f"request-of-{party}-{self.numbers:012}"
        return "" if request == "none" else self.asked[party]

    @rule(victim=st.sampled_from(PARTIES[:2]))
    def steal(self, victim: str) -> None:
        """The thief copies a device's latest token."""
        self.held["thief"].append(self.held[victim][-1])

    @rule()
    def synchronise(self) -> None:
        """One device gets the other's latest token, as two tabs that share a storage do."""
        latest = max(
            (self.held[party][-1] for party in PARTIES[:2]), key=lambda text: self.service.ticket(text).generation
        )
        for party in PARTIES[:2]:
            self.held[party].append(latest)

    @rule(seconds=st.sampled_from([1e-6, 1, 10, 30, 30, 31, 600, 3570, 3600, 40_000, -5, -60]))
    def move_the_clock(self, seconds: float) -> None:
        """Time passes, or the clock is set back a little."""
        self.service.clock.move(seconds=seconds)

    @rule(whom=st.sampled_from(["session", "user", "app", "another user"]))
    def revoke(self, whom: str) -> None:
        """Somebody signs the user out."""
        if whom == "session":
            if self.chain.revoked:
                return
            self.service.revoke_session(self.first)
        else:
            self.service.revoke_all(self.app, {"user": "sara", "app": None, "another user": "eve"}[whom])
        self.chain.revoked |= whom != "another user"
        self.check()

    def check(self) -> None:
        """What the store has, and what the latest access token is worth."""
        kept = self.service.kept(self.first)
        assert (kept.generation, kept.rotated_at) == (self.chain.generation, self.chain.rotated_at)
        status = self.service.validate(self.app, self.access).status
        worth = {TokenStatus.SESSION_REVOKED, TokenStatus.REVOKED} if self.chain.revoked else {TokenStatus.ACTIVE}
        # Time is judged before revocation.
        assert status in worth | {TokenStatus.EXPIRED, TokenStatus.ISSUED_IN_FUTURE}
