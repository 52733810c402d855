"""Another KEK for everything: nothing ends, nothing becomes unreadable, and the old one opens nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from authsvc.app import Refused
from authsvc.app.composition import open_domain
from authsvc.app.rotating import add_next, put_under
from authsvc.clock import system_clock, system_randomness
from authsvc.config import Settings
from authsvc.model import ApiKey, AppSettings
from authsvc.signing.sealing import Kek, SealBroken, Sealer, kek_id_of
from authsvc.storage import open_store, scrub
from authsvc.storage.base import Store
from authsvc.trust.learning import signing_key_place
from authsvc.trust.secrets import GUEST_KEY_PURPOSE, REFRESH_KEY_PURPOSE, secret_place
from tests.conftest import HandClock
from tests.storage.postgres.server import Server as PostgresServer

OLD, NEW, OTHER = (Kek(bytes([number]) * 32) for number in (1, 2, 3))
APPS = 24


@dataclass
class Place:
    """A store with two dozen apps, their keys, and the service-wide secrets, all sealed under the old KEK."""

    settings: Settings

    def open(self, *, exclusive: bool = True) -> Store:
        return open_store(self.settings.store_url, clock=system_clock, exclusive=exclusive)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield filled(Settings(state_dir=tmp_path))
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.migrated() as database:
            yield filled(Settings(state_dir=tmp_path, store=server.url(database)))


def filled(settings: Settings) -> Place:
    with open_domain(settings, OLD) as domain:
        domain.secrets.make_missing(domain.store)
        for number in range(APPS):
            domain.apps.create_as("test", ApiKey(f"app-{number}"), AppSettings())
    return Place(settings)


def opens_with(store: Store, *keks: Kek) -> list[bytes]:
    """The contents of everything that is sealed; fails where none of the KEKs opens a record."""
    state, contents = store.trust_state(), []
    places = [(key.sealed, signing_key_place(key.api_key, key.key_id)) for key in state.keys]
    places += [(one.sealed, secret_place(one.purpose, one.number)) for one in state.secrets]
    for sealed, where in places:
        (kek,) = [kek for kek in keks if kek.id == kek_id_of(sealed)]
        contents.append(Sealer(kek, system_randomness).open(sealed, where))
    return sorted(contents)


def silent(_: int, __: int) -> None:
    """Nobody watches."""


def rotate(place: Place, progress: Callable[[int, int], object] = silent, *, old: Kek = OLD, new: Kek = NEW) -> int:
    with closing(place.open()) as store:
        return put_under(store, old, Sealer(new, system_randomness), clock=system_clock, progress=progress)


def test_all_is_what_it_was_under_the_new_kek(place: Place) -> None:
    """Every key and secret opens with the new KEK to what it was, and none with the old one; a second run does
    nothing."""
    with closing(place.open()) as store:
        before = opens_with(store, OLD)
    steps: list[tuple[int, int]] = []
    assert rotate(place, lambda done, total: steps.append((done, total))) == APPS + 2
    assert steps[-1] == (APPS + 2, APPS + 2)
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


class Interrupted(Exception):
    """What a power cut is to a program."""


def until(step: int) -> Callable[[int, int], None]:
    """Watches until so many steps are done."""

    def progress(done: int, _: int) -> None:
        if done == step:
            raise Interrupted

    return progress


def test_interrupted_anywhere_it_goes_on(place: Place) -> None:
    """Cut off after each of its steps, again and again: whatever happens each record opens with one of the two, and
    the last run finishes."""
    with closing(place.open()) as store:
        before = opens_with(store, OLD)

    for step in range(1, APPS + 3):
        with pytest.raises(Interrupted):
            rotate(place, until(step))
        with closing(place.open()) as store:
            assert opens_with(store, OLD, NEW) == before
            under_new = [kek_id_of(key.sealed) == NEW.id for key in store.trust_state().keys]
            assert under_new.count(True) >= min(step, APPS)
    rotate(place)
    with closing(place.open()) as store:
        assert opens_with(store, NEW) == before


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


def test_the_old_kek_is_nowhere_in_the_files(tmp_path: Path) -> None:
    """Afterwards no file of an embedded store holds a record under the old KEK; before, they do."""
    place = filled(Settings(state_dir=tmp_path))
    rotate(place)
    scrub(place.settings.store_url)

    def found(kek: Kek) -> bool:
        return any(kek.id in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())

    assert (found(OLD), found(NEW)) == (False, True)
    rotate(place, old=NEW, new=OLD)
    assert found(NEW), "a store that was not scrubbed shows what is looked for"


def command(tmp_path: Path, *words: str, kek: Path) -> subprocess.CompletedProcess[str]:
    environ = {"AUTHSVC_STATE_DIR": str(tmp_path / "state"), "AUTHSVC_KEK_FILE": str(kek), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-m", "authsvc", *words], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_commands_do_it(tmp_path: Path) -> None:
    """Rotating by command line: with a new file, not with the same one, and not while somebody has the store."""
    old, new = tmp_path / "old", tmp_path / "new"
    for path, kek in ((old, OLD), (new, NEW)):
        path.write_bytes(kek.secret)
        path.chmod(0o600)
    (tmp_path / "state").mkdir(mode=0o700)
    place = filled(Settings(state_dir=tmp_path / "state"))
    same = command(tmp_path, "kek", "rotate", "--new-kek-file", str(old), kek=old)
    assert (same.returncode, "make another one" in same.stderr) == (1, True)
    with closing(place.open(exclusive=False)):
        busy = command(tmp_path, "kek", "rotate", "--new-kek-file", str(new), kek=old)
    assert (busy.returncode, "in use" in busy.stderr) == (1, True)
    done = command(tmp_path, "kek", "rotate", "--new-kek-file", str(new), "--json", kek=old)
    assert (json.loads(done.stdout), done.stderr) == ({"sealed": APPS + 2}, "")
    made = command(tmp_path, "refresh-key", "rotate", "--json", kek=new)
    assert json.loads(made.stdout) == {"number": 2, "forgotten": None}
    assert command(tmp_path, "guest-key", "rotate", kek=new).returncode == 0
    wrong = command(tmp_path, "refresh-key", "rotate", kek=old)
    assert (wrong.returncode, "another KEK" in wrong.stderr) == (1, True)


def test_a_third_key_waits_for_what_the_first_one_made(place: Place) -> None:
    """Two are good at once. The oldest goes when nothing it made can live, or when told to; its number stays gone."""
    clock, sealer = HandClock(), Sealer(OLD, system_randomness)
    day = 86_400

    def add(store: Store, *, forget_old: bool = False) -> tuple[int, int | None] | str:
        try:
            made = add_next(
                store, sealer, REFRESH_KEY_PURPOSE, needed_for=timedelta(days=90), forget_old=forget_old, clock=clock
            )
        except Refused as refused:
            return str(refused)
        return made.number, made.forgotten

    with closing(place.open(exclusive=False)) as store:
        clock.move(seconds=system_clock().timestamp() - clock().timestamp())
        assert add(store) == (2, None)
        assert "can live until" in str(add(store))
        clock.move(seconds=91 * day)
        assert add(store) == (3, 1)
        assert add(store, forget_old=True) == (4, 2)
        assert [one.number for one in store.secrets(REFRESH_KEY_PURPOSE)] == [3, 4]
        assert [one.number for one in store.secrets(GUEST_KEY_PURPOSE)] == [1]
