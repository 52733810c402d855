"""``authsvc migrate`` on the embedded store; on PostgreSQL see ``tests/storage/postgres``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from authsvc.storage.migrate import shipped
from tests.cli.conftest import Run
from tests.conftest import RunningServer

NAMES = [f"{each.number:04}_{each.name}" for each in shipped("sqlite")]


@pytest.mark.parametrize(("option", "code"), [("--check", 1), ("--dry-run", 0)])
def test_looking_changes_nothing(offline: Run, tmp_path: Path, option: str, code: int) -> None:
    """``--check`` and ``--dry-run`` tell what an empty place needs, and leave it empty."""
    ended = offline("migrate", option)
    assert ended.code == code
    assert all(name in ended.out for name in NAMES)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_prints_what_would_be_done(offline: Run) -> None:
    """The SQL of a dry run is the SQL of the migrations, in order, with their names."""
    expected = "\n".join(f"-- {name}\n{each.sql}" for name, each in zip(NAMES, shipped("sqlite"), strict=True))
    assert offline("migrate", "--dry-run").out == expected


def test_it_is_applied_once(offline: Run) -> None:
    """The first run applies everything, the second finds nothing to do, and a check is content."""
    assert offline("migrate").out == "".join(f"applied: {name}\n" for name in NAMES)
    for arguments in (("migrate",), ("migrate", "--check"), ("migrate", "--dry-run")):
        ended = offline(*arguments)
        assert (ended.code, "0001" in ended.out) == (0, False)


def test_a_dry_run_with_nothing_to_do_says_so(offline: Run) -> None:
    """In a comment, as what it prints is SQL."""
    offline("migrate")
    assert offline("migrate", "--dry-run").out == ("-- nothing to do: the store has every migration of this program\n")


def test_it_waits_for_the_servers_to_stop(server: RunningServer, offline: Run) -> None:
    """Beside a running server it is refused with what is to be done, which no server could do for it."""
    ended = offline("migrate", AUTHSVC_STATE_DIR=str(server.state_dir))
    assert (ended.code, ended.err) == (
        1,
        f"MIGRATION_REFUSED: {server.state_dir / 'authsvc.db'} is in use: another process serves it or works on it; "
        "stop that process first: this is done while none does\n",
    )


def test_programs_get_a_document(offline: Run) -> None:
    """With ``--json`` each migration comes with its number, name, digest and SQL."""
    documents = [
        {"number": each.number, "name": each.name, "sha256": each.sha256, "sql": each.sql} for each in shipped("sqlite")
    ]
    assert offline("migrate", "--check", "--json").json == {"missing": documents}
    assert offline("migrate", "--json").json == {"applied": documents}
    assert offline("migrate", "--json").json == {"applied": []}


def test_a_newer_store_is_refused(offline: Run, tmp_path: Path) -> None:
    """A store that a newer program migrated is refused with both versions, whatever was asked for."""
    offline("migrate")
    with sqlite3.connect(tmp_path / "authsvc.db") as database:
        database.execute("INSERT INTO migrations VALUES (9999, 'later', 'aa', 0)")
    database.close()
    for arguments in (("migrate",), ("migrate", "--check")):
        ended = offline(*arguments)
        assert (ended.code, ended.out) == (1, "")
        assert "MIGRATION_REFUSED: the store's schema is version 9999" in ended.err


def test_two_wishes_at_once_are_wrong_usage(offline: Run) -> None:
    """``--check`` and ``--dry-run`` together are refused."""
    assert offline("migrate", "--check", "--dry-run").code == 2
