"""The rules of refreshing, sentence by sentence, with time and chance as arguments."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from authsvc.client import Exhausted, Failure, PermissionDenied, RefreshRefused, Unavailable
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import read_access_token
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.renewal import LEEWAY_SECONDS, NOTHING, Attempt, Renewal, Step
from tests.client.tokens.made import Machine, fraction, living, made_token

DOWN = Unavailable(Failure("UNAVAILABLE", "DRAINING", "the worker leaves"))


@pytest.fixture
def machine() -> Machine:
    """A clock that is moved by hand."""
    return Machine()


@pytest.fixture
def renewal(machine: Machine) -> Renewal:
    """The rules, following a user who has a provider and no token yet; chance gives the middle."""
    rules = Renewal(Pace(), fraction(0.5))
    rules.follow("sara", None, machine.now(), renewable=True)
    return rules


def attempt_of(step: Step) -> Attempt:
    """The attempt that the step asks for."""
    assert step.attempt is not None
    return step.attempt


def load(renewal: Renewal, machine: Machine, text: str | None = None) -> str:
    """Load a token; its text."""
    text = living(machine.clock) if text is None else text
    step = renewal.arrived(attempt_of(renewal.ask(machine.now())), text, machine.now())
    assert step.ended is not None
    return text


def test_the_first_load_is_made_at_once(renewal: Renewal, machine: Machine) -> None:
    """A caller without a token waits for a load, whose first attempt has no pause."""
    step = renewal.ask(machine.now())
    assert (step.waits, step.token, attempt_of(step).after) == (True, None, 0)


def test_one_load_however_many_ask(renewal: Renewal, machine: Machine) -> None:
    """All others wait for the load that is under way, and all are told when it ends."""
    first = renewal.ask(machine.now())
    assert [renewal.ask(machine.now()) for _ in range(100)] == [Step(waits=True)] * 100
    text = living(machine.clock)
    ended = renewal.arrived(attempt_of(first), text, machine.now())
    assert ended.ended == read_access_token(text) == ended.news
    assert renewal.ask(machine.now()) == Step(token=read_access_token(text))


def test_a_token_is_renewed_ahead_while_it_is_used(renewal: Renewal, machine: Machine) -> None:
    """When 80 % of its life are over one load begins, and callers go on with the token that is there."""
    text = load(renewal, machine)
    machine.clock.move(seconds=2879)
    assert renewal.ask(machine.now()).attempt is None
    machine.clock.move(seconds=2)
    step = renewal.ask(machine.now())
    assert (step.token, step.waits) == (read_access_token(text), False)
    assert attempt_of(step).after == 0
    assert renewal.ask(machine.now()) == Step(token=read_access_token(text))


def test_the_alarm_renews_without_a_caller(renewal: Renewal, machine: Machine) -> None:
    """With each token comes the time to renew it; an alarm of a token that is gone does nothing."""
    step = renewal.arrived(attempt_of(renewal.ask(machine.now())), living(machine.clock), machine.now())
    assert step.renew_after == pytest.approx(2880, abs=1)
    assert step.news is not None
    assert renewal.due(read_access_token(made_token()), machine.now()) == NOTHING
    assert attempt_of(renewal.due(step.news, machine.now())).after == 0
    assert renewal.due(step.news, machine.now()) == NOTHING


def test_an_expired_token_is_waited_for(renewal: Renewal, machine: Machine) -> None:
    """Once it is over, nobody gets it any more."""
    load(renewal, machine)
    machine.clock.move(seconds=3601)
    step = renewal.ask(machine.now())
    assert (step.token, step.waits) == (None, True)


def test_a_load_ahead_becomes_one_that_is_waited_for(renewal: Renewal, machine: Machine) -> None:
    """A load that began ahead and is still under way when the token ends is not begun anew."""
    load(renewal, machine)
    machine.clock.move(seconds=3000)
    ahead = attempt_of(renewal.ask(machine.now()))
    machine.clock.move(seconds=3000)
    assert renewal.ask(machine.now()) == Step(waits=True)
    assert renewal.arrived(ahead, living(machine.clock), machine.now()).ended is not None


def test_a_refused_token_is_loaded_once(renewal: Renewal, machine: Machine) -> None:
    """Late refusals of a token that was replaced cause no load: they get the one that replaced it."""
    old = load(renewal, machine)
    machine.clock.move(minutes=5)
    first = renewal.refused(old, machine.now())
    assert [renewal.refused(old, machine.now()) for _ in range(500)] == [Step(waits=True)] * 500
    new = living(machine.clock)
    renewal.arrived(attempt_of(first), new, machine.now())
    assert [renewal.refused(old, machine.now()) for _ in range(500)] == [Step(token=read_access_token(new))] * 500
    # The control: a refusal of the token in use does cause one.
    machine.clock.move(minutes=5)
    assert attempt_of(renewal.refused(new, machine.now())).after == 0


def test_the_same_expired_token_is_an_error(renewal: Renewal, machine: Machine) -> None:
    """A provider that gives back what was refused, or is over, is told apart from a good one."""
    old = load(renewal, machine)
    machine.clock.move(minutes=5)
    step = renewal.arrived(attempt_of(renewal.refused(old, machine.now())), old, machine.now())
    assert isinstance(step.ended, faults.TokenExpired)
    assert "same token again" in str(step.ended)
    new = load_after_refusal(renewal, machine)
    machine.clock.move(hours=2)
    assert isinstance(renewal.arrived(attempt_of(renewal.ask(machine.now())), new, machine.now()).ended, Exception)


def load_after_refusal(renewal: Renewal, machine: Machine) -> str:
    """Wait for the pause that follows a refusal, and load."""
    machine.clock.move(seconds=30)
    return load(renewal, machine)


def test_the_same_token_ahead_of_its_end_is_kept(renewal: Renewal, machine: Machine) -> None:
    """A backend that keeps tokens gives it again: no news, no error, and it is asked again later, ever sooner."""
    text, waits = load(renewal, machine), [2881.0]
    while renewal.current(machine.now()) is not None:
        machine.clock.move(seconds=waits[-1] + 0.001)
        step = renewal.ask(machine.now())
        if step.token is not None:
            step = renewal.arrived(attempt_of(step), text, machine.now())
            assert (step.news, step.ended) == (None, read_access_token(text))
            assert step.renew_after is not None
            waits.append(step.renew_after)
    assert waits == sorted(waits, reverse=True)
    assert 3 < len(waits) < 10
    assert waits[-2] >= 1


def test_another_users_token_is_an_error(renewal: Renewal, machine: Machine) -> None:
    """It is never used, and the provider is not asked again in the same load."""
    step = renewal.arrived(attempt_of(renewal.ask(machine.now())), living(machine.clock, "tom"), machine.now())
    assert (type(step.ended), step.attempt, step.news) == (faults.WrongUser, None, None)
    assert renewal.current(machine.now()) is None


def test_a_guest_has_an_id_after_the_first_token(machine: Machine) -> None:
    """Whose id is not known yet takes that of the first token; the next must be the same."""
    renewal = Renewal(Pace(), fraction(0))
    renewal.follow(None, None, machine.now(), renewable=True)
    load(renewal, machine, living(machine.clock, "guest-1-jack"))
    assert renewal.user_id == "guest-1-jack"
    machine.clock.move(hours=1)
    other = renewal.arrived(
        attempt_of(renewal.ask(machine.now())), living(machine.clock, "guest-2-jack"), machine.now()
    )
    assert isinstance(other.ended, faults.WrongUser)


def test_ten_failures_in_a_row_are_enough(renewal: Renewal, machine: Machine) -> None:
    """The first attempt at once, each after a longer pause up to the cap; after the tenth all who wait are told."""
    step, pauses = renewal.ask(machine.now()), list[float]()
    for _ in range(9):
        step = renewal.failed(attempt_of(step), DOWN, machine.now())
        pauses.append(attempt_of(step).after)
        machine.clock.move(seconds=pauses[-1])
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 12.5, 12.5, 12.5]
    step = renewal.failed(attempt_of(step), DOWN, machine.now())
    assert isinstance(step.ended, faults.ProviderFailed)
    assert (step.attempt, step.ended.__cause__) == (None, DOWN)
    assert "10 times in a row" in str(step.ended)


def test_who_comes_after_ten_failures_costs_one_attempt(renewal: Renewal, machine: Machine) -> None:
    """Nobody is locked out: the next caller has one attempt, after the pause; a success forgets the failures."""
    step = renewal.ask(machine.now())
    while step.attempt is not None:
        machine.clock.move(seconds=step.attempt.after)
        step = renewal.failed(step.attempt, DOWN, machine.now())
    again = attempt_of(renewal.ask(machine.now()))
    assert again.after == 12.5
    machine.clock.move(seconds=again.after)
    assert renewal.failed(again, DOWN, machine.now()).attempt is None
    machine.clock.move(minutes=1)
    load(renewal, machine)
    machine.clock.move(hours=2)
    step = renewal.ask(machine.now())
    assert attempt_of(renewal.failed(attempt_of(step), DOWN, machine.now())).after == 0.25


def test_full_jitter(machine: Machine) -> None:
    """A pause is anything between nothing and its ceiling: clients that failed together come back apart."""
    for chance, pause in ((0.0, 0.0), (0.75, 0.375)):
        renewal = Renewal(Pace(), fraction(chance))
        renewal.follow("sara", None, machine.now(), renewable=True)
        step = renewal.failed(attempt_of(renewal.ask(machine.now())), DOWN, machine.now())
        assert attempt_of(step).after == pause


def test_the_service_may_ask_for_a_longer_pause(renewal: Renewal, machine: Machine) -> None:
    """What the service says about coming back is kept, and jitter comes on top of it."""
    limited = Exhausted(Failure("RESOURCE_EXHAUSTED", "RATE_LIMITED", "", retry_after=timedelta(seconds=6)))
    step = renewal.failed(attempt_of(renewal.ask(machine.now())), limited, machine.now())
    assert attempt_of(step).after == 6.25


REFUSALS: list[Exception] = [
    RefreshRefused(Failure("FAILED_PRECONDITION", "REFRESH_TOKEN_REUSED", "")),
    PermissionDenied(Failure("PERMISSION_DENIED", "APP_SUSPENDED", "")),
    faults.SignInRequired.saying("sign in"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_refusal_ends_the_load(renewal: Renewal, machine: Machine, refusal: Exception) -> None:
    """What will not change is told at once and as it is; who asks soon after hears it without another attempt."""
    step = renewal.failed(attempt_of(renewal.ask(machine.now())), refusal, machine.now())
    assert (step.ended, step.attempt) == (refusal, None)
    with pytest.raises(type(refusal)):
        renewal.ask(machine.now())
    machine.clock.move(seconds=1)
    assert renewal.ask(machine.now()).waits


def test_a_failure_ahead_of_the_end_harms_nobody(renewal: Renewal, machine: Machine) -> None:
    """The token goes on being used; attempts go on by pause and count, and so does the alarm after the last."""
    text = load(renewal, machine)
    machine.clock.move(seconds=2881)
    step = renewal.ask(machine.now())
    for _ in range(10):
        assert renewal.ask(machine.now()).token == read_access_token(text)
        machine.clock.move(seconds=attempt_of(step).after)
        step = renewal.failed(attempt_of(step), DOWN, machine.now())
    assert step.ended is not None
    assert step.renew_after == 12.5
    assert renewal.ask(machine.now()) == Step(token=read_access_token(text))


def test_what_is_in_doubt_is_asked_for_though_nobody_waits(renewal: Renewal, machine: Machine) -> None:
    """Who waits is told after the last attempt; then the alarm makes one attempt after the other."""
    step = renewal.ask(machine.now())
    while step.ended is None:
        machine.clock.move(seconds=attempt_of(step).after)
        step = renewal.failed(attempt_of(step), DOWN, machine.now(), in_doubt=True)
    for _ in range(20):
        assert (step.attempt, step.renew_after) == (None, 150)
        machine.clock.move(seconds=150)
        again = attempt_of(renewal.due(None, machine.now()))
        assert (again.after, renewal.due(None, machine.now())) == (0, NOTHING)
        step = renewal.failed(again, DOWN, machine.now(), in_doubt=True)
    load(renewal, machine)
    assert renewal.due(None, machine.now()) == NOTHING
    assert renewal.forget() == Step(anew=True)
    assert renewal.due(None, machine.now()) == NOTHING


def test_what_is_not_in_doubt_is_left_until_somebody_asks(renewal: Renewal, machine: Machine) -> None:
    """A provider that failed is not asked for nobody; nor is one that said that there will be no token."""
    step = renewal.failed(attempt_of(renewal.ask(machine.now(), once=True)), DOWN, machine.now())
    assert step.renew_after is None
    ended = faults.SignInRequired.saying("over")
    machine.clock.move(minutes=1)
    step = renewal.failed(attempt_of(renewal.ask(machine.now())), ended, machine.now(), in_doubt=True)
    assert step.renew_after is None


def test_a_provider_of_tokens_that_are_refused_at_once_has_failed(renewal: Renewal, machine: Machine) -> None:
    """Tokens that the service refuses as soon as they come count as failures in a row, so no loop of loads begins."""
    text, pauses = load(renewal, machine), list[float]()
    for _ in range(8):
        step = renewal.refused(text, machine.now())
        pauses.append(attempt_of(step).after)
        machine.clock.move(seconds=pauses[-1])
        text = living(machine.clock)
        renewal.arrived(attempt_of(step), text, machine.now())
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 12.5, 12.5]
    # A token that was good for a while proves its provider: the next refusal, a revocation say, is answered at once.
    machine.clock.move(seconds=10)
    step = renewal.refused(text, machine.now())
    assert attempt_of(step).after == 0
    text = living(machine.clock)
    renewal.arrived(attempt_of(step), text, machine.now())
    assert attempt_of(renewal.refused(text, machine.now())).after == 0.25


def test_loads_that_end_after_the_user_changed_are_dropped(renewal: Renewal, machine: Machine) -> None:
    """Who waited is told that the user changed; the token that comes later goes to nobody, as does a failure."""
    old = attempt_of(renewal.ask(machine.now()))
    step = renewal.follow("tom", None, machine.now(), renewable=True)
    assert isinstance(step.ended, faults.UserChanged)
    assert renewal.arrived(old, living(machine.clock), machine.now()) == NOTHING
    assert renewal.failed(old, DOWN, machine.now()) == NOTHING
    new = renewal.ask(machine.now())
    assert renewal.arrived(old, living(machine.clock), machine.now()) == NOTHING
    assert renewal.arrived(attempt_of(new), living(machine.clock, "tom"), machine.now()).news is not None
    assert renewal.user_id == "tom"


def test_forgetting_leaves_nobody(renewal: Renewal, machine: Machine) -> None:
    """No token, no user, nobody to ask."""
    load(renewal, machine)
    assert renewal.forget() == Step(anew=True)
    assert (renewal.user_id, renewal.current(machine.now())) == (None, None)
    with pytest.raises(faults.NoUser):
        renewal.ask(machine.now())


def test_a_first_token_is_used_until_it_has_to_be_renewed(machine: Machine) -> None:
    """A token and a provider together: the token first, then the provider."""
    renewal, first = Renewal(Pace(), fraction(0.5)), read_access_token(living(machine.clock))
    step = renewal.follow("sara", first, machine.now(), renewable=True)
    assert step.news is None
    assert step.renew_after == pytest.approx(2880, abs=1)
    assert renewal.ask(machine.now()) == Step(token=first)
    assert attempt_of(renewal.refused(first.text, machine.now())).after == 0


def test_an_expired_first_token_gives_way_to_the_provider(machine: Machine) -> None:
    """It is not shown to anybody when there is somebody to ask."""
    renewal, first = Renewal(Pace(), fraction(0.5)), read_access_token(living(machine.clock))
    machine.clock.move(seconds=3601)
    renewal.follow("sara", first, machine.now(), renewable=True)
    assert renewal.ask(machine.now()).waits


def test_an_expired_first_token_is_no_answer_of_the_provider(machine: Machine) -> None:
    """A provider that gives it again is told so, as with any expired token; another one is as good as ever."""
    renewal, first = Renewal(Pace(), fraction(0.5)), read_access_token(living(machine.clock))
    machine.clock.move(hours=2)
    renewal.follow("sara", first, machine.now(), renewable=True)
    step = renewal.arrived(attempt_of(renewal.ask(machine.now())), first.text, machine.now())
    assert isinstance(step.ended, faults.TokenExpired)
    assert "same token again" in str(step.ended)
    assert renewal.current(machine.now()) is None
    load_after_refusal(renewal, machine)


def test_a_static_token_is_never_renewed(machine: Machine) -> None:
    """Refused or over, it is an error that says why; nobody is asked."""
    renewal, first = Renewal(Pace(), fraction(0.5)), read_access_token(living(machine.clock))
    assert renewal.follow("sara", first, machine.now(), renewable=False).renew_after is None
    machine.clock.move(seconds=3500)
    assert renewal.ask(machine.now()) == Step(token=first)
    with pytest.raises(faults.TokenExpired, match="no token provider"):
        renewal.refused(first.text, machine.now())


def test_what_is_wrong_with_a_first_token_is_seen_at_once(machine: Machine) -> None:
    """Another user's, or expired for longer than clocks differ: refused, and the last user stays."""
    renewal, first = Renewal(Pace(), fraction(0.5)), read_access_token(living(machine.clock))
    renewal.follow("sara", first, machine.now(), renewable=False)
    with pytest.raises(faults.WrongUser):
        renewal.follow("tom", first, machine.now(), renewable=True)
    machine.clock.move(seconds=3600 + LEEWAY_SECONDS)
    with pytest.raises(faults.TokenExpired, match="30 s ago"):
        renewal.follow("sara", first, machine.now(), renewable=False)
    assert renewal.user_id == "sara"
    machine.clock.move(seconds=-1)
    renewal.follow("sara", first, machine.now(), renewable=False)


