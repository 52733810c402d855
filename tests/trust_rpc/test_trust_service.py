"""What verifiers are told of an app: a snapshot, then what changes, from wherever they left off."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, takewhile
from queue import SimpleQueue

import grpc
import pytest

from authsvc.clock import system_clock
from authsvc.model import AccountId, Algorithm, ApiKey, AuditEvent, TokenId, UserId
from authsvc.rpc.limits import Limits
from authsvc.v1 import admin_pb2, trust_pb2_grpc
from authsvc.v1 import trust_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.refusals import refusal_of
from tests.rpc.http2 import INITIAL_WINDOW_SIZE, connected
from tests.rpc.surface import TRUST, Metadata, bearer, eventually

DEV = ApiKey("dev")


def stub(server: RunningServer) -> trust_pb2_grpc.TrustServiceStub:
    return trust_pb2_grpc.TrustServiceStub(server.channel())


def event(action: str = "test") -> AuditEvent:
    return AuditEvent(system_clock(), action, "test", "dev", "", "done")


@dataclass
class Watching:
    """A verifier of the simplest kind: it keeps what it is told."""

    call: grpc.Call
    updates: SimpleQueue[pb.TrustUpdate | grpc.RpcError] = field(default_factory=SimpleQueue)

    def next(self, kind: str) -> pb.TrustUpdate:
        """The next update, which is of that kind; heartbeats in between are passed over."""
        while True:
            update = self.updates.get(timeout=30)
            assert isinstance(update, pb.TrustUpdate), update
            if update.WhichOneof("event") == kind:
                return update
            assert update.WhichOneof("event") == "heartbeat", update

    def error(self) -> grpc.RpcError:
        """How the stream ends, whatever comes before."""
        while True:
            update = self.updates.get(timeout=30)
            if isinstance(update, grpc.RpcError):
                return update

    def snapshot(self) -> tuple[pb.TrustPolicy, list[pb.TrustRevocation], str]:
        """A whole snapshot: policy, revocations, and the cursor that it ends with."""
        assert self.next("snapshot_start").cursor == ""
        revoked: list[pb.TrustRevocation] = []
        policy = self.next("policy").policy
        while True:
            update = self.updates.get(timeout=30)
            assert isinstance(update, pb.TrustUpdate)
            if update.HasField("snapshot_end"):
                return policy, revoked, update.cursor
            assert 0 < len(update.revocations.revocations) <= 1_000
            revoked += update.revocations.revocations


@contextmanager
def watching(
    server: RunningServer, api_key: str = "dev", cursor: str = "", metadata: Metadata | None = None
) -> Iterator[Watching]:
    request = pb.WatchTrustBundleRequest(api_key=api_key, cursor=cursor)
    call = stub(server).WatchTrustBundle(request, metadata=metadata or server.metadata)
    watch = Watching(call)

    def read() -> None:
        try:
            for update in call:
                watch.updates.put(update)
        except grpc.RpcError as error:
            watch.updates.put(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    yield watch
    call.cancel()
    reader.join(30)


def bundle(server: RunningServer, api_key: str = "dev") -> pb.TrustPolicy:
    return stub(server).GetTrustBundle(pb.GetTrustBundleRequest(api_key=api_key), metadata=server.metadata).policy


def test_the_bundle_has_the_policy_and_the_public_keys(server: RunningServer) -> None:
    """Issuer, skew, each key with its state, and the same keys as a JWK set without private members."""
    policy = bundle(server)
    (key,) = policy.keys
    assert (policy.api_key, policy.mode, policy.suspended) == ("dev", pb.VERIFICATION_MODE_LOCAL, False)
    assert ([issuer.issuer for issuer in policy.issuers], policy.clock_skew.seconds) == (["authsvc"], 30)
    assert (key.algorithm, key.state, key.HasField("verifies_until")) == (
        "ES256",
        pb.TRUSTED_KEY_STATE_ACTIVE,
        False,
    )
    (jwk,) = json.loads(policy.jwks)["keys"]
    assert jwk["kid"] == key.key_id
    assert "d" not in jwk
    assert "d" not in json.loads(key.public_jwk)


def test_secrets_are_never_sent(server: RunningServer) -> None:
    """An app that signs with HMAC is one to ask about: its key has a name and nothing else."""
    server.new_app("hmac", algorithm=Algorithm.HS256)
    policy = bundle(server, "hmac")
    (key,) = policy.keys
    assert (policy.mode, key.public_jwk, json.loads(policy.jwks)) == (
        pb.VERIFICATION_MODE_ASK_SERVICE,
        "",
        {"keys": []},
    )


def test_a_watch_begins_with_all_that_is_known(server: RunningServer) -> None:
    """The policy that GetTrustBundle gives, and each kind of revocation in messages of at most a thousand."""
    store = server.domain.store
    for number in range(1_001):
        store.revoke_token(DEV, TokenId(f"jti-{number}"), None, event())
    store.raise_watermark(DEV, UserId("sara"), event())
    store.raise_watermark(DEV, None, event())
    with watching(server) as watch:
        policy, revoked, cursor = watch.snapshot()
    assert policy == bundle(server)
    kinds = [entry.WhichOneof("revocation") for entry in revoked]
    assert (kinds.count("token"), kinds.count("watermark"), bool(cursor)) == (1_001, 2, True)
    assert {entry.watermark.user_id for entry in revoked if entry.HasField("watermark")} == {"", "sara"}


def test_changes_of_the_app_follow_and_no_others(server: RunningServer) -> None:
    """A revocation, one taken back, a new setting: each is told once it is known, and nothing of another app."""
    server.new_app("other")
    store = server.domain.store
    with watching(server) as watch:
        watch.snapshot()
        store.revoke_token(ApiKey("other"), TokenId("theirs"), None, event())
        store.revoke_token(DEV, TokenId("ours"), None, event())
        (entry,) = watch.next("revocations").revocations.revocations
        assert entry.token.token_id == "ours"
        store.clear_token(DEV, TokenId("ours"), event())
        (entry,) = watch.next("revocations").revocations.revocations
        assert entry.restored_token_id == "ours"
        server.admin().SuspendApp(admin_pb2.SuspendAppRequest(api_key="dev"), metadata=server.metadata)
        assert watch.next("policy").policy.suspended


def test_a_watch_goes_on_from_its_cursor(server: RunningServer) -> None:
    """What was changed since is told, without a snapshot; where nothing was, a sign of life says so."""
    with watching(server) as watch:
        cursor = watch.snapshot()[2]
    server.domain.store.revoke_token(DEV, TokenId("meanwhile"), None, event())
    with watching(server, cursor=cursor) as watch:
        update = watch.next("revocations")
        assert [entry.token.token_id for entry in update.revocations.revocations] == ["meanwhile"]
    with watching(server, cursor=update.cursor) as watch:
        assert watch.updates.get(timeout=30).WhichOneof("event") == "heartbeat"  # type: ignore[union-attr]


@pytest.mark.parametrize("cursor", ["9-1", "1-999999"])
def test_a_cursor_that_says_nothing_here_begins_anew(server: RunningServer, cursor: str) -> None:
    """One of another epoch, or of a revision the store has not had: a snapshot comes first."""
    with watching(server, cursor=cursor) as watch:
        assert watch.snapshot()[0].api_key == "dev"


@pytest.mark.parametrize("cursor", ["x", "1-", "-1", "1-2-3", "1" * 400])
def test_what_is_no_cursor_is_refused(server: RunningServer, cursor: str) -> None:
    """The caller learns which field is wrong."""
    request = pb.WatchTrustBundleRequest(api_key="dev", cursor=cursor)
    refusal = refusal_of(lambda: next(stub(server).WatchTrustBundle(request, metadata=server.metadata)))
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("cursor",))
    assert len(server.rpc.watches) == 0


def test_who_may_not_act_for_the_app_learns_nothing(server: RunningServer) -> None:
    """Neither bundle nor watch, whether the app exists or not."""
    server.new_app("other")
    foreign = bearer(server.new_credential("foreign", permissions=("trust.read",), apps=(ApiKey("other"),)))
    for name in ("dev", "no-such-app"):
        ask = pb.GetTrustBundleRequest(api_key=name)
        assert refusal_of(lambda: stub(server).GetTrustBundle(ask, metadata=foreign)).reason == "APP_NOT_ALLOWED"  # noqa: B023
        watch = pb.WatchTrustBundleRequest(api_key=name)
        refusal = refusal_of(lambda: next(stub(server).WatchTrustBundle(watch, metadata=foreign)))  # noqa: B023
        assert refusal.reason == "APP_NOT_ALLOWED"


def test_a_watch_ends_with_the_right_to_it(start_server: StartServer) -> None:
    """At the next sign of life a disabled account is told so; another account's watch goes on."""
    server = start_server(limits=Limits(heartbeat_seconds=0.05))
    credential = server.new_credential("verifier", permissions=("trust.read",), all_apps=True)
    (account_id,) = [one.id for one in server.domain.view.accounts() if one.name == "verifier"]
    with watching(server, metadata=bearer(credential)) as watch, watching(server) as other:
        watch.snapshot()
        other.snapshot()
        request = admin_pb2.DisableServiceAccountRequest(id=AccountId(account_id))
        server.admin().DisableServiceAccount(request, metadata=server.metadata)
        assert "CREDENTIAL_INVALID" in str(watch.error())
        assert eventually(lambda: len(server.rpc.watches), (1).__eq__) == 1
        server.domain.store.revoke_token(DEV, TokenId("afterwards"), None, event())
        assert other.next("revocations").cursor


