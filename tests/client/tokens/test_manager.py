"""``TokenManager`` with threads: who waits, who goes on, who is told."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from authsvc.client import AuthClient
from authsvc.client.tokens import faults
from authsvc.client.tokens.manager import TokenManager
from authsvc.client.tokens.providers import TokenProvider
from authsvc.logs import Level
from authsvc.model import TokenStatus
from tests.client.tokens.made import Machine, Provider, living, made_token

GOOD_STATUSES = (TokenStatus.EXPIRED, TokenStatus.REVOKED, TokenStatus.SESSION_REVOKED, TokenStatus.KEY_REVOKED)


@pytest.fixture
def machine() -> Machine:
    """Clocks, alarms and threads that are moved by hand."""
    return Machine()


@pytest.fixture
def provider() -> Provider:
    """A provider that gives what it is told."""
    return Provider()


@pytest.fixture
def lines() -> list[tuple[Level, str]]:
    """What managers have logged."""
    return []


@pytest.fixture
def make(machine: Machine, lines: list[tuple[Level, str]]) -> Callable[..., TokenManager]:
    """Managers of that machine."""
    sink = {"default": {"sink": lambda level, message, _: lines.append((level, message)), "level": "debug"}}

    def made(*who: object, **more: object) -> TokenManager:
        return TokenManager(*who, **{**machine.parts, "spawn": machine.spawn, "log_options": sink, **more})  # type: ignore[arg-type]

    return made


def wait_in_line(manager: TokenManager, count: int, call: Callable[[], str]) -> tuple[list[Thread], list[object]]:
    """So many threads that wait for a token; what each got."""
    got: list[object] = []

    def ask() -> None:
        try:
            got.append(call())
        except faults.TokenError as error:
            got.append(type(error))

    threads = [Thread(target=ask, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    until(lambda: len(manager._line) >= count)
    return threads, got


def until(seen: Callable[[], bool]) -> None:
    """Return when other threads have come so far."""
    for _ in range(20_000):
        if seen():
            return
        Event().wait(0.001)
    pytest.fail("the other threads did not come so far")


def test_a_thousand_calls_cause_one_load(make: Callable[..., TokenManager], machine: Machine) -> None:
    """1,000 threads with an expired token at once: the provider is asked once, and all get its answer."""
    first, second = living(machine.clock), living(machine.clock, ttl=7200)
    provider, together = Provider([second]), Barrier(1000)
    manager = make("sara", provider, token=first)
    machine.clock.move(seconds=3601)
    machine.holding = True

    def ask() -> str:
        together.wait(30)
        return manager.token()

    threads, got = wait_in_line(manager, 1000, ask)
    assert (provider.count, got, len(machine.held)) == (0, [], 1)
    machine.let_go()
    for thread in threads:
        thread.join(30)
    assert (provider.count, got) == (1, [second] * 1000)


def test_late_refusals_cause_no_load(make: Callable[..., TokenManager], machine: Machine, provider: Provider) -> None:
    """500 replies that the old token has expired, after it was replaced: nobody is asked, each gets the new one."""
    first, second = living(machine.clock), living(machine.clock)
    provider.answers = [second, living(machine.clock)]
    manager = make("sara", provider, token=first)
    assert [manager.renewed(first) for _ in range(501)] == [second] * 501
    assert provider.count == 1
    # The control: a refusal of the token in use is another matter.
    machine.clock.move(minutes=1)
    assert manager.renewed(second) != second
    assert provider.count == 2


def test_who_waits_goes_on_in_order(make: Callable[..., TokenManager], machine: Machine, provider: Provider) -> None:
    """The calls that wait for a load get its token in the order in which they came."""
    provider.answers, machine.holding = [living(machine.clock)], True
    manager, order, threads = make("sara", provider), list[int](), list[Thread]()

    def ask(number: int) -> None:
        _, place = manager._go(manager._keeper.ask)
        assert place is not None
        assert place.wait(10) is not None
        order.append(number)  # before the next in the line is let go
        place.leave()

    for number in range(10):
        threads.append(Thread(target=ask, args=(number,), daemon=True))
        threads[-1].start()
        until(lambda: len(manager._line) > number)  # noqa: B023 - asked at once
    machine.let_go()
    for thread in threads:
        thread.join(10)
    assert order == list(range(10))


@pytest.mark.parametrize("status", GOOD_STATUSES)
def test_what_a_new_token_helps_against(
    make: Callable[..., TokenManager], machine: Machine, provider: Provider, status: TokenStatus
) -> None:
    """Expired, and everything revoked, are answered with a new token."""
    first, second = living(machine.clock), living(machine.clock)
    provider.answers = [second]
    assert make("sara", provider, token=first).renewed(first, status) == second


@pytest.mark.parametrize("status", [status for status in TokenStatus if status not in GOOD_STATUSES])
def test_what_a_new_token_does_not_change(
    make: Callable[..., TokenManager], machine: Machine, provider: Provider, status: TokenStatus
) -> None:
    """On a bad signature, or anything else, the provider is not asked: the next token would be as bad."""
    first = living(machine.clock)
    manager = make("sara", provider, token=first)
    with pytest.raises(faults.TokenRefused, match=status):
        manager.renewed(first, status)
    assert (provider.count, manager.peek()) == (0, first)


def test_a_token_is_renewed_ahead_by_an_alarm(make: Callable[..., TokenManager], machine: Machine) -> None:
    """At 80 % of the life of each token, with nobody asking."""
    told: list[str] = []
    manager = make(
        "sara",
        lambda user: living(machine.clock, user, ttl=7200),
        token=living(machine.clock),
        on_token_updated=told.append,
    )
    rung = [machine.ring().total_seconds() for _ in range(3)]
    assert rung == pytest.approx([2880, 5760, 5760], abs=1)
    assert [manager.peek()] == told[2:]


def test_on_token_updated_is_told_of_new_tokens(
    make: Callable[..., TokenManager], machine: Machine, provider: Provider
) -> None:
    """After each new token, before the calls that wait go on; not of the first token, nor of one used again."""
    told: list[str] = []
    first, second = living(machine.clock), living(machine.clock)
    provider.answers = [second, second]
    manager = make("sara", provider, token=first, on_token_updated=told.append)
    assert [manager.token(), manager.token(), told] == [first, first, []]
    assert [manager.renewed(first), manager.token(), told] == [second, second, [second]]
    machine.clock.move(seconds=3000)
    assert [manager.token(), provider.count, told] == [second, 2, [second]]


def test_a_callback_that_fails_harms_nobody(
    make: Callable[..., TokenManager], machine: Machine, lines: list[tuple[Level, str]]
) -> None:
    """The calls go on with the token, and the failure is in the log."""

    def fail(_: str) -> None:
        raise RuntimeError("canary")

    text = living(machine.clock)
    assert make("sara", lambda _: text, on_token_updated=fail).token() == text
    assert (Level.ERROR, "on_token_updated failed") in lines


def test_a_provider_has_a_deadline(make: Callable[..., TokenManager], machine: Machine) -> None:
    """One that does not answer in 10 s has failed and is asked again; what it says later is dropped."""
    hangs, late, good = Event(), living(machine.clock, name="late"), living(machine.clock)
    answers = iter([late, good])

    def provide(_: str) -> str:
        answer = next(answers)
        if answer == late:
            hangs.wait(10)
        return answer

    running: list[Thread] = []

    def spawn(work: Callable[[], None]) -> None:
        running.append(Thread(target=work, daemon=True))
        running[-1].start()

    manager = make("sara", provide, spawn=spawn)
    threads, got = wait_in_line(manager, 1, manager.token)
    until(lambda: bool(machine.alarms.waiting))
    assert machine.ring() == timedelta(seconds=10)
    assert machine.ring() == timedelta(seconds=0.25)
    threads[0].join(10)
    hangs.set()
    running[0].join(10)
    assert (got, manager.peek()) == ([good], good)


def test_pauses_are_made_by_alarms(make: Callable[..., TokenManager], machine: Machine, provider: Provider) -> None:
    """Between attempts nobody holds a thread; the tenth failure is told to all who wait."""
    provider.answers = [ValueError("canary")] * 10
    manager = make("sara", provider)
    threads, got = wait_in_line(manager, 3, manager.token)
    rung = [machine.ring().total_seconds() for _ in range(9)]
    for thread in threads:
        thread.join(10)
    assert rung == [0.25, 0.5, 1, 2, 4, 8, 12.5, 12.5, 12.5]
    assert (provider.count, got, machine.alarms.waiting) == (10, [faults.ProviderFailed] * 3, [])


def test_who_waits_too_long_is_told(make: Callable[..., TokenManager], machine: Machine, provider: Provider) -> None:
    """A caller has its own time; the load goes on for those who come later."""
    text = living(machine.clock)
    provider.answers, machine.holding = [text], True
    manager = make("sara", provider)
    with pytest.raises(faults.TokenTimeout) as raised:
        manager.token(timeout=timedelta(milliseconds=1))
    assert (raised.value.code, len(manager._line)) == ("DEADLINE_EXCEEDED", 0)
    machine.let_go()
    assert (manager.token(), provider.count) == (text, 1)


def test_a_load_of_the_last_user_is_dropped(make: Callable[..., TokenManager], machine: Machine) -> None:
    """Who waited is told; the token that comes later is nobody's, and no callback hears of it."""
    machine.holding, told = True, list[str]()
    manager = make("sara", lambda user: living(machine.clock, user), on_token_updated=told.append)
    threads, got = wait_in_line(manager, 2, manager.token)
    manager.follow("tom", lambda user: living(machine.clock, user))
    for thread in threads:
        thread.join(10)
    assert got == [faults.UserChanged] * 2
    machine.let_go()
    assert (manager.peek(), told) == (None, [])
    assert [manager.token()] == told
    assert manager.user_id == "tom"