def test_once_means_one_attempt_now(renewal: Renewal, machine: Machine) -> None:
    """For callers with a pace of their own: no pause before it, no second attempt after it."""
    failed = renewal.failed(attempt_of(renewal.ask(machine.now(), once=True)), DOWN, machine.now())
    assert isinstance(failed.ended, faults.ProviderFailed)
    assert "once" in str(failed.ended)
    assert attempt_of(renewal.ask(machine.now(), once=True)).after == 0


@pytest.mark.parametrize("garbage", ["", "no token", b"bytes", None])
def test_what_is_no_token_ends_the_load(renewal: Renewal, machine: Machine, garbage: object) -> None:
    """A provider that gives something else is told so, once."""
    step = renewal.arrived(attempt_of(renewal.ask(machine.now())), garbage, machine.now())
    assert (type(step.ended), step.attempt) == (faults.TokenInvalid, None)


def test_attempts_are_never_mistaken_for_each_other(renewal: Renewal, machine: Machine) -> None:
    """An answer to an attempt that was given up is dropped, also when the next one of the same load is under way."""
    first = attempt_of(renewal.ask(machine.now()))
    second = attempt_of(renewal.failed(first, TimeoutError(), machine.now()))
    assert renewal.arrived(first, living(machine.clock), machine.now()) == NOTHING
    assert renewal.arrived(second, living(machine.clock), machine.now()).news is not None


def test_what_passes_and_what_does_not() -> None:
    """Whatever a program's own provider raises may pass; refusals by the service do not."""
    passing: list[BaseException] = [DOWN, ValueError(), TimeoutError(), faults.ProviderFailed.saying("")]
    lasting: list[BaseException] = [*REFUSALS, faults.WrongUser.saying(""), faults.TokenInvalid.saying("")]
    assert [faults.is_transient(error) for error in itertools.chain(passing, lasting)] == [True] * 4 + [False] * 5
