"""Every kind of provider; those that ask the service, against the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Event, Thread
from typing import Any

import pytest

from authsvc.client import AsyncAuthClient, AuthClient, Failure, PermissionDenied, RefreshRefused, Unavailable
from authsvc.client.logs import LogOptions
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import read_access_token
from authsvc.client.tokens.issuer import Issuer
from authsvc.client.tokens.manager import TokenManager, start_thread
from authsvc.client.tokens.manager_aio import AsyncTokenManager
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import Surroundings, TokenProvider
from authsvc.client.tokens.sessions import SavedSession
from authsvc.client.user.people import EndUser
from authsvc.clock import system_randomness
from authsvc.logs import Level, SecretText
from authsvc.v1 import auth_pb2
from tests.client.tokens.made import Machine, made_token
from tests.conftest import HandClock, RunningServer


@pytest.fixture
def machine(clock: HandClock) -> Machine:
    """Alarms and threads that are moved by hand, with the clock that the server has too."""
    return Machine(clock)


@pytest.fixture
def make(machine: Machine, client: AuthClient) -> Callable[..., TokenManager]:
    """Managers of a backend."""
    parts = {**machine.parts, "spawn": machine.spawn, "client": client, "api_key": "dev"}
    return lambda *who, **more: TokenManager(*who, **{**parts, **more})


def sign_in(client: AuthClient, user: str = "sara") -> auth_pb2.IssueTokenResponse:
    """A token with a session."""
    request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=user), refreshable=True)
    return client.issue_token(request)


def is_active(client: AuthClient, token: str, **question: Any) -> bool:
    """What the service says of a token."""
    request = auth_pb2.ValidateTokenRequest(api_key="dev", token=token, **question)
    return client.validate_token(request).active


def test_a_static_token_is_all_there_is() -> None:
    """It knows its user, and says so when it is another's."""
    text = made_token("sara")
    assert TokenManager("sara", TokenProvider.static(text)).token() == text
    assert TokenManager(token=text).user_id == "sara"
    with pytest.raises(faults.WrongUser):
        TokenManager("tom", TokenProvider.static(text))
    with pytest.raises(faults.TokenInvalid):
        TokenProvider.static("canary")


def test_a_development_token_is_made_here() -> None:
    """The text that the seed SDKs make of the same id; what is no user's id is refused."""
    manager = TokenManager("luke_skywalker", TokenProvider.development("luke_skywalker"))
    header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    assert manager.token() == f"{header}.eyJ1c2VyX2lkIjoibHVrZV9za3l3YWxrZXIifQ==.devtoken"
    with pytest.raises(ValueError, match="not the id of a user"):
        TokenProvider.development('luke","admin":"')


def test_a_function_is_given_the_users_id() -> None:
    """A bare function is a provider, as is `callable`; both may follow a token that comes first."""
    for provider in (lambda user: made_token(user), TokenProvider.callable(lambda user: made_token(user))):
        assert read_access_token(TokenManager("sara", provider).token()).user_id == "sara"
        first = made_token("sara")
        with TokenManager("sara", provider, token=first) as manager:
            assert manager.token() == first
            assert manager.renewed(first) != first


def test_a_provider_serves_several_managers(make: Callable[..., TokenManager], client: AuthClient) -> None:
    """Each opens it for itself: their sessions do not get mixed up."""
    provider = TokenProvider.guest("jack")
    guests = {make(None, provider).token() for _ in range(2)}
    assert len({read_access_token(token).user_id for token in guests}) == 2
    begun = provider.begun()  # the control: one guest for all who open this
    guests = {make(None, begun).token() for _ in range(2)}
    assert len({read_access_token(token).user_id for token in guests}) == 1


def test_a_session_is_shared_by_all_that_open_its_provider(
    make: Callable[..., TokenManager], client: AuthClient, machine: Machine
) -> None:
    """One after the other, or in turn: each goes on from the newest refresh token, and the session lives."""
    saved: list[SavedSession] = []
    provider = TokenProvider.session(sign_in(client).refresh_token, on_session_updated=saved.append)
    managers = [make("sara", provider), make("sara", provider.starting_with(made_token("sara", exp=1)))]
    for _ in range(3):
        for manager in managers:
            machine.clock.move(minutes=61)
            assert is_active(client, manager.token())
    managers[0].forget()
    machine.clock.move(minutes=61)
    assert is_active(client, make("sara", provider).token())
    assert len({session.refresh_token for session in saved}) == len(saved) >= 7


