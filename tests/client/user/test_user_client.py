"""``UserClient``: connecting, failing to, disconnecting, and one client a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import grpc
import pytest

from authsvc.client import AuthClient, Failure, PermissionDenied, SavedSession, TlsFiles, Unavailable
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import read_access_token
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import TokenProvider
from authsvc.client.user.client import UserClient
from authsvc.client.user.connecting import AlreadyConnected
from authsvc.client.user.people import EndUser
from authsvc.logs import Level
from authsvc.model import Kind
from authsvc.v1 import auth_pb2
from tests.client.attaching.calling import call
from tests.client.attaching.peer import running_peer
from tests.client.tokens.made import Machine, Provider, living, made_token
from tests.conftest import HandClock, RunningServer

NO_PAUSES = Pace(first_pause=timedelta(0))
DOWN = Unavailable(Failure("UNAVAILABLE", "DRAINING", "the worker leaves"))
Make = Callable[..., UserClient]


@pytest.fixture
def machine(clock: HandClock) -> Machine:
    """Clocks, alarms and threads that are moved by hand, with the clock that the server has too."""
    return Machine(clock)


@pytest.fixture
def make(machine: Machine) -> Iterator[Make]:
    """Clients of a front end; each is closed."""
    made: list[UserClient] = []

    def new(*user: object, target: str = "127.0.0.1:1", **options: Any) -> UserClient:
        parts = {**machine.parts, "spawn": machine.spawn, "pace": NO_PAUSES, **options}
        made.append(UserClient(target, "dev", *user, **parts))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for client in made:
        client.close()


@pytest.fixture
def backend(make: Make, server: RunningServer) -> Make:
    """Clients of a program that is a backend too."""
    return lambda *user, **options: make(*user, target=server.target, credential=server.credential, **options)


def token_of(client: AuthClient, user: str = "sara", **wishes: Any) -> str:
    """A token that the service issued."""
    request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=user), **wishes)
    return client.issue_token(request).token


def test_a_user_connects_with_a_token(make: Make, machine: Machine) -> None:
    """Whose id and expiry are looked at here; the user has it for its calls."""
    client, text = make(), living(machine.clock)
    assert client.connect_user("sara", text) == EndUser.regular("sara") == client.user
    assert client.token() == text


def test_a_provider_may_stand_where_a_token_does(make: Make, machine: Machine) -> None:
    """As with the seed SDKs: the second thing is a token or a provider."""
    for provider in (lambda user: living(machine.clock, user), TokenProvider.static(living(machine.clock))):
        assert make().connect_user("sara", provider) == EndUser.regular("sara")


def test_a_client_that_cannot_connect_is_not_made(make: Make) -> None:
    """What the program forgot is said where it forgot it, not by the first call; unless it connects later."""
    with pytest.raises(ValueError, match="a token, a token provider or both"):
        make("sara")
    with pytest.raises(faults.TokenInvalid):
        make("sara", token="canary")
    with pytest.raises(ValueError, match="a token, a token provider or both"):
        UserClient.get_or_create("dev", "sara")
    assert make("sara", auto_connect=False).connect_user("sara", made_token("sara")).id == "sara"


def test_the_service_is_asked_where_it_can_be(backend: Make, client: AuthClient) -> None:
    """With a credential a token is only good when the service says so, whatever scope and audience it has."""
    scope = auth_pb2.TokenScope(call_cids=["default:1"])
    channels = auth_pb2.TokenScope(channel_cids=["messaging:1"])
    for wishes in ({}, {"scope": scope}, {"scope": channels}, {"audience": ["shop"]}):
        user = backend()
        assert user.connect_user("sara", token_of(client, **wishes)).id == "sara"
        user.disconnect_user()
    with pytest.raises(faults.TokenRefused, match="MALFORMED"):
        backend().connect_user("sara", made_token("sara"))


def test_a_token_that_the_service_ended_is_renewed(backend: Make, client: AuthClient, machine: Machine) -> None:
    """A first token that the service takes for expired gives way to the provider's, once."""
    slow = machine.clock()
    old = token_of(client)
    machine.clock.move(hours=2)
    new = token_of(client)
    provider = Provider([new])
    connected = backend(clock=lambda: slow)
    connected.connect_user("sara", old, provider)
    assert (connected.token(), provider.count) == (new, 1)
    machine.clock.move(hours=2)
    with pytest.raises(faults.TokenRefused, match="also to the next token"):
        backend(clock=lambda: slow).connect_user("sara", old, lambda _: new)


