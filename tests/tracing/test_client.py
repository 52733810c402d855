"""The client takes its caller's trace along."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, format_trace_id

from authsvc.client import AsyncAuthClient, AuthClient
from authsvc.client.tracing import trace_context
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer
from tests.rpc.surface import completed
from tests.tracing.spans import KeptSpans

ISSUE = pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"))


@pytest.fixture
def client(traced: RunningServer) -> Iterator[AuthClient]:
    with AuthClient(traced.target, traced.credential) as client:
        yield client


def test_a_call_within_a_span_is_its_child(client: AuthClient, spans: KeptSpans) -> None:
    """The server's span lies in the trace, and under the span, of the program that made the call."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("program")
    with tracer.start_as_current_span("work") as work:
        client.issue_token(ISSUE)
    client.issue_token(ISSUE)
    inside, outside = spans.named("authsvc.v1.AuthService/IssueToken")
    assert inside.context.trace_id == work.get_span_context().trace_id
    assert inside.parent is not None
    assert inside.parent.span_id == work.get_span_context().span_id
    assert outside.parent is None, "made outside of any span"


def test_the_state_of_the_trace_goes_along(client: AuthClient, spans: KeptSpans) -> None:
    """What other systems keep in tracestate arrives."""
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", "1")]))
    with trace.use_span(NonRecordingSpan(context)):
        client.issue_token(ISSUE)
    assert dict(spans.one("authsvc.v1.AuthService/IssueToken").context.trace_state) == {"vendor": "1"}


def test_operators_calls_too(client: AuthClient, spans: KeptSpans, traced: RunningServer) -> None:
    """The calls of AuthClient.admin are in the caller's trace as well, and so are their log lines."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("program")
    with tracer.start_as_current_span("work") as work:
        list(client.admin.apps())
    trace_id = format_trace_id(work.get_span_context().trace_id)
    (span,) = spans.all
    assert format_trace_id(span.context.trace_id) == trace_id
    assert completed(traced)[-1]["trace_id"] == trace_id


def test_each_task_takes_its_own_trace_along(traced: RunningServer, spans: KeptSpans) -> None:
    """Calls that are awaited at once, on one thread, are each in the trace of the task that made them."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("program")

    async def work(client: AsyncAuthClient) -> int:
        with tracer.start_as_current_span("work") as span:
            await client.issue_token(ISSUE)
            return span.get_span_context().trace_id

    async def main() -> list[int]:
        async with AsyncAuthClient(traced.target, traced.credential) as client:
            return await asyncio.gather(*(work(client) for _ in range(3)))

    traces = asyncio.run(main())
    assert len(set(traces)) == 3
    assert sorted(traces) == sorted(span.context.trace_id for span in spans.named("authsvc.v1.AuthService/IssueToken"))


def test_without_a_span_nothing_is_sent() -> None:
    """Outside of any span a call carries no metadata about traces."""
    assert trace_context()() == ()


def test_without_opentelemetry() -> None:
    """Where opentelemetry is not installed the client works, and sends nothing about traces."""
    program = """if True:
        import sys
        sys.modules["opentelemetry"] = None
        from authsvc.client import AuthClient
        from authsvc.client.tracing import trace_context
        AuthClient("127.0.0.1:1", "ask1_x").close()
        print(trace_context()())
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "()"
