"""GetLogging and ConfigureLogging of a running server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from authsvc.app.alarms import start_alarm
from authsvc.client import AuthClient, AuthClientError, InvalidRequest, PermissionDenied
from authsvc.errors import Reason
from authsvc.logs import LEVEL_NAMES, SERVER_SCOPES
from authsvc.model import AuditEvent, LogLevel
from authsvc.v1 import admin_pb2 as pb
from authsvc.v1 import auth_pb2
from tests.alarms import HandAlarms
from tests.conftest import HandClock, RunningServer, StartServer
from tests.refusals import refusal_of
from tests.rows import Rows

ISSUE = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"))

Configure = Callable[..., dict[str, pb.LoggingScope]]


@pytest.fixture
def client(server: RunningServer) -> Iterator[AuthClient]:
    with AuthClient(server.target, server.credential) as client:
        yield client


@pytest.fixture
def configure(client: AuthClient) -> Configure:
    """Call ConfigureLogging: levels by scope, seconds, reset; the scopes of the answer by name."""

    def call(levels: dict[str, str] | None = None, *, seconds: int | None = None, reset: bool = False) -> Any:
        request = pb.ConfigureLoggingRequest(
            levels=[pb.ScopeLevel(scope=scope, level=level) for scope, level in (levels or {}).items()],
            duration=None if seconds is None else Duration(seconds=seconds),
            reset=reset,
        )
        return {scope.scope: scope for scope in client.admin.configure_logging(request).scopes}

    return call


def read(client: AuthClient) -> dict[str, pb.LoggingScope]:
    """GetLogging, by scope."""
    return {scope.scope: scope for scope in client.admin.get_logging(pb.GetLoggingRequest()).scopes}


def lines(server: RunningServer, message: str) -> list[dict[str, Any]]:
    """The log lines with that message so far."""
    found = map(json.loads, server.log.getvalue().splitlines())
    return [line for line in found if line["message"] == message]


def test_every_scope_is_told(client: AuthClient) -> None:
    """GetLogging lists each scope of the server and the default, in order, none of them temporary at first.

    All follow the default but the audit, whose level is its own.
    """
    scopes = client.admin.get_logging(pb.GetLoggingRequest()).scopes
    assert [scope.scope for scope in scopes] == sorted(("default", *SERVER_SCOPES))
    assert {scope.level for scope in scopes} == {"info"}
    assert [scope.scope for scope in scopes if not scope.follows_default] == ["audit", "default"]
    assert not any(scope.HasField("expires_at") for scope in scopes)


def test_a_change_is_followed_at_once(server: RunningServer, client: AuthClient, configure: Configure) -> None:
    """After `credentials=debug` a refused credential is explained in the log; before, it was not."""
    metadata = (("authorization", "Bearer nonsense"),)
    server_calls = server.admin()
    refusal_of(lambda: server_calls.GetLogging(pb.GetLoggingRequest(), metadata=metadata))
    assert lines(server, "credential refused") == []
    configure({"credentials": "debug"})
    refusal_of(lambda: server_calls.GetLogging(pb.GetLoggingRequest(), metadata=metadata))
    assert len(lines(server, "credential refused")) == 1


def test_the_answer_is_the_state_after_the_change(
    client: AuthClient, configure: Configure, clock: HandClock, alarms: HandAlarms
) -> None:
    """ConfigureLogging answers with every scope; a changed one says until when, and GetLogging says the same."""
    answer = configure({"storage": "debug"}, seconds=900)
    assert answer["storage"].level == "debug"
    assert not answer["storage"].follows_default
    assert answer["storage"].expires_at.ToDatetime(UTC) == clock() + timedelta(minutes=15)
    assert [name for name, scope in answer.items() if scope.HasField("expires_at")] == ["storage"]
    assert answer == read(client)
    assert alarms.spans == [timedelta(minutes=15)]


def test_an_hour_unless_told(configure: Configure, alarms: HandAlarms) -> None:
    """Without a duration a change holds for an hour."""
    configure({"rpc": "trace"})
    assert alarms.spans == [timedelta(hours=1)]


def test_it_ends_by_itself(server: RunningServer, client: AuthClient, configure: Configure, alarms: HandAlarms) -> None:
    """When the time is over the scope follows what was configured, and the audit says so."""
    before = read(client)
    configure({"storage": "debug", "rpc": "error"}, seconds=60)
    assert read(client) != before
    alarms.ring_first()
    assert read(client) == before
    (line,) = lines(server, "logging restored")
    assert (line["scope"], line["setting"]) == ("audit", "rpc,storage")


def test_an_empty_level_is_the_defaults(client: AuthClient, configure: Configure, server: RunningServer) -> None:
    """A scope with an empty level follows the default for the time."""
    server.domain.logs.configure_levels({"rpc": "debug"})
    answer = configure({"rpc": ""})
    assert (answer["rpc"].level, answer["rpc"].follows_default) == ("info", True)
    assert answer["rpc"].HasField("expires_at")


def test_reset(client: AuthClient, configure: Configure, alarms: HandAlarms) -> None:
    """A reset ends all changes; with levels, they are laid over what was configured."""
    before = read(client)
    configure({"storage": "debug"})
    configure({"rpc": "trace"})
    assert configure(reset=True) == before
    assert alarms.waiting == []
    configure({"storage": "debug"})
    answer = configure({"rpc": "trace"}, reset=True)
    assert (answer["storage"].level, answer["rpc"].level) == ("info", "trace")


@pytest.mark.parametrize("seconds", [1, 86_400])
def test_bounds_of_the_duration(configure: Configure, alarms: HandAlarms, seconds: int) -> None:
    """One second and 24 hours are possible."""
    configure({"rpc": "debug"}, seconds=seconds)
    assert alarms.spans == [timedelta(seconds=seconds)]


def wanting(*levels: tuple[str, str], **more: Any) -> pb.ConfigureLoggingRequest:
    """A request for those levels."""
    return pb.ConfigureLoggingRequest(levels=[pb.ScopeLevel(scope=s, level=level) for s, level in levels], **more)


FAULTY = {
    "nothing": (wanting(), {"levels"}),
    "unknown scope": (wanting(("stroage", "debug")), {"levels[0].scope"}),
    "no scope": (wanting(("", "debug")), {"levels[0].scope"}),
    "unknown level": (wanting(("storage", "loud")), {"levels[0].level"}),
    "level in capitals": (wanting(("storage", "DEBUG")), {"levels[0].level"}),
    "level by number": (wanting(("storage", "1")), {"levels[0].level"}),
    "scope twice": (wanting(("rpc", "debug"), ("rpc", "info")), {"levels[1].scope"}),
    "no time": (wanting(("rpc", "debug"), duration=Duration()), {"duration"}),
    "negative time": (wanting(("rpc", "debug"), duration=Duration(seconds=-1)), {"duration"}),
    "too long": (wanting(("rpc", "debug"), duration=Duration(seconds=86_401)), {"duration"}),
    "a fraction": (wanting(("rpc", "debug"), duration=Duration(seconds=1, nanos=1)), {"duration"}),
    "time of nothing": (wanting(reset=True, duration=Duration(seconds=60)), {"duration"}),
    "everything": (
        wanting(("x", "y"), ("rpc", "z"), duration=Duration()),
        {"levels[0].scope", "levels[0].level", "levels[1].level", "duration"},
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_named_and_change_nothing(client: AuthClient, alarms: HandAlarms, name: str) -> None:
    """Each faulty request names all its faulty fields, and no scope was changed."""
    request, fields = FAULTY[name]
    before = read(client)
    with pytest.raises(InvalidRequest) as refused:
        client.admin.configure_logging(request)
    assert {violation.field for violation in refused.value.violations} == fields
    assert read(client) == before
    assert alarms.waiting == []


def test_unknown_names_are_told_the_known_ones(client: AuthClient) -> None:
    """The refusal lists the scopes with the nearest, and the levels; what was sent is not repeated."""
    with pytest.raises(InvalidRequest) as refused:
        client.admin.configure_logging(wanting(("stroage", "loud")))
    scope, level = (violation.description for violation in refused.value.violations)
    assert all(name in scope for name in ("default", *SERVER_SCOPES))
    assert "did you mean storage?" in scope
    assert all(name in level for name in LEVEL_NAMES)
    assert "stroage" not in str(refused.value)
    assert "loud" not in str(refused.value)


@pytest.mark.parametrize("method", ["get_logging", "configure_logging"])
def test_it_needs_all_apps(server: RunningServer, method: str) -> None:
    """An account for one app may neither read nor change what is logged about all of them."""
    credential = server.new_credential("one app", permissions=("admin.read", "admin.write"), apps=("dev",))
    requests = {"get_logging": pb.GetLoggingRequest(), "configure_logging": pb.ConfigureLoggingRequest(reset=True)}
    with AuthClient(server.target, credential) as narrow, pytest.raises(PermissionDenied) as refused:
        getattr(narrow.admin, method)(requests[method])
    assert refused.value.reason == Reason.APP_NOT_ALLOWED


@pytest.mark.parametrize(
    ("method", "holds", "needs"),
    [("GetLogging", "admin.write", "admin.read"), ("ConfigureLogging", "admin.read", "admin.write")],
)
def test_it_needs_its_permission(server: RunningServer, method: str, holds: str, needs: str) -> None:
    """Reading needs admin.read, changing admin.write; the other one alone is not enough."""
    credential = server.new_credential("half", permissions=(holds,), all_apps=True)
    request = pb.ConfigureLoggingRequest(reset=True) if method == "ConfigureLogging" else pb.GetLoggingRequest()
    call = getattr(server.admin(), method)
    refusal = refusal_of(lambda: call(request, metadata=(("authorization", f"Bearer {credential}"),)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, Reason.PERMISSION_MISSING)
    assert refusal.metadata["permission"] == needs


def test_a_change_is_audited(server: RunningServer, configure: Configure) -> None:
    """Who changed what, and for how long, is a row of the audit: also of a change that silences its log scope."""
    configure({"audit": "error", "rpc": ""}, seconds=90)
    configure(reset=True)
    first, second = Rows(server.state_dir).audit()[-2:]
    assert (first.action, first.principal) == ("logging.configured", server.account_id)
    assert (first.subject, first.reason) == ("audit=error,rpc=", "for 90 s")
    assert (second.action, second.subject, second.reason) == ("logging.reset", "", "")


def test_a_change_that_cannot_be_kept_is_not_made(
    server: RunningServer, client: AuthClient, configure: Configure, alarms: HandAlarms
) -> None:
    """What the store refuses holds nowhere: no worker follows what the others will never hear of."""
    before = read(client)
    with Rows(server.state_dir).unwritable("audit"), pytest.raises(AuthClientError):
        configure({"rpc": "trace"})
    assert read(client) == before
    assert alarms.waiting == []
    assert configure({"rpc": "trace"}) != before


def test_a_restart_keeps_it_until_its_end(
    start_server: StartServer, configure: Configure, server: RunningServer, clock: HandClock, alarms: HandAlarms
) -> None:
    """The next process on the store begins with what is left of the time, and with nothing once that is over."""
    configure({"rpc": "trace"}, seconds=900)
    server.domain.store.close()
    alarms.waiting.clear()
    clock.move(minutes=10)
    second = start_server()
    with AuthClient(second.target, second.credential) as client:
        state = read(client)["rpc"]
    assert (state.level, alarms.spans) == ("trace", [timedelta(minutes=5)])
    second.domain.store.close()
    alarms.waiting.clear()
    clock.move(minutes=5)
    third = start_server()
    with AuthClient(third.target, third.credential) as client:
        assert (read(client)["rpc"].level, alarms.waiting) == ("info", [])


def test_the_end_of_the_server_ends_the_changes(
    server: RunningServer, configure: Configure, alarms: HandAlarms
) -> None:
    """Whoever closes the domain leaves no alarm behind that would ring in a process that has ended its work."""
    configure({"rpc": "trace"})
    server.domain.logging.close()
    assert (server.domain.logs.configured_levels(), alarms.waiting) == ({}, [])


def test_another_version_is_followed_as_far_as_it_is_known(server: RunningServer, client: AuthClient) -> None:
    """Scopes and levels that this worker does not have are another's; those it has, it follows."""
    until = server.clock() + timedelta(hours=1)
    levels = [LogLevel("rpc", "trace", until), LogLevel("of.tomorrow", "debug", until), LogLevel("storage", "x", until)]
    event = AuditEvent(server.clock(), "logging.configured", "tomorrow", "", "", "done")
    server.domain.store.set_levels(levels, reset=False, audit=event)
    states = read(client)
    assert (states["rpc"].level, states["storage"].level) == ("trace", "info")
    assert "of.tomorrow" not in states


