"""The body: one message, bounded in size, that parses; everything else is told with a reason."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2

from authsvc.clock import deadline_after
from authsvc.errors import DeadlinePassed, Reason
from authsvc.rpc.access import AccessRule
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.body import Body
from authsvc.rpc.limits import Limits
from authsvc.rpc.methods import Form, Method
from authsvc.rpc.patience import Patience
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer
from tests.refusals import Refusal, refusal_of
from tests.rpc.http2 import connected
from tests.rpc.surface import AUTH, EVERY, HEALTH_CHECK, VALIDATE, answered

KIB = 1024
INVALID_ARGUMENT = 3

# Bytes that are no message of any method.
MALFORMED = {
    "cut varint": b"\xff\xff\xff",
    "cut length": b"\x0a\x7fabc",
    "an end without a begin": b"\x0c",
    "no such wire type": b"\x0f",
}


# How many bytes the request of each method may have.
LARGEST = {name: 1024 * KIB if name.startswith(f"{AUTH}Batch") else 64 * KIB for name in EVERY}


def padded(size: int) -> bytes:
    """A message of exactly that size that each method can parse: one field that none of them knows."""
    length = size - 6
    septets = [length & 127 | 128, length >> 7 & 127 | 128, length >> 14 & 127 | 128, length >> 21]
    body = b"\xf2\x3f" + bytes(septets) + bytes(length)
    assert len(body) == size
    return body


def call_with(server: RunningServer, method: str, body: bytes) -> Refusal:
    """How gRPC's own client is refused with that body."""
    channel = server.channel(**{"grpc.max_send_message_length": -1})
    raw: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return refusal_of(lambda: raw(body, metadata=server.metadata, timeout=30))


@pytest.mark.parametrize("kind", MALFORMED)
def test_bytes_that_do_not_parse_are_the_callers_fault(server: RunningServer, kind: str) -> None:
    """Each method answers them with INVALID_ARGUMENT and INVALID_REQUEST, never with INTERNAL."""
    with connected(server.target) as connection:
        found = {name: answered(connection, name, server.metadata, MALFORMED[kind]) for name in EVERY}
        health = answered(connection, HEALTH_CHECK, (), MALFORMED[kind])
    expected = (INVALID_ARGUMENT, "INVALID_REQUEST")
    assert {name: (answer.status, answer.reason) for name, answer in found.items()} == dict.fromkeys(EVERY, expected)
    assert (health.status, health.reason) == expected


def test_the_details_of_malformed_bytes_repeat_nothing_of_them(server: RunningServer) -> None:
    """The fault is the message's, not a field's, and no byte of it comes back."""
    refusal = call_with(server, VALIDATE, b"\x0a\x7fcanary-in-the-body")
    assert (refusal.code, refusal.reason, refusal.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        ("",),
    )
    assert "canary" not in refusal.text


def test_text_that_is_not_utf8_does_not_parse(server: RunningServer) -> None:
    """A string field holds UTF-8 or the request is refused."""
    assert call_with(server, VALIDATE, b"\x0a\x02\xff\xff").reason == "INVALID_REQUEST"


def test_a_call_without_a_message_is_refused(server: RunningServer) -> None:
    """Each method answers a caller that ends without a message; an empty message is another thing."""
    with connected(server.target) as connection:
        streams = {name: connection.call(name, server.metadata) for name in EVERY}
        for stream in streams.values():
            connection.end(stream)
        found = {name: connection.answer(stream) for name, stream in streams.items()}
        empty = answered(connection, HEALTH_CHECK)
    assert {name: (answer.status, answer.reason) for name, answer in found.items()} == dict.fromkeys(
        EVERY, (INVALID_ARGUMENT, "INVALID_REQUEST")
    )
    assert empty.status == 0


def test_a_request_has_at_most_64_kib_and_a_batch_1_mib(server: RunningServer) -> None:
    """One byte more is REQUEST_TOO_LARGE on each method, with the size it accepts; that size is looked at."""
    fitting = {name: call_with_any_end(server, name, padded(LARGEST[name])) for name in EVERY}
    too_large = {name: call_with(server, name, padded(LARGEST[name] + 1)) for name in EVERY}
    assert "REQUEST_TOO_LARGE" not in fitting.values()
    assert {(refusal.code, refusal.reason) for refusal in too_large.values()} == {
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
    }
    told = {name: refusal.metadata for name, refusal in too_large.items()}
    assert told == {name: {"largest_bytes": str(size)} for name, size in LARGEST.items()}


def call_with_any_end(server: RunningServer, method: str, body: bytes) -> str:
    """The reason of the refusal, or nothing: a request of padding alone is no fault to some methods."""
    raw: grpc.UnaryUnaryMultiCallable[bytes, bytes] = server.channel().unary_unary(method)
    call = raw.future(body, metadata=server.metadata, timeout=30)
    return refusal_of(call.result).reason if call.exception() is not None else ""


def test_a_health_check_has_at_most_1_kib(server: RunningServer) -> None:
    """Whom nobody knows has less to say."""
    assert call_with(server, HEALTH_CHECK, padded(KIB + 1)).reason == "REQUEST_TOO_LARGE"


@pytest.mark.parametrize(
    ("size", "reason"), [(1_088 * KIB, "REQUEST_TOO_LARGE"), (1_088 * KIB + 1, "")], ids=["ours", "the library's"]
)
def test_beyond_1_mib_and_64_kib_the_library_refuses(server: RunningServer, size: int, reason: str) -> None:
    """Up to there our own limit answers, with a reason; beyond it the message is not even kept."""
    refusal = call_with(server, VALIDATE, padded(size))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, reason)


def test_only_the_first_message_of_a_call_counts(server: RunningServer) -> None:
    """A caller that sends two messages to a method of one gets the answer to the first."""
    channel = server.channel()
    raw: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(VALIDATE)
    good = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()
    answer = raw(iter([good, b"\xff"]), metadata=server.metadata, timeout=30)
    assert pb.ValidateTokenResponse.FromString(answer).status == pb.TOKEN_STATUS_MALFORMED


@pytest.fixture
def patience() -> Iterator[Patience]:
    """A watch over waits."""
    watching = Patience(Limits())
    yield watching
    watching.close()


@pytest.mark.parametrize("seconds", [-1.0, 60.0])
def test_what_came_too_late_is_not_begun(patience: Patience, seconds: float) -> None:
    """When the deadline passed while the body was awaited the work is not begun; with time left it is."""
    method = Method("/any", AccessRule(open=True), Form.UNARY, health_pb2.HealthCheckRequest, lambda *_: None)
    call = Call("/any", method, ())
    call.body = b""  # it is there, without a library to bring it
    call.deadline = deadline_after(seconds)
    if seconds > 0:
        Body(patience).enter(call)
        assert call.request == health_pb2.HealthCheckRequest()
        return
    with pytest.raises(DeadlinePassed) as late:
        Body(patience).enter(call)
    assert late.value.reason is Reason.DEADLINE_EXCEEDED
