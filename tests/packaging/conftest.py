"""The wheel, and an environment that holds nothing but it and what it asks for."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tools.locks import ROOT

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
INSTALLING_S, RUNNING_S = 240, 60


@dataclass(frozen=True)
class Environment:
    """A virtual environment in its folder; what runs in it sees neither this tree nor what is installed here."""

    folder: Path

    def program(self, name: str) -> Path:
        """A program of it."""
        return self.folder / "bin" / name

    def run(self, *command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program of it by name, with these settings and none of authsvc's besides."""
        with self.started(*command, **environ) as program:
            said, complaints = program.communicate(timeout=RUNNING_S)
            return subprocess.CompletedProcess(program.args, program.returncode, said, complaints)

    @contextmanager
    def started(self, *command: str | Path, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """The same while it runs; it is ended if it did not end."""
        name, *arguments = map(str, command)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHSVC_", "PYTHON"))}
        program = subprocess.Popen(
            [str(self.program(name)), *arguments],
            cwd=self.folder,
            env={**kept, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield program
        finally:
            program.kill()
            program.communicate()

    def python(self, program: str, *arguments: str, **environ: str) -> str:
        """What a Python program writes there; it has to end well."""
        done = self.run("python", "-I", "-c", program, *arguments, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a release would hold it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)], check=True
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def client_only(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment after ``pip install authsvc``; the packages come from where pip is configured to find them."""
    folder = tmp_path_factory.mktemp("client-only")
    _find_packages(folder / "probe")
    venv.create(folder / "venv", with_pip=False)
    environment = Environment(folder / "venv")
    command = [*PIP, "--python", str(environment.program("python")), "install", str(wheel)]
    subprocess.run(command, check=True, timeout=INSTALLING_S)
    return environment


def _find_packages(folder: Path) -> None:
    """One small package, to tell an index that cannot be reached from a wheel that cannot be installed."""
    command = [
        *PIP,
        "download",
        "--no-deps",
        "--retries",
        "1",
        "--timeout",
        "15",
        "--dest",
        str(folder),
        "structlog>=26",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALLING_S)
    if done.returncode:
        _unavailable(f"pip finds no packages: {done.stderr.strip()[-300:]}")


def _unavailable(why: str) -> NoReturn:
    reason = f"the wheel cannot be installed into an empty environment: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
