"""The tour in docs/ is run as a reader would run it: in one shell, against a real development server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.app.processes import BARE, serving
from tests.tour.guide import Step, missing, script, steps

PAGE = Path(__file__).parents[2] / "docs" / "tour.md"
SEED_FEATURES = PAGE.with_name("seed-features.md")
MARKER = "=== the next command ==="
STEPS = tuple(steps(PAGE.read_text()))

pytestmark = pytest.mark.timeout(600)  # a process for each command, on a machine that does other things too


def grpcurl() -> Path | None:
    """Where grpcurl is, if it is anywhere."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "authsvc-ci"
    places = [os.environ.get("GRPCURL"), shutil.which("grpcurl"), *map(str, sorted(cache.glob("grpcurl-*/grpcurl")))]
    return next((Path(place) for place in places if place and os.access(place, os.X_OK)), None)


def walk(folder: Path, chosen: Sequence[Step], tool: Path | None = None) -> dict[Step, str]:
    """Run the steps in a folder with a server's ``var``; what each said."""
    bin_folders = [Path(sys.executable).parent, *([] if tool is None else [tool.parent])]
    environ = {**BARE, "PATH": ":".join([*map(str, bin_folders), BARE["PATH"]])}
    with serving(folder / "var", "--dev") as server:
        server.target()
        ended = subprocess.run(
            ["bash", "-s"],
            cwd=folder,
            env=environ,
            input=script(chosen, MARKER),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=540,
        )
    outputs = ended.stdout.split(f"\n{MARKER}\n")
    assert len(outputs) == len(chosen) + 1, ended.stdout
    return dict(zip(chosen, outputs, strict=False))


def wrong(said: Mapping[Step, str], *, grpcurl: bool) -> dict[str, list[str]]:
    """The answers that did not come, with what came, by command."""
    judged = {step: missing(step, output) for step, output in said.items() if step.grpcurl is grpcurl}
    return {step.command: [*absent, f"--- it said:\n{said[step]}"] for step, absent in judged.items() if absent}


@pytest.fixture(scope="module")
def said() -> Iterator[Mapping[Step, str]]:
    """What the whole tour said; without grpcurl, the part that does not need it."""
    tool = grpcurl()
    with tempfile.TemporaryDirectory(prefix="authsvc-tour-") as folder:
        yield walk(Path(folder), [step for step in STEPS if tool is not None or not step.grpcurl], tool)


def test_the_command_line_answers_as_the_tour_says(said: Mapping[Step, str]) -> None:
    """Every line of the tour that needs nothing but the project answers what stands below it."""
    assert wrong(said, grpcurl=False) == {}


def test_grpcurl_answers_as_the_tour_says(said: Mapping[Step, str]) -> None:
    """Every line for grpcurl answers what stands below it; it may be missing, but not in CI that could fetch it."""
    if grpcurl() is None:
        reason = "grpcurl is neither named by GRPCURL nor on the PATH nor in the cache of .ci/run"
        if os.environ.get("CI") == "true" and shutil.which("go"):
            pytest.fail(reason)
        pytest.skip(reason)
    assert wrong(said, grpcurl=True) == {}
    assert any(step.grpcurl for step in said)


def test_a_wrong_answer_would_be_noticed(state_dir: Path) -> None:
    """The control: a command that answers otherwise, or in another order, is found."""
    misplaced = Step("printf 'a 1\\nb 2\\n'", ("b … 2", "a … 1"), grpcurl=False)
    right = Step("printf 'a  1\\nb 2\\n'", ("a … 1", "b … 2"), grpcurl=False)
    found = wrong(walk(state_dir, (misplaced, right)), grpcurl=False)
    assert found.keys() == {misplaced.command}
    assert found[misplaced.command][0] == "a … 1"


def test_the_tour_has_its_twelve_stops() -> None:
    """Each of the twelve is there, and shows something."""
    chapters = PAGE.read_text().split("\n## ")[1:]
    assert [chapter.partition(".")[0] for chapter in chapters] == [str(number) for number in range(1, 13)]
    assert all(any(step.answers for step in steps(chapter)) for chapter in chapters)


def test_every_feature_of_the_seeds_has_an_answer() -> None:
    """No row of the table of seed features has an empty cell."""
    rows = [line for line in SEED_FEATURES.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert len(cells) > 20
    assert [row for row in cells if len(row) != 2 or not all(row)] == []