def test_an_answer_under_way_when_the_user_changes_is_dropped(
    make: Callable[..., TokenManager], machine: Machine
) -> None:
    """Also when the provider was already asked: its token is the last user's."""
    manager = make()

    def provide(user: str) -> str:
        manager.forget()
        return living(machine.clock, user)

    manager.follow("sara", provide)
    with pytest.raises(faults.UserChanged):
        manager.token()
    assert (manager.peek(), manager.user_id) == (None, None)


def test_forgetting_leaves_nothing_behind(make: Callable[..., TokenManager], machine: Machine) -> None:
    """No token, no alarm, nobody to ask."""
    with make("sara", lambda user: living(machine.clock, user)) as manager:
        manager.token()
        assert len(machine.alarms.waiting) == 1
    assert (machine.alarms.waiting, manager.peek()) == ([], None)
    with pytest.raises(faults.NoUser):
        manager.token()


def test_each_who_waits_has_an_error_of_its_own(
    make: Callable[..., TokenManager], machine: Machine, provider: Provider
) -> None:
    """Errors are told as copies with the cause: one instance would collect the frames of all."""
    cause = faults.SignInRequired.saying("sign in")
    provider.answers = [cause]
    manager, raised = make("sara", provider), list[BaseException]()
    for _ in range(2):
        with pytest.raises(faults.SignInRequired) as caught:
            manager.token()
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert provider.count == 1


