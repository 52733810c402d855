"""A rotation of the KEK that was cut off anywhere is gone on with: nothing is lost, and the old KEK ends as useless."""

from __future__ import annotations

from contextlib import closing

import pytest

from authsvc.signing.sealing import Kek, kek_id_of
from tests.rotations.conftest import Command
from tests.rotations.killing import Rotation, kill_and_resume, resumed
from tests.rotations.scene import NEW, OLD, RECORDS, Interrupted, Place, rotate, until
from tests.storage.postgres.waiting import eventually


def cut_within(_: int) -> bytes:
    """Randomness that a record needs in the midst of its transaction."""
    raise Interrupted


def under(place: Place, kek: Kek) -> int:
    """How many records are under that KEK."""
    with closing(place.open()) as store:
        return sum(kek_id_of(sealed) == kek.id for sealed in store.trust_state().sealed())


def test_cut_off_at_each_record_it_goes_on(place: Place, command: Command) -> None:
    """Within each record's transaction and after each commit, the last one included: each time all opens with one of
    the two, the same command finishes it, and then nothing in the files is under the old KEK."""
    before, keks = place.contents(OLD), (OLD, NEW)
    assert 2 * RECORDS >= 50, "so many points are promised"
    for step in range(1, RECORDS + 1):
        old, new = keks
        cut_after, finish = until(step), ("kek", "rotate", "--new-kek-file", str(place.file(new)))
        if step > 1:
            with pytest.raises(Interrupted):
                rotate(place, until(step - 1), old=old, new=new)
        with pytest.raises(Interrupted):
            rotate(place, old=old, new=new, randomness=cut_within)
        assert (place.contents(old, new), under(place, new)) == (before, step - 1)
        with pytest.raises(Interrupted):
            rotate(place, cut_after, old=old, new=new)
        assert (place.contents(old, new), under(place, new)) == (before, step)
        assert place.shows(old)
        assert command(*finish, kek=old).code == 0
        assert (place.contents(new), place.shows(old)) == (before, False)
        keks = (new, old)


@pytest.mark.parametrize("step", [1, RECORDS // 2, RECORDS])
def test_killed_it_goes_on(place: Place, step: int) -> None:
    """A process that is killed when it has told of a record, or of the last one, leaves no less."""
    assert kill_and_resume(place, OLD, NEW, step, lambda: None).faults == []


_WAITING = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'VACUUM%' AND wait_event_type = 'Lock'"


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_killed_while_the_tables_are_written_anew(place: Place) -> None:
    """Killed when all records are done and the tables of keys are about to be written anew, the command leaves rows
    under the old KEK in the files; run again, it finishes."""
    assert place.postgres is not None
    before, rotation = place.contents(OLD), Rotation(place, OLD, NEW)
    with place.postgres.connect(place.database) as reader, place.postgres.connect(place.database) as other:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM keys")
        rotation.reach(RECORDS)
        eventually(lambda: other.execute(_WAITING).fetchall())
        assert rotation.kill()
        other.execute(f"SELECT pg_terminate_backend(pid) FROM ({_WAITING}) AS waiting")  # noqa: S608 - a constant
        eventually(lambda: not other.execute(_WAITING).fetchall())
        reader.execute("COMMIT")
    assert place.shows(OLD)
    assert place.contents(NEW) == before
    assert resumed(place, before, OLD, NEW) == []
