"""What a watcher is told where this worker knows less than the store, and where it breaks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import grpc
import pytest

from authsvc.app.composition import Domain
from authsvc.clock import Deadline, system_clock, system_randomness
from authsvc.model import ApiKey, AuditEvent, TokenId
from authsvc.rpc.bundles import Bundles
from authsvc.rpc.limits import Limits
from authsvc.rpc.server import POOL_THREADS, RpcServer
from authsvc.trust.feed import Learnt
from authsvc.trust.view import TrustView
from authsvc.v1 import admin_pb2, trust_pb2_grpc
from authsvc.v1 import trust_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.refusals import refusal_of
from tests.rpc.surface import auth_of, eventually, surface_of

DEV = ApiKey("dev")


def bundles_of(server: RunningServer, view: TrustView) -> Bundles:
    """What is told by who knows that view, and has the server's store."""
    return Bundles(view, server.domain.store, server.domain.freshness, clock=system_clock, development_tokens=False)


def test_a_cursor_says_no_more_than_the_policy_told_with_it(server: RunningServer) -> None:
    """Who goes on from there hears of what this worker had not heard of when it told its policy."""
    known = server.domain.view.app(DEV)
    assert known is not None
    behind = TrustView(server.domain.view.revision)
    behind.put_app(known.app)
    began = f"{server.domain.store.epoch}-{behind.revision}"
    server.admin().SuspendApp(admin_pb2.SuspendAppRequest(api_key="dev"), metadata=server.metadata)
    event = AuditEvent(system_clock(), "token.revoked", "test", "dev", "", "done")
    server.domain.store.revoke_token(DEV, TokenId("meanwhile"), None, event)
    policy, revoked = bundles_of(server, behind).from_cursor(DEV, began)
    assert not policy.policy.suspended, "it is behind"
    assert [entry.token.token_id for entry in revoked.revocations.revocations] == ["meanwhile"]
    assert revoked.cursor == began
    policy, revoked = bundles_of(server, server.domain.view).from_cursor(DEV, revoked.cursor)
    assert policy.policy.suspended
    assert revoked.cursor == f"{server.domain.store.epoch}-{server.domain.view.revision}"


class BrokenSnapshots(Bundles):
    """Breaks in the middle of what a watcher is told first."""

    def snapshot(self, api_key: ApiKey) -> Iterator[pb.TrustUpdate]:
        yield next(super().snapshot(api_key))
        raise RuntimeError(api_key)


class BrokenNews(Bundles):
    """Breaks when it is to tell what was learnt."""

    def updates(self, api_key: ApiKey, learnt: Learnt, as_of: datetime) -> Sequence[pb.TrustUpdate]:
        raise RuntimeError(api_key)


def served_with(kind: type[Bundles], domain: Domain) -> RpcServer:
    """A server whose watchers are told by that kind of bundles."""
    bundles = kind(domain.view, domain.store, domain.freshness, clock=system_clock, development_tokens=False)
    surface = replace(surface_of(domain, auth_of(print)), bundles=bundles)
    return RpcServer(surface, domain.logs, system_randomness, Limits(), domain.metrics)


@pytest.mark.parametrize("kind", [BrokenSnapshots, BrokenNews])
def test_a_watch_that_cannot_go_on_is_ended(start_server: StartServer, kind: type[Bundles]) -> None:
    """Each of three watchers is told INTERNAL with an id that the log has, and none is left waiting in silence."""

    server = start_server(build=partial(served_with, kind))
    stub, request = trust_pb2_grpc.TrustServiceStub(server.channel()), pb.WatchTrustBundleRequest(api_key="dev")
    for number in range(3):
        watch = stub.WatchTrustBundle(request, metadata=server.metadata, timeout=10)
        assert next(watch).HasField("snapshot_start")
        event = AuditEvent(system_clock(), "token.revoked", "test", "dev", "", "done")
        server.domain.store.revoke_token(DEV, TokenId(f"{number}"), None, event)
        refusal = refusal_of(lambda: list(watch))  # noqa: B023
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        errors = [json.loads(line).get("error_id") for line in server.log.getvalue().splitlines()]
        assert refusal.metadata["error_id"] in errors
    assert eventually(lambda: len(server.rpc.watches), (0).__eq__) == 0


class SlowStore(Bundles):
    """Reads on from no cursor before it may."""

    may = threading.Event()

    def from_cursor(
        self, api_key: ApiKey, cursor: str, *, deadline: Deadline | None = None
    ) -> Iterable[pb.TrustUpdate]:
        assert self.may.wait(30)
        return super().from_cursor(api_key, cursor, deadline=deadline)


def test_watchers_that_wait_for_the_store_hold_no_thread_of_the_calls(start_server: StartServer) -> None:
    """More watchers come back at once than there are threads: whole calls are answered, and then all go on."""
    SlowStore.may.clear()
    server = start_server(build=partial(served_with, SlowStore))
    request = pb.WatchTrustBundleRequest(api_key="dev", cursor="1-1")
    stub = trust_pb2_grpc.TrustServiceStub(server.channel())
    watches = [stub.WatchTrustBundle(request, metadata=server.metadata) for _ in range(100)]
    stub = trust_pb2_grpc.TrustServiceStub(server.channel())
    watches += [stub.WatchTrustBundle(request, metadata=server.metadata) for _ in range(POOL_THREADS - 100)]
    assert eventually(lambda: len(server.rpc.watches), POOL_THREADS.__eq__) == POOL_THREADS
    try:
        bundle = pb.GetTrustBundleRequest(api_key="dev")
        stub = trust_pb2_grpc.TrustServiceStub(server.channel())
        assert stub.GetTrustBundle(bundle, metadata=server.metadata, timeout=5).policy.api_key == "dev"
    finally:
        SlowStore.may.set()
    for watch in watches:
        assert next(watch).HasField("as_of")
        watch.cancel()
