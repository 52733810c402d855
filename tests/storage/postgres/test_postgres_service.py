"""The service over PostgreSQL: the command line, a server process, and refreshes whose commits lose their answers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from authsvc.storage.migrate import shipped
from tests.cli.conftest import Ended, run_command
from tests.races.presenting import race
from tests.races.server_process import ServerProcess
from tests.races.wire import REPLAYED, ROTATED, connected, new_request_id
from tests.storage.postgres.server import Server
from tests.storage.postgres.waiting import eventually
from tests.storage.postgres.wire import Cut, Wire

SECRET = "hunter2"


@pytest.fixture(scope="module")
def network(postgres_server: Server) -> Iterator[Wire]:
    """The network between the service and its store."""
    network = Wire(postgres_server.socket)
    yield network
    network.close()


def address(network: Wire, database: str) -> str:
    """The address of a database on the other side of it, with a password."""
    return f"postgresql://postgres:{SECRET}@127.0.0.1:{network.port}/{database}?sslmode=disable&gssencmode=disable"


@pytest.fixture
def url(postgres_server: Server, network: Wire) -> Iterator[str]:
    """The address of an empty database."""
    with postgres_server.empty() as name:
        yield address(network, name)


@pytest.fixture(scope="module")
def process(postgres_server: Server, network: Wire) -> Iterator[ServerProcess]:
    """A development server, started on an empty database; killed when the last test ends."""
    with postgres_server.empty() as name, tempfile.TemporaryDirectory(prefix="authsvc-test-") as state_dir:
        process = ServerProcess(Path(state_dir), address(network, name))
        process.start()
        yield process
        process.kill()


def test_the_command_line_knows_the_store(url: str, tmp_path: Path) -> None:
    """A new database is migrated before anything else, then gets its first account; the password is never shown."""
    kek, credential = tmp_path / "kek", tmp_path / "credential"
    kek.write_bytes(bytes(range(32)))
    kek.chmod(0o600)
    said = ""

    def run(*arguments: str) -> Ended:
        nonlocal said
        ended = run_command(*arguments, environ={"AUTHSVC_STORE": url, "AUTHSVC_KEK_FILE": str(kek)})
        said += ended.out + ended.err
        return ended

    first = shipped("postgres")[0]
    bootstrap = ("accounts", "bootstrap", "--name", "ops", "--credential-file", str(credential))
    refused = run(*bootstrap)
    assert (refused.code, "run `authsvc migrate`" in refused.err) == (1, True)
    assert run("migrate", "--check").code == 1
    assert first.sql in run("migrate", "--dry-run").out
    assert run("migrate", "--check").code == 1
    assert "applied: 0001_first" in run("migrate").out
    assert run("migrate", "--check").code == 0
    assert run(*bootstrap).code == 0
    assert credential.read_text().startswith("ask1_")
    again = run("accounts", "bootstrap", "--name", "ops", "--credential-file", str(tmp_path / "other"))
    assert (again.code, "there are service accounts already" in again.err) == (1, True)
    assert SECRET not in said


def test_one_token_presented_by_many(process: ServerProcess) -> None:
    """Of 64 that present one refresh token at once, one rotates it and 63 are given the same child."""
    with connected(process.target, process.credential) as wire:
        raced = [race(wire, user=f"user-{number}") for number in range(3)]
    assert [one.faults for one in raced] == [[], [], []]
    assert {tuple(sorted(one.outcomes.items())) for one in raced} == {((REPLAYED, 63), (ROTATED, 1))}


@pytest.mark.parametrize(("cut", "outcome"), [(Cut.BEFORE_COMMIT, ROTATED), (Cut.AFTER_COMMIT, REPLAYED)])
@pytest.mark.parametrize("identified", [False, True])
def test_a_refresh_whose_commit_lost_its_answer(
    process: ServerProcess, network: Wire, cut: Cut, outcome: str, identified: bool
) -> None:
    """The caller is told UNAVAILABLE and asks again; it gets the one child, and the session lives."""
    request_id = new_request_id() if identified else ""
    with connected(process.target, process.credential) as wire:
        token = wire.issue().refresh_token
        network.cut(cut)
        with pytest.raises(grpc.RpcError) as refusal:
            wire.refresh(token, request_id=request_id)
        assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
        assert SECRET not in str(refusal.value)
        again = wire.refresh(token, request_id=request_id)
        assert again.outcome == outcome
        assert wire.refresh(again.child).outcome == ROTATED
        assert wire.status(again.access) == "ACTIVE"


def test_a_revocation_whose_commit_lost_its_answer(process: ServerProcess, network: Wire) -> None:
    """When reuse was found out but the answer of the commit was lost, the session's access tokens end all the same."""
    with connected(process.target, process.credential) as wire:
        stolen = wire.issue()
        child = wire.refresh(stolen.refresh_token)
        grandchild = wire.refresh(child.child)
        network.cut(Cut.AFTER_COMMIT)
        with pytest.raises(grpc.RpcError):
            wire.refresh(stolen.refresh_token)
        assert wire.refresh(grandchild.child).outcome == "SESSION_REVOKED"
        eventually(lambda: wire.status(grandchild.access) == "SESSION_REVOKED")


def test_a_second_start_keeps_everything(process: ServerProcess) -> None:
    """After a second start the session goes on, and nothing the server wrote shows the password."""
    with connected(process.target, process.credential) as wire:
        issued = wire.issue()
    assert process.stop() == 0
    process.start()
    with connected(process.target, process.credential) as wire:
        assert wire.refresh(issued.refresh_token).outcome == ROTATED
        assert wire.status(issued.token) == "ACTIVE"
    log = (process.state_dir / "server.log").read_text()
    assert "server ready" in log
    assert SECRET not in log