@contextmanager
def news_of_another_app(server: RunningServer) -> Iterator[None]:
    """While this lasts, one revocation after the other that is nothing to who watches ``dev``."""
    server.new_app("other")
    enough = threading.Event()

    def tell() -> None:
        for number in takewhile(lambda _: not enough.is_set(), count()):
            server.domain.store.revoke_token(ApiKey("other"), TokenId(f"theirs-{number}"), None, event())

    teller = threading.Thread(target=tell)
    teller.start()
    try:
        yield
    finally:
        enough.set()
        teller.join()


def test_signs_of_life_come_however_busy_other_apps_are(start_server: StartServer) -> None:
    """A watcher whom no change concerns hears that nothing has changed, and a disabled one is ended, all the same."""
    server = start_server(limits=Limits(heartbeat_seconds=0.3))
    credential = server.new_credential("verifier", permissions=("trust.read",), all_apps=True)
    (account_id,) = [one.id for one in server.domain.view.accounts() if one.name == "verifier"]
    with watching(server, metadata=bearer(credential)) as watch, news_of_another_app(server):
        watch.snapshot()
        update = watch.updates.get(timeout=10)
        assert isinstance(update, pb.TrustUpdate)
        assert update.HasField("heartbeat")
        request = admin_pb2.DisableServiceAccountRequest(id=AccountId(account_id))
        server.admin().DisableServiceAccount(request, metadata=server.metadata)
        assert "CREDENTIAL_INVALID" in str(watch.error())