def test_a_manager_that_nobody_knows_asks_nobody(make: Callable[..., TokenManager], machine: Machine) -> None:
    """Its alarm does not keep it alive, and does nothing when it rings."""
    provider = Provider()
    manager = make("sara", provider, token=living(machine.clock))
    gone = weakref.ref(manager)
    del manager
    gc.collect()
    assert gone() is None
    machine.ring()
    assert provider.count == 0


def test_a_failed_renewal_ahead_is_in_the_log(
    make: Callable[..., TokenManager], machine: Machine, provider: Provider, lines: list[tuple[Level, str]]
) -> None:
    """No call ends with it, so nobody else would know; a success says nothing above debug."""
    provider.answers = [faults.SignInRequired.saying("sign in")]
    manager = make("sara", provider, token=living(machine.clock))
    machine.ring()
    assert manager.peek() is not None
    assert (Level.WARN, "a token could not be renewed ahead of its end") in lines
    lines.clear()
    assert make("sara", lambda user: living(machine.clock, user)).token()
    assert {level for level, _ in lines} == {Level.DEBUG}


async def _later(user: str) -> str:
    return made_token(user)


class _LaterByCall:
    async def __call__(self, user: str) -> str:
        return made_token(user)


async def _keep(_: object) -> None:
    pytest.fail("nobody awaits this")


def test_an_asynchronous_provider_is_told_from_a_failing_one(make: Callable[..., TokenManager]) -> None:
    """Given to this manager it is a mistake of the program: said where it is made, else once, when it is called."""
    for provider in (_later, _LaterByCall(), partial(_later)):
        with pytest.raises(TypeError, match="the token provider is asynchronous"):
            make("sara", provider)
    with pytest.raises(faults.TokenInvalid, match="AsyncTokenManager"):
        make("sara", lambda user: _later(user)).token()


