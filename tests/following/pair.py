"""Two server processes on one store, and a caller of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from authsvc.clock import system_clock
from authsvc.model import ApiKey, AuditEvent, UserId
from authsvc.storage import open_store
from authsvc.storage.base import Store
from authsvc.v1 import admin_pb2_grpc, auth_pb2, auth_pb2_grpc
from tests.races.server_process import ServerProcess

DEV = ApiKey("dev")
PATIENCE = 10.0
OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


class Peer:
    """One of the servers, as its callers see it. Each call raises ``grpc.RpcError`` as the stub does."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self.channel = grpc.insecure_channel(process.target, options=OPTIONS)
        self.metadata = (("authorization", f"Bearer {process.credential}"),)
        self.auth = auth_pb2_grpc.AuthServiceStub(self.channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(self.channel)

    def issue(self, user: str = "sara", **fields: Any) -> auth_pb2.IssueTokenResponse:
        request = auth_pb2.IssueTokenRequest(**{"api_key": DEV, "user": auth_pb2.User(id=user), **fields})
        return self.auth.IssueToken(request, metadata=self.metadata, timeout=PATIENCE)

    def status(self, token: str, *, metadata: Any = None, **fields: Any) -> str:
        """What it says of a token."""
        request = auth_pb2.ValidateTokenRequest(**{"api_key": DEV, "token": token, **fields})
        answer = self.auth.ValidateToken(request, metadata=metadata or self.metadata, timeout=PATIENCE)
        return auth_pb2.TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_")

    def serving(self) -> bool:
        """What its health says."""
        health: Any = health_pb2_grpc.HealthStub(self.channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Hang up and end the process."""
        self.channel.close()
        self.process.kill()


@dataclass
class Pair:
    """Two peers, and the store below them as a third process has it: this one."""

    peers: Sequence[Peer]
    store: Store

    def revoke(self, user: str | None, **options: Any) -> int:
        """Revoke behind the back of both; returns the revision."""
        return self.store.raise_watermark(DEV, None if user is None else UserId(user), an_event(), **options)


@contextmanager
def serving(state_dir: Path, store: str, **environ: str) -> Iterator[Pair]:
    """Two servers on the store at that address; gone afterwards."""
    with ExitStack() as lifetimes:
        peers = []
        for _ in range(2):
            process = ServerProcess(state_dir, store, environ=environ)
            lifetimes.callback(process.kill)
            process.start()
            peers.append(Peer(process))
            lifetimes.callback(peers[-1].close)
        opened = open_store(store, clock=system_clock, exclusive=False)
        lifetimes.callback(opened.close)
        yield Pair(peers, opened)


def an_event() -> AuditEvent:
    return AuditEvent(datetime.now(UTC), "tests.act", "test", DEV, "", "done")


def reason_of(error: grpc.RpcError) -> str:
    """The reason of a refusal."""
    call: Any = error  # which every error of a stub is too
    return (call.details() or "").partition(":")[0]
