"""``authsvc serve --dev`` as it is really run: from nothing to a service that works, and again."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, suppress
from pathlib import Path

import grpc
import pytest

from authsvc.app.private_files import create_private
from authsvc.v1 import auth_pb2 as pb
from authsvc.v1 import auth_pb2_grpc
from tests.app.processes import BARE, ServerProcess, refusal, serving
from tests.rpc.surface import bearer, eventually
from tests.storage.postgres.server import Server


def dev_json(state_dir: Path) -> dict[str, str]:
    """What a tool finds in the state directory."""
    found: dict[str, str] = json.loads((state_dir / "dev.json").read_text())
    return found


def issue_and_validate(content: dict[str, str], token: str = "") -> str:
    """With nothing but that file: a token that is ACTIVE; one from before, or a new one."""
    metadata = bearer(content["credential"])
    with grpc.insecure_channel(content["target"]) as channel:
        auth = auth_pb2_grpc.AuthServiceStub(channel)
        if not token:
            request = pb.IssueTokenRequest(api_key=content["api_key"], user=pb.User(id="sara"))
            token = auth.IssueToken(request, metadata=metadata, timeout=30).token
        check = pb.ValidateTokenRequest(api_key=content["api_key"], token=token)
        assert auth.ValidateToken(check, metadata=metadata, timeout=30).active
    return token


def modes(state_dir: Path) -> dict[str, int]:
    """Who may read what lies in the state directory."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in state_dir.iterdir()}


def status_of(server: ServerProcess, name: str) -> str:
    """A line of what the system says of the process."""
    lines = Path(f"/proc/{server.process.pid}/{name}").read_text().splitlines()
    return next(line for line in lines if line.startswith(("Umask:", "Max core file size")))


def test_a_first_start_makes_all_that_is_needed_and_a_second_keeps_it(state_dir: Path) -> None:
    """KEK, app, account and dev.json are made once, privately; the next process serves the same with the same."""
    state = state_dir / "state"
    with serving(state, "--dev") as first:
        target = first.target()
        content = dev_json(state)
        assert list(content) == ["target", "api_key", "credential"]
        assert (content["target"], content["api_key"]) == (target, "dev")
        token = issue_and_validate(content)
        kek = (state / "kek").read_bytes()
        assert {mode & 0o077 for mode in modes(state).values()} == {0}, "nobody else may look"
        assert modes(state)["dev.json"] == modes(state)["kek"] == 0o600
        assert status_of(first, "status").split() == ["Umask:", "0077"]
        assert status_of(first, "limits").split()[4:6] == ["0", "0"], "no core dumps"
        first.signal()
        assert first.exit_code() == 0
    with serving(state, "--dev") as second:
        second.target()
        again = dev_json(state)
        assert (again["credential"], (state / "kek").read_bytes()) == (content["credential"], kek)
        issue_and_validate(again, token)
        for process in (first, second):
            assert content["credential"] not in process.out + process.err
            assert token not in process.out + process.err


