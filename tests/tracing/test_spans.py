"""The spans of a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id

from authsvc.app.composition import Domain
from authsvc.clock import system_randomness
from authsvc.rpc.limits import Limits
from authsvc.rpc.server import RpcServer
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.logs.canaries import TEXT, found
from tests.refusals import refusal_of
from tests.rpc.http2 import connected
from tests.rpc.surface import (
    HEALTH_CHECK,
    HEALTH_WATCH,
    REFLECTION,
    VALIDATE,
    Metadata,
    answered,
    auth_of,
    bearer,
    completed,
    eventually,
    surface_of,
)
from tests.tracing.spans import KeptSpans

ISSUE_SPAN, REFRESH_SPAN, VALIDATE_SPAN = (
    f"authsvc.v1.AuthService/{name}" for name in ("IssueToken", "RefreshToken", "ValidateToken")
)
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
SARA = pb.User(id="sara")


def issue(server: RunningServer, *more: tuple[str, str], refreshable: bool = False) -> pb.IssueTokenResponse:
    request = pb.IssueTokenRequest(api_key="dev", user=SARA, refreshable=refreshable)
    return server.auth().IssueToken(request, metadata=(*server.metadata, *more))


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def trace_id(span: ReadableSpan) -> str:
    return format_trace_id(span.context.trace_id)


def test_a_call_has_a_span(traced: RunningServer, spans: KeptSpans) -> None:
    """A call makes one server span, named as its method, with what the conventions for gRPC ask for, and its app."""
    issue(traced)
    span = spans.one(ISSUE_SPAN)
    assert span.kind is SpanKind.SERVER
    assert attributes(span) == {
        "rpc.system": "grpc",
        "rpc.service": "authsvc.v1.AuthService",
        "rpc.method": "IssueToken",
        "rpc.grpc.status_code": 0,
        "authsvc.app": "dev",
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_refusal_is_in_its_span(traced: RunningServer, spans: KeptSpans) -> None:
    """The span of a refused call has the code, the reason, and no error: the server did what it should."""
    request = pb.IssueTokenRequest(api_key="nowhere", user=SARA)
    refusal_of(lambda: traced.auth().IssueToken(request, metadata=traced.metadata))
    found = attributes(spans.one(ISSUE_SPAN))
    assert (found["rpc.grpc.status_code"], found["authsvc.reason"]) == (5, "APP_NOT_FOUND")
    assert spans.one(ISSUE_SPAN).status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("metadata", "reason"), [((), "CREDENTIAL_MISSING"), (bearer("nonsense"), "CREDENTIAL_INVALID")]
)
def test_a_refusal_before_the_body_is_in_its_span(
    traced: RunningServer, spans: KeptSpans, metadata: Metadata, reason: str
) -> None:
    """A call that is refused by its metadata alone has a span like others."""
    with connected(traced.target) as connection:
        answered(connection, VALIDATE, metadata)
    found = attributes(spans.one(VALIDATE_SPAN))
    assert (found["rpc.grpc.status_code"], found["authsvc.reason"]) == (16, reason)


def test_a_token_that_is_not_active_is_a_reason(traced: RunningServer, spans: KeptSpans) -> None:
    """The verdict on a bad token stands in the span of a call that went well."""
    request = pb.ValidateTokenRequest(api_key="dev", token="x")
    traced.auth().ValidateToken(request, metadata=traced.metadata)
    found = attributes(spans.one(VALIDATE_SPAN))
    assert (found["rpc.grpc.status_code"], found["authsvc.reason"]) == (0, "MALFORMED")


def test_a_call_that_repeats_another_has_a_span_too(traced: RunningServer, spans: KeptSpans) -> None:
    """An answer that could be given from memory is found out, so that nothing is missing from the traces."""
    token = issue(traced).token
    request = pb.ValidateTokenRequest(api_key="dev", token=token)
    for _ in range(3):
        assert traced.auth().ValidateToken(request, metadata=traced.metadata).active
    assert len(spans.named(VALIDATE_SPAN)) == 3


def test_methods_that_are_not_there_share_a_name(traced: RunningServer, spans: KeptSpans) -> None:
    """Names that callers make up are in no span; such a call is an error of the kind the conventions name."""
    with connected(traced.target) as connection:
        for number in range(5):
            answered(connection, f"/made.up.Service/Method{number}", traced.metadata)
    assert {span.name for span in spans.all} == {"unknown"}
    assert len(spans.all) == 5
    for span in spans.all:
        assert attributes(span) == {
            "rpc.system": "grpc",
            "rpc.grpc.status_code": 12,
            "authsvc.reason": "METHOD_UNKNOWN",
        }
        assert span.status.status_code is StatusCode.ERROR


def test_the_callers_trace_goes_on(traced: RunningServer, spans: KeptSpans) -> None:
    """With the caller's traceparent and tracestate the span is a child in the caller's trace, and keeps its state."""
    issue(traced, ("traceparent", TRACEPARENT), ("tracestate", "vendor=1,other=2"))
    span = spans.one(ISSUE_SPAN)
    assert trace_id(span) == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.parent.is_remote
    assert dict(span.context.trace_state) == {"vendor": "1", "other": "2"}


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("traceparent", "nonsense"),),
        (("traceparent", f"00-{'0' * 32}-{PARENT}-01"),),
        (("traceparent", f"00-{TRACE}-{'0' * 16}-01"),),
        (("traceparent", f"ff-{TRACE}-{PARENT}-01"),),
        (("traceparent", TRACEPARENT.upper()),),
        (("tracestate", "vendor=1"),),
    ],
    ids=["none", "nonsense", "no trace", "no parent", "version ff", "capitals", "state alone"],
)
def test_a_trace_that_cannot_be_believed_is_not(traced: RunningServer, spans: KeptSpans, metadata: Metadata) -> None:
    """Without one good traceparent the span begins a trace of its own, which no two calls share."""
    issue(traced, *metadata)
    issue(traced, *metadata)
    first, second = spans.named(ISSUE_SPAN)
    assert first.parent is None
    assert TRACE not in (trace_id(first), trace_id(second))
    assert trace_id(first) != trace_id(second)


@pytest.mark.parametrize("metadata", [(), (("traceparent", TRACEPARENT),)], ids=["own", "caller's"])
def test_the_line_has_the_trace_of_the_span(traced: RunningServer, spans: KeptSpans, metadata: Metadata) -> None:
    """The completion line of a call and its span name the same trace."""
    issue(traced, *metadata)
    (line,) = completed(traced)
    assert line["trace_id"] == trace_id(spans.one(ISSUE_SPAN))


def test_a_trace_that_is_not_sampled(traced: RunningServer, spans: KeptSpans) -> None:
    """A caller that does not sample its trace gets no span, and still its trace id in the line."""
    issue(traced, ("traceparent", f"00-{TRACE}-{PARENT}-00"))
    assert spans.all == ()
    (line,) = completed(traced)
    assert line["trace_id"] == TRACE


def test_signing_and_the_store_are_children(traced: RunningServer, spans: KeptSpans) -> None:
    """A refreshable issue and its refresh have a span for the signature and for each use of the store, in theirs."""
    refresh_token = issue(traced, refreshable=True).refresh_token
    request = pb.RefreshTokenRequest(refresh_token=refresh_token)
    traced.auth().RefreshToken(request, metadata=traced.metadata)

    def children(name: str) -> list[str]:
        parent = spans.one(name)
        return [
            span.name for span in spans.all if span.parent is not None and span.parent.span_id == parent.context.span_id
        ]

    assert children(ISSUE_SPAN) == ["sign", "store.open_session"]
    assert children(REFRESH_SPAN) == ["store.session_state", "sign", "store.turn_session"]
    assert {attributes(span)["authsvc.algorithm"] for span in spans.named("sign")} == {"ES256"}
    assert len({trace_id(span) for span in spans.all}) == 2


def test_children_lie_within_their_parent(traced: RunningServer, spans: KeptSpans) -> None:
    """A call's span begins before and ends after all that is in it."""
    issue(traced, refreshable=True)
    call, inner = spans.one(ISSUE_SPAN), [*spans.named("sign"), *spans.named("store.open_session")]
    assert call.start_time is not None
    assert call.end_time is not None
    assert all(call.start_time <= (span.start_time or 0) <= (span.end_time or 0) <= call.end_time for span in inner)


