"""A session that was purged and is opened again under its id, by the same request: nothing of the first one is good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from authsvc.errors import Reason, RefreshRefused
from authsvc.model import SessionId
from authsvc.storage.sqlite.connection import Database, fetch
from tests.conftest import HandClock
from tests.storage.postgres.server import Server
from tests.tokens.service import REQUEST_ID, Service, open_service

SOON = 3_720.0
"""Seconds: no session is purged sooner after its last use."""


@dataclass
class Desk:
    """A service, and what removes a session as a purge does when its time has come."""

    service: Service
    remove: Callable[[SessionId], int]

    def opened(self, app: str) -> str:
        """The refresh token of the request, delivered once more."""
        return self.service.issue(app, refreshable=True, request_id=REQUEST_ID).refresh_token

    def refusal(self, refresh_token: str, **fields: str) -> Reason:
        with pytest.raises(RefreshRefused) as refused:
            self.service.refresh(refresh_token, **fields)
        return refused.value.reason


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request: pytest.FixtureRequest, state_dir: Path, clock: HandClock) -> Iterator[Desk]:
    """A service on each kind of store."""
    if request.param == "sqlite":
        with open_service(state_dir, clock) as service:
            yield Desk(service, lambda session_id: _remove_sqlite(state_dir / "authsvc.db", session_id))
        return
    postgres: Server = request.getfixturevalue("postgres")
    with postgres.migrated() as name, open_service(state_dir, clock, postgres.url(name)) as service:
        yield Desk(service, lambda session_id: _remove_postgres(postgres, name, session_id))


def _remove_sqlite(path: Path, session_id: SessionId) -> int:
    with closing(Database(path, timedelta(seconds=5)).connect()) as connection:
        return len(fetch(connection, "DELETE FROM sessions WHERE id = ? RETURNING 1", (session_id,)))


def _remove_postgres(server: Server, name: str, session_id: SessionId) -> int:
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        return connection.execute("DELETE FROM sessions WHERE id = %s", (session_id,)).rowcount


def purged_and_opened_again(desk: Desk, app: str, first: str) -> str:
    """The first refresh token of the second session; both have one id."""
    session_id = desk.service.ticket(first).session_id
    assert desk.remove(session_id) == 1
    desk.service.clock.move(seconds=SOON)
    second = desk.opened(app)
    assert desk.service.ticket(second).session_id == session_id
    return second


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_no_token_of_the_first_is_one_of_the_second(desk: Desk, turns: int) -> None:
    """Every refresh token of the purged session is refused as expired, and leaves the session that has its id alone."""
    app = desk.service.app()
    texts = [desk.opened(app)]
    for _ in range(turns):
        texts.append(desk.service.refresh(texts[-1]).refresh_token)
    second = purged_and_opened_again(desk, app, texts[0])
    before = desk.service.kept(second)
    assert [desk.refusal(text) for text in texts] == [Reason.REFRESH_TOKEN_EXPIRED] * len(texts)
    assert desk.service.kept(second) == before
    assert desk.service.refresh(second).rotated


def test_the_last_before_the_first_is_no_lost_reply(desk: Desk) -> None:
    """One generation before the second session's first is not answered as its parent, whatever came with it."""
    app = desk.service.app()
    first = desk.opened(app)
    for _ in range(int(SOON) - 1):
        first = desk.service.refresh(first, REQUEST_ID).refresh_token
    second = purged_and_opened_again(desk, app, first)
    assert desk.service.ticket(first).generation == desk.service.ticket(second).generation - 1
    assert desk.refusal(first, request_id=REQUEST_ID) is Reason.REFRESH_TOKEN_EXPIRED
    assert desk.service.kept(second).revoked_at is None


def test_a_session_that_was_drawn_begins_at_nought(desk: Desk) -> None:
    """Without a request id the id is never drawn again, and the count says how often the session was turned."""
    assert desk.service.ticket(desk.service.session(desk.service.app())).generation == 0


def test_reuse_is_still_seen(desk: Desk) -> None:
    """A token of this very session that comes back too late still ends it."""
    app = desk.service.app()
    first = desk.opened(app)
    second = desk.service.refresh(first).refresh_token
    desk.service.refresh(second)
    assert desk.refusal(first) is Reason.REFRESH_TOKEN_REUSED