def test_what_is_seen_locally(make: Make, machine: Machine) -> None:
    """Another user's token, one that is over, one that is none, and none at all: no service is asked."""
    expired = living(machine.clock)
    machine.clock.move(hours=2)
    with pytest.raises(faults.WrongUser):
        make().connect_user("sara", living(machine.clock, "tom"))
    with pytest.raises(faults.TokenExpired):
        make().connect_user("sara", expired)
    with pytest.raises(faults.TokenInvalid):
        make().connect_user("sara", "canary")
    with pytest.raises(faults.WrongUser):
        make().connect_user("sara", token_provider=lambda _: living(machine.clock, "tom"))
    with pytest.raises(ValueError, match="a token, a token provider or both"):
        make().connect_user("sara")
    with pytest.raises(ValueError, match="say which user"):
        make().connect_user()
    with pytest.raises(ValueError, match="not the id of a user"):
        make().connect_user("!anon", expired)


def test_what_may_pass_is_tried_again(make: Make, machine: Machine) -> None:
    """Five times after the first attempt unless told otherwise; the callback is told once, then the error is raised."""
    told: list[tuple[Exception, tuple[Exception, ...]]] = []
    provider = Provider([DOWN] * 6)
    client = make(on_connect_user_error=lambda *errors: told.append(errors))
    with pytest.raises(faults.ProviderFailed) as raised:
        client.connect_user("sara", token_provider=provider)
    ((last, errors),) = told
    assert (provider.count, len(errors), errors[-1], last) == (6, 6, raised.value, raised.value)
    assert {type(error.__cause__) for error in errors} == {Unavailable}
    provider.answers = [DOWN, DOWN, living(machine.clock)]
    assert client.connect_user("sara", token_provider=provider).id == "sara"
    assert len(told) == 1


def test_what_will_not_pass_is_told_at_once(make: Make) -> None:
    """A refusal is not tried again; nor is anything with no retries at all."""
    told: list[int] = []
    refusal = PermissionDenied(Failure("PERMISSION_DENIED", "APP_SUSPENDED", ""))
    provider = Provider([refusal, DOWN])
    client = make(on_connect_user_error=lambda _, errors: told.append(len(errors)), max_connect_user_retries=0)
    with pytest.raises(PermissionDenied):
        client.connect_user("sara", token_provider=provider)
    with pytest.raises(faults.ProviderFailed):
        client.connect_user("sara", token_provider=provider)
    assert (provider.count, told) == (2, [1, 1])
    with pytest.raises(ValueError, match="max_connect_user_retries"):
        make(max_connect_user_retries=-1)


def test_a_disconnect_ends_a_pause_and_the_connecting(make: Make) -> None:
    """Who connects is told, and nobody is asked again."""
    provider, pauses, got = Provider([DOWN] * 6), Event(), list[Exception]()

    def note(_: object, message: str, __: object) -> None:
        if message == "connecting a user is tried again":
            pauses.set()

    client = make(
        pace=Pace(first_pause=timedelta(hours=1), longest_pause=timedelta(hours=2)),
        log_options={"default": {"sink": note, "level": "debug"}},
    )

    def connect() -> None:
        try:
            client.connect_user("sara", token_provider=provider)
        except faults.UserChanged as error:
            got.append(error)

    thread = Thread(target=connect, daemon=True)
    thread.start()
    assert pauses.wait(10)
    client.disconnect_user()
    thread.join(10)
    assert (len(got), provider.count, client.user) == (1, 1, None)


def test_a_callback_that_fails_hides_nothing(make: Make) -> None:
    """The caller hears why connecting failed, the log that the callback did."""
    lines: list[tuple[Level, str]] = []

    def fail(*_: object) -> None:
        raise RuntimeError("canary")

    options = {"default": {"sink": lambda level, message, _: lines.append((level, message))}}
    with pytest.raises(faults.SignInRequired):
        make(on_connect_user_error=fail, log_options=options).connect_user(
            "sara", token_provider=Provider([faults.SignInRequired.saying("")])
        )
    assert lines == [(Level.ERROR, "on_connect_user_error failed")]


def test_a_second_connect_has_the_firsts_outcome(make: Make, machine: Machine) -> None:
    """Whether it succeeds or fails, and whether it comes before or after; another user is an error."""
    client, may_go, provider = make(), Event(), Provider([living(machine.clock)])
    outcomes: list[object] = []

    def provide(user: str) -> str:
        may_go.wait(10)
        return provider(user)

    def connect() -> None:
        outcomes.append(client.connect_user("sara", token_provider=provide))

    threads = [Thread(target=connect, daemon=True) for _ in range(5)]
    threads[0].start()
    while client._connection is None:
        Event().wait(0.001)
    for thread in threads[1:]:
        thread.start()
    with pytest.raises(AlreadyConnected):
        client.connect_user("tom", made_token("tom"))
    may_go.set()
    for thread in threads:
        thread.join(10)
    assert (outcomes, provider.count) == ([EndUser.regular("sara")] * 5, 1)
    assert client.connect_user("sara", made_token("sara")) == EndUser.regular("sara")
    with pytest.raises(AlreadyConnected):
        client.connect_user("tom", made_token("tom"))


