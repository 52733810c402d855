"""The first start for production, as the README has it, pasted from top to bottom."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from authsvc.cli.target import READ_BY_COMMANDS
from tests.app.processes import BARE, serving

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "127.0.0.1:50051"
BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE = 120.0


def blocks() -> tuple[str, str]:
    """What is pasted into the terminal of the server, and into the second one."""
    chapter = README.read_text().partition("\n## For production\n")[2]
    first, second = BLOCK.findall(chapter)[:2]
    return first, second


def environment(folder: Path) -> dict[str, str]:
    """That of somebody who did what stands above the chapter: the command is where `make run` puts it."""
    command = folder / ".venv" / "bin" / "authsvc"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m authsvc "$@"\n')
    command.chmod(0o755)
    return {**BARE, "AUTHSVC_LISTEN": "127.0.0.1:0"}


def pasted(folder: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """The lines in one shell that stops at the first that fails."""
    environ = environment(folder)
    return subprocess.run(
        ["bash", "-euc", lines], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def test_production_begins_beside_development(state_dir: Path) -> None:
    """From a folder in which a development server was: key, first account, server, app and token, in this order."""
    with serving(state_dir / "var", "--dev") as development:
        development.target()
        development.signal()
        assert development.exit_code() == 0
    first, second = blocks()
    server = subprocess.Popen(
        ["bash", "-euc", first.replace("authsvc serve", "exec authsvc serve")],
        cwd=state_dir,
        env=environment(state_dir),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        said = []
        for line in server.stderr:
            said.append(line)
            if "server ready" in line:
                break
        ready = re.search(r'"target": ?"([^"]+)"', said[-1]) if said else None
        assert ready is not None, "".join(said)
        assert ADDRESS in second
        done = pasted(state_dir, second.replace(ADDRESS, ready[1]))
        assert done.returncode == 0, done.stderr
        assert re.search(r"^user +sara$", done.stdout, re.MULTILINE)
        assert re.search(r"^app +shop$", done.stdout, re.MULTILINE)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=PATIENCE)
        assert server.returncode == 0
    finally:
        server.kill()
        server.wait()


def test_pasting_it_again_keeps_the_key(state_dir: Path) -> None:
    """The store is sealed with it: the second time the first account is refused, and nothing is lost."""
    lines = blocks()[0].replace("authsvc serve", "true")
    assert pasted(state_dir, lines).returncode == 0
    kek = (state_dir / "secrets" / "kek").read_bytes()
    again = pasted(state_dir, lines)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    assert (state_dir / "secrets" / "kek").read_bytes() == kek


def test_every_setting_of_commands_is_in_the_readme() -> None:
    """Each variable that tells a command which server to talk to."""
    text = README.read_text()
    assert [name for name in sorted(READ_BY_COMMANDS) if f"`{name}`" not in text] == []
