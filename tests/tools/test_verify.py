"""The long proofs: what is asked for is done, and what came of it is said, kept and told by the exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.races import presenting
from tools import proofs, verify
from tools.proofs import Part, Result


def _breaks(_: int) -> Result:
    raise RuntimeError("out of order")


GOOD = Part(7, "rounds", lambda count: Result(numbers={"done": count}))
BAD = Part(1, "points", lambda _: Result(["one was lost", "and another"], {"lost": 2}))
BROKEN = Part(1, "seconds", _breaks)


def _kept(folder: Path, name: str) -> dict[str, object]:
    kept: dict[str, object] = json.loads((folder / f"{name}.json").read_text())
    return kept


def test_every_part_is_done_unless_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name all parts are done by their own counts; with one, that part alone, by the count that is given."""
    parts = {"first": GOOD, "second": GOOD}
    assert verify.main([], parts, tmp_path) == 0
    assert [_kept(tmp_path, name)["rounds"] for name in parts] == [7, 7]
    assert verify.main(["first", "--count", "9"], parts, tmp_path) == 0
    assert [_kept(tmp_path, name)["rounds"] for name in parts] == [9, 7]
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" in ")[0] for line in lines if line.startswith(("first", "second"))] == [
        "first: ok, 7 rounds",
        "second: ok, 7 rounds",
        "first: ok, 9 rounds",
    ]


def test_a_fault_fails_the_part_and_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A part with faults, or one that breaks, says so, keeps it and turns the exit code; later parts are done."""
    assert verify.main([], {"bad": BAD, "broken": BROKEN, "good": GOOD}, tmp_path) == 1
    said = capsys.readouterr().out
    assert "bad: FAIL, 1 points" in said
    assert "one was lost" in said
    assert "broken: FAIL, 1 seconds" in said
    assert "good: ok, 7 rounds" in said
    assert _kept(tmp_path, "broken")["seconds"] == 1
    assert [_kept(tmp_path, name)["passed"] for name in ("bad", "broken", "good")] == [False, False, True]
    assert _kept(tmp_path, "bad")["faults"] == ["one was lost", "and another"]
    assert "RuntimeError: out of order" in str(_kept(tmp_path, "broken")["faults"])


def test_a_result_says_of_what_and_when(tmp_path: Path) -> None:
    """With each result stand the commit, whether the tree was clean, and the date."""
    before = datetime.now(UTC).replace(microsecond=0)
    heads = [verify.git("rev-parse", "HEAD")]
    verify.main([], {"good": GOOD}, tmp_path)
    heads.append(verify.git("rev-parse", "HEAD"))
    kept = _kept(tmp_path, "good")
    assert kept["commit"] in heads
    assert isinstance(kept["uncommitted changes"], bool)
    assert before <= datetime.fromisoformat(str(kept["date"])) <= datetime.now(UTC)
    assert kept["numbers"] == {"done": 7}


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["--count", "3"], ["first", "--count", "0"], ["first", "second"], ["first", "--table"]]
)
def test_what_is_no_part_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    """A name that is no part, a count without a part, and a table with one, do nothing and end with 2."""
    with pytest.raises(SystemExit) as ended:
        verify.main(arguments, {"first": GOOD, "second": GOOD}, tmp_path)
    assert ended.value.code == 2
    assert list(tmp_path.iterdir()) == []


def test_results_are_kept_out_of_the_history() -> None:
    """The folder of results lies in what git ignores."""
    ignored = (verify.ROOT / ".gitignore").read_text().splitlines()
    assert f"/{verify.RESULTS.relative_to(verify.ROOT).parts[0]}/" in ignored


def test_less_than_was_asked_for_is_no_proof() -> None:
    """When time is up before the end, what was done so far is told as a fault."""
    result = Result()
    rounds = proofs.within_limit(3, result, seconds=0)
    assert (list(rounds), result.faults) == ([], ["only 0 of 3 within 0 s"])
    result = Result()
    rounds = proofs.within_limit(3, result, seconds=60)
    assert (list(rounds), result.faults) == ([0, 1, 2], [])


def test_the_commit_is_that_of_this_tree() -> None:
    """What git says is asked in the project's folder, and a question it cannot answer is answered by nothing."""
    assert verify.git("rev-parse", "--show-toplevel") in ("", str(verify.ROOT))
    assert verify.git("no-such-command") == ""


@pytest.mark.parametrize("part", ["race", "race-postgres"])
def test_the_race_is_run_often_enough(part: str) -> None:
    """One refresh token presented by 64 at once: 500 rounds on each backend, unless told otherwise."""
    assert presenting.CROWD == 64
    assert (verify.PARTS[part].count, verify.PARTS[part].unit) == (500, "rounds")


def test_every_part_is_described() -> None:
    """The help of the command names each part that there is."""
    assert [name for name in verify.PARTS if f"\n{name} " not in (verify.__doc__ or "")] == []