def test_disconnecting_forgets(make: Make, machine: Machine) -> None:
    """No token, no alarm, no user; the next one may be another."""
    client = make("sara", token_provider=lambda user: living(machine.clock, user))
    assert client.token()
    client.disconnect_user()
    assert (client.user, client.tokens.peek(), machine.alarms.waiting) == (None, None, [])
    with pytest.raises(faults.NoUser):
        client.token()
    assert client.connect_user("tom", living(machine.clock, "tom")).id == "tom"


def test_a_client_with_a_user_connects_by_itself(make: Make, machine: Machine) -> None:
    """Beside its maker; calls wait for the outcome, and are told it when it is a failure. It can be put off."""
    machine.holding = True
    client = make("sara", token_provider=lambda user: living(machine.clock, user))
    with pytest.raises(faults.TokenTimeout, match="still being connected"):
        client.token(timeout=timedelta(milliseconds=1))
    machine.let_go()
    assert client.user == EndUser.regular("sara")
    assert client.token() == client.tokens.peek()
    told: list[Exception] = []
    failing = make(
        "sara",
        token_provider=Provider([faults.SignInRequired.saying("")]),
        on_connect_user_error=lambda last, _: told.append(last),
    )
    with pytest.raises(faults.SignInRequired):
        failing.token()
    assert len(told) == 1
    later = make("sara", token=living(machine.clock), auto_connect=False)
    assert later.user is None
    assert later.connect_user() == EndUser.regular("sara")


def test_guests_and_visitors_need_no_token(make: Make, server: RunningServer, machine: Machine) -> None:
    """The service gives them theirs; the guest's id is the one that the service made."""
    switches = {"guests_enabled": True, "public_guests": True, "anonymous_enabled": True}
    server.new_app("open", **switches, public_anonymous_cids=("livestream:*",))
    options = {**machine.parts, "spawn": machine.spawn}
    with UserClient(server.target, "open", **options) as client:
        guest = client.connect_user(EndUser.guest("jack", "Jack"))
        assert guest.kind is Kind.GUEST
        assert guest.id.endswith("-jack")
        assert (guest.name, client.user) == ("Jack", guest)
        assert client.connect_user(EndUser.guest("jack")) == guest
        assert client.connect_user(guest) == guest
        client.disconnect_user()
        assert client.connect_user(EndUser.anonymous(["livestream:1"])).id == "!anon"


def test_one_client_a_user(server: RunningServer, machine: Machine) -> None:
    """By target, app and final id, until it is disconnected; guests are found by hint and by id."""
    lines: list[tuple[str, object]] = []
    switches = {"guests_enabled": True, "public_guests": True, "anonymous_enabled": True}
    server.new_app("open", **switches, public_anonymous_cids=("livestream:*",))
    options: dict[str, Any] = {**machine.parts, "spawn": machine.spawn, "target": server.target}
    options["log_options"] = {"default": {"sink": lambda _, text, event: lines.append((text, event.get("setting")))}}
    token = living(machine.clock)
    first = UserClient.get_or_create("open", "sara", token=token, **options)
    everyone = [first]
    try:
        assert UserClient.get_or_create("open", "sara", token=token, **options) is first
        assert lines == []
        assert UserClient.get_or_create("open", "sara", token=living(machine.clock), **options) is first
        assert lines == [("a client of this user is there, with other options", "token")]
        everyone.append(UserClient.get_or_create("open", "tom", token=living(machine.clock, "tom"), **options))
        everyone.append(UserClient.get_or_create("dev", "sara", token=token, **options))
        guest = UserClient.get_or_create("open", EndUser.guest("jack"), **options)
        assert guest.user is not None
        assert UserClient.get_or_create("open", EndUser.guest("jack"), **options) is guest
        assert UserClient.get_or_create("open", EndUser.regular(guest.user.id), **options) is guest
        watcher = UserClient.get_or_create("open", EndUser.anonymous(["livestream:1"]), **options)
        assert UserClient.get_or_create("open", EndUser.anonymous(["livestream:1"]), **options) is watcher
        everyone += [guest, watcher]
        assert len({id(client) for client in everyone}) == 5
        guest.disconnect_user()
        everyone.append(UserClient.get_or_create("open", EndUser.guest("jack"), **options))
        assert everyone[-1] is not guest
    finally:
        for client in everyone:
            client.close()
    again = UserClient.get_or_create("open", "sara", token=token, **options)
    again.close()
    assert again is not first
    assert not UserClient._instances._clients


