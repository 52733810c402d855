"""`pip install authsvc` without extras: the client works, the command says what to install."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# What only the extra `server` installs; importing one of these fails, as on a machine without it.
ABSENT = (
    "apsw",
    "grpc_health",
    "grpc_reflection",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "rich",
    "typer",
)

# What is loaded together with each name that the client offers, where everything is installed.
LOADED = """
import authsvc.client as sdk
for name in sdk.__all__:
    getattr(sdk, name)
"""
# What waits until it is needed: a client's first logger, and the first key that PyJWT does the mathematics for.
USED = """
from authsvc.logs import Console
from authsvc.model import Algorithm
from authsvc.signing.algorithms import prepare
with sdk.AuthClient("127.0.0.1:1", log_options={"default": {"sink": Console()}}):
    prepare(Algorithm.EDDSA)
"""
TELL = """
import json, sys
print(json.dumps(sorted(sys.modules)))
"""
OF_THE_SERVER = {
    *("app", "cli", "rpc", "tokens", "accounts", "apps", "keys", "operations", "storage", "metrics", "config"),
    *("trust.feed", "trust.secrets", "__main__"),
}
LIBRARIES_OF_THE_SERVER = {
    *ABSENT,
    "grpc_health",
    "grpc_reflection",
    "psycopg",
    "psycopg_pool",
    "sentry_sdk",
    "starlette",
}

WITHOUT_SERVER = f"""
import sys
for name in {ABSENT!r}:
    sys.modules[name] = None
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program as if the extra `server` was not installed."""
    command = [sys.executable, "-c", WITHOUT_SERVER + program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_client_needs_no_server_package() -> None:
    """Importing the client, with all that it offers, and making one works with the base dependencies alone."""
    result = run(LOADED + USED)
    assert result.returncode == 0, result.stderr


def loaded(program: str) -> set[str]:
    """The modules of the server, and its libraries, that a program of this environment ends up with."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    modules = set(json.loads(done.stdout))
    ours = {part for part in OF_THE_SERVER if f"authsvc.{part}" in modules}
    return ours | {name for name in LIBRARIES_OF_THE_SERVER if name in modules}


def test_the_client_loads_no_server_code() -> None:
    """Whatever a program takes from the client, no module of the server and none of its libraries comes along."""
    # gRPC and structlog look for some of them by themselves, and take what is there.
    assert loaded(LOADED + TELL) - loaded("import grpc" + TELL) == set()
    assert loaded(LOADED + USED + TELL) - loaded("import grpc, structlog" + TELL) == set()


def test_loaded_server_code_would_be_noticed() -> None:
    """The control: a program that takes the client and the command line has a good part of both lists."""
    found = loaded("import authsvc.app.composition, authsvc.cli.main" + LOADED + TELL)
    assert {"rpc", "storage", "tokens", "metrics", "cli", "apsw", "pydantic", "prometheus_client", "typer"} <= found


@pytest.mark.parametrize("name", ABSENT)
def test_the_absent_packages_are_really_absent(name: str) -> None:
    """The stand-in for a client-only machine does what it is for."""
    assert "ModuleNotFoundError" in run(f"import {name}").stderr


def test_the_command_says_what_to_install() -> None:
    """`authsvc` on a client-only install names the extra instead of showing a traceback."""
    result = run("sys.argv = ['authsvc', '--version']\nfrom authsvc.__main__ import main\nsys.exit(main())")
    assert result.returncode != 0
    assert "authsvc[server]" in result.stderr
    assert "Traceback" not in result.stderr
