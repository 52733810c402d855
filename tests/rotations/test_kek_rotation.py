"""Another KEK for everything: nothing ends, nothing becomes unreadable, and the old one opens nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from authsvc.app import Refused
from authsvc.app.composition import open_domain
from authsvc.app.rotating import Progress, rotate_kek
from authsvc.signing.sealing import Kek, SealBroken
from tests.rotations.conftest import Command
from tests.rotations.scene import (
    APPS,
    NEW,
    OLD,
    OTHER,
    RECORDS,
    Interrupted,
    Place,
    opens_with,
    places,
    rotate,
    silent,
    until,
)


def test_all_is_what_it_was_under_the_new_kek(place: Place) -> None:
    """Every key and secret opens with the new KEK to what it was, and none with the old one; a second run does
    nothing."""
    with closing(place.open()) as store:
        before = opens_with(store, OLD)
    steps: list[tuple[int, int]] = []
    assert rotate(place, lambda done, total: steps.append((done, total))) == RECORDS
    assert steps[-1] == (RECORDS, RECORDS)
    with closing(place.open()) as store:
        assert opens_with(store, NEW) == before
        revision = store.trust_state().revision
    rotate(place)
    with closing(place.open()) as store:
        assert store.trust_state().revision == revision
    with open_domain(place.settings, NEW):
        pass
    with pytest.raises(SealBroken, match="another KEK"), open_domain(place.settings, OLD):
        pass


@pytest.mark.parametrize("kek", [OLD, NEW, OTHER], ids=["old", "new", "other"])
def test_a_rotation_that_was_not_finished_is_named(place: Place, kek: Kek) -> None:
    """Where some records are under one KEK and some under another nothing starts, whichever is given, and what to do is
    said; once it is done the new one is enough."""
    with pytest.raises(Interrupted):
        rotate(place, until(APPS // 2))
    with pytest.raises(SealBroken) as refused, open_domain(place.settings, kek):
        pass
    assert str(refused.value) == (
        "a rotation of the KEK was begun and not finished: run `authsvc kek rotate --new-kek-file FILE` again, with "
        "the new KEK in FILE and the old one in AUTHSVC_KEK_FILE"
    )
    rotate(place)
    with open_domain(place.settings, NEW):
        pass


def test_a_record_that_neither_opens_stops_it(place: Place) -> None:
    """With the wrong old KEK nothing is changed."""
    with pytest.raises(SealBroken):
        rotate(place, old=OTHER)
    with closing(place.open()) as store:
        assert opens_with(store, OLD)


@pytest.fixture
def rotating(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[[Progress], int]:
    """The whole rotation from the old KEK to the new one, in the environment of a command on the store."""
    for name, value in place.environ(OLD).items():
        monkeypatch.setenv(name, value)
    return lambda progress: rotate_kek(place.file(NEW), progress=progress)


def test_the_old_kek_is_of_no_use_afterwards(place: Place, command: Command) -> None:
    """After the command nothing in the database's files is under the old KEK, in rows that were replaced neither;
    before, and where only the records were changed, there is."""
    before = place.contents(OLD)
    assert (place.shows(OLD), place.shows(NEW)) == (True, False)
    assert command("kek", "rotate", "--new-kek-file", str(place.file(NEW)), kek=OLD).code == 0
    assert (place.shows(OLD), place.shows(NEW)) == (False, True)
    assert place.contents(NEW) == before
    rotate(place, old=NEW, new=OLD)
    assert place.contents(OLD) == before
    assert place.shows(NEW), "a store that was not scrubbed shows what is looked for"


def test_what_was_sealed_meanwhile_is_noticed(
    place: Place, rotating: Callable[[Progress], int], command: Command
) -> None:
    """Where something is under the old KEK again when all was done, that is said; the same command goes on."""
    before = place.contents(OLD)
    with closing(place.open()) as store:
        (secret, *_) = store.trust_state().secrets

    def progress(done: int, total: int) -> None:
        if done == total:
            place.put_back(secret)

    with pytest.raises(Refused, match="something was sealed meanwhile: run the same command again"):
        rotating(progress)
    assert rotating(silent) == RECORDS
    assert (place.contents(NEW), place.shows(OLD)) == (before, False)


def test_another_program_in_the_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who reads an embedded store's file keeps what was replaced in it: the command does not say that it is
    done, and is when it is run again without them."""
    with places("sqlite", tmp_path, None) as place:
        for name, value in place.environ(OLD).items():
            monkeypatch.setenv(name, value)
        with closing(apsw.Connection(str(place.settings.state_dir / "authsvc.db"))) as reader:

            def read(done: int, total: int) -> None:
                if done == total:
                    reader.execute("BEGIN")
                    reader.execute("SELECT count(*) FROM keys").fetchall()

            with pytest.raises(Refused, match=r"is being read by another program.*run the same command again"):
                rotate_kek(place.file(NEW), progress=read)
            assert place.shows(OLD)
        assert rotate_kek(place.file(NEW), progress=silent) == RECORDS
        assert not place.shows(OLD)


def process(place: Place, *words: str, kek: Kek) -> subprocess.CompletedProcess[str]:
    environ = {**place.environ(kek), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-m", "authsvc", *words], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_commands_do_it(tmp_path: Path) -> None:
    """Rotating by command line: with a new file, not with the same one, and not while somebody has the store."""
    with places("sqlite", tmp_path, None) as place:
        rotate_to = ("kek", "rotate", "--new-kek-file")
        same = process(place, *rotate_to, str(place.file(OLD)), kek=OLD)
        assert (same.returncode, "make another one" in same.stderr) == (1, True)
        with closing(place.open(exclusive=False)):
            busy = process(place, *rotate_to, str(place.file(NEW)), kek=OLD)
        assert (busy.returncode, "in use" in busy.stderr) == (1, True)
        done = process(place, *rotate_to, str(place.file(NEW)), "--json", kek=OLD)
        assert (json.loads(done.stdout), done.stderr) == ({"sealed": RECORDS}, "")
        made = process(place, "refresh-key", "rotate", "--json", kek=NEW)
        assert json.loads(made.stdout) == {"number": 2, "forgotten": None}
        assert process(place, "guest-key", "rotate", kek=NEW).returncode == 0
        wrong = process(place, "refresh-key", "rotate", kek=OLD)
        assert (wrong.returncode, "another KEK" in wrong.stderr) == (1, True)