def test_what_no_call_asked_for_has_no_span(traced: RunningServer, spans: KeptSpans) -> None:
    """Work of the server's own, such as its look at the store, begins no trace."""
    spans.tracing.store(traced.domain.store).ping()
    assert spans.all == ()


def test_the_traced_store_is_the_store(traced: RunningServer, spans: KeptSpans) -> None:
    """Through its wrapper the store answers as it does itself."""
    store, wrapped = traced.domain.store, spans.tracing.store(traced.domain.store)
    assert wrapped.epoch == store.epoch
    assert wrapped.counts() == store.counts()
    assert wrapped.trust_state() == store.trust_state()


def test_a_fault_of_the_store_is_named_by_its_type(traced: RunningServer, spans: KeptSpans) -> None:
    """A use of the store that fails is an error, named by the type of its exception and nothing that it says."""
    token = issue(traced, refreshable=True).refresh_token
    traced.domain.store.close()
    request = pb.RefreshTokenRequest(refresh_token=token)
    refusal_of(lambda: traced.auth().RefreshToken(request, metadata=traced.metadata))
    use, call = spans.one("store.session_state"), spans.one(REFRESH_SPAN)
    assert attributes(use) == {"error.type": "Unavailable"}
    assert (use.status.status_code, use.status.description) == (StatusCode.ERROR, None)
    assert (attributes(call)["authsvc.reason"], call.status.status_code) == ("STORE_UNAVAILABLE", StatusCode.ERROR)
    assert all(span.events == () for span in spans.all)


