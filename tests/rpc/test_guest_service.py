"""GuestService as front ends see it: on a real server, without a credential, limited by address and by app."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from authsvc.app.composition import build_server
from authsvc.rpc.limits import Limits
from authsvc.v1 import auth_pb2, guest_pb2, guest_pb2_grpc
from tests.conftest import RunningServer, StartServer
from tests.refusals import Refusal, refusal_of
from tests.rpc.http2 import Connection, connected
from tests.rpc.surface import GUEST, OPEN, VALIDATE, answered, completed, eventually
from tests.rpc.ticking import HandTicks

REQUEST_ID = "front-end-000000000000001"
CID = "livestream:match"
INVALID_ARGUMENT = 3
ISSUE = f"{GUEST}IssueGuestToken"
OPEN_APP: dict[str, Any] = {
    "guests_enabled": True,
    "public_guests": True,
    "anonymous_enabled": True,
    "public_anonymous_cids": ("livestream:*",),
}

Forwarded = tuple[tuple[str, str], ...]


@dataclass
class Door:
    """A server with an open app ``open``, its limits on a clock that is moved by hand."""

    server: RunningServer
    ticks: HandTicks
    stub: guest_pb2_grpc.GuestServiceStub = field(init=False)

    def __post_init__(self) -> None:
        self.server.new_app("open", **OPEN_APP)
        self.stub = guest_pb2_grpc.GuestServiceStub(self.server.channel())

    def guest(self, app: str = "open", forwarded: Forwarded = (), **fields: Any) -> guest_pb2.IssueGuestTokenResponse:
        return self.stub.IssueGuestToken(guest_pb2.IssueGuestTokenRequest(api_key=app, **fields), metadata=forwarded)

    def refresh(self, refresh_token: str, request_id: str = "") -> guest_pb2.RefreshGuestTokenResponse:
        request = guest_pb2.RefreshGuestTokenRequest(refresh_token=refresh_token, request_id=request_id)
        return self.stub.RefreshGuestToken(request)

    def watch(self, *cids: str, app: str = "open") -> guest_pb2.IssueAnonymousTokenResponse:
        scope = auth_pb2.TokenScope(call_cids=cids)
        return self.stub.IssueAnonymousToken(guest_pb2.IssueAnonymousTokenRequest(api_key=app, scope=scope))


OpenDoor = Callable[..., Door]


@pytest.fixture
def open_door(start_server: StartServer) -> OpenDoor:
    """Starts a server with these limits behind these proxies."""

    def start(*proxies: str, **limits: int) -> Door:
        ticks = HandTicks()
        server = start_server(
            build=lambda domain: build_server(
                domain,
                dev=True,
                reflection=False,
                trusted_proxies=[ip_network(proxy) for proxy in proxies],
                monotonic=ticks,
                limits=Limits(**limits),
            )
        )
        return Door(server, ticks)

    return start


@pytest.fixture
def door(open_door: OpenDoor) -> Door:
    """A door whose limits are out of the way."""
    return open_door(open_address_minute=10_000)


def retry_of(call: Callable[[], object]) -> timedelta:
    """How long a call that is too many is told to wait."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    error: BaseException = raised.value
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.message.startswith("RATE_LIMITED: ")
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    delay: timedelta = retry.retry_delay.ToTimedelta()
    return delay


def from_address(door: Door, address: str, body: bytes) -> str:
    """The reason that a caller at another address of this machine is answered with."""
    with connected(door.server.target, source=address) as connection:
        return answered(connection, ISSUE, (), body).reason


# -- what the methods do ------------------------------------------------------------------------------


def test_a_guest_comes_in_without_a_credential(door: Door) -> None:
    """A guest's token names the guest, is good, and goes on with its refresh token."""
    guest = auth_pb2.Guest(id_hint="ann", name="Ann")
    issued = door.guest(guest=guest, refreshable=True)
    assert issued.info.kind == auth_pb2.TOKEN_KIND_GUEST
    assert (issued.info.user.name, issued.info.user.role) == ("Ann", "guest")
    assert issued.info.user.id.endswith("-ann")
    refreshed = door.refresh(issued.refresh_token)
    assert refreshed.info.user == issued.info.user
    assert refreshed.info.session_id == issued.info.session_id
    assert refreshed.outcome == auth_pb2.REFRESH_OUTCOME_ROTATED
    assert refreshed.refresh_expires_at.seconds == issued.refresh_expires_at.seconds > 0
    for token in (issued.token, refreshed.token):
        request = auth_pb2.ValidateTokenRequest(api_key="open", token=token)
        verdict = door.server.auth().ValidateToken(request, metadata=door.server.metadata)
        assert (verdict.active, verdict.info.user) == (True, issued.info.user)


