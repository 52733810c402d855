"""A worker that may know too little: it answers nothing from memory but health, until it has caught up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from authsvc.app.readiness import Readiness
from authsvc.model import ApiKey
from authsvc.rpc.server import ANSWERS_WHILE_STALE
from authsvc.v1 import admin_pb2, auth_pb2, guest_pb2, guest_pb2_grpc
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import connected
from tests.rpc.surface import OURS, REFLECTION, answered, bearer
from tests.storage.records import an_audit
from tests.trust.ticks import Ticks

STRONG = auth_pb2.CONSISTENCY_STRONG
BOUND = 5.0


@pytest.fixture
def ticks() -> Ticks:
    """A monotonic clock that is moved by hand."""
    return Ticks()


@pytest.fixture
def stale(start_server: StartServer, ticks: Ticks) -> RunningServer:
    """A server that has read nothing of its store for longer than allowed."""
    server = start_server(monotonic=ticks)
    server.domain.freshness.follow()
    ticks.move(BOUND + 0.1)
    return server


def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    """Code and reason of a refused call."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code(), (raised.value.details() or "").partition(":")[0]


def validate(server: RunningServer, metadata: Any = None, **fields: Any) -> auth_pb2.ValidateTokenResponse:
    request = auth_pb2.ValidateTokenRequest(api_key="dev", token="x", **fields)
    return server.auth().ValidateToken(request, metadata=metadata or server.metadata, timeout=10)


STALE = (grpc.StatusCode.UNAVAILABLE, "STALE")


@pytest.mark.parametrize("path", [path for path in (*OURS, *REFLECTION) if path not in ANSWERS_WHILE_STALE])
def test_nothing_is_answered_from_memory(stale: RunningServer, path: str) -> None:
    """Every method of ours and reflection is refused, before its body and whoever calls, known or not."""
    with connected(stale.target) as connection:
        for metadata in (stale.metadata, bearer("ask1_wrong"), ()):
            assert answered(connection, path, metadata, b"\xff\xff").reason == "STALE"


def test_the_refusal_says_when_to_come_back(stale: RunningServer) -> None:
    """It carries a RetryInfo, so that clients try another time or another worker."""
    with pytest.raises(grpc.RpcError) as raised:
        stale.auth().IssueToken(auth_pb2.IssueTokenRequest(), metadata=stale.metadata, timeout=10)
    status = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
    assert status is not None
    details = {detail.TypeName(): detail for detail in status.details}
    retry = error_details_pb2.RetryInfo()
    assert details["google.rpc.RetryInfo"].Unpack(retry)
    assert retry.retry_delay.seconds == 1


def test_guests_too(stale: RunningServer) -> None:
    """Open methods are no way round it."""
    guest = guest_pb2_grpc.GuestServiceStub(stale.channel())
    assert refusal(lambda: guest.IssueGuestToken(guest_pb2.IssueGuestTokenRequest(api_key="dev"), timeout=10)) == STALE


def test_cached_validations_are_refused_and_strong_ones_ask_the_store(stale: RunningServer) -> None:
    """STRONG relies on the store and is answered; so is whoever comes after it, for by then memory is fresh."""
    for consistency in (auth_pb2.CONSISTENCY_UNSPECIFIED, auth_pb2.CONSISTENCY_CACHED):
        assert refusal(lambda consistency=consistency: validate(stale, consistency=consistency)) == STALE
    assert validate(stale, consistency=STRONG).status == auth_pb2.TOKEN_STATUS_MALFORMED
    assert validate(stale).status == auth_pb2.TOKEN_STATUS_MALFORMED


def test_in_a_batch_each_item_is_judged_alone(stale: RunningServer) -> None:
    """Before the first STRONG item the others are refused; it makes memory fresh for those behind it."""
    item = auth_pb2.ValidateTokenRequest(token="x")
    strong = auth_pb2.ValidateTokenRequest(token="x", consistency=STRONG)
    batch = auth_pb2.BatchValidateTokensRequest(api_key="dev", requests=[item, strong, item])
    results = stale.auth().BatchValidateTokens(batch, metadata=stale.metadata, timeout=10).results
    assert [result.WhichOneof("result") for result in results] == ["status", "response", "response"]
    assert results[0].status.message.startswith("STALE")


def test_strong_without_a_store(stale: RunningServer) -> None:
    """When the store does not answer either, that is what is told."""
    stale.domain.store.close()
    answer = refusal(lambda: validate(stale, consistency=STRONG))
    assert answer == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")


def test_memory_that_may_be_too_old_refuses_no_credential(stale: RunningServer) -> None:
    """A credential that is not known may have been made meanwhile: while the store cannot be asked, nobody says so."""
    stale.domain.store.close()
    unknown = bearer(stale.credential[:-1] + ("A" if stale.credential[-1] != "A" else "B"))
    foreign = bearer("ask1_wrong")
    for metadata in (unknown, foreign, ()):
        assert refusal(lambda metadata=metadata: validate(stale, metadata or None, consistency=STRONG))[0] == STALE[0]
    assert refusal(lambda: validate(stale, foreign, consistency=STRONG)) == STALE


def test_strong_is_not_answered_for_an_account_that_was_disabled_elsewhere(
    start_server: StartServer, ticks: Ticks
) -> None:
    """What the store says counts for the caller too: STRONG for an account that has ended meanwhile is refused."""
    server, other = start_server(monotonic=ticks), start_server()
    credential = bearer(server.new_credential("edge", permissions=("tokens.validate",), all_apps=True))
    limited = bearer(server.new_credential("limited", permissions=("tokens.validate",), all_apps=True))
    assert validate(server, credential, consistency=STRONG).status == auth_pb2.TOKEN_STATUS_MALFORMED
    other.domain.follower.look()
    accounts = {account.name: account for account in other.domain.view.accounts()}
    for name, changes in (("edge", {"disabled": True}), ("limited", {"permissions": frozenset()})):
        _edit(other, accounts[name].id, **changes)
    assert validate(server, credential).status == auth_pb2.TOKEN_STATUS_MALFORMED  # from memory, for a moment yet
    assert refusal(lambda: validate(server, credential, consistency=STRONG)) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "CREDENTIAL_INVALID",
    )
    assert refusal(lambda: validate(server, limited, consistency=STRONG)) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "PERMISSION_MISSING",
    )


def test_health_says_so(stale: RunningServer) -> None:
    """Health is answered, NOT_SERVING while memory is stale and SERVING again when the worker has caught up."""
    log = stale.domain.logs.get_logger("storage")
    readiness = Readiness(stale.domain.store, stale.domain.freshness, stale.rpc.health, log)
    health: Any = health_pb2_grpc.HealthStub(stale.channel())
    told = []
    for _ in range(2):
        readiness.look()
        told.append(health.Check(health_pb2.HealthCheckRequest(), timeout=10).status)
        assert stale.domain.follower.look()
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert told == [not_serving, serving]
    apps = stale.admin().ListApps(admin_pb2.ListAppsRequest(), metadata=stale.metadata, timeout=10)
    assert [app.api_key for app in apps.apps] == [ApiKey("dev")]


def test_within_the_bound_everything_is_answered(start_server: StartServer, ticks: Ticks) -> None:
    """The refusals above are about time and nothing else."""
    server = start_server(monotonic=ticks)
    server.domain.freshness.follow()
    ticks.move(BOUND - 0.1)
    assert validate(server).status == auth_pb2.TOKEN_STATUS_MALFORMED


def _edit(server: RunningServer, account_id: Any, **changes: Any) -> None:
    server.domain.store.edit_account(account_id, lambda account: replace(account, **changes), an_audit())