def test_a_shared_session_is_turned_by_one_at_a_time(
    make: Callable[..., TokenManager], client: AuthClient, server: RunningServer, machine: Machine
) -> None:
    """Threads and tasks that want a token while one turns the session wait, and have that turn's token."""
    saved, got = list[SavedSession](), list[str]()
    slow = Slow(client)
    provider = TokenProvider.session(sign_in(client).refresh_token, on_session_updated=saved.append)
    managers = [make("sara", provider, client=slow, spawn=start_thread) for _ in range(3)]
    threads = [Thread(target=lambda each=each: got.append(each.token()), daemon=True) for each in managers]
    for number, thread in enumerate(threads):
        thread.start()
        wait_until(lambda: slow.asked.is_set() and waiting_for(provider) == number)  # noqa: B023 - asked at once

    async def test() -> None:
        async with AsyncAuthClient(server.target, server.credential) as awaited:
            manager = AsyncTokenManager("sara", provider, client=awaited, api_key="dev", **machine.parts)
            task = asyncio.create_task(manager.token())
            while waiting_for(provider) < 3:
                await asyncio.sleep(0.001)
            slow.may_go.set()
            got.append(await task)
            await manager.close()

    asyncio.run(asyncio.wait_for(test(), 30))
    for thread in threads:
        thread.join(10)
    assert (len(got), len(set(got)), slow.count, len(saved)) == (4, 1, 1, 1)
    assert is_active(client, got[0])


class Slow:
    """The client, whose refreshes take until they may go."""

    def __init__(self, client: AuthClient) -> None:
        self.logs = client.logs
        self.asked, self.may_go, self.count = Event(), Event(), 0
        self._client = client

    def refresh_token(self, request: auth_pb2.RefreshTokenRequest, *, timeout: timedelta) -> Any:
        self.count += 1
        self.asked.set()
        assert self.may_go.wait(timeout.total_seconds())
        return self._client.refresh_token(request)


def waiting_for(provider: TokenProvider) -> int:
    """How many wait to turn the session."""
    assert isinstance(provider._open, partial)
    return len(provider._open.args[0].turning._waiting)


def wait_until(seen: Callable[[], bool]) -> None:
    """Return when other threads have come so far."""
    for _ in range(20_000):
        if seen():
            return
        Event().wait(0.001)
    pytest.fail("the other threads did not come so far")


@pytest.mark.parametrize("as_backend", [True, False], ids=["awaited client", "client beside the loop"])
def test_what_keeps_a_session_may_be_awaited(
    server: RunningServer, client: AuthClient, machine: Machine, as_backend: bool
) -> None:
    """It has ended before any call goes on with the token; when it fails the user has the token all the same."""
    kept, lines = list[str](), list[tuple[Level, str]]()

    async def keep(session: SavedSession) -> None:
        await asyncio.sleep(0)
        kept.append(session.refresh_token.reveal())
        raise OSError("disk full")

    async def test() -> None:
        options: LogOptions = {"default": {"sink": lambda level, message, _: lines.append((level, message))}}
        async with AsyncAuthClient(server.target, server.credential) as awaited:
            provider = TokenProvider.session(sign_in(client).refresh_token, on_session_updated=keep)
            through = awaited if as_backend else client
            async with AsyncTokenManager(
                "sara", provider, client=through, api_key="dev", log_options=options, **machine.parts
            ) as manager:
                token = await manager.token()
                assert len(kept) == 1
                assert is_active(client, token)

    asyncio.run(asyncio.wait_for(test(), 30))
    assert lines == [(Level.ERROR, "a session could not be kept by the program")]


@pytest.mark.parametrize(("what", "error"), [(None, TypeError), (b"art1_x", TypeError), ("", ValueError)])
def test_a_session_needs_a_refresh_token(what: Any, error: type[Exception]) -> None:
    """What is none is refused where it is given; nobody asks the service for anything instead."""
    with pytest.raises(error, match=r"a session is begun with|the refresh token is empty"):
        TokenProvider.session(what)