def test_without_refreshable_there_is_no_session(door: Door) -> None:
    """A guest that did not ask for one gets no refresh token and no session."""
    issued = door.guest()
    assert (issued.refresh_token, issued.info.session_id) == ("", "")
    assert not issued.HasField("refresh_expires_at")


def test_a_retry_is_the_same_guest_and_session(door: Door) -> None:
    """The same request again, its answer lost, names the same guest, session and refresh token."""
    first, again = (door.guest(refreshable=True, request_id=REQUEST_ID) for _ in range(2))
    assert (again.info.user, again.info.session_id) == (first.info.user, first.info.session_id)
    assert again.refresh_token == first.refresh_token
    turned, replayed = (door.refresh(first.refresh_token, REQUEST_ID) for _ in range(2))
    assert replayed.refresh_token == turned.refresh_token
    assert replayed.outcome == auth_pb2.REFRESH_OUTCOME_REPLAYED


def test_an_anonymous_visitor_watches_what_is_open(door: Door) -> None:
    """The token is limited to the calls asked for, which is what it is good for."""
    issued = door.watch(CID)
    assert (issued.info.kind, issued.info.user.id) == (auth_pb2.TOKEN_KIND_ANONYMOUS, "!anon")
    assert list(issued.info.scope.call_cids) == [CID]
    request = auth_pb2.ValidateTokenRequest(api_key="open", token=issued.token, call_cid=CID)
    assert door.server.auth().ValidateToken(request, metadata=door.server.metadata).active


def test_nobody_is_let_in_unless_the_app_says_so(door: Door) -> None:
    """The app of development has guests and anonymous visitors for services, and none for the public; nor has none."""
    for app in ("dev", "no-such-app"):
        refused = refusal_of(lambda app=app: door.guest(app))  # type: ignore[misc]
        assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PUBLIC_GUESTS_DISABLED")
        refused = refusal_of(lambda app=app: door.watch(CID, app=app))  # type: ignore[misc]
        assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_PUBLIC")


def test_an_unknown_app_and_a_closed_one_get_the_same_bytes(door: Door) -> None:
    """Status, text and details are equal, so that nobody can tell which names exist."""

    def refused(app: str) -> Refusal:
        return refusal_of(lambda: door.guest(app))

    assert refused("no-such-app") == refused("dev")


def test_a_scope_beyond_the_patterns_is_refused(door: Door) -> None:
    """One closed call among open ones is enough."""
    assert refusal_of(lambda: door.watch(CID, "room:private")).reason == "SCOPE_NOT_PUBLIC"


def test_a_session_of_a_service_is_refused(door: Door) -> None:
    """Without a credential a service's refresh token is none of ours, and stays good for the service."""
    issue = auth_pb2.IssueTokenRequest(api_key="open", user=auth_pb2.User(id="sara", role="admin"), refreshable=True)
    issued = door.server.auth().IssueToken(issue, metadata=door.server.metadata)
    assert refusal_of(lambda: door.refresh(issued.refresh_token)).reason == "REFRESH_TOKEN_INVALID"
    again = auth_pb2.RefreshTokenRequest(refresh_token=issued.refresh_token)
    answer = door.server.auth().RefreshToken(again, metadata=door.server.metadata)
    assert answer.outcome == auth_pb2.REFRESH_OUTCOME_ROTATED


def test_a_service_can_renew_a_guest(door: Door) -> None:
    """The app's backend goes on with a session that a front end opened."""
    opened = door.guest(refreshable=True)
    request = auth_pb2.RefreshTokenRequest(refresh_token=opened.refresh_token)
    answer = door.server.auth().RefreshToken(request, metadata=door.server.metadata)
    assert answer.info.user == opened.info.user


# Everything a token could be given elsewhere and not here.
ELSEWHERE: list[Message] = [
    auth_pb2.IssueTokenRequest(user=auth_pb2.User(id="sara", role="admin")),
    auth_pb2.IssueTokenRequest(anonymous=auth_pb2.Anonymous(role="admin")),
    auth_pb2.IssueTokenRequest(ttl=Duration(seconds=86_400)),
    auth_pb2.IssueTokenRequest(expires_at=Timestamp(seconds=2_000_000_000)),
    auth_pb2.IssueTokenRequest(never_expires=True),
    auth_pb2.IssueTokenRequest(audience=["billing"]),
    auth_pb2.IssueTokenRequest(custom_claims=Struct(fields={"admin": Value(bool_value=True)})),
]


