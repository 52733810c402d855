"""``grpc.health.v1.Health``: truthful, open to all, and never a way to hold a thread or fill the memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from grpc_health.v1 import health_pb2 as pb

from authsvc.errors import NotFound, Reason, Unavailable
from authsvc.rpc.access import HEALTH_CHECK, HEALTH_WATCH, AccessRule
from authsvc.rpc.call import Call
from authsvc.rpc.methods import Form, Method, Send
from authsvc.rpc.patience import Patience
from authsvc.rpc.status import status_of

LARGEST_REQUEST = 1_024
SENDING_THREADS = 8

Status = Callable[[], pb.HealthCheckResponse]


class Health:
    """One status for the whole server (``""``) and for each of its services."""

    def __init__(self, services: Iterable[str], patience: Patience) -> None:
        self._services = frozenset(("", *services))
        self._patience = patience
        self._lock = threading.Lock()
        self._serving = False
        self._final = False
        self._closed = False
        self._watchers: set[_Watcher] = set()
        # A send lasts until the watcher's connection takes it, which a hostile one never does: so neither the thread
        # of a call nor the one that finds a change sends anything itself.
        self._senders = ThreadPoolExecutor(SENDING_THREADS, thread_name_prefix="authsvc-health")

    @property
    def serving(self) -> bool:
        """What a check would be told now."""
        return self._serving

    def set_serving(self, serving: bool) -> None:
        """Change the status and tell all who watch; after ``shut_down`` nothing changes any more."""
        with self._lock:
            self._change(serving)

    def shut_down(self) -> None:
        """NOT_SERVING from now on, whatever is found later."""
        with self._lock:
            self._change(False)
            self._final = True

    def close(self) -> None:
        """End all watches with DRAINING, so that who watches asks another worker and the server need not wait.

        Closing twice is harmless, though a watch that was ended may still be there.
        """
        with self._lock:
            left = set() if self._closed else self._watchers.copy()
            self._closed = True
            for watcher in left:
                self._senders.submit(watcher.end)
        self._senders.shutdown()

    def check(self, request: pb.HealthCheckRequest, _: Call) -> pb.HealthCheckResponse:
        """``Check``; NOT_FOUND for a service that is not here, as the health protocol asks."""
        if request.service not in self._services:
            raise NotFound(Reason.SERVICE_UNKNOWN)
        return self._status()

    def watch(self, request: pb.HealthCheckRequest, call: Call, send: Send) -> None:
        """``Watch``: the status now, then each change; raises DRAINING when the server is about to end."""
        known = request.service in self._services
        watcher = _Watcher(call, send, self._status if known else _service_unknown, self._patience)
        with self._lock:
            if self._closed:
                raise Unavailable(Reason.DRAINING)
            self._watchers.add(watcher)
            self._senders.submit(watcher.tell)
        if not call.context.add_callback(partial(self._watchers.discard, watcher)):
            self._watchers.discard(watcher)

    def _change(self, serving: bool) -> None:
        if self._final or serving == self._serving:
            return
        self._serving = serving
        for watcher in () if self._closed else self._watchers.copy():
            self._senders.submit(watcher.tell)

    def _status(self) -> pb.HealthCheckResponse:
        status = pb.HealthCheckResponse.SERVING if self._serving else pb.HealthCheckResponse.NOT_SERVING
        return pb.HealthCheckResponse(status=status)


class _Watcher:
    """One ``Watch`` call; what it missed while a send lasted is outdated, so it gets the latest only."""

    def __init__(self, call: Call, send: Send, status: Status, patience: Patience) -> None:
        self._call = call
        self._send = send
        self._status = status
        self._patience = patience
        self._lock = threading.Lock()
        self._told: pb.HealthCheckResponse | None = None

    def tell(self) -> None:
        """Send the status there is now, unless it was the last one sent."""
        with self._lock:
            status = self._status()
            if status == self._told:
                return
            with self._patience.sending(self._call):
                self._send(status)
            self._told = status

    def end(self) -> None:
        """Send the end of the stream."""
        draining = status_of(Unavailable(Reason.DRAINING))
        with self._lock:
            self._call.reason = Reason.DRAINING
            self._call.context.set_code(draining.code)
            self._call.context.set_details(draining.details)
            self._call.context.set_trailing_metadata(draining.trailing_metadata or ())
            self._send(None)


def _service_unknown() -> pb.HealthCheckResponse:
    return pb.HealthCheckResponse(status=pb.HealthCheckResponse.SERVICE_UNKNOWN)


def health_methods(health: Health, rules: Mapping[str, AccessRule]) -> Iterator[Method]:
    """The methods of the health service."""
    for name, form, serve in ((HEALTH_CHECK, Form.UNARY, health.check), (HEALTH_WATCH, Form.WATCH, health.watch)):
        yield Method(name, rules[name], form, pb.HealthCheckRequest, serve, True, LARGEST_REQUEST)
