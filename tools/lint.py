"""Every check that reads the tree without running it; all of them run, so that one visit shows every fault."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The tools are those of the environment this module runs in, whatever is on the PATH.
BIN = Path(sys.executable).parent

CHECKS: tuple[tuple[str, ...], ...] = (
    ("ruff", "check", "--quiet"),
    ("ruff", "format", "--check", "--quiet"),
    ("lint-imports", "--no-logo"),
    ("deptry", "--no-ansi", "authsvc"),
    ("buf", "lint"),
    ("buf", "format", "--diff", "--exit-code", "protos"),
    ("hadolint", "Dockerfile"),
    ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"),
    ("python", "-m", "tools.locks", "check"),
)


def passes(command: tuple[str, ...]) -> bool:
    """Run one check; its output is shown only when it fails."""
    started = time.monotonic()
    program = BIN / command[0]
    done = subprocess.run(
        [program, *command[1:]], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    verdict = "FAIL" if done.returncode else "ok"
    print(f"{verdict:5}{' '.join(command)} ({time.monotonic() - started:.1f} s)", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return not done.returncode


def main() -> int:
    """The exit code is 0 when every check passed."""
    verdicts = [passes(command) for command in CHECKS]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