def test_no_message_has_a_field_for_more() -> None:
    """What can be wished for is a literal list: none of user id, role, lifetime, audience or claims is in it."""
    fields = {
        message.name: [each.name for each in message.fields]
        for name, message in guest_pb2.DESCRIPTOR.message_types_by_name.items()
        if name.endswith("Request")
    }
    assert fields == {
        "IssueGuestTokenRequest": ["api_key", "guest", "refreshable", "request_id"],
        "RefreshGuestTokenRequest": ["refresh_token", "request_id"],
        "IssueAnonymousTokenRequest": ["api_key", "scope"],
    }
    assert [each.name for each in auth_pb2.Guest.DESCRIPTOR.fields] == ["id_hint", "name", "image", "custom"]


@pytest.mark.parametrize("extra", ELSEWHERE, ids=lambda extra: extra.ListFields()[0][0].name)
def test_fields_of_other_methods_mint_nothing_more(door: Door, extra: Message) -> None:
    """Bytes of IssueToken's fields sent here are unknown or not understood: at most a plain guest comes of them."""
    app = guest_pb2.IssueGuestTokenRequest(api_key="open").SerializeToString()
    with connected(door.server.target) as connection:
        got = answered(connection, ISSUE, (), app + extra.SerializeToString())
    if got.status == INVALID_ARGUMENT:
        return
    answer = guest_pb2.IssueGuestTokenResponse.FromString(got.messages[0])
    info = answer.info
    assert (info.kind, info.user.role) == (auth_pb2.TOKEN_KIND_GUEST, "guest")
    assert info.user.id.startswith("guest-")
    assert (list(info.audience), info.HasField("custom_claims")) == ([], False)
    assert info.expires_at.seconds - info.issued_at.seconds <= 3_605


# -- bad input ------------------------------------------------------------------------------------------

BAD_GUESTS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"api_key": ""}, ("api_key",)),
    ({"request_id": "short"}, ("request_id",)),
    ({"guest": {"id_hint": "!anon"}}, ("guest.id_hint",)),
    ({"guest": {"id_hint": "x" * 86}}, ("guest.id_hint",)),
    ({"guest": {"custom": {}}}, ("guest.custom",)),
    ({"guest": {"custom": {"n": float("nan")}}}, ("guest.custom.n",)),
    ({"guest": {"custom": {"n": 2.0**53 + 2}}}, ("guest.custom.n",)),
]
BAD_SCOPES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"api_key": ""}, ("api_key",)),
    ({}, ("scope",)),
    ({"scope": {}}, ("scope",)),
    ({"scope": {"call_cids": [CID, "livestream:*"]}}, ("scope.call_cids[1]",)),
    ({"scope": {"channel_cids": ["x"]}}, ("scope.channel_cids[0]",)),
    ({"scope": {"call_cids": [f"livestream:{n}" for n in range(101)]}}, ("scope",)),
]


@pytest.mark.parametrize(("fields", "named"), BAD_GUESTS)
def test_a_bad_guest_names_the_field(door: Door, fields: dict[str, Any], named: tuple[str, ...]) -> None:
    """INVALID_ARGUMENT with the path of what is wrong."""
    request = guest_pb2.IssueGuestTokenRequest(**{"api_key": "open", **fields})
    refused = refusal_of(lambda: door.stub.IssueGuestToken(request))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, named)


@pytest.mark.parametrize(("fields", "named"), BAD_SCOPES)
def test_a_bad_scope_names_the_field(door: Door, fields: dict[str, Any], named: tuple[str, ...]) -> None:
    """The same for anonymous visitors."""
    request = guest_pb2.IssueAnonymousTokenRequest(**{"api_key": "open", **fields})
    refused = refusal_of(lambda: door.stub.IssueAnonymousToken(request))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, named)


@pytest.mark.parametrize(
    ("token", "request_id", "named"),
    [("", "", ("refresh_token",)), ("x", "short", ("request_id",)), ("", "x" * 65, ("request_id", "refresh_token"))],
)
def test_a_bad_refresh_names_the_field(door: Door, token: str, request_id: str, named: tuple[str, ...]) -> None:
    """The same for refreshing."""
    refused = refusal_of(lambda: door.refresh(token, request_id))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, named)


@pytest.mark.parametrize("method", OPEN)
@pytest.mark.parametrize("credential", ["good", "Bearer ask1_wrong", "", "Basic x"])
def test_a_credential_is_not_looked_at(door: Door, method: str, credential: str) -> None:
    """No credential, good or bad, changes what an open method answers; nor does it make the caller a principal."""
    metadata = door.server.metadata if credential == "good" else (("authorization", credential),)
    with connected(door.server.target) as connection:
        assert answered(connection, method, metadata).reason == answered(connection, method).reason
        lines = eventually(lambda: completed(door.server), lambda lines: len(lines) >= 2)
    assert [line["principal"] for line in lines] == ["", ""]