def test_a_session_is_refreshed(make: Callable[..., TokenManager], client: AuthClient, machine: Machine) -> None:
    """Each turn with the newest refresh token, which the program is told of before the token is used."""
    saved, seen = list[SavedSession](), list[int]()
    provider = TokenProvider.session(sign_in(client).refresh_token, on_session_updated=saved.append)
    manager = make("sara", provider, on_token_updated=lambda _: seen.append(len(saved)))
    for _ in range(5):
        assert is_active(client, manager.token())
        machine.clock.move(minutes=61)
    assert seen == [1, 2, 3, 4, 5]
    assert len({session.refresh_token for session in saved} | {session.request_id for session in saved}) == 10
    assert "art1_" not in repr(saved) + repr(provider)


def test_a_session_goes_on_in_the_next_process(
    make: Callable[..., TokenManager], client: AuthClient, machine: Machine
) -> None:
    """From what was saved; also when the last process died after it asked and before it heard."""
    saved: list[SavedSession] = []
    make("sara", TokenProvider.session(sign_in(client).refresh_token, on_session_updated=saved.append)).token()
    refresh_token, request_id = saved[0].refresh_token.reveal(), saved[0].request_id.reveal()
    client.refresh_token(auth_pb2.RefreshTokenRequest(refresh_token=refresh_token, request_id=request_id))
    machine.clock.move(minutes=10)
    kept = SavedSession(SecretText(refresh_token), SecretText(request_id))
    assert is_active(client, make("sara", TokenProvider.session(kept)).token())
    # The control: without the request id the same refresh token is taken for a thief's.
    machine.clock.move(minutes=10)
    with pytest.raises(RefreshRefused, match="REFRESH_TOKEN_REUSED"):
        make("sara", TokenProvider.session(refresh_token)).token()


class LosesReplies:
    """The client behind a network that loses the first replies: what was asked is done."""

    def __init__(self, client: AuthClient, lost: int) -> None:
        self.logs = client.logs
        self.guests = self
        self.requests: list[Any] = []
        self.timeouts: list[timedelta] = []
        self._client = client
        self._lost = lost

    def refresh_token(self, request: auth_pb2.RefreshTokenRequest, *, timeout: timedelta) -> Any:
        self.timeouts.append(timeout)
        return self._pass_on(self._client.refresh_token, request)

    def issue_token(self, request: auth_pb2.IssueTokenRequest, *, timeout: timedelta) -> Any:
        self.timeouts.append(timeout)
        return self._pass_on(self._client.issue_token, request)

    def _pass_on(self, call: Callable[[Any], Any], request: Any) -> Any:
        self.requests.append(request)
        answer = call(request)
        if len(self.requests) <= self._lost:
            raise Unavailable(Failure("UNAVAILABLE", "UNAVAILABLE", "lost"))
        return answer


def test_a_lost_reply_is_asked_for_with_the_same_request_id(
    make: Callable[..., TokenManager], client: AuthClient, machine: Machine
) -> None:
    """One request id a turn, however many attempts: the session goes on where it was."""
    lossy = LosesReplies(client, lost=3)
    manager = make("sara", TokenProvider.session(sign_in(client).refresh_token), client=lossy)
    with pytest.raises(faults.ProviderFailed):
        manager.token(once=True)
    for _ in range(2):
        machine.clock.move(minutes=5)  # beyond the grace, so that the request id alone can help
        with pytest.raises(faults.ProviderFailed):
            manager.token(once=True)
    machine.clock.move(minutes=5)
    assert is_active(client, manager.token())
    assert len({request.request_id for request in lossy.requests}) == 1
    machine.clock.move(hours=2)
    assert is_active(client, manager.token())
    assert len({request.request_id for request in lossy.requests}) == 2


def test_a_lost_reply_is_had_though_nobody_asks_again(
    make: Callable[..., TokenManager], client: AuthClient, machine: Machine
) -> None:
    """It can be told again for an hour: the manager asks until it was, so whoever comes later is still signed in."""
    lossy = LosesReplies(client, lost=4)
    manager = make("sara", TokenProvider.session(sign_in(client).refresh_token), client=lossy)
    with pytest.raises(faults.ProviderFailed):
        manager.token(once=True)
    assert [machine.ring() for _ in range(4)] == [timedelta(minutes=2.5)] * 4
    assert len({request.request_id for request in lossy.requests}) == 1
    token = manager.peek()
    assert token is not None
    assert is_active(client, token)
    machine.clock.move(hours=2)
    assert is_active(client, manager.token())


