"""The import contracts of pyproject.toml notice what they are there to notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Where an import is added, the import, and the contract that must then be broken.
VIOLATIONS = [
    ("errors", "import authsvc.model", "Imports go one way"),
    ("storage", "import authsvc.signing", "Imports go one way"),
    ("tokens", "import authsvc.accounts", "Imports go one way"),
    ("apps", "import authsvc.rpc", "Imports go one way"),
    ("rpc", "import authsvc.app", "Imports go one way"),
    ("operations", "import authsvc.tokens", "Imports go one way"),
    ("keys", "import authsvc.apps", "Imports go one way"),
    ("metrics", "import authsvc.errors", "Imports go one way"),
    ("newcomer", "import authsvc.errors", "Imports go one way"),
    ("rpc", "import authsvc.config", "Only app and cli read settings"),
    ("config", "import authsvc.storage", "Settings know nothing of what they set"),
    ("client", "import authsvc.tokens", "The client needs no server"),
    ("app", "import authsvc.client", "Only cli uses the client"),
    ("trust.view", "import authsvc.storage", "Verifying needs no store"),
    ("verify", "import authsvc.storage.base", "Verifying needs no store"),
    ("tokens", "import authsvc.v1", "Only the edges speak protobuf"),
    ("tokens", "import grpc", "Only the edges know gRPC"),
    ("storage", "from google.protobuf import struct_pb2", "Only the edges know gRPC"),
    ("verify", "import jwt", "Only signing knows PyJWT"),
    ("verify", "import authsvc.metrics", "What clients verify with counts for itself"),
    ("storage.sqlite", "import authsvc.metrics", "What clients verify with counts for itself"),
    ("rpc", "import prometheus_client", "Only metrics knows Prometheus"),
    ("rpc.server", "import opentelemetry.trace", "Only the tracing modules know OpenTelemetry"),
    ("client.calls", "from opentelemetry import trace", "Only the tracing modules know OpenTelemetry"),
    ("storage.base", "import apsw", "Only its backend knows SQLite"),
    ("storage.sqlite", "import psycopg_pool", "Only its backend knows PostgreSQL"),
    ("storage.sqlite", "import psycopg", "Only its backend knows PostgreSQL"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with its contracts, free to be spoilt."""
    shutil.copytree(ROOT / "authsvc", tmp_path / "authsvc", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def add_import(copy: Path, module: str, statement: str) -> None:
    """Append an import to a module or package, making the package when there is none."""
    place = copy / "authsvc" / module.replace(".", "/")
    file = place.with_suffix(".py")
    if not file.exists():
        place.mkdir(exist_ok=True)
        file = place / "__init__.py"
    with file.open("a") as source:
        source.write(f"\n{statement}\n")


def lint(copy: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the copy, not on the installed package."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def test_the_package_as_it_is_keeps_every_contract(copy: Path) -> None:
    """Without a violation nothing is reported: the failures below are not there by themselves."""
    result = lint(copy)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(("module", "statement", "contract"), VIOLATIONS)
def test_a_forbidden_import_breaks_its_contract(copy: Path, module: str, statement: str, contract: str) -> None:
    """One import in the wrong direction fails the lint and names the contract it broke."""
    add_import(copy, module, statement)
    result = lint(copy)
    assert result.returncode == 1, result.stdout
    assert f"{contract} BROKEN" in result.stdout
