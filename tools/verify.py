"""Proofs that take too long for the tests: each is bounded, on loopback only, and leaves its result as a file.

python -m tools.verify                       all parts, one after the other
python -m tools.verify race --count 1000     one part, with another count than its own
python -m tools.verify --table               no part: the table of the results that are there

race                64 presentations of one refresh token at once, and refreshes against a revocation, in rounds
race-revoke         each target of RevokeTokens against refreshing, or showing, what it ends
kill                a server process killed under load, at so many points: nothing acknowledged is lost
headers-only        16 connections hold 128 streams without bodies each, for so many seconds, beside a good caller
race-postgres       race, with PostgreSQL as the store
restart-postgres    the database server restarted and crashed under 64 refreshers: served again within 10 s each
terminate-postgres  so many of the service's database sessions ended under 64 refreshers
cut-postgres        the connection cut before and after the commit of a refresh: one child, the session alive
follow              so many revocations of each kind, seen by the other of two processes within 1 s; the store cut
interleave          two revocations and a mint at once, on two processes, so many times: nothing survives that must not
million             so many live revocations: memory and start of a worker, Validate against an empty view
rotations           so many rotations of a key under load, on two processes; every fifth key revoked, seen within 1 s
kill-kek            a rotation of the KEK killed at so many points on each backend, and run again: nothing is lost
agree               so many answers of the service and of verifiers of both kinds about the same tokens: all the same
verifiers           so many revocations, seen by 20 processes within 1 s; the service stopped: STALE; back: within 5 s
client-day          a day of refreshes by so many users who share a client: lost replies, restarts, nobody logged out
soak                so many sessions opened, refreshed and over, or revoked, and forgotten: the file is as a new store's
refresh-cost        a refresh with so many sessions, and a tenth, in turns with 10,000: within 10 %, on each backend

A result is a line on standard output and var/verify/<part>.json, with the commit and the date. At the end all results
that are there, of earlier runs too, are printed as one table, which is var/verify/results.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools import proofs, verify_client, verify_following, verify_keys, verify_postgres, verify_soak, verify_verifiers
from tools.proofs import Part, Result
from tools.verify_table import write_table

ROOT = Path(__file__).resolve().parent.parent
PARTS = {
    **proofs.PARTS,
    **verify_postgres.PARTS,
    **verify_following.PARTS,
    **verify_keys.PARTS,
    **verify_verifiers.PARTS,
    **verify_client.PARTS,
    **verify_soak.PARTS,
}
RESULTS = ROOT / "var" / "verify"


def run(name: str, part: Part, count: int, folder: Path) -> bool:
    """Prove one part, print its line, keep its result; whether it passed."""
    began, now = time.monotonic(), datetime.now(UTC)
    try:
        result = part.prove(count)
    except Exception:  # noqa: BLE001 - a part that breaks has failed, and the others are done all the same
        result = Result([traceback.format_exc()])
    seconds = round(time.monotonic() - began, 1)
    record = {
        "part": name,
        "passed": not result.faults,
        part.unit: count,
        "took_s": seconds,
        "numbers": result.numbers,
        "faults": result.faults,
        **circumstances(now),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(f"{name}: {'FAIL' if result.faults else 'ok'}, {count} {part.unit} in {seconds} s; {_line(result.numbers)}")
    for fault in result.faults[:10]:
        print(f"  {fault}")
    return not result.faults


def main(arguments: Sequence[str], parts: Mapping[str, Part] = PARTS, folder: Path = RESULTS) -> int:
    """The exit code is 0 when every part that was asked for passed."""
    parser = argparse.ArgumentParser(prog="python -m tools.verify")
    parser.add_argument("part", nargs="?", choices=parts)
    parser.add_argument("--count", type=int, help="how often, where a part is named")
    parser.add_argument("--table", action="store_true", help="run nothing: the table of the results that are there")
    asked = parser.parse_args(arguments)
    if asked.count is not None and (asked.part is None or asked.count < 1):
        parser.error("--count is one or more, of a part that is named")
    if asked.table and asked.part:
        parser.error("--table runs no part")
    chosen = [] if asked.table else [asked.part] if asked.part else list(parts)
    passed = [run(name, parts[name], asked.count or parts[name].count, folder) for name in chosen]
    print(f"\n{write_table(folder, list(parts))}", end="")
    return 0 if all(passed) else 1


def git(*command: str) -> str:
    """What git says about this tree; nothing where there is no git, or no repository."""
    try:
        return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""


def circumstances(now: datetime) -> dict[str, object]:
    return {
        "commit": git("rev-parse", "HEAD"),
        "uncommitted changes": bool(git("status", "--porcelain", "--untracked-files=no")),
        "date": now.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }


def _line(numbers: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in numbers.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
