"""The table of what the long proofs have left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import verify
from tools.proofs import Part, Result
from tools.verify_table import MOST_NUMBERS, NAME, Record, table


def record(**other: object) -> Record:
    """A result as it is read from its file."""
    return {
        "part": "race",
        "passed": True,
        "rounds": 500,
        "took_s": 49.7,
        "numbers": {"ROTATED": 500},
        "faults": [],
        "commit": "bb38c2aef26165b54339baae8a8e59661ad4fdb1",
        "uncommitted changes": False,
        "date": "2026-11-21T10:59:27+00:00",
        "python": "3.11.7",
        "cpus": 2,
        **other,
    }


def rows(text: str) -> list[str]:
    """The rows below the head of the table."""
    return [line for line in text.splitlines() if line.startswith("|")][2:]


def test_a_row_says_what_was_proved_of_what_and_when() -> None:
    """A row has the part, its count with the unit, the verdict, how long it took, the commit, the date, the numbers."""
    (row,) = rows(table([record()], ["race"]))
    assert row == "| race | 500 rounds | yes | 49.7 | bb38c2a | 2026-11-21 10:59 | ROTATED 500 |"


def test_what_is_wrong_is_seen() -> None:
    """A part that failed says how often, and a commit with changes that are in no commit is marked."""
    (row,) = rows(table([record(**{"passed": False, "faults": ["a", "b"], "uncommitted changes": True})], ["race"]))
    assert "| NO, 2 faults |" in row
    assert "| bb38c2a+ |" in row


def test_numbers_within_numbers_have_both_names() -> None:
    """Of numbers that are grouped each is told with its group, of a list all; a stroke does not end the cell."""
    (row,) = rows(table([record(numbers={"idle": {"p99_ms": 0.4}, "back after s": [0.2, 2.4], "a|b": 1})], ["race"]))
    assert row.endswith(r"| idle, p99_ms 0.4; back after s 0.2 and 2.4; a\|b 1 |")


def test_only_the_first_numbers_are_told() -> None:
    """Beyond so many the numbers are left to the file, and that they are is seen."""
    many = {f"n{number}": number for number in range(MOST_NUMBERS + 1)}
    (row,) = rows(table([record(numbers=many)], ["race"]))
    assert row.endswith(f"n{MOST_NUMBERS - 1} {MOST_NUMBERS - 1}; … |")
    del many[f"n{MOST_NUMBERS}"]
    assert "…" not in table([record(numbers=many)], ["race"])


def test_rows_are_in_the_order_of_the_parts() -> None:
    """What is a part no more comes last; parts without a result are named below, with the time of all together."""
    kept = [record(part=part, took_s=60) for part in ("bygone", "kill", "race")]
    text = table(kept, ["race", "soak", "kill"])
    assert [row.split()[1] for row in rows(text)] == ["race", "kill", "bygone"]
    assert "3 results, 3.0 minutes together." in text
    assert "No result: soak." in text


def test_each_run_leaves_the_table_of_all_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a run of one part the table holds what earlier runs left too, and is printed as it was written."""
    parts = {name: Part(7, "rounds", lambda count: Result(numbers={"done": count})) for name in ("first", "second")}
    verify.main(["second"], parts, tmp_path)
    verify.main(["first"], parts, tmp_path)
    written = (tmp_path / NAME).read_text()
    assert [row.split()[1] for row in rows(written)] == ["first", "second"]
    assert capsys.readouterr().out.endswith(f"\n{written}")


def test_the_table_is_made_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--table`` nothing is proved, and where there is no result the table says so."""
    parts = {"first": Part(1, "rounds", lambda _: pytest.fail("it was run"))}
    assert verify.main(["--table"], parts, tmp_path) == 0
    written = (tmp_path / NAME).read_text()
    assert rows(written) == []
    assert "No result: first." in written
    assert capsys.readouterr().out.endswith(written)
    assert [file.name for file in tmp_path.iterdir()] == [NAME]