def test_watches_hold_no_thread(server: RunningServer) -> None:
    """300 watchers of one server are told of a change, and whole calls are answered beside them."""
    channels = [server.channel() for _ in range(3)]
    request = pb.WatchTrustBundleRequest(api_key="dev")
    accounts = [
        bearer(server.new_credential(f"v{number}", permissions=("trust.read",), all_apps=True)) for number in range(2)
    ]
    calls = [
        trust_pb2_grpc.TrustServiceStub(channels[number % 3]).WatchTrustBundle(request, metadata=accounts[number % 2])
        for number in range(300)
    ]
    assert eventually(lambda: len(server.rpc.watches), (300).__eq__) == 300
    assert bundle(server).api_key == "dev"
    server.domain.store.revoke_token(DEV, TokenId("all"), None, event())
    for call in calls:
        while True:
            entries = next(call).revocations.revocations
            if any(entry.token.token_id == "all" for entry in entries):
                break
        call.cancel()
    assert eventually(lambda: len(server.rpc.watches), (0).__eq__) == 0


def test_a_stop_ends_watches_with_draining(server: RunningServer) -> None:
    """Who watches is told to ask another worker."""
    with watching(server) as watch:
        watch.snapshot()
        server.rpc.watches.close()
        assert "DRAINING" in str(watch.error())


def test_watchers_that_take_nothing_hold_no_other_up(start_server: StartServer) -> None:
    """However many never take their snapshot, and however long they may: another account's is told of a change."""
    server = start_server(limits=Limits(send_seconds=60))
    metadata = bearer(server.new_credential("deaf", permissions=("trust.read",), all_apps=True))
    body = pb.WatchTrustBundleRequest(api_key="dev").SerializeToString()
    with connected(server.target, {INITIAL_WINDOW_SIZE: 0}) as deaf, watching(server) as watch:
        for _ in range(100):
            deaf.send(deaf.call(f"{TRUST}WatchTrustBundle", metadata), body)
        assert eventually(lambda: len(server.rpc.watches), (101).__eq__) == 101
        watch.snapshot()
        server.domain.store.revoke_token(DEV, TokenId("heard"), None, event())
        (entry,) = watch.next("revocations").revocations.revocations
        assert entry.token.token_id == "heard"