# -- limits ---------------------------------------------------------------------------------------------


def test_an_address_has_ten_calls_a_minute(open_door: OpenDoor) -> None:
    """The eleventh is RATE_LIMITED with the time to wait, which is right: a moment earlier is too early."""
    door = open_door()
    for _ in range(10):
        door.guest()
    delay = retry_of(door.guest)
    assert delay == timedelta(seconds=6)
    door.ticks.move(delay.total_seconds() - 0.001)
    assert retry_of(door.guest) == timedelta(milliseconds=1)
    door.ticks.move(0.001)
    assert door.guest().token


def test_all_open_methods_count_together(open_door: OpenDoor) -> None:
    """Ten calls of any of them, refused ones too, use up an address."""
    door = open_door()
    token = door.guest(refreshable=True).refresh_token
    for _ in range(3):
        door.watch(CID)
        token = door.refresh(token).refresh_token
        assert refusal_of(lambda: door.guest("no-such-app")).reason == "PUBLIC_GUESTS_DISABLED"
    for call in (door.guest, lambda: door.watch(CID), lambda: door.refresh(token)):
        assert retry_of(call) == timedelta(seconds=6)
    door.ticks.move(6)
    assert door.refresh(token).token, "what was refused turned nothing"


def test_another_address_has_its_own(open_door: OpenDoor) -> None:
    """One address at its limit stops nobody else; connections of one address share it."""
    door = open_door(open_address_minute=1)
    body = guest_pb2.IssueGuestTokenRequest(api_key="open").SerializeToString()
    assert [from_address(door, "127.0.0.2", body) for _ in range(3)] == ["", "RATE_LIMITED", "RATE_LIMITED"]
    assert from_address(door, "127.0.0.3", body) == ""


def test_a_service_is_not_counted(open_door: OpenDoor) -> None:
    """Callers with a credential at the same address go on, and so does health."""
    door = open_door(open_address_minute=1)
    door.guest()
    assert retry_of(door.guest)
    request = auth_pb2.IssueTokenRequest(api_key="open", guest=auth_pb2.Guest())
    for _ in range(20):
        assert door.server.auth().IssueToken(request, metadata=door.server.metadata).token
    with connected(door.server.target) as connection:
        assert answered(connection, "/grpc.health.v1.Health/Check").status == 0


def test_the_limit_comes_before_the_body(open_door: OpenDoor) -> None:
    """An address at its limit is refused from its headers: nothing of a body is awaited, let alone parsed."""
    door = open_door(open_address_minute=2)
    with connected(door.server.target) as connection:
        assert answered(connection, ISSUE, (), b"\xff\xff\xff").reason == "INVALID_REQUEST", "parsed within the limit"
        waiting = connection.call(ISSUE)
        assert eventually(door.server.rpc.patience.stalled, bool), "within the limit the body is waited for"
        refused = {method: connection.answer(connection.call(method)) for method in OPEN}
        connection.send(waiting, guest_pb2.IssueGuestTokenRequest(api_key="open").SerializeToString())
        assert connection.answer(waiting).status == 0
    assert {answer.reason for answer in refused.values()} == {"RATE_LIMITED"}


def test_an_app_has_its_limit(open_door: OpenDoor) -> None:
    """Calls of an app beyond its number a second are refused, whoever makes them; other apps go on."""
    door = open_door(open_address_minute=10_000, open_app_second=4)
    door.server.new_app("other", **OPEN_APP)
    token = door.guest(refreshable=True).refresh_token
    door.watch(CID)
    token = door.refresh(token).refresh_token
    door.guest()
    for call in (door.guest, lambda: door.watch(CID), lambda: door.refresh(token)):
        assert retry_of(call) == timedelta(milliseconds=250)
    assert door.guest("other").token
    door.ticks.move(0.25)
    assert door.refresh(token).token, "what was refused turned nothing"
    assert retry_of(door.guest) == timedelta(milliseconds=250)


# -- proxies --------------------------------------------------------------------------------------------


def by(*hops: str) -> Forwarded:
    """The header as it reaches us."""
    return (("x-forwarded-for", ", ".join(hops)),)


def test_callers_behind_a_trusted_proxy_are_told_apart(open_door: OpenDoor) -> None:
    """Each address that the proxy names has its own ten, and one of them at its limit stops no other."""
    door = open_door("127.0.0.0/8")
    for _ in range(10):
        door.guest(forwarded=by("198.51.100.4"))
    assert retry_of(lambda: door.guest(forwarded=by("198.51.100.4"))) == timedelta(seconds=6)
    assert door.guest(forwarded=by("198.51.100.5")).token
    assert door.guest().token, "the proxy itself"