def test_who_finds_a_client_waits_for_its_connection(machine: Machine) -> None:
    """Also before the thread that connects it has begun."""
    options: dict[str, Any] = {**machine.parts, "spawn": machine.spawn}
    machine.holding = True
    with UserClient.get_or_create("dev", "sara", token=living(machine.clock), **options) as made:
        with pytest.raises(faults.TokenTimeout, match="still being connected"):
            made.token(timeout=timedelta(milliseconds=1))
        machine.let_go()
        assert made.token()


def test_a_client_that_failed_is_not_found_again(server: RunningServer, machine: Machine) -> None:
    """Whoever asks again gets one that may succeed."""
    options: dict[str, Any] = {**machine.parts, "spawn": machine.spawn}
    failed = UserClient.get_or_create(
        "dev", "sara", token_provider=Provider([faults.SignInRequired.saying("")]), **options
    )
    with failed, UserClient.get_or_create("dev", "sara", token=living(machine.clock), **options) as good:
        assert good is not failed
        assert good.token()


def test_a_client_that_connects_after_all_is_found(machine: Machine) -> None:
    """A user has one client, also when it connected only at its second attempt, or again."""
    options: dict[str, Any] = {**machine.parts, "spawn": machine.spawn}
    provider = Provider([faults.SignInRequired.saying(""), *(living(machine.clock) for _ in range(2))])
    with UserClient.get_or_create("dev", "sara", token_provider=provider, **options) as client:
        for _ in range(2):
            assert client.connect_user() == EndUser.regular("sara")
            assert UserClient.get_or_create("dev", "sara", token_provider=provider, **options) is client
            client.disconnect_user()
    assert not UserClient._instances._clients


def test_a_session_outlives_its_connections(backend: Make, client: AuthClient, machine: Machine) -> None:
    """Connected again with the same provider, it goes on from the newest refresh token; also after a failure."""
    request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"), refreshable=True)
    provider = TokenProvider.session(client.issue_token(request).refresh_token)
    user = backend("sara", token_provider=provider)
    for _ in range(3):
        assert user.connect_user().id == "sara"
        machine.clock.move(hours=2)
        assert user.renewed(user.token())
        user.disconnect_user()
        machine.clock.move(hours=2)
        with pytest.raises(faults.WrongUser):
            user.connect_user("tom", token_provider=provider)


def test_a_guest_is_the_same_until_it_is_disconnected(make: Make, server: RunningServer, client: AuthClient) -> None:
    """Whom a failed connect had made already is connected by the next; after a disconnect it is another guest."""
    backend = SilentAboutTokens(server.target, server.credential)
    told: list[SavedSession] = []
    given = TokenProvider.guest("jill", on_session_updated=told.append)
    with backend:
        user = make(target=server.target, client=backend, max_connect_user_retries=0)
        for wish in ((EndUser.guest("jack"),), (EndUser.guest("jill"), None, given)):
            backend.asked.clear()
            backend.is_silent = True
            for _ in range(2):
                with pytest.raises(Unavailable):
                    user.connect_user(*wish)
            backend.is_silent = False
            guest = user.connect_user(*wish)
            made = {read_access_token(token).user_id for token in backend.asked}
            assert (made, len(set(backend.asked))) == ({guest.id}, 3)
            user.disconnect_user()
            assert user.connect_user(*wish).id != guest.id
            user.disconnect_user()
    assert len(told) == 4


class SilentAboutTokens(AuthClient):
    """A client of the service that cannot be reached when it is to be asked about a token."""

    is_silent = False

    def __init__(self, *way: Any) -> None:
        super().__init__(*way)
        self.asked: list[str] = []

    @property
    def validate_token(self) -> Any:  # type: ignore[override]  # what a client makes calls with
        """Ask, unless it cannot be reached."""

        def ask(request: auth_pb2.ValidateTokenRequest) -> auth_pb2.ValidateTokenResponse:
            self.asked.append(request.token)
            if self.is_silent:
                raise DOWN
            return auth_pb2.ValidateTokenResponse(active=True)

        return ask