def test_a_real_alarm_rings() -> None:
    """The alarms of a real server ring once, on a thread of their own that keeps no process alive."""
    rung = threading.Event()
    threads: list[threading.Thread] = []

    def ring() -> None:
        threads.append(threading.current_thread())
        rung.set()

    start_alarm(timedelta(milliseconds=1), ring)
    assert rung.wait(10)
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon


def test_a_real_alarm_can_be_called_off() -> None:
    """An alarm that was called off does not ring, where one set for the same moment does."""
    rung: list[str] = []
    both = threading.Event()
    call_off = start_alarm(timedelta(milliseconds=50), lambda: rung.append("called off"))
    start_alarm(timedelta(milliseconds=100), both.set)
    call_off()
    assert both.wait(10)
    assert rung == []


def test_the_moment_of_the_end_is_a_real_time(configure: Configure, clock: HandClock) -> None:
    """The end is told in the server's clock, whatever it shows."""
    clock.move(days=400)
    end = configure({"rpc": "debug"}, seconds=1)["rpc"].expires_at.ToDatetime(UTC)
    assert end == clock() + timedelta(seconds=1)
    assert end > datetime(2027, 1, 1, tzinfo=UTC)


def test_the_default_does_not_silence_the_audit(
    server: RunningServer, client: AuthClient, configure: Configure
) -> None:
    """Issues are audited whatever the default's level is; an empty level is the audit's own again."""
    configure({"default": "error"})
    assert server.auth().IssueToken(ISSUE, metadata=server.metadata).token
    assert len(lines(server, "token issued")) == 1
    assert configure({"audit": ""})["audit"].level == "info"
    assert server.auth().IssueToken(ISSUE, metadata=server.metadata).token
    assert len(lines(server, "token issued")) == 2
    assert lines(server, "issues and refreshes are not audited") == []


@pytest.mark.parametrize("level", ["warn", "error"])
def test_silencing_the_audit_is_said_in_the_audit(
    server: RunningServer, client: AuthClient, configure: Configure, alarms: HandAlarms, level: str
) -> None:
    """Who sets its level by name may silence it: the audit says so, in a line that no level hides, and when it ends."""
    configure({"audit": level}, seconds=60)
    configure({"rpc": "debug"}, seconds=120)  # says nothing new about it
    assert server.auth().IssueToken(ISSUE, metadata=server.metadata).token
    assert lines(server, "token issued") == []
    (line,) = lines(server, "issues and refreshes are not audited")
    assert (line["scope"], line["level"], line["setting"]) == ("audit", "error", f"audit={level}")
    alarms.ring_first()
    assert len(lines(server, "issues and refreshes are audited again")) == 1
    assert server.auth().IssueToken(ISSUE, metadata=server.metadata).token
    assert len(lines(server, "token issued")) == 1