def test_a_callback_to_be_awaited_is_refused(
    make: Callable[..., TokenManager], client: AuthClient, lines: list[tuple[Level, str]]
) -> None:
    """Nobody here would await it: said where it is given, else in the log, and nothing is left unawaited."""
    with pytest.raises(TypeError, match="on_token_updated is asynchronous"):
        make("sara", made_token, on_token_updated=_keep)
    for provider in (
        TokenProvider.session("art1_x", on_session_updated=_keep),
        TokenProvider.guest(on_session_updated=_keep),
    ):
        with pytest.raises(TypeError, match="on_session_updated is asynchronous"):
            make("sara", provider, client=client, api_key="dev")
    text = made_token("sara")
    assert make("sara", lambda _: text, on_token_updated=lambda token: _keep(token)).token() == text
    assert (Level.ERROR, "on_token_updated failed") in lines


@pytest.mark.parametrize("provider", [made_token("sara"), 7, ["token"]], ids=["text", "number", "list"])
def test_what_is_no_provider_is_refused(make: Callable[..., TokenManager], provider: Any) -> None:
    """Where it is given, in words that do not show it and say what a lone token is."""
    for give in (lambda: make("sara", provider), lambda: TokenProvider.callable(provider)):
        with pytest.raises(TypeError, match=r"TokenProvider\.static\(token\)") as raised:
            give()
        assert str(provider) not in str(raised.value)


def test_a_provider_that_hangs_is_not_asked_without_end(make: Callable[..., TokenManager], machine: Machine) -> None:
    """Beside a call that cannot be ended one more is made and no third; who waits takes the first answer to come."""
    may_go, asked, running = Event(), list[str](), list[Thread]()
    text = living(machine.clock)

    def provide(user: str) -> str:
        asked.append(user)
        may_go.wait(30)
        return text

    def spawn(work: Callable[[], None]) -> None:
        running.append(Thread(target=work, daemon=True))
        running[-1].start()

    manager = make("sara", provide, spawn=spawn)
    threads, got = wait_in_line(manager, 1, manager.token)
    for attempt in range(1, 5):
        until(lambda: len(running) == attempt and bool(machine.alarms.waiting))  # noqa: B023 - asked at once
        until(lambda: len(asked) == min(attempt, 2))  # noqa: B023 - asked at once
        assert machine.ring() == timedelta(seconds=10)
        machine.ring()
    until(lambda: len(running) == 5 and bool(machine.alarms.waiting))
    assert len(asked) == 2
    may_go.set()
    for thread in (*threads, *running):
        thread.join(10)
    assert (got, manager.peek(), len(asked)) == ([text], text, 2)


def test_a_manager_needs_a_token_or_a_provider(make: Callable[..., TokenManager]) -> None:
    """Nothing at all is an error when somebody is to be followed; a manager may begin with nobody."""
    manager = make()
    with pytest.raises(ValueError, match="a token, a token provider or both"):
        manager.follow("sara")
    with pytest.raises(faults.NoUser):
        manager.token()


def test_without_alarms_of_its_own_it_uses_threads() -> None:
    """The real thing: threads, alarms and clocks of this machine."""
    provider = Provider([ValueError(), made_token()])
    with TokenManager("sara", provider) as manager:
        assert manager.token(timeout=timedelta(seconds=20)) == manager.peek()
    assert provider.count == 2


def test_nothing_prints_a_token(make: Callable[..., TokenManager], machine: Machine) -> None:
    """Neither managers nor providers."""
    text = living(machine.clock)
    provider = TokenProvider.session("art1_canary").starting_with(text)
    manager = make("sara", lambda _: text, token=text)
    assert "canary" not in repr(provider)
    assert text not in repr(provider) + repr(manager) + repr(vars(manager)) + repr(vars(manager._keeper._renewal))


def test_a_machine_without_threads_fails_nobody_for_good(make: Callable[..., TokenManager], machine: Machine) -> None:
    """Where no thread can be started the attempt has failed: who waits is told, and the next one may succeed."""
    threads = iter([RuntimeError("can't start new thread")] * 2)

    def spawn(work: Callable[[], None]) -> None:
        fault = next(threads, None)
        if fault is not None:
            raise fault
        work()

    manager = make("sara", lambda user: living(machine.clock, user), spawn=spawn)
    with pytest.raises(faults.ProviderFailed) as raised:
        manager.token(once=True)
    assert isinstance(raised.value.__cause__, RuntimeError)
    waiting, got = wait_in_line(manager, 1, manager.token)
    assert machine.ring() == timedelta(seconds=0.25)
    assert machine.ring() == timedelta(seconds=0.5)
    waiting[0].join(10)
    assert got == [manager.peek()]
