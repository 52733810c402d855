"""One JSON line per call when it is over, whoever ended it, and what stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from authsvc.rpc.limits import Limits
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import Connection, connected
from tests.rpc.surface import (
    HEALTH_CHECK,
    HEALTH_WATCH,
    REFLECTION,
    VALIDATE,
    Metadata,
    answered,
    bearer,
    completed,
    eventually,
)

FIELDS = [
    *("at", "level", "scope", "message", "method", "code", "reason", "duration_ms", "principal", "app", "trace_id"),
    *("peer", "error_id"),
]
BODY = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()

End = Callable[[Connection, Metadata], object]

# When a caller leaves, the library may tell of the end of its messages before it tells that it left.
LEFT = (("CANCELLED", ""), ("INVALID_ARGUMENT", "INVALID_REQUEST"))
LEFT_DIALOG = (("CANCELLED", ""), ("OK", ""))


def taken_back(path: str, body: bytes | None = None) -> End:
    """A call that its caller cancels."""

    def end(connection: Connection, metadata: Metadata) -> None:
        stream = connection.call(path, metadata)
        if body is not None:
            connection.send(stream, body)
            connection.received(stream, 1)
        connection.cancel(stream)

    return end


def cut_off(connection: Connection, metadata: Metadata) -> None:
    """A call whose caller hangs up."""
    connection.call(VALIDATE, metadata)
    connection.close()


# How a call ends whose caller leaves while a message is awaited, and what its line may say.
LEAVES: dict[str, tuple[End, str, tuple[tuple[str, str], ...]]] = {
    "taken back": (taken_back(VALIDATE), VALIDATE, LEFT),
    "cut off": (cut_off, VALIDATE, LEFT),
    "reflection that is left": (taken_back(REFLECTION[0]), REFLECTION[0], LEFT_DIALOG),
}

# How a call ends, and the method, code and reason of its line.
ENDS: dict[str, tuple[End, str, str, str]] = {
    "a good token": (lambda c, m: answered(c, VALIDATE, m, BODY), VALIDATE, "OK", "MALFORMED"),
    "no credential": (lambda c, m: answered(c, VALIDATE), VALIDATE, "UNAUTHENTICATED", "CREDENTIAL_MISSING"),
    "a wrong one": (
        lambda c, m: answered(c, VALIDATE, bearer("x")),
        VALIDATE,
        "UNAUTHENTICATED",
        "CREDENTIAL_INVALID",
    ),
    "a refused request": (
        lambda c, m: answered(c, VALIDATE, m, b""),
        VALIDATE,
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
    ),
    "malformed bytes": (
        lambda c, m: answered(c, VALIDATE, m, b"\xff"),
        VALIDATE,
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
    ),
    "too large a body": (
        lambda c, m: answered(c, VALIDATE, m, b"\xf2\x3f\xff\xff\x03" + bytes(65_535)),
        VALIDATE,
        "RESOURCE_EXHAUSTED",
        "REQUEST_TOO_LARGE",
    ),
    "an unknown method": (lambda c, m: answered(c, "/no/such", m), "/no/such", "UNIMPLEMENTED", "METHOD_UNKNOWN"),
    "an unknown method of nobody": (
        lambda c, m: answered(c, "/no/such"),
        "/no/such",
        "UNAUTHENTICATED",
        "CREDENTIAL_MISSING",
    ),
    "a health check": (lambda c, m: answered(c, HEALTH_CHECK), HEALTH_CHECK, "OK", ""),
    "a check of nothing": (
        lambda c, m: answered(c, HEALTH_CHECK, (), health_pb2.HealthCheckRequest(service="x").SerializeToString()),
        HEALTH_CHECK,
        "NOT_FOUND",
        "SERVICE_UNKNOWN",
    ),
    "a watch that is left": (taken_back(HEALTH_WATCH, b""), HEALTH_WATCH, "CANCELLED", ""),
    "a malformed watch": (
        lambda c, m: answered(c, HEALTH_WATCH, (), b"\xff"),
        HEALTH_WATCH,
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
    ),
    "reflection that ends": (lambda c, m: answered(c, REFLECTION[0], (), b"\x3a\x00"), REFLECTION[0], "OK", ""),
}


def lines_after(server: RunningServer, count: int) -> list[dict[str, Any]]:
    """The completion lines, once there are that many."""
    return eventually(lambda: completed(server), lambda lines: len(lines) >= count)


@pytest.mark.parametrize("kind", ENDS)
def test_each_call_writes_one_line(server: RunningServer, kind: str) -> None:
    """Exactly one, however the call ended, with its method, code and reason."""
    end, method, code, reason = ENDS[kind]
    line = only_line(server, end)
    assert (line["method"], line["code"], line["reason"]) == (method, code, reason)


@pytest.mark.parametrize("kind", LEAVES)
def test_a_call_that_is_left_writes_one_too(server: RunningServer, kind: str) -> None:
    """A caller that leaves before its message came is logged once, and a call of one message never as served."""
    end, method, told = LEAVES[kind]
    line = only_line(server, end)
    assert line["method"] == method
    assert (line["code"], line["reason"]) in told


def only_line(server: RunningServer, end: End) -> dict[str, Any]:
    """The one line that a call leaves."""
    with connected(server.target) as connection:
        end(connection, server.metadata)
    lines_after(server, 1)
    with connected(server.target) as connection:  # a second line would stand before this one's
        answered(connection, "/a/marker")
    line, marker = lines_after(server, 2)
    assert (marker["method"], len(completed(server))) == ("/a/marker", 2)
    return line


@pytest.mark.parametrize(
    ("limits", "reason"), [(Limits(in_flight=0), "OVERLOADED"), (Limits(in_flight_principal=0), "RATE_LIMITED")]
)
def test_calls_that_are_turned_away_write_one_too(start_server: StartServer, limits: Limits, reason: str) -> None:
    """In an overload the log says so, call by call."""
    server = start_server(limits=limits)
    with connected(server.target) as connection:
        for _ in range(5):
            answered(connection, VALIDATE, server.metadata, BODY)
    assert [(line["code"], line["reason"]) for line in completed(server)] == [("RESOURCE_EXHAUSTED", reason)] * 5


def test_a_wait_that_was_ended_writes_one_too(start_server: StartServer) -> None:
    """A call whose body never came is logged when the watch ends it."""
    server = start_server(limits=Limits(body_seconds=0.1))
    with connected(server.target) as connection:
        connection.answer(connection.call(VALIDATE, server.metadata))
    (line,) = lines_after(server, 1)
    assert (line["code"], line["reason"]) in LEFT
    assert line["principal"] == server.account_id


def test_a_line_says_what_how_for_whom_and_how_long(server: RunningServer) -> None:
    """Exactly the published fields, each with its value; no more than one line of JSON."""
    with connected(server.target) as connection:
        answered(connection, VALIDATE, server.metadata, BODY)
    (raw,) = [line for line in server.log.getvalue().splitlines() if "call completed" in line]
    line = json.loads(raw)
    assert list(line) == FIELDS
    assert (line["level"], line["scope"]) == ("info", "rpc")
    assert (line["principal"], line["app"], line["error_id"]) == (server.account_id, "dev", "")
    assert re.fullmatch(r"ipv4:127\.0\.0\.1:\d+", line["peer"])
    assert 0 < line["duration_ms"] < 60_000
    assert line["at"] == "2026-11-20T12:00:00.123456Z"


def test_who_is_not_known_is_not_named(server: RunningServer) -> None:
    """Without a good credential a line has no principal and no app."""
    with connected(server.target) as connection:
        answered(connection, VALIDATE, bearer("x"), BODY)
    (line,) = completed(server)
    assert (line["principal"], line["app"]) == ("", "")


@pytest.mark.parametrize(
    "request_message",
    [pb.IssueTokenRequest(user=pb.User(id="sara")), pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"))],
    ids=["by its caller", "by the request"],
)
def test_the_app_is_the_one_the_call_was_about(server: RunningServer, request_message: pb.IssueTokenRequest) -> None:
    """Whether the request named it or the caller has only one."""
    only_dev = bearer(server.new_credential("edge", permissions=("tokens.issue",), apps=("dev",)))
    server.auth().IssueToken(request_message, metadata=only_dev)
    (line,) = completed(server)
    assert (line["app"], line["code"]) == ("dev", "OK")


GOOD_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{GOOD_TRACE}-{PARENT}-01",
        f"00-{GOOD_TRACE}-{PARENT}-00",
        f"cc-{GOOD_TRACE}-{PARENT}-01-what-comes",
    ],
)
def test_a_line_has_the_callers_trace(server: RunningServer, traceparent: str) -> None:
    """The trace id of W3C traceparent, of this version or a later one."""
    with connected(server.target) as connection:
        answered(connection, VALIDATE, (*server.metadata, ("traceparent", traceparent)), BODY)
    assert completed(server)[0]["trace_id"] == GOOD_TRACE


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        GOOD_TRACE,
        f"00-{GOOD_TRACE}-{PARENT}",
        f"00-{GOOD_TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{GOOD_TRACE}-{'0' * 16}-01",
        f"00-{GOOD_TRACE}\n-{PARENT}-01",
        f"00-{'é' * 32}-{PARENT}-01",
    ],
)
def test_without_a_trace_a_line_gets_one_of_its_own(server: RunningServer, traceparent: str | None) -> None:
    """A traceparent that is missing or malformed is not shown; each such call has a fresh id."""
    entries = () if traceparent is None else (("traceparent", traceparent),)
    with connected(server.target) as connection:
        for _ in range(2):
            answered(connection, VALIDATE, (*server.metadata, *entries), BODY)
    first, second = (line["trace_id"] for line in completed(server))
    assert first != second
    assert all(re.fullmatch(r"[0-9a-f]{32}", trace) for trace in (first, second))
    assert GOOD_TRACE not in (first, second)


def test_calls_at_the_same_time_keep_their_lines_apart(server: RunningServer) -> None:
    """A hundred calls that overlap leave a hundred lines, each whole, each with its own trace."""
    traces = [f"{number:032x}" for number in range(1, 101)]
    with connected(server.target) as connection:
        streams = []
        for trace in traces:
            streams.append(
                connection.call(VALIDATE, server.metadata, more=[("traceparent", f"00-{trace}-{PARENT}-01")])
            )
            connection.send(streams[-1], BODY)
        for stream in streams:
            connection.answer(stream)
    assert sorted(line["trace_id"] for line in lines_after(server, 100)) == traces
