"""The server as it is seen from outside: its methods, as a literal table, and what it says of the calls it served."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from authsvc.accounts.authenticate import Authenticator
from authsvc.app.composition import Domain
from authsvc.clock import system_clock, system_monotonic
from authsvc.rpc.addresses import Addresses
from authsvc.rpc.admin_servicer import AdminServicer
from authsvc.rpc.auth_servicer import AuthServicer
from authsvc.rpc.bundles import Bundles
from authsvc.rpc.guest_servicer import GuestServicer
from authsvc.rpc.limits import Limits
from authsvc.rpc.server import Surface
from authsvc.rpc.strangers import Strangers
from authsvc.tokens.guest import GuestTokens
from tests.conftest import RunningServer
from tests.rpc.http2 import Answer, Connection

AUTH = "/authsvc.v1.AuthService/"
ADMIN = "/authsvc.v1.AdminService/"
TRUST = "/authsvc.v1.TrustService/"
GUEST = "/authsvc.v1.GuestService/"

# Each method of ours and the permission that it needs.
OURS = {
    f"{AUTH}IssueToken": "tokens.issue",
    f"{AUTH}RefreshToken": "tokens.refresh",
    f"{AUTH}ValidateToken": "tokens.validate",
    f"{AUTH}RevokeTokens": "tokens.revoke",
    f"{AUTH}ListSessions": "tokens.revoke",
    f"{AUTH}BatchIssueTokens": "tokens.issue",
    f"{AUTH}BatchValidateTokens": "tokens.validate",
    f"{TRUST}GetTrustBundle": "trust.read",
    f"{ADMIN}CreateApp": "admin.write",
    f"{ADMIN}GetApp": "admin.read",
    f"{ADMIN}ListApps": "admin.read",
    f"{ADMIN}UpdateApp": "admin.write",
    f"{ADMIN}SuspendApp": "admin.write",
    f"{ADMIN}ResumeApp": "admin.write",
    f"{ADMIN}ListKeys": "admin.read",
    f"{ADMIN}RotateKey": "admin.write",
    f"{ADMIN}ActivateKey": "admin.write",
    f"{ADMIN}RevokeKey": "admin.write",
    f"{ADMIN}GetJwks": "admin.read",
    f"{ADMIN}CreateServiceAccount": "admin.write",
    f"{ADMIN}GetServiceAccount": "admin.read",
    f"{ADMIN}ListServiceAccounts": "admin.read",
    f"{ADMIN}UpdateServiceAccount": "admin.write",
    f"{ADMIN}DisableServiceAccount": "admin.write",
    f"{ADMIN}EnableServiceAccount": "admin.write",
    f"{ADMIN}RotateCredential": "admin.write",
    f"{ADMIN}RevokeCredential": "admin.write",
    f"{ADMIN}GetLogging": "admin.read",
    f"{ADMIN}ConfigureLogging": "admin.write",
    f"{ADMIN}ClearRevocation": "admin.write",
    f"{ADMIN}ListRevocations": "admin.read",
    f"{ADMIN}ListAuditEvents": "admin.read",
}
# Those of ours whose answers are streams.
STREAMS = {f"{TRUST}WatchTrustBundle": "trust.read"}
# Methods of ours that anyone may call.
OPEN = (f"{GUEST}IssueGuestToken", f"{GUEST}RefreshGuestToken", f"{GUEST}IssueAnonymousToken")
EVERY = (*OURS, *OPEN)
VALIDATE = f"{AUTH}ValidateToken"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)

Metadata = tuple[tuple[str, str], ...]
T = TypeVar("T")


def surface_of(domain: Domain, auth: object, *, authenticator: object = None) -> Surface:
    """A domain behind another ``AuthService``, and behind another judge of credentials where one is given."""
    return Surface(
        auth=cast(AuthServicer, auth),
        guest=GuestServicer(cast(GuestTokens, None)),  # served, and never called by who asks for another surface
        admin=AdminServicer(
            domain.apps, domain.keys, domain.accounts, domain.logging, domain.revocations, domain.audit
        ),
        bundles=Bundles(domain.view, domain.store, domain.freshness, clock=system_clock, development_tokens=False),
        subscribe=domain.feed.subscribe,
        authenticator=cast(Authenticator, authenticator or Authenticator(domain.view)),
        freshness=domain.freshness,
        second_look=domain.second_look,
        strangers=Strangers(Addresses(()), Limits(), system_monotonic),
        reflection=False,
        reflection_open=False,
    )


def auth_of(serve: Callable[..., object], *, without: str = "") -> object:
    """An ``AuthService`` whose every method, but one, is the same."""
    names = (name.removeprefix(AUTH) for name in OURS if name.startswith(AUTH))
    return SimpleNamespace(**{name: serve for name in names if name != without})


def bearer(credential: str) -> Metadata:
    """The metadata of a caller with that credential."""
    return (("authorization", f"Bearer {credential}"),)


def answered(connection: Connection, path: str, metadata: Metadata = (), body: bytes = b"") -> Answer:
    """One whole call and its answer."""
    stream = connection.call(path, metadata)
    connection.send(stream, body)
    return connection.answer(stream)


def completed(server: RunningServer) -> list[dict[str, Any]]:
    """The completion lines written so far, oldest first."""
    lines = map(json.loads, server.log.getvalue().splitlines())
    return [line for line in lines if line["message"] == "call completed"]


def eventually(look: Callable[[], T], accept: Callable[[T], bool], *, seconds: float = 10) -> T:
    """Look until what is seen is accepted; what was seen last when the time is up."""
    end = time.monotonic() + seconds
    while not accept(seen := look()) and time.monotonic() < end:
        time.sleep(0.005)
    return seen