def test_nothing_is_asked_for_a_user_who_has_left(
    make: Callable[..., TokenManager], client: AuthClient, machine: Machine
) -> None:
    """Whatever was in doubt."""
    for leave in (TokenManager.forget, lambda manager: manager.follow("tom", lambda user_id: "")):
        manager = make("sara", TokenProvider.session(sign_in(client).refresh_token), client=LosesReplies(client, 9))
        with pytest.raises(faults.ProviderFailed):
            manager.token(once=True)
        assert len(machine.alarms.waiting) == 1
        leave(manager)
        assert machine.alarms.waiting == []


def test_a_lost_guest_is_the_same_guest(
    make: Callable[..., TokenManager], client: AuthClient, machine: Machine
) -> None:
    """The call that makes a guest is repeated with its request id too: no second guest is made."""
    lossy = LosesReplies(client, lost=1)
    manager = make(None, TokenProvider.guest("jack"), client=lossy)
    with pytest.raises(faults.ProviderFailed):
        manager.token(once=True)
    manager.token(once=True)
    first, second = (client.issue_token(request).info.user.id for request in lossy.requests)
    assert first == second == manager.user_id


def test_a_session_that_has_ended_is_told_as_it_is(
    make: Callable[..., TokenManager], client: AuthClient, machine: Machine
) -> None:
    """The user signs in again: no second attempt is made."""
    issued = sign_in(client)
    lossy = LosesReplies(client, lost=0)
    manager = make("sara", TokenProvider.session("art1_" + issued.refresh_token[5:][::-1]), client=lossy)
    for _ in range(3):
        with pytest.raises(RefreshRefused, match="REFRESH_TOKEN_INVALID"):
            manager.token()
    assert len(lossy.requests) == 1


def test_a_guest_stays_the_same_guest(make: Callable[..., TokenManager], client: AuthClient, machine: Machine) -> None:
    """The service makes the id; when the token is renewed it stays, unlike with the seed SDKs."""
    manager = make(
        None, TokenProvider.guest("jack", "Jack", "https://example.com/j.png", custom={"team": "red", "n": 1})
    )
    first = manager.token()
    user_id = manager.user_id or ""
    assert user_id.startswith("guest-")
    assert user_id.endswith("-jack")
    info = client.validate_token(auth_pb2.ValidateTokenRequest(api_key="dev", token=first)).info
    assert (info.user.name, info.user.image, dict(info.user.custom)) == (
        "Jack",
        "https://example.com/j.png",
        {"team": "red", "n": 1},
    )
    machine.clock.move(hours=2)
    assert manager.token() != first
    assert manager.user_id == user_id


def test_guests_and_visitors_of_a_front_end(server: RunningServer, machine: Machine) -> None:
    """Without a service credential the public calls are used: for a guest, its refreshes, and for watching."""
    switches = {"guests_enabled": True, "public_guests": True, "anonymous_enabled": True}
    server.new_app("open", **switches, public_anonymous_cids=("livestream:*",))
    with AuthClient(server.target) as client:
        parts = {**machine.parts, "spawn": machine.spawn, "client": client, "api_key": "open", "as_front_end": True}
        guest = TokenManager(None, TokenProvider.guest("jack"), **parts)
        first = guest.token()
        machine.clock.move(hours=2)
        assert guest.token() != first
        watcher = TokenManager(None, TokenProvider.anonymous(["livestream:1"]), **parts)
        assert read_access_token(watcher.token()).call_cids == ("livestream:1",)
        assert watcher.user_id == "!anon"
        with pytest.raises(PermissionDenied, match="SCOPE_NOT_PUBLIC"):
            TokenManager(None, TokenProvider.anonymous(["room:1"]), **parts).token()
        with pytest.raises(ValueError, match="anonymous_role"):
            TokenManager(None, TokenProvider.anonymous(["livestream:1"], role="viewer"), **parts)


