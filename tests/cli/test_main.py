"""The command as a process: its entry, its exit codes, what it loads."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import grpc
import pytest

from authsvc import __version__
from authsvc.cli.target import READ_BY_COMMANDS
from authsvc.v1.admin_pb2 import ListAppsResponse
from tests.cli.conftest import Run, process
from tests.client.scripted import scripted_server


def test_the_version_is_told(offline: Run) -> None:
    """`authsvc --version` names the program and its version."""
    assert offline("--version").out == f"authsvc {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("token",), ("apps",), ("accounts",)])
def test_without_a_command_the_help_is_shown(arguments: tuple[str, ...], offline: Run) -> None:
    """Whoever does not know the commands is shown them; for scripts it is wrong usage."""
    ended = offline(*arguments)
    assert (ended.code, ended.err.startswith("Usage: authsvc")) == (2, True)


def test_the_exit_codes_are_documented(offline: Run) -> None:
    """The help says what each exit code means."""
    assert "Exit codes: 0 done, 1 refused or failed" in offline("--help").out


COMMANDS = [
    "serve", "backup", "restore", "kek rotate", "refresh-key rotate", "guest-key rotate",
    "accounts bootstrap", "accounts recover", "accounts create", "accounts get", "accounts list",
    "accounts update", "accounts disable", "accounts enable", "accounts rotate", "accounts revoke-credential",
    "audit list", "revocations add", "revocations list", "revocations clear", "sessions list", "sessions revoke",
    "token revoke", "apps create", "apps get",
    "apps list", "apps update", "apps suspend", "apps resume", "token issue", "token validate", "token refresh",
    "token inspect",
]  # fmt: skip

ON_THE_STORE = ("backup", "restore", "kek", "refresh-key", "guest-key", "accounts bootstrap", "accounts recover")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(command: str, offline: Run) -> None:
    """Each command explains itself, and each but the server itself can be read by programs."""
    ended = offline(*command.split(), "--help")
    assert ended.code == 0
    assert ("--json" in ended.out) is (command != "serve")


def test_the_help_says_how_a_server_is_found(offline: Run) -> None:
    """Every variable that a command reads is in the help of the whole, and each command names those it cannot do
    without."""
    help_of_all = " ".join(offline("--help").out.split())
    for name in READ_BY_COMMANDS:
        assert name in help_of_all
    for command in COMMANDS:
        said = " ".join(offline(*command.split(), "--help").out.split())
        on_the_store = command.startswith(ON_THE_STORE)
        assert ("AUTHSVC_KEK_FILE names the key" in said) is on_the_store, command
        talks = not on_the_store and command not in ("serve", "token inspect")
        assert ("that AUTHSVC_TARGET and AUTHSVC_CREDENTIAL" in said) is talks, command


def test_an_unknown_command_names_the_nearest(offline: Run) -> None:
    """A typing mistake costs one look."""
    ended = offline("tokn")
    assert (ended.code, "Did you mean 'token'?" in ended.err) == (2, True)


def test_the_command_line_loads_neither_grpc_nor_the_server() -> None:
    """A server's process is prepared before gRPC is imported, and offline commands do not wait for it."""
    program = "import sys, authsvc.cli.main; print({'grpc', 'apsw', 'pydantic_settings'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_arguments_that_are_no_text_are_wrong_usage() -> None:
    """Bytes that no message can carry end with a sentence, not with a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "authsvc", "token", "inspect", b"\xff"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, b"Error: arguments must be UTF-8 text\n")


def test_a_closed_pipe_is_no_fault_of_the_command() -> None:
    """A reader that has seen enough, such as `head`, leaves no traceback behind."""
    with process("--help") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert "Traceback" not in running.stderr.read()


@contextmanager
def silent_server(asked: Event, end_of_test: Event) -> Iterator[str]:
    """A server that takes a call and says nothing; its target."""

    def wait(_: object, __: grpc.ServicerContext) -> ListAppsResponse:
        asked.set()
        end_of_test.wait()
        return ListAppsResponse()

    with scripted_server() as silent:
        silent.script = [wait]
        yield silent.target
        end_of_test.set()


def test_ctrl_c_ends_with_130() -> None:
    """Interrupted while it waits for an answer, the command ends at once, quietly, with the code for it."""
    asked, end_of_test = Event(), Event()
    with (
        silent_server(asked, end_of_test) as target,
        process("apps", "list", AUTHSVC_TARGET=target, AUTHSVC_CREDENTIAL="ask1_x") as running,
    ):
        assert asked.wait(30)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (130, "", "")


def test_a_failed_handshake_is_told_in_one_line() -> None:
    """What gRPC logs by itself about TLS does not surround the sentence."""
    with scripted_server(address="0.0.0.0:0") as plain:
        target = plain.target.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - a name that is not loopback
        with process("apps", "list", AUTHSVC_TARGET=target, AUTHSVC_CREDENTIAL="ask1_x") as running:
            out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"UNAVAILABLE: TLS with {target} failed: ")


def test_serve_refuses_with_a_sentence(tmp_path: Path) -> None:
    """A server that may not start says why, and the command ends with 2."""
    with process("serve", AUTHSVC_STATE_DIR=str(tmp_path), AUTHSVC_LISTEN="127.0.0.1:0") as running:
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, "Traceback" in err) == (2, "", False)
    assert "AUTHSVC_KEK_FILE" in err


def test_a_development_server_is_found_and_stopped(tmp_path: Path, offline: Run) -> None:
    """`serve --dev` starts from nothing, the other commands find it by its state, and a signal ends it with 0."""
    settings = {"AUTHSVC_STATE_DIR": str(tmp_path), "AUTHSVC_LISTEN": "127.0.0.1:0", "AUTHSVC_LAME_DUCK": "0"}
    with process("serve", "--dev", **settings) as running:
        assert running.stdout is not None
        try:
            assert running.stdout.readline().startswith("authsvc listens on 127.0.0.1:")
            issued = offline("token", "issue", "--user", "sara", "--json")
            assert json.loads(issued.out)["info"]["api_key"] == "dev"
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=30)
        finally:
            running.kill()
    assert running.returncode == 0
