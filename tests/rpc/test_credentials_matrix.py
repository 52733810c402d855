"""Every method of ours against every kind of bad credential, from outside and without a body.

The raw connection sends the headers of a call and not one byte more, so an answer proves that the server did not wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import grpc
import pytest

from authsvc.accounts.credentials import new_account_id, new_credential
from authsvc.accounts.rules import EVERY_PERMISSION
from authsvc.app.composition import build_server
from authsvc.clock import system_randomness
from authsvc.model import AccountId, ServiceAccount
from authsvc.v1 import admin_pb2
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.refusals import read_refusal
from tests.rpc.http2 import connected
from tests.rpc.surface import OURS, REFLECTION, VALIDATE, answered, bearer

UNAUTHENTICATED, PERMISSION_DENIED = 16, 7
MISSING, INVALID = "CREDENTIAL_MISSING", "CREDENTIAL_INVALID"

NONSENSE = b"\xff\xff\xff"
LIST_SERVICES = b"\x3a\x00"

Entries = list[tuple[str, str | bytes]]


def entry(value: str | bytes) -> Entries:
    """One authorization entry."""
    return [("authorization", value)]


def an_access_token(server: RunningServer) -> str:
    """A good token of a user, which is no credential of a service."""
    request = pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"))
    return server.auth().IssueToken(request, metadata=server.metadata).token


KINDS: dict[str, tuple[str, Callable[[RunningServer], Entries]]] = {
    "no": (MISSING, lambda server: []),
    "under another name": (MISSING, lambda server: [("x-authorization", f"Bearer {server.credential}")]),
    "empty": (INVALID, lambda server: entry("")),
    "scheme alone": (INVALID, lambda server: entry("Bearer")),
    "nothing after the scheme": (INVALID, lambda server: entry("Bearer ")),
    "without a scheme": (INVALID, lambda server: entry(server.credential)),
    "another scheme": (INVALID, lambda server: entry(f"Basic {server.credential}")),
    "wrong secret": (
        INVALID,
        lambda server: entry(f"Bearer {new_credential(AccountId(server.account_id), system_randomness).text}"),
    ),
    "unknown account": (
        INVALID,
        lambda server: entry(f"Bearer {new_credential(new_account_id(system_randomness), system_randomness).text}"),
    ),
    "cut": (INVALID, lambda server: entry(f"Bearer {server.credential[:-1]}")),
    "cut in front": (INVALID, lambda server: entry(f"Bearer {server.credential[1:]}")),
    "case-changed": (INVALID, lambda server: entry(f"Bearer {server.credential.swapcase()}")),
    "doubled entry": (INVALID, lambda server: entry(f"Bearer {server.credential}") * 2),
    "a good one beside a bad one": (
        INVALID,
        lambda server: entry(f"Bearer {server.credential}") + entry("Bearer x"),
    ),
    "doubled text": (INVALID, lambda server: entry(f"Bearer {server.credential}{server.credential}")),
    "listed twice": (INVALID, lambda server: entry(f"Bearer {server.credential}, Bearer {server.credential}")),
    "over-long": (INVALID, lambda server: entry(f"Bearer {server.credential}{'A' * 12_000}")),
    "trailing space": (INVALID, lambda server: entry(f"Bearer {server.credential} ")),
    "trailing newline": (INVALID, lambda server: entry(f"Bearer {server.credential}\n")),
    "binary junk": (INVALID, lambda server: entry(b"Bearer \xff\x00\xfe\x80")),
    "not ASCII": (INVALID, lambda server: entry(f"Bearer {server.credential}é".encode())),
    "a user's access token": (INVALID, lambda server: entry(f"Bearer {an_access_token(server)}")),
}


def answers(server: RunningServer, metadata: Entries) -> dict[str, tuple[int | None, str]]:
    """What headers without a body are answered with, by method."""
    with connected(server.target) as connection:
        streams = {name: connection.call(name, metadata) for name in OURS}
        found = {name: connection.answer(stream) for name, stream in streams.items()}
    return {name: (answer.status, answer.reason) for name, answer in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_credential_is_refused_before_any_body(server: RunningServer, kind: str) -> None:
    """Each method answers headers with a bad credential with UNAUTHENTICATED; the body was never sent."""
    reason, make = KINDS[kind]
    assert answers(server, make(server)) == dict.fromkeys(OURS, (UNAUTHENTICATED, reason))


def test_a_good_credential_is_asked_for_its_body(server: RunningServer) -> None:
    """Headers with a good credential are answered after the body only: the refusals above did not need one."""
    with connected(server.target) as connection:
        waiting = connection.call(VALIDATE, server.metadata)
        for _ in range(20):
            assert connection.answer(connection.call(VALIDATE)).reason == MISSING
        assert len(connection.ended()) == 20
        connection.send(waiting, pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString())
        assert connection.answer(waiting).status == 0


def disable(server: RunningServer, account: ServiceAccount) -> None:
    """Disable the account."""
    request = admin_pb2.DisableServiceAccountRequest(id=account.id)
    server.admin().DisableServiceAccount(request, metadata=server.metadata)


def revoke(server: RunningServer, account: ServiceAccount) -> None:
    """Revoke the account's only credential."""
    request = admin_pb2.RevokeCredentialRequest(id=account.id, credential_id=account.credentials[0].id)
    server.admin().RevokeCredential(request, metadata=server.metadata)