def test_a_backend_lets_somebody_watch(make: Callable[..., TokenManager], client: AuthClient, machine: Machine) -> None:
    """With a credential any call may be named; each token is a new one, and its user is nobody."""
    manager = make(None, TokenProvider.anonymous(["room:1"], ["messaging:1"]))
    first = manager.token()
    assert (manager.user_id, is_active(client, first, call_cid="room:1")) == ("!anon", True)
    machine.clock.move(hours=2)
    assert manager.token() != first


@pytest.mark.parametrize("cids", ["livestream:1", b"livestream:1", [1]], ids=["text", "bytes", "numbers"])
@pytest.mark.parametrize("name", ["call_cids", "channel_cids"])
def test_one_text_is_no_list(name: str, cids: Any) -> None:
    """It would be taken for its letters: who watches says so with a list, and is told where it is none."""
    for make in (TokenProvider.anonymous, EndUser.anonymous):
        with pytest.raises(TypeError, match=f"{name} is a list of cids"):
            make(**{name: cids})
    assert EndUser.anonymous(["livestream:1"]).call_cids == ("livestream:1",)


def test_a_provider_that_needs_the_service_says_so() -> None:
    """A manager without a client cannot refresh a session, make a guest, or let somebody watch."""
    for provider in (TokenProvider.session("art1_x"), TokenProvider.guest(), TokenProvider.anonymous(["a:1"])):
        with pytest.raises(ValueError, match="give the manager a client and an api_key"):
            TokenManager("sara", provider)


def test_a_program_that_cannot_keep_a_session_is_told_in_the_log(
    make: Callable[..., TokenManager], client: AuthClient
) -> None:
    """The user has the token all the same."""
    lines: list[tuple[Level, str]] = []

    def fail(_: SavedSession) -> None:
        raise OSError("disk full")

    client.logs.configure_loggers({"default": {"sink": lambda level, message, _: lines.append((level, message))}})
    provider = TokenProvider.session(sign_in(client).refresh_token, on_session_updated=fail)
    assert is_active(client, make("sara", provider).token())
    assert lines == [(Level.ERROR, "a session could not be kept by the program")]


def test_sessions_and_guests_where_callers_await(server: RunningServer, machine: Machine, client: AuthClient) -> None:
    """The same providers with the awaited client, and with the other one beside the loop."""
    issued = sign_in(client)

    async def test() -> None:
        async with AsyncAuthClient(server.target, server.credential) as awaited:
            for each, provider in (
                (awaited, TokenProvider.session(issued.refresh_token)),
                (client, TokenProvider.guest("jack")),
                (awaited, TokenProvider.anonymous(["room:1"])),
            ):
                manager = AsyncTokenManager(None, provider, client=each, api_key="dev", **machine.parts)
                first = await manager.token()
                machine.clock.move(hours=2)
                assert await manager.token() != first
                await manager.close()

    asyncio.run(test())


def test_a_turn_that_is_answered_twice_is_one_turn(client: AuthClient, machine: Machine) -> None:
    """An attempt that was given up may be answered after its repeat was: the chain does not go back to that."""
    saved: list[SavedSession] = []
    provider = TokenProvider.session(sign_in(client).refresh_token, on_session_updated=saved.append)
    source = provider.open(
        Surroundings(
            Issuer(client, "dev", True, timedelta(seconds=5)), system_randomness, client.logs.get_logger("client")
        )
    )
    assert source is not None
    given_up, repeat = source.begin("sara"), source.begin("sara")
    repeat.read(repeat.make())
    late = given_up.make()
    assert is_active(client, str(given_up.read(late)))
    assert len(saved) == 1
    machine.clock.move(minutes=10)
    following = source.begin("sara")
    assert is_active(client, str(following.read(following.make())))


def test_no_attempt_outlives_its_deadline(
    make: Callable[..., TokenManager], client: AuthClient, machine: Machine
) -> None:
    """A call that is given up is over by then: what came late, after the next turn, would be taken for a thief's."""
    lossy = LosesReplies(client, lost=0)
    session = TokenProvider.session(sign_in(client).refresh_token)
    for provider in (session, TokenProvider.guest("jack"), TokenProvider.anonymous(["room:1"])):
        make(None, provider, client=lossy, pace=Pace(provider_timeout=timedelta(seconds=3))).token()
    assert lossy.timeouts == [timedelta(seconds=3)] * 3
