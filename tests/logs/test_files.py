"""Lines in a file of their own: private, appended, under their name again after a move, never lost to a full disk."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from authsvc.logs import FileLines, Level, Logger, LoggerSystem
from tests.logs.keeping import NOW, Keeping


class Disk:
    """Writes as the system does, ``left`` bytes of it; then there is no room."""

    def __init__(self) -> None:
        self.left: int | None = None

    def __call__(self, file: int, piece: bytes) -> int:
        if self.left == 0:
            raise OSError(28, "No space left on device")
        written = os.write(file, piece if self.left is None else piece[: self.left])
        if self.left is not None:
            self.left -= written
        return written


class Scene:
    """A sink on a file, and all that a test turns."""

    def __init__(self, path: Path) -> None:
        self.path, self.disk, self.instead, self.seconds = path, Disk(), Keeping(), 0.0
        self.sink = FileLines(path, instead=self.instead, monotonic=lambda: self.seconds, write=self.disk)
        logs = LoggerSystem(["audit"], clock=lambda: NOW)
        logs.configure_loggers({"audit": {"sink": self.sink}})
        self.log: Logger = logs.get_logger("audit")

    @property
    def messages(self) -> list[str]:
        return messages_in(self.path.read_text())


def messages_in(text: str) -> list[str]:
    return [json.loads(line)["message"] for line in text.splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def scene(path: Path) -> Iterator[Scene]:
    with ExitStack() as ending:
        scene = Scene(path)
        ending.callback(scene.sink.close)
        yield scene


def test_a_line_is_in_the_file_when_the_call_returns(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    """It is appended as JSON to what is there, by a sink of its own: nothing of it is on stderr."""
    scene.log.info("first", app="dev")
    second = FileLines(scene.path, instead=Keeping())
    second(Level.INFO, "second", {"at": "now", "scope": "audit"})
    second.close()
    scene.log.info("third")
    assert scene.messages == ["first", "second", "third"]
    assert json.loads(scene.path.read_text().splitlines()[0])["app"] == "dev"
    assert capfd.readouterr() == ("", "")


def test_lines_of_a_batch_are_written_in_one_piece_at_its_end(scene: Scene) -> None:
    """As those for stderr are."""
    with scene.log.together():
        scene.log.info("first")
        scene.log.info("second")
        assert scene.messages == []
    assert scene.messages == ["first", "second"]


def test_the_file_is_its_owners_alone(path: Path) -> None:
    """Whatever the umask says a new file is private; one that is there keeps the mode it was given."""
    before = os.umask(0)
    try:
        Scene(path).sink.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    Scene(path).sink.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("taken", ["aside", "away"])
def test_a_file_that_was_moved_is_made_anew(scene: Scene, taken: str) -> None:
    """Within a second lines are under the name again; those until then are in the file that was moved."""
    aside = scene.path.with_name("audit.1")
    scene.log.info("before")
    if taken == "aside":
        scene.path.rename(aside)
    else:
        scene.path.unlink()
    scene.log.info("meanwhile")
    assert not scene.path.exists()
    scene.seconds = 1.0
    scene.log.info("after")
    assert scene.messages == ["after"]
    if taken == "aside":
        assert messages_in(aside.read_text()) == ["before", "meanwhile"]


def test_where_no_new_file_can_be_made_the_old_one_goes_on(scene: Scene) -> None:
    """Nothing is lost, and a second later it is tried again."""
    aside = scene.path.with_name("audit.1")
    scene.path.rename(aside)
    scene.path.mkdir()
    scene.seconds = 1.0
    scene.log.info("first")
    scene.path.rmdir()
    scene.seconds = 2.0
    scene.log.info("second")
    assert (messages_in(aside.read_text()), scene.messages) == (["first"], ["second"])


def test_lines_that_cannot_be_written_are_on_stderr(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    """None is lost while the disk is full; that it begins and that it ends is said once each, with how many."""
    scene.log.info("before")
    scene.disk.left = 30
    for number in range(3):
        scene.log.info(f"lost {number}")
    assert messages_in(capfd.readouterr().err) == ["lost 0", "lost 1", "lost 2"]
    scene.disk.left = None
    scene.log.info("after")
    scene.log.info("and on")
    assert capfd.readouterr().err == ""
    assert scene.instead.messages == [
        "lines cannot be written to their file: they are on stderr",
        "lines are written to their file again",
    ]
    (level, _, begun), (_, _, ended) = scene.instead.calls
    assert (level, begun["scope"], begun["exception"]) == (Level.ERROR, "audit", "OSError")
    assert (begun["path_name"], ended["count"]) == (str(scene.path), 3)
    whole = [line for line in scene.path.read_text().splitlines() if line.endswith("}")]
    assert messages_in("\n".join(whole)) == ["before", "after", "and on"], "half a line does not spoil the next"


def test_a_closed_file_takes_nothing(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    """What is logged after the end is on stderr; closing twice is harmless."""
    scene.sink.close()
    scene.sink.close()
    scene.log.info("late")
    assert messages_in(capfd.readouterr().err) == ["late"]


@pytest.mark.parametrize("what", ["a directory", "a pipe", "nowhere"])
def test_what_cannot_be_such_a_file_is_refused(path: Path, what: str) -> None:
    """At once, and without waiting for somebody at a pipe's other end."""
    if what == "a directory":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    else:
        path = path / "audit.jsonl"
    with pytest.raises(OSError, match=r"directory|device|file"):
        FileLines(path, instead=Keeping())


def test_a_pipe_that_is_read_is_no_file_either(path: Path) -> None:
    """A pipe can be opened while somebody reads it, and would block the server when that one stops reading."""
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="is no file"):
        FileLines(path, instead=Keeping())
    os.close(reader)