@pytest.mark.parametrize("end", [disable, revoke])
def test_an_ended_credential_is_refused_at_once(
    server: RunningServer, end: Callable[[RunningServer, ServiceAccount], None]
) -> None:
    """The next call after its account was disabled, or after it was revoked, is refused on each method."""
    metadata = bearer(server.new_credential("edge", permissions=EVERY_PERMISSION, all_apps=True))
    with connected(server.target) as connection:
        assert answered(connection, VALIDATE, metadata).reason == "INVALID_REQUEST", "it was good"
    (account,) = [account for account in server.domain.view.accounts() if account.name == "edge"]
    end(server, account)
    assert answers(server, [*metadata]) == dict.fromkeys(OURS, (UNAUTHENTICATED, INVALID))


@pytest.mark.parametrize("permission", sorted(set(OURS.values())))
def test_each_method_needs_its_own_permission(server: RunningServer, permission: str) -> None:
    """With every permission but one, exactly the methods that need that one are refused, without their bodies."""
    others = tuple(other for other in EVERY_PERMISSION if other != permission)
    metadata = bearer(server.new_credential("edge", permissions=others, all_apps=True))
    guarded = {name for name, needed in OURS.items() if needed == permission}
    with connected(server.target) as connection:
        streams = {name: connection.call(name, metadata) for name in guarded}
        refused = {name: connection.answer(stream) for name, stream in streams.items()}
        passed = {name: answered(connection, name, metadata, NONSENSE) for name in OURS.keys() - guarded}
    assert {name: (answer.status, answer.reason) for name, answer in refused.items()} == dict.fromkeys(
        guarded, (PERMISSION_DENIED, "PERMISSION_MISSING")
    )
    assert {name: answer.reason for name, answer in passed.items()} == dict.fromkeys(passed, "INVALID_REQUEST")


@pytest.mark.parametrize("name", REFLECTION)
def test_outside_development_reflection_needs_a_credential(start_server: StartServer, name: str) -> None:
    """Reflection that was switched on answers any valid credential, without a permission, and nobody else."""
    server = start_server(build=lambda domain: build_server(domain, dev=False, reflection=True), dev=False)
    least = bearer(server.new_credential("reader", permissions=("trust.read",)))
    with connected(server.target) as connection:
        assert connection.answer(connection.call(name)).reason == MISSING
        assert connection.answer(connection.call(name, bearer("ask1_wrong"))).reason == INVALID
        assert answered(connection, name, least, LIST_SERVICES).status == 0


def test_the_refusal_reaches_a_client_that_is_still_sending(server: RunningServer) -> None:
    """gRPC's own client gets the status and its details while the first message is not even made."""
    unsent = threading.Event()

    def messages() -> Iterator[bytes]:
        unsent.wait()
        yield b""

    method: grpc.StreamUnaryMultiCallable[bytes, bytes] = server.channel().stream_unary(VALIDATE)
    call = method.future(messages(), timeout=30)
    try:
        error = call.exception()
        assert isinstance(error, grpc.RpcError)
        refusal = read_refusal(error)
        assert not unsent.is_set()
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, MISSING)
    finally:
        unsent.set()
