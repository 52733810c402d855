"""``authsvc serve --dev`` as it is really run: from nothing to a service that works, and again."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from authsvc.v1 import auth_pb2 as pb
from authsvc.v1 import auth_pb2_grpc
from tests.app.processes import BARE, ServerProcess, serving
from tests.rpc.surface import bearer


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


def test_the_greeting_works_when_it_is_pasted(state_dir: Path) -> None:
    """The line that reads the credential gives it to a shell, and the calls name the address that is served."""
    state = state_dir / "st ate's"  # as in anyone's home
    with serving(state, "--dev") as server:
        target = server.target()
        (line,) = [line.strip() for line in server.out.splitlines() if "export AUTHSVC_CREDENTIAL" in line]
        shell = ["sh", "-c", f'{line}; printf %s "$AUTHSVC_CREDENTIAL"']
        path = {"PATH": f"{Path(sys.executable).parent}:{BARE['PATH']}"}
        read = subprocess.run(shell, env=path, capture_output=True, text=True, check=True, cwd=state_dir)
        assert read.stdout == dev_json(state)["credential"]
        calls = [line for line in server.out.splitlines() if "grpcurl" in line]
        assert len(calls) == 5
        assert all(f"-plaintext {target} " in line or f" {target} authsvc.v1" in line for line in calls)


@pytest.mark.parametrize("tracing", ["http,metadata"])
def test_tracing_is_allowed_in_development_only(state_dir: Path, tracing: str) -> None:
    """With --dev the server starts under GRPC_TRACE, which elsewhere is refused."""
    with serving(state_dir / "state", "--dev", GRPC_TRACE=tracing) as server:
        assert server.target()
