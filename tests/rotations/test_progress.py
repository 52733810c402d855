"""How far a rotation of the KEK is can be seen on a terminal, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.rotations.conftest import Command
from tests.rotations.scene import NEW, OLD, RECORDS, Place
from tests.rotations.terminal import on_a_terminal

only_postgres = pytest.mark.parametrize("place", ["postgres"], indirect=True)
HALF = RECORDS // 2


@contextmanager
def held_after(place: Place, records: int) -> Iterator[None]:
    """While this lasts the rotation gets no further than so many records."""
    assert place.postgres is not None
    with closing(place.open(exclusive=False)) as store:
        app = store.trust_state().apps[records]
    with place.postgres.connect(place.database) as connection, connection.transaction():
        connection.execute("SELECT 1 FROM apps WHERE api_key = %s FOR UPDATE", [app.api_key])
        yield


@only_postgres  # which has locks of single rows
def test_a_terminal_shows_how_far_it_is(place: Place) -> None:
    """The bar stands at half while half of the records are done, goes on to the end, and is taken away again; the
    answer is on standard output."""
    command = ("kek", "rotate", "--new-kek-file", str(place.file(NEW)))
    with on_a_terminal(*command, environ=place.environ(OLD)) as (process, terminal):
        with held_after(place, HALF):
            terminal.read_until(100 * HALF // RECORDS)
            assert process.poll() is None
            assert max(terminal.shares()) == 100 * HALF // RECORDS
        terminal.read_to_the_end()
        out, _ = process.communicate()
    assert process.returncode == 0
    assert out.startswith(f"{RECORDS} records are sealed with the key in ")
    shares = terminal.shares()
    assert (shares, shares[-1]) == (sorted(shares), 100)
    assert terminal.drawn.endswith("\x1b[1A\x1b[2K"), "the line of the bar is empty again"


def test_without_a_terminal_there_is_no_bar(place: Place, command: Command) -> None:
    """Nothing but the answer is written where standard error is no terminal."""
    ended = command("kek", "rotate", "--new-kek-file", str(place.file(NEW)), kek=OLD)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{RECORDS} records are sealed with the key in {place.file(NEW)}: set AUTHSVC_KEK_FILE to it\n"
