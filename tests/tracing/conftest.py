"""A real server whose spans are kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authsvc.app.composition import build_server
from tests.conftest import HandClock, RunningServer, StartServer
from tests.tracing.spans import KeptSpans


@pytest.fixture
def spans() -> Iterator[KeptSpans]:
    """The spans of a test's servers."""
    kept = KeptSpans()
    yield kept
    kept.tracing.close()


@pytest.fixture
def traced(start_server: StartServer, clock: HandClock, spans: KeptSpans) -> RunningServer:
    """A development server that makes spans."""
    return start_server(
        build=lambda domain: build_server(domain, dev=True, reflection=True, clock=clock, tracing=spans.tracing)
    )
