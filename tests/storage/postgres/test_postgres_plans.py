"""How statements find their rows: by an index where there can be millions, with the plans that the store uses."""

# ruff: noqa: S608 - statements are put together from constants

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from authsvc.clock import deadline_after, to_microseconds
from authsvc.model import SessionId, Subject
from authsvc.storage.base import AuditFilter
from authsvc.storage.postgres import audit, following, lists, purging, sessions, tokens
from authsvc.storage.postgres.database import database_at
from authsvc.storage.postgres.link import BEGIN, ROLLBACK, Link
from authsvc.storage.postgres.statement import Request, Statement
from authsvc.storage.postgres.transaction import planned
from tests.storage.places import START
from tests.storage.postgres.server import Server
from tests.storage.records import APP, SARA

ROWS = 30_000
NOW = to_microseconds(START)
LATER = NOW + 10**15

# Many of everything: one app has nearly all, a few rows are due, a few sessions are revoked.
FILL = f"""
INSERT INTO apps SELECT name, '{{}}', '[]', 1, 1, false, 1, 1, 0, 0 FROM unnest('{{acme,other}}'::text[]) AS name;
INSERT INTO sessions SELECT uuid_send(md5(n::text)::uuid), CASE n % 1000 WHEN 0 THEN 'other' ELSE 'acme' END, 'user',
    'user-' || n % 5000, '{{}}', 'classic', 1, 0, {NOW}, '', 1, {NOW}, {LATER}, {LATER},
    CASE n % 50 WHEN 0 THEN {NOW} END, '', CASE n % 50 WHEN 0 THEN n END, 'svc', false, {LATER} - n
    FROM generate_series(1, {ROWS}) AS n;
INSERT INTO revoked_tokens SELECT 'acme', 'jti-' || n, {LATER} - n, n FROM generate_series(1, {ROWS}) AS n;
INSERT INTO watermarks SELECT 'acme', 'user-' || n, n, {NOW}, NULL, n, NULL, n, {NOW}, {LATER} - n
    FROM generate_series(1, {ROWS}) AS n;
INSERT INTO feed SELECT n, 0, 'watermark', 'acme', 'user-' || n FROM generate_series(1, {ROWS}) AS n;
UPDATE feed_head SET revision = {ROWS};
INSERT INTO audit (at, revision, action, principal, api_key, subject, outcome, reason)
    SELECT {NOW} + n, n, 'act', 'svc', CASE n % 1000 WHEN 0 THEN 'other' ELSE 'acme' END, 'user-' || n, 'ok', ''
    FROM generate_series(1, {ROWS}) AS n;
"""

_PAGE = {"api_key": APP, "user_id": SARA, "after": b"", "limit": 50, "present": NOW}
_TEXTS = {**_PAGE, "after": "a"}
_DUE = {"keep": ROWS, "present": NOW, "most": 100}
_NAMED = {"apps": (APP,), "subjects": ("user-1",)}
_SESSION = SessionId(bytes(16))
_UUID = "00000000-0000-0000-0000-000000000000"


def _named(kind: Subject) -> Request:
    subject = _UUID if kind is Subject.SESSION else "user-1"
    return following._STATEMENTS[kind][0](apps=(APP,), subjects=(subject,))


STATEMENTS: dict[str, Request] = {
    "states of several sessions": sessions.STATES(ids=(_SESSION, SessionId(bytes(15) + b"1")), present=NOW),
    "several turns": sessions.TURN_MANY(
        ids=(_SESSION,), generations=("0",), hashes=(b"",), idle_ttls=("1",), present=NOW
    ),
    "a session's state": sessions.STATE(id=_SESSION, present=NOW),
    "a turn": sessions.TURN(id=_SESSION, generation=0, request_id_hash=b"", idle_ttl=1, claims=None, present=NOW),
    "a single token": tokens._READ(api_key=APP, token_id="jti-1"),
    "the beginning of the feed": following._REACH(),
    "a page of the feed": following._ENTRIES(after=ROWS - 10, limit=1000),
    "a full page of the feed": following._ENTRIES(after=10, limit=100),
    "accounts of a page": following._ACCOUNTS.of(_NAMED),
    **{f"{kind} of a page": _named(kind) for kind in following._STATEMENTS},
    "what is due": purging._DUE.of(_DUE),
    **{f"{table} that are due": statement.of(_DUE) for table, statement in purging._STATEMENTS.items()},
    "watermarks that are due": purging._MARKS.of(_DUE),
}