def test_a_shared_client_says_whose_it_is(make: Make, server: RunningServer, machine: Machine) -> None:
    """One that shows nothing is a front end's, and one with a credential a backend's unless it is said otherwise."""
    server.new_app("open", guests_enabled=True, public_guests=True)
    with AuthClient(server.target) as front, AuthClient(server.target, server.credential) as back:
        token = living(machine.clock)  # good as far as a front end can see
        assert make(target=server.target, client=front).connect_user("sara", token).id == "sara"
        assert make(target=server.target, client=back, as_front_end=True).connect_user("sara", token).id == "sara"
        with pytest.raises(faults.TokenRefused, match="MALFORMED"):
            make(target=server.target, client=back).connect_user("sara", token)
        with UserClient(server.target, "open", client=front, **machine.parts, spawn=machine.spawn) as guest:
            assert guest.connect_user(EndUser.guest("jack")).id.endswith("-jack")


def test_who_may_show_a_certificate_may_be_a_backend() -> None:
    """As one with a credential; what gRPC keeps for itself cannot be looked at."""
    for options, says in (
        ({}, False),
        ({"tls": TlsFiles()}, False),
        ({"tls": grpc.ssl_channel_credentials()}, True),
        ({"credential": "ask1_x"}, True),
    ):
        with AuthClient("127.0.0.1:1", **options) as client:
            assert client.says_who_it_is is says


@pytest.mark.parametrize(
    "wish", [{"target": "127.0.0.1:2"}, {"credential": "ask1_x"}, {"tls": TlsFiles()}, {"allow_plaintext": True}]
)
def test_what_contradicts_a_shared_client_is_refused(make: Make, wish: dict[str, Any]) -> None:
    """It was made with its own, and nothing else is taken over without a word."""
    with AuthClient("127.0.0.1:1") as shared:
        (name,) = wish
        with pytest.raises(ValueError, match=f"{name}: beside client= that is the client's own"):
            make(client=shared, **wish)
        assert make(client=shared).connect_user("sara", made_token("sara")).id == "sara"
        with UserClient.get_or_create("dev", "sara", client=shared, token=made_token("sara")) as found:
            assert "127.0.0.1:1" in repr(found)


async def _later(*_: object) -> str:
    pytest.fail("nobody awaits this")


def test_what_has_to_be_awaited_is_refused(make: Make) -> None:
    """Where it is given: nobody here would await it."""
    for what, options in (
        ("the token provider", {"token_provider": _later}),
        ("on_token_updated", {"on_token_updated": _later, "token": made_token("sara")}),
        ("on_connect_user_error", {"on_connect_user_error": _later, "token": made_token("sara")}),
        ("on_session_updated", {"token_provider": TokenProvider.session("art1_x", on_session_updated=_later)}),
    ):
        with pytest.raises(TypeError, match=f"{what} is asynchronous"):
            make("sara", **options)
    with pytest.raises(TypeError, match="the token provider is asynchronous"):
        UserClient.get_or_create("dev", "sara", token_provider=_later)
    with pytest.raises(TypeError, match="the token provider is asynchronous"):
        make().connect_user("sara", token_provider=_later)
    with pytest.raises(TypeError, match=r"TokenProvider\.static"):
        make("sara", token_provider=made_token("sara"))


def test_a_closed_client_says_so_at_once(backend: Make, client: AuthClient) -> None:
    """Nothing is tried again that cannot help."""
    told: list[int] = []
    closed = backend(on_connect_user_error=lambda _, errors: told.append(len(errors)))
    closed.close()
    provider = Provider([token_of(client)])
    with pytest.raises(ValueError, match="the client is closed"):
        closed.connect_user("sara", token_provider=provider)
    assert (told, provider.count) == ([1], 1)


def test_many_users_share_a_client(server: RunningServer, client: AuthClient, machine: Machine) -> None:
    """One connection to the service for all of them; it stays when they go."""
    for user in ("sara", "tom"):
        request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=user), refreshable=True)
        provider = TokenProvider.session(client.issue_token(request).refresh_token)
        parts = {**machine.parts, "spawn": machine.spawn, "client": client}
        with UserClient(server.target, "dev", user, token_provider=provider, **parts) as connected:
            assert connected.user == EndUser.regular(user)
            assert connected.logs is client.logs
    assert client.issue_token(auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"))).token


def test_the_users_token_goes_with_calls(make: Make, machine: Machine) -> None:
    """On a channel of the program's, renewed when its peer says so."""
    old, new = living(machine.clock), living(machine.clock)
    with running_peer() as peer, grpc.insecure_channel(peer.target) as channel:
        peer.accepted = {new}
        client = make("sara", token=old, token_provider=lambda _: new)
        assert call(client.intercept(channel), "UnaryUnary", [b"one"]) == [b"one"]
        assert peer.shown == [f"Bearer {old}", f"Bearer {new}"]
        assert old not in repr(client)
