"""`pip install authsvc` without extras: the client works, the command says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What only the extra `server` installs; importing one of these fails, as on a machine without it.
ABSENT = (
    "apsw",
    "grpc_health",
    "grpc_reflection",
    "orjson",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "rich",
    "typer",
)

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
    """Importing the client works with the base dependencies alone."""
    result = run("import authsvc.client")
    assert result.returncode == 0, result.stderr


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