LISTS: dict[str, Request] = {
    **{f"sessions {which}": statement.of(_PAGE) for which, statement in lists._OF_SESSIONS.items()},
    "sessions of a small app": lists._OF_SESSIONS[False, False].of({**_PAGE, "api_key": "other"}),
    "ended sessions": lists._OF_REVOCATIONS[Subject.SESSION][0].of(_PAGE),
    "revoked tokens": lists._OF_REVOCATIONS[Subject.TOKEN][0].of(_TEXTS),
    "watermarks": lists._OF_REVOCATIONS[Subject.WATERMARK][0].of(_TEXTS),
    "the newest of the audit": audit.reading(AuditFilter(), before=None, limit=50),
    "an app's audit": audit.reading(AuditFilter(api_key="other"), before=ROWS, limit=50),
    "the audit of a moment": audit.reading(AuditFilter(since=START, until=START), before=None, limit=50),
}

Scanned = Callable[..., set[str]]


@pytest.fixture(scope="module")
def scanned(postgres_server: Server) -> Iterator[Scanned]:
    """The large tables that statements read from the beginning to the end, in a database that holds many rows."""
    with postgres_server.migrated() as name:
        with postgres_server.connect(name) as connection:
            connection.execute(FILL)
            connection.execute("VACUUM ANALYZE")
        with closing(database_at(postgres_server.url(name)).connect()) as link:
            yield lambda *requests: _scanned(link, *requests)


@pytest.fixture(scope="module")
def grown(postgres_server: Server) -> Iterator[Scanned]:
    """As ``scanned``, on a connection that ran all statements while the tables had a hundredth of their rows."""
    with postgres_server.migrated() as name, postgres_server.connect(name) as connection:
        connection.execute(FILL.replace(str(ROWS), str(ROWS // 100)))
        connection.execute("VACUUM ANALYZE")
        with closing(database_at(postgres_server.url(name)).connect()) as link:
            for request in STATEMENTS.values():
                link.exchange([BEGIN(), *planned(request), request, ROLLBACK()], deadline_after(30))
            for table in ("sessions", "revoked_tokens", "watermarks", "feed", "audit", "apps"):
                connection.execute(f"DELETE FROM {table}")  # emptied faster, they would be planned anew
            connection.execute(FILL)
            yield lambda *requests: _scanned(link, *requests)


def _scanned(link: Link, *requests: Request) -> set[str]:
    look = Statement(
        f"SELECT relname::text, seq_scan FROM pg_stat_xact_user_tables WHERE pg_relation_size(relid) > {2**20}"
    )
    asked = [each for request in requests for each in (*planned(request), request)]
    rows = link.exchange([BEGIN(), look(), *asked, look(), ROLLBACK()], deadline_after(30))
    before: dict[str, int] = dict(rows[1])
    after: dict[str, int] = dict(rows[-2])
    assert {"sessions", "revoked_tokens", "watermarks", "feed", "audit"} <= set(before)
    return {table for table, scans in after.items() if scans > before[table]}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_large_table_is_scanned(scanned: Scanned, name: str) -> None:
    """What turns, follows and forgets finds its rows by an index, with a plan that was made for any values."""
    assert scanned(STATEMENTS[name]) == set()


@pytest.mark.parametrize("name", LISTS)
def test_no_list_scans_a_large_table(scanned: Scanned, name: str) -> None:
    """A page of a list is found by an index, with a plan that is made for it."""
    assert scanned(LISTS[name]) == set()


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_plan_outlives_its_reasons(grown: Scanned, name: str) -> None:
    """What was planned when the tables had a few rows, which to read in full was best, uses the indexes of large ones
    before the server has counted their rows again."""
    assert grown(STATEMENTS[name]) == set()


def test_a_scan_would_be_seen(scanned: Scanned) -> None:
    """The control: a condition on what no index has makes the server read the whole table."""
    assert scanned(Statement("SELECT 1 FROM sessions WHERE idle_expires_at < :now")(now=0)) == {"sessions"}
    assert scanned(Statement("SELECT 1 FROM audit WHERE subject = :who")(who="tom")) == {"audit"}
