"""Runs the command line, within this process and as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from authsvc.cli.main import app
from tests.conftest import RunningServer


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    @property
    def facts(self) -> dict[str, str]:
        """The two columns of a table of facts."""
        lines = self.out.partition("\n\n")[0].splitlines()
        return {name: value.strip() for name, _, value in (line.partition("  ") for line in lines)}


Run = Callable[..., Ended]


def run_command(*arguments: str, environ: dict[str, str], given: str | bytes | None = None) -> Ended:
    """Run a command within this process, in exactly that AUTHSVC_* environment."""
    cleared = {name: None for name in os.environ if name.startswith("AUTHSVC_")}
    ended = CliRunner().invoke(app, list(arguments), input=given, env={**cleared, **environ}, prog_name="authsvc")
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return Ended(ended.exit_code, ended.stdout, ended.stderr)


@pytest.fixture
def offline(tmp_path: Path) -> Run:
    """Run commands where no server is to be found."""

    def run(*arguments: str, given: str | bytes | None = None, **environ: str) -> Ended:
        return run_command(*arguments, environ={"AUTHSVC_STATE_DIR": str(tmp_path), **environ}, given=given)

    return run


@pytest.fixture
def cli(server: RunningServer, tmp_path: Path) -> Run:
    """Run commands as someone who just started a development server."""
    found = {"target": server.target, "api_key": server.api_key, "credential": server.credential}
    (tmp_path / "dev.json").write_text(json.dumps(found))

    def run(*arguments: str, given: str | bytes | None = None, **environ: str) -> Ended:
        return run_command(*arguments, environ={"AUTHSVC_STATE_DIR": str(tmp_path), **environ}, given=given)

    return run


def process(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    """Start the command as a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHSVC_", "GRPC_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "authsvc", *arguments],
        env={**inherited, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