def test_an_unforeseen_error_leaves_no_words(start_server: StartServer, spans: KeptSpans) -> None:
    """The span of a call that broke says INTERNAL, and nothing of the exception or its cause."""

    def breaks(*_: object) -> None:
        raise ValueError(TEXT) from RuntimeError(TEXT)

    def build(domain: Domain) -> RpcServer:
        surface = surface_of(domain, auth_of(breaks))
        return RpcServer(surface, domain.logs, system_randomness, Limits(), domain.metrics, spans.tracing)

    server = start_server(build=build)
    request = pb.ValidateTokenRequest(api_key="dev", token="x")
    refusal_of(lambda: server.auth().ValidateToken(request, metadata=server.metadata))
    span = spans.one(VALIDATE_SPAN)
    assert (attributes(span)["authsvc.reason"], span.status.status_code) == ("INTERNAL", StatusCode.ERROR)
    assert not found(TEXT, span.to_json())


def test_an_app_that_is_none(traced: RunningServer, spans: KeptSpans) -> None:
    """A token that a caller sends as the name of an app is not shown as the app of the span."""
    request = pb.IssueTokenRequest(api_key=f"art1_{TEXT}", user=SARA)
    refusal_of(lambda: traced.auth().IssueToken(request, metadata=traced.metadata))
    assert attributes(spans.one(ISSUE_SPAN))["authsvc.app"] == "***"


def test_streams_have_a_span_when_they_are_over(traced: RunningServer, spans: KeptSpans) -> None:
    """A watch and a dialog make one span each, which ends when they do."""
    watch, dialog = HEALTH_WATCH[1:], REFLECTION[0][1:]
    with connected(traced.target) as connection:
        stream = connection.call(HEALTH_WATCH)
        connection.send(stream, health_pb2.HealthCheckRequest().SerializeToString())
        connection.received(stream, 1)
        assert spans.all == (), "it is being watched"
        connection.cancel(stream)
        assert len(eventually(lambda: spans.named(watch), bool)) == 1
        answered(connection, REFLECTION[0])
    (span,) = eventually(lambda: spans.named(dialog), bool)
    assert attributes(span)["rpc.method"] == "ServerReflectionInfo"
    assert attributes(spans.one(watch))["rpc.grpc.status_code"] == 1
    lines = eventually(lambda: completed(traced), lambda lines: len(lines) == 2)
    assert [line["trace_id"] for line in lines] == [trace_id(spans.one(watch)), trace_id(span)]


def test_open_methods_have_spans_too(traced: RunningServer, spans: KeptSpans) -> None:
    """A health check is a call like others."""
    with connected(traced.target) as connection:
        answered(connection, HEALTH_CHECK)
    assert attributes(spans.one(HEALTH_CHECK[1:]))["rpc.service"] == "grpc.health.v1.Health"


def test_the_chain_with_spans(traced: RunningServer, start_server: StartServer, tmp_path: Path) -> None:
    """The step that makes spans stands inside the log and around the errors; without it the chain is the same."""
    with_spans, without = (
        [type(interceptor).__name__ for interceptor in server.rpc.steps.chain]
        for server in (traced, start_server(state=tmp_path))
    )
    assert with_spans == [without[0], "Tracing", *without[1:]]
    assert with_spans[:3] == ["RequestLog", "Tracing", "Errors"]
