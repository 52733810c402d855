"""Whatever happens in whatever order: who waits is told, nobody gets a token that is another's, spent or over."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from authsvc.client import Failure, RefreshRefused, Unavailable
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import AccessToken, read_access_token
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.renewal import Attempt, Renewal, Step
from tests.client.tokens.made import Machine, fraction, living

DOWN = Unavailable(Failure("UNAVAILABLE", "DRAINING", ""))
ENDED = RefreshRefused(Failure("FAILED_PRECONDITION", "SESSION_REVOKED", ""))
USERS = st.sampled_from(["sara", "tom"])
CHANCES = st.sampled_from([0.0, 0.3, 0.999])


class Refreshing(RuleBasedStateMachine):
    """One manager's rules, and what a manager would know: who waits, which attempt is under way, what was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine()
        self.chance = 0.5
        self.renewal = Renewal(Pace(), lambda size: fraction(self.chance)(size))
        self.user: str | None = None
        self.waiting = 0
        self.attempt: Attempt | None = None
        self.old_attempts: list[Attempt] = []
        self.held: AccessToken | None = None
        self.ends: dict[str, float] = {}
        self.refused: list[str] = []

    @rule(user=USERS, with_token=st.booleans())
    def follow(self, user: str, with_token: bool) -> None:
        """Somebody is connected."""
        text = living(self.machine.clock, user, ttl=600) if with_token else None
        token = None if text is None else self.known(text)
        self.user, self.refused, self.held = user, [], token
        self.took(self.renewal.follow(user, token, self.machine.now(), renewable=True), replaces=True)

    @rule()
    def forget(self) -> None:
        """Nobody is."""
        self.user, self.held = None, None
        self.took(self.renewal.forget(), replaces=True)

    @rule(once=st.booleans(), chance=CHANCES)
    def ask(self, once: bool, chance: float) -> None:
        """A caller wants a token."""
        self.chance = chance
        try:
            self.took(self.renewal.ask(self.machine.now(), once=once))
        except (faults.NoUser, faults.TokenError, RefreshRefused):
            assert self.renewal.current(self.machine.now()) is None

    @precondition(lambda self: self.held is not None and self.user is not None)
    @rule()
    def refuse(self) -> None:
        """The service refuses the token that was used last, or one before it."""
        assert self.held is not None
        was_current = self.renewal.current(self.machine.now())
        self.refused.append(self.held.text)
        try:
            step = self.renewal.refused(self.held.text, self.machine.now())
        except (faults.TokenError, RefreshRefused):
            return
        if was_current is not None and was_current.text != self.held.text:
            assert step.token == was_current
        self.took(step)

    @precondition(lambda self: self.attempt is not None)
    @rule(kind=st.sampled_from(["new", "same", "another's", "garbage", "down", "ended", "odd"]), chance=CHANCES)
    def answer(self, kind: str, chance: float) -> None:
        """The provider answers the attempt that is under way."""
        assert self.attempt is not None
        self.chance = chance
        attempt, now = self.attempt, self.machine.now()
        if kind in ("down", "ended", "odd"):
            error = {"down": DOWN, "ended": ENDED, "odd": KeyError()}[kind]
            step = self.renewal.failed(attempt, error, now)
        else:
            step = self.renewal.arrived(attempt, self.text(kind), now)
        assert step.attempt is not None or step.ended is not None
        self.took(step, replaces=True)

    @precondition(lambda self: bool(self.old_attempts))
    @rule()
    def answer_late(self) -> None:
        """An attempt that nobody waits for is answered."""
        text = living(self.machine.clock, self.user or "sara")
        assert self.renewal.arrived(self.old_attempts[-1], text, self.machine.now()) == Step()
        assert self.renewal.failed(self.old_attempts[0], DOWN, self.machine.now()) == Step()

    @precondition(lambda self: self.held is not None)
    @rule()
    def ring(self) -> None:
        """The alarm of the last token."""
        assert self.held is not None
        self.took(self.renewal.due(self.held, self.machine.now()))

    @rule(seconds=st.sampled_from([0.1, 5.0, 30.0, 400.0, 700.0]))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.machine.clock.move(seconds=seconds)

    @invariant()
    def who_waits_will_be_told(self) -> None:
        """There is a load under way whenever somebody waits, and an attempt for each load."""
        assert self.renewal.loading or self.waiting == 0
        assert self.renewal.loading == (self.attempt is not None)

    @invariant()
    def what_is_given_is_good(self) -> None:
        """The current token is the user's, neither refused nor over."""
        token = self.renewal.current(self.machine.now())
        if token is not None:
            assert token.user_id == self.user == self.renewal.user_id
            assert token.text not in self.refused
            assert self.machine.now().ticks <= self.ends[token.text]

    def took(self, step: Step, *, replaces: bool = False) -> None:
        """Do what the step says, as a manager does."""
        if step.attempt is not None:
            assert replaces or self.attempt is None, "two loads at once"
            assert 0 <= step.attempt.after <= 25
        if replaces and self.attempt is not None:
            self.old_attempts.append(self.attempt)
            self.attempt = None
        self.attempt = step.attempt or self.attempt
        assert step.attempt is None or self.renewal.is_current(step.attempt)
        self.waiting = 0 if step.ended is not None else self.waiting + step.waits
        self.held = step.news or step.token or self.held

    def text(self, kind: str) -> str:
        """What a provider answers."""
        if kind == "same" and self.held is not None:
            return self.held.text
        if kind == "another's":
            return living(self.machine.clock, "mallory")
        return "garbage" if kind == "garbage" else self.known(living(self.machine.clock, self.user or "", ttl=600)).text

    def known(self, text: str) -> AccessToken:
        """A token whose end is noted: by the clock that is never set, with what a second's rounding allows."""
        self.ends[text] = self.machine.now().ticks + 600
        return read_access_token(text)


TestRefreshing = Refreshing.TestCase
TestRefreshing.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