def pasted(server: ServerProcess, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """All lines of the greeting but those for grpcurl, in order in one shell, then ``more``."""
    (folder / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    command = folder / ".venv" / "bin" / "authsvc"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m authsvc "$@"\n')
    command.chmod(0o755)
    lines = [line for line in server.out.splitlines() if line.startswith("  ") and "grpcurl" not in line]
    environ = {**BARE, "PATH": f"{Path(sys.executable).parent}:{BARE['PATH']}"}
    script = "\n".join(["set -e", *lines, *more])
    return subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("name", ["var", "st ate's"])  # as in anyone's home
def test_the_greeting_works_when_it_is_pasted(state_dir: Path, name: str) -> None:
    """The line that reads the credential gives it to a shell, the calls name the address that is served, and the
    command line works in that same shell."""
    state = state_dir / name
    with serving(state, "--dev", AUTHSVC_STATE_DIR=name) as server:
        target = server.target()
        read = pasted(server, state_dir, 'printf %s "$CREDENTIAL"')
        assert (read.returncode, read.stderr) == (0, "")
        assert re.search(r"^user +sara$", read.stdout, re.MULTILINE)
        assert read.stdout.endswith(dev_json(state)["credential"])
        calls = [line for line in server.out.splitlines() if "grpcurl" in line]
        assert len(calls) == 5
        assert all(f"-plaintext {target} " in line or f" {target} authsvc.v1" in line for line in calls)
        assert all("'authorization: Bearer ${CREDENTIAL}'" in line for line in calls[2:])


def test_a_server_beside_another_leaves_it_its_dev_json(state_dir: Path) -> None:
    """The file names the first server of a folder while that runs; the second one's lines reach the second one."""
    state = state_dir / "var"
    with serving(state, "--dev", AUTHSVC_STATE_DIR="var") as first:
        before = {**dev_json_of(first, state), "target": first.target()}
        with serving(state, "--dev", AUTHSVC_STATE_DIR="var") as second:
            assert second.target() != first.target()
            assert dev_json(state) == before
            assert f"AUTHSVC_TARGET={second.target()} " in second.out
            first.signal()
            assert first.exit_code() == 0
            done = pasted(second, state_dir)
            assert re.search(r"^user +sara$", done.stdout, re.MULTILINE), done.stderr
        with serving(state, "--dev", AUTHSVC_STATE_DIR="var") as third:
            assert dev_json_of(third, state)["target"] == third.target()


def test_servers_that_start_together_in_a_new_folder(state_dir: Path) -> None:
    """All of them start, and end with one KEK, one app, one key and a credential that each of them takes."""
    check_together([state_dir / "state"] * 4, {})


def test_servers_that_start_together_on_a_new_database(state_dir: Path) -> None:
    """The same where each has a folder of its own."""
    create_private(state_dir / "kek", bytes(range(32)))
    postgres = Server()
    try:
        with postgres.migrated() as database:
            environ = {"AUTHSVC_STORE": postgres.url(database), "AUTHSVC_KEK_FILE": str(state_dir / "kek")}
            check_together([state_dir / str(number) for number in range(4)], environ)
    finally:
        postgres.close()


def check_together(folders: Sequence[Path], environ: Mapping[str, str]) -> None:
    """Start a server on each folder at once; what one mints is good with all, asked with the credential that counts."""
    with ExitStack() as running:
        servers = [running.enter_context(serving(folder, "--dev", **environ)) for folder in folders]
        targets = [server.target() for server in servers]
        assert len(set(targets)) == len(servers)
        credential = working_credential(targets[0], {dev_json(folder)["credential"] for folder in folders})
        token = ""
        for target in targets:
            content = {"target": target, "api_key": "dev", "credential": credential}
            token = issue_and_validate(content, token) if token else issue_and_validate(content)


def working_credential(target: str, credentials: AbstractSet[str]) -> str:
    """The one that the account has: of several servers that made it new, the last one's, as soon as this one knows."""
    with grpc.insecure_channel(target) as channel:
        auth = auth_pb2_grpc.AuthServiceStub(channel)

        def works(credential: str) -> bool:
            with suppress(grpc.RpcError):
                request = pb.ValidateTokenRequest(api_key="dev", token="x")
                auth.ValidateToken(request, metadata=bearer(credential), timeout=30)
                return True
            return False

        (one,) = eventually(lambda: list(filter(works, credentials)), lambda working: len(working) == 1)
    return one


def dev_json_of(server: ServerProcess, state: Path) -> dict[str, str]:
    """What a tool finds once that server is ready."""
    server.target()
    return dev_json(state)


def test_a_lost_kek_is_not_made_anew(state_dir: Path) -> None:
    """It would open nothing: the refusal names the file and the way to begin anew, and makes none."""
    state = state_dir / "state"
    with serving(state, "--dev") as server:
        server.target()
        server.signal()
        assert server.exit_code() == 0
    kek = (state / "kek").rename(state_dir / "kept")
    said = refusal(state, "--dev")
    assert said.startswith(f"{state / 'kek'} is gone, and the store opens with that key alone: put the file back, or")
    assert f"removing the folder {state} " in said
    assert not (state / "kek").exists()
    create_private(state / "kek", b"k" * 32)
    said = refusal(state, "--dev")
    assert f"sealed with, which {state / 'kek'} is not: put the file back, or begin anew by removing" in said
    kek.replace(state / "kek")
    with serving(state, "--dev") as server:
        server.target()


@pytest.mark.parametrize("tracing", ["http,metadata"])
def test_tracing_is_allowed_in_development_only(state_dir: Path, tracing: str) -> None:
    """With --dev the server starts under GRPC_TRACE, which elsewhere is refused."""
    with serving(state_dir / "state", "--dev", GRPC_TRACE=tracing) as server:
        assert server.target()
