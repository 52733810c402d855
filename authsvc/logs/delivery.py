"""What the loggers of one system share: the routes of now, and which sinks were seen to throw."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext, suppress
from threading import Lock
from types import FunctionType
from typing import TYPE_CHECKING, Any

from authsvc.logs.levels import Level
from authsvc.logs.redaction import redact_into

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authsvc.logs.routing import Route, Sink


class Delivery:
    """The way from a logger to the sinks; a sink that throws costs its events, never the call."""

    __slots__ = ("_built_in", "_lock", "_reported", "routes")

    routes: Mapping[str, Route]
    """By scope. Replaced as a whole and never changed in place, so readers need no lock."""

    def __init__(self, routes: Mapping[str, Route], built_in: Sink) -> None:
        self.routes = routes
        self._built_in = built_in
        self._lock = Lock()
        self._reported: tuple[Sink, ...] = ()

    def replace(self, routes: Mapping[str, Route]) -> None:
        """Follow `routes` from the next call on; sinks that are gone from them are forgotten."""
        self.routes = routes
        current = [route.sink for route in routes.values()]
        with self._lock:
            self._reported = tuple(sink for sink in self._reported if _among(sink, current))

    @contextmanager
    def together(self, sink: Sink) -> Iterator[None]:
        """Let `sink` hold back what this thread gives it and write it at the end, if it has such a method."""
        held = ExitStack()
        with self._isolated(sink):
            held.enter_context(getattr(sink, "together", nullcontext)())
        try:
            yield  # what is raised meanwhile is no fault of the sink's
        finally:
            with self._isolated(sink):
                held.close()

    @contextmanager
    def _isolated(self, sink: Sink) -> Iterator[None]:
        try:
            yield
        except Exception as fault:  # noqa: BLE001 - as for a single event
            self.failed(sink, fault, {})

    def failed(self, sink: Sink, fault: Exception, event: Mapping[str, Any]) -> None:
        """Say on the built-in sink that `sink` raised `fault`, the first time it does."""
        if self._is_first_fault_of(sink):
            # A repr could show anything: the sink is named by its code, the fault by its class.
            name = sink.__qualname__ if isinstance(sink, FunctionType) else type(sink).__name__
            heading = {"at": event.get("at"), "scope": event.get("scope")}
            report = redact_into(heading, {"target": name, "exception": fault})
            # Where the built-in sink is the one that throws, nothing is left to say it on.
            with suppress(Exception):
                self._built_in(Level.ERROR, "a log sink throws: its events are lost, told once", report)

    def _is_first_fault_of(self, sink: Sink) -> bool:
        with self._lock:
            if _among(sink, self._reported):
                return False
            self._reported += (sink,)
            return True


def _among(sink: Sink, sinks: tuple[Sink, ...] | list[Sink]) -> bool:
    # By identity: a sink's own `==` is someone else's code.
    return any(sink is other for other in sinks)
