"""A server process, copies of its store, and what comes back when one of them is the store again."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psycopg

from authsvc.v1 import admin_pb2, admin_pb2_grpc, auth_pb2, trust_pb2, trust_pb2_grpc
from tests.cli.conftest import Ended, run_command
from tests.following.pair import DEV, PATIENCE, Peer, reason_of
from tests.races.server_process import ServerProcess
from tests.storage.postgres.server import Server


class Scene(ABC):
    """A server that is started and stopped, with the files it needs in a folder."""

    def __init__(self, folder: Path, store: str = "") -> None:
        self.folder = folder
        self.store = store
        self.state_dir = folder / "var"
        self.state_dir.mkdir(0o700)
        self.process = ServerProcess(self.state_dir, store)

    def start(self) -> None:
        """Start the server."""
        self.process.start()

    def stop(self) -> None:
        """Stop it as an operator does."""
        assert self.process.stop() == 0

    @contextmanager
    def peer(self) -> Iterator[Caller]:
        """A caller of the server that runs."""
        caller = Caller(self.process)
        yield caller
        caller.channel.close()

    def command(self, *arguments: str, **environ: str | None) -> Ended:
        """The command line, on the store; None takes a variable away."""
        own = {"AUTHSVC_STATE_DIR": str(self.state_dir), "AUTHSVC_KEK_FILE": str(self.state_dir / "kek")}
        own |= {"AUTHSVC_STORE": self.store} if self.store else {}
        chosen = {name: value for name, value in {**own, **environ}.items() if value is not None}
        return run_command(*arguments, environ=chosen)

    @abstractmethod
    def copy(self, name: str) -> None:
        """Keep a copy of the store as it is; the server may be stopped and started again for it."""

    @abstractmethod
    def put_back(self, name: str) -> None:
        """Put the copy in the store's place, and nothing else."""

    @abstractmethod
    def restore(self, name: str, *options: str) -> Ended:
        """Do what an operator does to go on with the copy."""


class SqliteScene(Scene):
    """The embedded store."""

    def copy(self, name: str) -> None:
        ended = self.command("backup", str(self.folder / name))
        assert ended.code == 0, ended.err

    def put_back(self, name: str) -> None:
        shutil.copyfile(self.folder / name, self.state_dir / "authsvc.db")

    def restore(self, name: str, *options: str) -> Ended:
        return self.command("restore", str(self.folder / name), *options)


class PostgresScene(Scene):
    """A database, copied by the server itself."""

    def __init__(self, folder: Path, server: Server, name: str) -> None:
        super().__init__(folder, server.url(name))
        self._server = server
        self._name = name

    def copy(self, name: str) -> None:
        self.stop()
        self._execute(f"CREATE DATABASE {self._name}_{name} TEMPLATE {self._name}")
        self.start()

    def put_back(self, name: str) -> None:
        self._execute(f"DROP DATABASE {self._name}")
        self._execute(f"CREATE DATABASE {self._name} TEMPLATE {self._name}_{name}")

    def restore(self, name: str, *options: str) -> Ended:
        self.put_back(name)
        return self.command("restore", *options)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


class Caller(Peer):
    """A caller that keeps sessions."""

    def login(self, user: str) -> auth_pb2.IssueTokenResponse:
        """A session of that user."""
        return self.issue(user, refreshable=True)

    def revoke(self, **target: Any) -> int:
        """End something; returns the revision."""
        request = auth_pb2.RevokeTokensRequest(api_key=DEV, **target)
        return int(self.auth.RevokeTokens(request, metadata=self.metadata, timeout=PATIENCE).revision)

    def clear(self, **target: Any) -> bool:
        """Take a revocation back; whether there was one to take back."""
        stub = admin_pb2_grpc.AdminServiceStub(self.channel)
        request = admin_pb2.ClearRevocationRequest(api_key=DEV, **target)
        return bool(stub.ClearRevocation(request, metadata=self.metadata, timeout=PATIENCE).cleared)

    def refresh(self, refresh_token: str) -> str:
        """ROTATED, REPLAYED or why not."""
        request = auth_pb2.RefreshTokenRequest(refresh_token=refresh_token)
        try:
            answer = self.auth.RefreshToken(request, metadata=self.metadata, timeout=PATIENCE)
        except grpc.RpcError as refused:
            return reason_of(refused)
        return auth_pb2.RefreshOutcome.Name(answer.outcome).removeprefix("REFRESH_OUTCOME_")

    def first_update(self, cursor: str) -> trust_pb2.TrustUpdate:
        """What a verifier that comes with that cursor is told first."""
        stub = trust_pb2_grpc.TrustServiceStub(self.channel)
        request = trust_pb2.WatchTrustBundleRequest(api_key=DEV, cursor=cursor)
        call = stub.WatchTrustBundle(request, metadata=self.metadata, timeout=PATIENCE)
        try:
            return next(iter(call))
        finally:
            call.cancel()

    def cursor(self) -> str:
        """The cursor of a verifier that knows everything."""
        stub = trust_pb2_grpc.TrustServiceStub(self.channel)
        request = trust_pb2.WatchTrustBundleRequest(api_key=DEV)
        call = stub.WatchTrustBundle(request, metadata=self.metadata, timeout=PATIENCE)
        try:
            return next(update.cursor for update in call if update.cursor)
        finally:
            call.cancel()
