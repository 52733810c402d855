"""From a server process to a collector, as operators set it up: by the standard variables and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.client import AuthClient
from authsvc.v1 import auth_pb2 as pb
from tests.races.server_process import ServerProcess
from tests.tracing.collector import Collector, collector

ISSUE = pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"), refreshable=True)


@pytest.fixture
def collected() -> Iterator[Collector]:
    with collector() as kept:
        yield kept


def run_server(state_dir: Path, **environ: str) -> list[dict[str, object]]:
    """Start a server, issue a token, stop it; its log lines."""
    server = ServerProcess(state_dir, environ={"AUTHSVC_LOG_LEVELS": "default=info", **environ})
    server.start()
    try:
        with AuthClient(server.target, server.credential) as client:
            client.issue_token(ISSUE)
    finally:
        code = server.stop()
    assert code == 0
    return [json.loads(line) for line in (state_dir / "server.log").read_text().splitlines()]


def test_spans_arrive(collected: Collector, state_dir: Path) -> None:
    """The spans of a server, sent when it stops at the latest, arrive with its name and those of its calls."""
    lines = run_server(state_dir, OTEL_EXPORTER_OTLP_ENDPOINT=collected.endpoint)
    spans = {span.name: span for span in collected.spans}
    assert {"authsvc.v1.AuthService/IssueToken", "sign", "store.open_session"} <= spans.keys()
    issue, sign = spans["authsvc.v1.AuthService/IssueToken"], spans["sign"]
    assert (sign.trace_id, sign.parent_span_id) == (issue.trace_id, issue.span_id)
    (line,) = (line for line in lines if line.get("method") == "/authsvc.v1.AuthService/IssueToken")
    assert line["trace_id"] == issue.trace_id.hex()
    (resource, *_) = collected.resources
    about = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert about["service.name"] == "authsvc"


def test_the_service_may_have_another_name(collected: Collector, state_dir: Path) -> None:
    """OTEL_SERVICE_NAME names the service, and OTEL_TRACES_EXPORTER alone would have asked for spans too."""
    run_server(
        state_dir,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=collected.endpoint,
        OTEL_SERVICE_NAME="auth-in-the-test",
    )
    (resource, *_) = collected.resources
    about = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert about["service.name"] == "auth-in-the-test"


def test_a_collector_that_is_not_there(state_dir: Path) -> None:
    """Without its collector a server serves and stops as ever, however patient; it says so in lines of its own log."""
    lines = run_server(state_dir, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT="120")
    assert {"server stopped", "tracing fault"} <= {str(line["message"]) for line in lines}
