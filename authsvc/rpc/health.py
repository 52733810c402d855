"""``grpc.health.v1.Health``: truthful, open to all, and never a way to hold a thread or fill the memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping

from grpc_health.v1 import health_pb2 as pb

from authsvc.errors import NotFound, Reason
from authsvc.rpc.access import HEALTH_CHECK, HEALTH_WATCH, AccessRule
from authsvc.rpc.call import Call
from authsvc.rpc.methods import Form, Method, Send

LARGEST_REQUEST = 1_024


class Health:
    """One status for the whole server (``""``) and for each of its services."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = frozenset(("", *services))
        self._lock = threading.Lock()
        self._serving = False
        self._final = False
        self._watchers: set[Send] = set()

    @property
    def serving(self) -> bool:
        """What a check would be told now."""
        return self._serving

    def set_serving(self, serving: bool) -> None:
        """Change the status and tell all who watch; after ``shut_down`` nothing changes any more."""
        with self._lock:
            if self._final or serving == self._serving:
                return
            self._serving = serving
            watchers = tuple(self._watchers)
        for send in watchers:
            send(self._answer())

    def shut_down(self) -> None:
        """NOT_SERVING from now on, whatever is found later."""
        self.set_serving(False)
        with self._lock:
            self._final = True

    def check(self, request: pb.HealthCheckRequest, _: Call) -> pb.HealthCheckResponse:
        """``Check``; NOT_FOUND for a service that is not here, as the health protocol asks."""
        if request.service not in self._services:
            raise NotFound(Reason.SERVICE_UNKNOWN)
        return self._answer()

    def watch(self, request: pb.HealthCheckRequest, call: Call, send: Send) -> None:
        """``Watch``: the status now, then each change, from the thread that makes it."""
        if request.service not in self._services:
            send(pb.HealthCheckResponse(status=pb.HealthCheckResponse.SERVICE_UNKNOWN))
            return
        with self._lock:
            self._watchers.add(send)
        if not call.context.add_callback(lambda: self._watchers.discard(send)):
            self._watchers.discard(send)
        send(self._answer())

    def _answer(self) -> pb.HealthCheckResponse:
        status = pb.HealthCheckResponse.SERVING if self._serving else pb.HealthCheckResponse.NOT_SERVING
        return pb.HealthCheckResponse(status=status)


def health_methods(health: Health, rules: Mapping[str, AccessRule]) -> Iterator[Method]:
    """The methods of the health service."""
    for name, form, serve in ((HEALTH_CHECK, Form.UNARY, health.check), (HEALTH_WATCH, Form.WATCH, health.watch)):
        yield Method(name, rules[name], form, pb.HealthCheckRequest, serve, True, LARGEST_REQUEST)
