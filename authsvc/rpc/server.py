"""Puts the server together: methods, interceptors in their one order, options, shutdown."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc

from authsvc.accounts.authenticate import Authenticator
from authsvc.clock import Randomness, deadline_after, wait_for
from authsvc.logs import LoggerSystem
from authsvc.metrics import Metrics
from authsvc.rpc.access import HEALTH_CHECK, HEALTH_WATCH, declared_rules, foreign_rules
from authsvc.rpc.admin_servicer import AdminServicer
from authsvc.rpc.auth_servicer import AuthServicer
from authsvc.rpc.binding import could_be_bound
from authsvc.rpc.bundles import Bundles
from authsvc.rpc.explanations import Explanations
from authsvc.rpc.guest_servicer import GuestServicer
from authsvc.rpc.health import Health, health_methods
from authsvc.rpc.interceptors.admission import GlobalAdmission, PrincipalAdmission, StreamAdmission
from authsvc.rpc.interceptors.body import Body
from authsvc.rpc.interceptors.credentials import Credentials
from authsvc.rpc.interceptors.deadline import Deadlines
from authsvc.rpc.interceptors.errors import Errors
from authsvc.rpc.interceptors.request_log import RequestLog
from authsvc.rpc.interceptors.staleness import Staleness
from authsvc.rpc.interceptors.strangers import StrangerLimits
from authsvc.rpc.limits import Limits
from authsvc.rpc.methods import Method, by_name, methods_of_service
from authsvc.rpc.patience import Patience
from authsvc.rpc.pipeline import Pipeline, Steps
from authsvc.rpc.reflection import reflection_methods
from authsvc.rpc.strangers import Strangers
from authsvc.rpc.tls import TlsFiles
from authsvc.rpc.trust_servicer import TrustServicer
from authsvc.rpc.watching import Subscribe, Watches
from authsvc.trust.freshness import Freshness
from authsvc.trust.second_look import SecondLook
from authsvc.v1 import admin_pb2, auth_pb2, guest_pb2, trust_pb2

if TYPE_CHECKING:
    from authsvc.rpc.tracing import Tracing  # with its library, which is an extra

POOL_THREADS = 128
REFUSAL_THREADS = 4

_AUTH = auth_pb2.DESCRIPTOR.services_by_name["AuthService"]
_GUEST = guest_pb2.DESCRIPTOR.services_by_name["GuestService"]
_ADMIN = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
_TRUST = trust_pb2.DESCRIPTOR.services_by_name["TrustService"]
OUR_SERVICES = (_AUTH.full_name, _GUEST.full_name, _TRUST.full_name, _ADMIN.full_name)
REFLECTED = (*OUR_SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")

# Health tells about itself; of the others each request says whether the store is to be asked (STRONG).
ANSWERS_WHILE_STALE = frozenset(
    (
        HEALTH_CHECK,
        HEALTH_WATCH,
        f"/{_AUTH.full_name}/ValidateToken",
        f"/{_AUTH.full_name}/BatchValidateTokens",
    )
)

_KIB = 1024
_SECOND = 1000

# Each is asserted from outside by a test; why each is what it is stands in docs/decisions.
OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.so_reuseport", 0),  # a stray second server must fail to bind, not take half the connections
    ("grpc.max_receive_message_length", 1024 * _KIB + 64 * _KIB),  # below it, our own limit answers with a reason
    ("grpc.max_metadata_size", 16 * _KIB),
    ("grpc.absolute_max_metadata_size", 16 * _KIB),
    ("grpc.max_concurrent_streams", 128),
    ("grpc.max_allowed_incoming_connections", 1_000),
    ("grpc.max_connection_idle_ms", 120 * _SECOND),
    ("grpc.max_connection_age_ms", 600 * _SECOND),  # the library spreads it by ± 10 %
    ("grpc.max_connection_age_grace_ms", 30 * _SECOND),
    ("grpc.server_handshake_timeout_ms", 10 * _SECOND),
    ("grpc.keepalive_time_ms", 60 * _SECOND),
    ("grpc.keepalive_timeout_ms", 10 * _SECOND),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 20 * _SECOND),
    ("grpc.enable_channelz", 0),
)
MAXIMUM_CONCURRENT_RPCS = 8_192


@dataclass(frozen=True, slots=True)
class Surface:
    """What the server serves, and who it lets in."""

    auth: AuthServicer
    guest: GuestServicer
    admin: AdminServicer
    bundles: Bundles
    subscribe: Subscribe
    authenticator: Authenticator
    freshness: Freshness
    second_look: SecondLook
    strangers: Strangers
    reflection: bool
    reflection_open: bool


class AddressUnusable(RuntimeError):
    """The server cannot listen there; the text says what would help."""


class RpcServer:
    """A server that is built, started once, and stopped once."""

    def __init__(
        self,
        surface: Surface,
        logs: LoggerSystem,
        randomness: Randomness,
        limits: Limits,
        metrics: Metrics,
        tracing: Tracing | None = None,
    ) -> None:
        self._limits = limits
        self.patience = Patience(limits)
        self.health = Health(OUR_SERVICES, self.patience)
        self._admission = GlobalAdmission(limits)
        self._pool = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="authsvc-rpc")
        self._refusals = ThreadPoolExecutor(REFUSAL_THREADS, thread_name_prefix="authsvc-refusal")
        self.steps = self._steps(surface, logs, randomness, metrics, tracing)
        self.watches = Watches(
            surface.bundles,
            surface.subscribe,
            self.patience,
            Explanations(logs.get_logger("rpc"), randomness),
            heartbeat=limits.heartbeat_seconds,
        )
        methods = served_methods(surface, TrustServicer(surface.bundles, self.watches), self.health)
        metrics.calls.know(methods)
        metrics.calls.settle = self.steps.log.flush
        metrics.in_flight, metrics.stalled = self._admission.in_flight, self.patience.stalled_in_all
        audit = logs.get_logger("audit")
        self._pipeline = Pipeline(methods, self.steps, self.patience, self._pool, self._refusals, audit)
        self._server = grpc.server(
            self._pool,
            interceptors=[self._pipeline],
            options=OPTIONS,
            maximum_concurrent_rpcs=MAXIMUM_CONCURRENT_RPCS,
        )

    def listen(self, address: str, tls: TlsFiles | None = None) -> int:
        """Bind to ``host:port``, with TLS where files are given, and begin to serve; returns the port.

        Raises ``AddressUnusable``.
        """
        taken = AddressUnusable(f"cannot listen on {address}: is the port taken, or the address not of this machine?")
        if not could_be_bound(address):
            raise taken
        try:
            port = (
                self._server.add_insecure_port(address)
                if tls is None
                else self._server.add_secure_port(address, tls.credentials())
            )
        except RuntimeError:
            port = 0
        if port == 0:
            raise taken
        self._server.start()
        return port

    def stop(self, *, lame_duck: timedelta, grace: timedelta) -> None:
        """Say NOT_SERVING, serve on while callers look elsewhere, then finish what is in flight within ``grace``."""
        self.health.shut_down()
        wait_for(threading.Event().wait, until=deadline_after(lame_duck.total_seconds()))
        self._admission.drain()
        self.health.close()  # first: watches would never end by themselves
        self.watches.close()
        wait_for(self._server.stop(grace.total_seconds()).wait)
        self._pipeline.close()
        self.patience.close()
        self.steps.log.close()
        self._pool.shutdown()
        self._refusals.shutdown()

    def _steps(
        self,
        surface: Surface,
        logs: LoggerSystem,
        randomness: Randomness,
        metrics: Metrics,
        tracing: Tracing | None,
    ) -> Steps:
        rpc = logs.get_logger("rpc")
        log, errors = RequestLog(rpc, randomness, metrics.calls), Errors(Explanations(rpc, randomness))
        principals = PrincipalAdmission(self._limits)
        streams = StreamAdmission(self._limits)
        credentials = Credentials(
            surface.authenticator,
            logs.get_logger("credentials"),
            freshness=surface.freshness,
            second_look=surface.second_look,
            admission=(principals, streams),
        )
        body = Body(self.patience, (self._admission, principals))  # a batch is counted when its items are known
        return Steps(
            chain=(
                log,  # first, so that it sees how every call ended, whoever ended it
                # Then the span: the line is the last word on a call and has the span's id; around the errors, so that
                # the span's code is final too. Not there at all where nobody asked for spans.
                *(() if tracing is None else (tracing,)),
                errors,  # inside it, so that the code is final when the line is written
                Deadlines(),  # before any work
                self._admission,  # before the credential, so that a flood costs no hashing
                Staleness(surface.freshness, ANSWERS_WHILE_STALE),  # before the credential, which is judged by memory
                credentials,  # before any body
                principals,  # only now it is known whose call it is
                streams,
                StrangerLimits(surface.strangers, open_methods()),  # needs a thread, which must not wait for a body
                body,  # last: nothing of a body is looked at before all others said yes
            ),
            log=log,
            errors=errors,
            credentials=credentials,
            body=body,
            tracing=tracing,
        )


def open_methods() -> frozenset[str]:
    """The methods of ours that anyone may call."""
    ours = (_AUTH, _GUEST, _TRUST, _ADMIN)
    rules = {name: rule for service in ours for name, rule in declared_rules(service).items()}
    return frozenset(name for name, rule in rules.items() if rule.open)


def served_methods(surface: Surface, trust: TrustServicer, health: Health) -> Mapping[str, Method]:
    """Every method of the server. Raises ``AccessUndeclared`` or ``MethodMissing``: then it does not start."""
    rules = foreign_rules(reflection_open=surface.reflection_open)
    return by_name(
        (
            *methods_of_service(_AUTH, surface.auth),
            *methods_of_service(_GUEST, surface.guest),
            *methods_of_service(_TRUST, trust),
            *methods_of_service(_ADMIN, surface.admin),
            *health_methods(health, rules),
            *(reflection_methods(REFLECTED, rules) if surface.reflection else ()),
        )
    )