def test_a_caller_behind_a_proxy_cannot_change_its_address(open_door: OpenDoor) -> None:
    """Whatever a caller writes in front, the proxy adds the truth behind, and that is counted."""
    door = open_door("127.0.0.0/8", open_address_minute=3)
    for number in range(3):
        door.guest(forwarded=by(f"10.0.0.{number}", "garbage", "198.51.100.4"))
    assert retry_of(lambda: door.guest(forwarded=by("10.0.0.9", "198.51.100.4")))
    assert retry_of(lambda: door.guest(forwarded=by("198.51.100.4", "127.0.0.9"))), "over two proxies"


def test_nobody_but_a_trusted_proxy_is_believed(open_door: OpenDoor) -> None:
    """From any other peer the header is ignored, so a new name for each call helps nobody."""
    door = open_door("192.0.2.0/24", open_address_minute=3)
    for number in range(3):
        door.guest(forwarded=by(f"198.51.100.{number}"))
    assert retry_of(lambda: door.guest(forwarded=by("198.51.100.9")))
    assert retry_of(door.guest)


@pytest.mark.parametrize("header", ["garbage", "198.51.100.4, garbage", "", "127.0.0.1", "198.51.100.999"])
def test_a_malformed_header_is_the_proxys(open_door: OpenDoor, header: str) -> None:
    """What cannot be believed is counted as the proxy that sent it: nobody goes uncounted."""
    door = open_door("127.0.0.0/8", open_address_minute=2)
    door.guest(forwarded=(("x-forwarded-for", header),))
    door.guest()
    assert retry_of(lambda: door.guest(forwarded=(("x-forwarded-for", header),)))


def test_one_customer_of_ipv6_is_one_address(open_door: OpenDoor) -> None:
    """All addresses of a /64 share their ten; the next /64 has its own."""
    door = open_door("127.0.0.0/8", open_address_minute=3)
    for number in range(3):
        door.guest(forwarded=by(f"2001:db8::{number}"))
    assert retry_of(lambda: door.guest(forwarded=by("2001:db8::ffff")))
    assert door.guest(forwarded=by("2001:db8:0:1::1")).token


def test_the_memory_of_addresses_is_bounded(open_door: OpenDoor) -> None:
    """Beyond the bound the address not seen for longest is forgotten."""
    door = open_door("127.0.0.0/8", open_address_minute=1, open_remembered=5)
    for number in range(6):
        door.guest(forwarded=by(f"198.51.100.{number}"))
    assert retry_of(lambda: door.guest(forwarded=by("198.51.100.5")))
    assert door.guest(forwarded=by("198.51.100.0")).token, "forgotten"


# -- the log --------------------------------------------------------------------------------------------


def test_the_audit_names_the_address_behind_the_proxy(open_door: OpenDoor) -> None:
    """The audit line has the caller's address, the completion line the peer, the app and no principal; no token."""
    door = open_door("127.0.0.0/8")
    issued = door.guest(forwarded=by("198.51.100.4"), refreshable=True, request_id=REQUEST_ID)
    (line,) = eventually(lambda: completed(door.server), bool)
    assert (line["method"], line["code"], line["principal"], line["app"]) == (ISSUE, "OK", "", "open")
    written = door.server.log.getvalue()
    (audit,) = [entry for entry in map(json.loads, written.splitlines()) if entry["scope"] == "audit"]
    assert (audit["principal"], audit["address"], audit["app"]) == ("public", "198.51.100.4", "open")
    assert (audit["user_id"], audit["session_id"]) == (issued.info.user.id, issued.info.session_id)
    for secret in (issued.token, issued.refresh_token, REQUEST_ID):
        assert secret not in written


def test_strangers_that_stall_leave_room_for_services(door: Door) -> None:
    """However many calls of open methods wait for bodies, those of services are answered."""
    with connected(door.server.target) as stalled, connected(door.server.target) as honest:
        streams = [stalled.call(ISSUE) for _ in range(60)]
        assert served(honest, door) == 0
        assert len(stalled.ended(at_least=len(streams) - 16)) >= len(streams) - 16, "beyond the ration they are ended"
        assert served(honest, door) == 0


def served(connection: Connection, door: Door) -> int | None:
    """The status of a service's call."""
    request = auth_pb2.ValidateTokenRequest(api_key="open", token="x").SerializeToString()
    return answered(connection, VALIDATE, door.server.metadata, request).status
