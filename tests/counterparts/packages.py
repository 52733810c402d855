"""The packages for Node.js, installed once by their lock and run as programs that read and write JSON."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import pytest

PROGRAMS = Path(__file__).parent / "node"
KEPT = Path(__file__).parents[2] / "var" / "counterparts"
LOCKED = ("package.json", "package-lock.json", ".npmrc")
_INSTALLING_S, _RUNNING_S = 180, 60


def run_node(program: str, given: object) -> Any:
    """What a program answers; without Node.js or a registry the test is skipped, and fails where CI must have them."""
    folder = _installed()
    shutil.copy(PROGRAMS / program, folder)
    node = shutil.which("node")
    assert node is not None
    ended = subprocess.run(
        [node, program],
        cwd=folder,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=_RUNNING_S,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def _installed() -> Path:
    """A folder with the packages of the lock, kept for the next run; two runs at once do not meet in it."""
    if shutil.which("node") is None or (npm := shutil.which("npm")) is None:
        _unavailable("node and npm are not on this machine")
    contents = [(PROGRAMS / name).read_bytes() for name in LOCKED]
    kept = KEPT / hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]
    if kept.is_dir():
        return kept
    KEPT.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=KEPT))
    for name, content in zip(LOCKED, contents, strict=True):
        (fresh / name).write_bytes(content)
    _install(npm, fresh)
    try:
        fresh.rename(kept)
    except OSError:  # another run was faster
        shutil.rmtree(fresh)
    return kept


def _install(npm: str, folder: Path) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_INSTALLING_S)
        fault = ended.stderr.strip()[-300:] if ended.returncode else ""
    except subprocess.TimeoutExpired:
        fault = f"no end after {_INSTALLING_S} s"
    if fault:
        shutil.rmtree(folder)
        _unavailable(f"npm ci did not install them: {fault}")


def _unavailable(why: str) -> NoReturn:
    reason = f"the counterparts for Node.js cannot be run: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
