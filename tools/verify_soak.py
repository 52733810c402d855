"""The long proofs of a store's size: what is over leaves nothing, and what is there costs no time."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from authsvc.clock import system_clock
from authsvc.model import ApiKey, SessionId
from authsvc.operations.janitor import EVERY_SECONDS, Janitor
from authsvc.storage.rows import sessions as rows
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.tokens.refresh_token import RefreshTicket
from authsvc.tokens.requests import UserSubject
from tests.conftest import HandClock
from tests.quiet import hush
from tests.storage.postgres.server import Server
from tests.tokens.revoking import revoke, target_of
from tests.tokens.service import Service, open_service
from tools.proofs import Part, Result, within_limit

WAVE = 20_000
"""Sessions that live at the same time."""

CALLERS = 64
KEPT_REVISIONS = 1_000
MOST_SECONDS = EVERY_SECONDS
"""To forget a wave: one that waits for its next look takes longer."""

MOST_GROWTH = 1.02
"""Beside what stays in any case: so many revisions of the feed, the tables and an app, and the audit."""

MOST_EMPTY_PAGES = 64
"""What stays when all is over, but for the audit."""

MOST_AUDIT_BYTES = 256
"""A row of the audit with its place in the indexes: each stays, and so does what it takes."""

REVOKED_EVERY = 200
REVOKED_KINDS = ("user_id", "session_id", "token", "token_id", "refresh_token")
"""What is named where one session in so many is revoked, in turn."""

_OF_EACH_KIND = WAVE // REVOKED_EVERY // len(REVOKED_KINDS)
LIVED = {"sessions": WAVE, "revoked_tokens": 2 * _OF_EACH_KIND, "watermarks": _OF_EACH_KIND}
"""Rows that a wave has, and that are to be gone when it is over."""

FEW = 10_000
TURNS = 4_000
BLOCK = 100
FILLED_AT_ONCE = 50_000
MOST_FILLING_SECONDS = 900.0
MOST_DEARER = 1.10

_AUDIT = """
SELECT sum(pageno), sum(pgsize) FROM dbstat('main', TRUE)
WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = 'audit')"""

_MODEL = ", ".join([*(name.strip() for name in rows.COLUMNS.split(",") if name.strip() != "id"), "due_at"])
_OF_MODEL = ", ".join(f"model.{name}" for name in _MODEL.split(", "))

# Sessions like one that is there, from number ``first`` to before ``end``, with the ids that ``_id_of`` has for them:
# spread over all ids, and in their order, so that ten millions are kept in minutes.
_ON_SQLITE = f"""
WITH RECURSIVE numbered (n) AS (VALUES (:first) UNION ALL SELECT n + 1 FROM numbered WHERE n + 1 < :end)
INSERT INTO sessions (id, {_MODEL})
SELECT unhex(printf('%08x%024x', n * :step, n)), {_OF_MODEL} FROM sessions AS model CROSS JOIN numbered
WHERE model.id = :model"""  # noqa: S608 - constants
_ON_POSTGRES = f"""
INSERT INTO sessions (id, {_MODEL})
SELECT decode(lpad(to_hex(n * %(step)s), 8, '0') || lpad(to_hex(n), 24, '0'), 'hex'), {_OF_MODEL}
FROM sessions AS model, generate_series(%(first)s::bigint, %(end)s - 1) AS n WHERE model.id = %(model)s"""  # noqa: S608

Insert = Callable[[Mapping[str, object]], object]
"""Runs one of the two with its values, and commits."""

Opened = Callable[[], AbstractContextManager[tuple[Service, Insert]]]


def soak(count: int) -> Result:
    """So many sessions opened, refreshed and over, in waves, in which users, sessions and single tokens are revoked
    too; each wave forgotten by a janitor; then the size of the file."""
    result, sizes, took = Result(), list[int](), list[float]()
    with _service() as (service, database), ThreadPoolExecutor(CALLERS) as callers:
        app, waves = service.app(secret=bytes(range(32))), max(3, count // WAVE)
        for number in within_limit(waves, result):
            _live(service, app, callers)
            if (lived := {table: service.rows()[table] for table in LIVED}) != LIVED:
                result.faults.append(f"wave {number} has {lived} rows instead of {LIVED}")
            sizes.append(_pages(database))
            took.append(_forget(service))
        left, empty, (audit, audit_bytes) = service.rows(), _pages_in_use(database), _audit(database)
        _live(service, app, callers)
        needed, file = _pages_in_use(database), _pages(database)
    with _service() as (service, database), ThreadPoolExecutor(CALLERS) as callers:
        _live(service, service.app(secret=bytes(range(32))), callers)
        fresh = _pages(database)
    result.numbers |= {
        "issues, refreshes and expiries each": len(sizes) * WAVE,
        "revocations by each kind of target": len(sizes) * _OF_EACH_KIND,
        "rows forgotten a second": round(WAVE / statistics.median(took)),
        "longest time to forget a wave, s": round(max(took), 1),
        **{f"{table} left": left[table] for table in LIVED},
        "rows of the feed left": left["feed"],
        "rows of the audit": left["audit"],
        "pages used when all were over": empty,
        "of which by the audit": audit,
        f"pages used with {WAVE} sessions": needed,
        f"pages of the file with {WAVE} sessions": file,
        f"pages of a new store with {WAVE} sessions": fresh,
    }
    if _still_there(left):
        result.faults.append(f"of what was over there are left: {left}")
    if max(took) > MOST_SECONDS:
        result.faults.append(f"{WAVE} sessions were forgotten in {max(took):.0f} s, and {MOST_SECONDS:.0f} is the most")
    if empty - audit > MOST_EMPTY_PAGES:
        result.faults.append(f"{empty - audit} pages stay beside the audit, and {MOST_EMPTY_PAGES} are the most")
    if audit_bytes > MOST_AUDIT_BYTES * left["audit"]:
        result.faults.append(f"the audit takes {audit_bytes} bytes for {left['audit']} rows")
    if file > MOST_GROWTH * fresh + empty:
        result.faults.append(f"the file has {file} pages for {WAVE} sessions, a new store {fresh}, and {empty} stay")
    return result


def refresh_cost(count: int) -> Result:
    """A refresh through the whole use case, in turns with few sessions in the store, with a tenth of the count and with
    all of it, on each backend."""
    result, sizes = Result(), [FEW, max(FEW, count // 10), count]
    _compare(result, "SQLite", sizes, _on_sqlite)
    with closing(Server()) as server:
        _compare(result, "PostgreSQL", sizes, partial(_on_postgres, server))
    return result


def _compare(result: Result, backend: str, sizes: Sequence[int], opened: Opened) -> None:
    took, began = {size: list[float]() for size in sizes}, time.monotonic()
    with ExitStack() as lifetimes:
        stores = {size: lifetimes.enter_context(_filled(opened, size)) for size in took}
        filled = time.monotonic() - began
        for _ in within_limit(TURNS // BLOCK, result, seconds=300):
            for size, (service, texts) in stores.items():
                took[size] += [_timed(service, text) for text in islice(texts, BLOCK)]
    medians = {size: statistics.median(times) * 1e6 for size, times in took.items()}
    ratios = {size: median / medians[FEW] for size, median in medians.items() if size > FEW}
    result.numbers[backend] = {
        "filled in s": round(filled),
        "refreshes each": min(map(len, took.values())),
        "median in µs by sessions": {size: round(median) for size, median in medians.items()},
        "ratio by sessions": {size: round(ratio, 3) for size, ratio in ratios.items()},
    }
    result.faults += [
        f"{backend}: a refresh with {size} sessions takes {ratio:.2f} times as long as with {FEW}"
        for size, ratio in ratios.items()
        if ratio > MOST_DEARER
    ]


PARTS: Mapping[str, Part] = {
    "soak": Part(1_000_000, "sessions", soak),
    "refresh-cost": Part(10_000_000, "sessions", refresh_cost),
}


@contextmanager
def _service() -> Iterator[tuple[Service, Database]]:
    clock = HandClock()  # and time goes by with it: what a clock was only set to lets nothing be forgotten
    with (
        tempfile.TemporaryDirectory(prefix="authsvc-verify-") as folder,
        open_service(Path(folder), clock, monotonic=clock.passed) as service,
    ):
        hush(service.domain.logs)
        yield service, Database(Path(folder) / "authsvc.db", timedelta(seconds=30))


def _live(service: Service, app: ApiKey, callers: ThreadPoolExecutor) -> None:
    """One wave: each session is opened and turned once; what some are, or belong to, is revoked."""

    def one(numbers: Sequence[int]) -> None:
        for number in numbers:
            issued = service.issue(app, UserSubject(f"user-{number}"), refreshable=True)
            service.refresh(issued.refresh_token)
            turn, rest = divmod(number, REVOKED_EVERY)
            if rest == 0:
                revoke(service, app, target_of(REVOKED_KINDS[turn % len(REVOKED_KINDS)], issued))

    list(callers.map(one, [range(start, WAVE, CALLERS) for start in range(CALLERS)]))


def _forget(service: Service) -> float:
    """Let all be over, what was revoked too, and a janitor do what it does in a server; how long that took.

    It goes on by itself while there is more: one that waited for its next look would be late here.
    """
    service.clock.move(days=120)
    log = service.domain.logs.get_logger("storage")
    janitor = Janitor(service.store, log, clock=service.clock, keep_revisions=KEPT_REVISIONS)
    began = time.monotonic()
    janitor.start()
    try:
        while _still_there(service.rows()) and time.monotonic() < began + MOST_SECONDS:
            time.sleep(0.02)
    finally:
        janitor.stop()
    return time.monotonic() - began


def _still_there(rows: Mapping[str, int]) -> bool:
    return any(rows[table] for table in LIVED) or rows["feed"] > KEPT_REVISIONS


def _pages(database: Database) -> int:
    with closing(database.connect(query_only=True)) as connection:
        ((pages,),) = fetch(connection, "PRAGMA page_count")
    return int(pages)


def _pages_in_use(database: Database) -> int:
    with closing(database.connect(query_only=True)) as connection:
        ((pages, free),) = fetch(connection, "SELECT * FROM pragma_page_count, pragma_freelist_count")
    return int(pages) - int(free)


def _audit(database: Database) -> tuple[int, int]:
    """Pages of the audit and its indexes, and their bytes."""
    with closing(database.connect(query_only=True)) as connection:
        ((pages, size),) = fetch(connection, _AUDIT)
    return int(pages), int(size)


@contextmanager
def _on_sqlite() -> Iterator[tuple[Service, Insert]]:
    with _service() as (service, database), closing(database.connect()) as connection:

        def insert(values: Mapping[str, object]) -> None:
            fetch(connection, _ON_SQLITE, values)
            fetch(connection, "PRAGMA wal_checkpoint(TRUNCATE)")

        yield service, insert


@contextmanager
def _on_postgres(server: Server) -> Iterator[tuple[Service, Insert]]:
    with (
        tempfile.TemporaryDirectory(prefix="authsvc-verify-") as folder,
        server.migrated() as name,
        open_service(Path(folder), HandClock(system_clock()), server.url(name)) as service,
        server.connect(name) as connection,
    ):
        hush(service.domain.logs)

        def insert(values: Mapping[str, object]) -> None:
            connection.execute(_ON_POSTGRES, values)
            connection.execute("CHECKPOINT")  # or it would be writing them while refreshes are measured

        yield service, insert


@contextmanager
def _filled(opened: Opened, count: int) -> Iterator[tuple[Service, Iterator[str]]]:
    """A service with so many live sessions, and refresh tokens of some of them by chance, each another one's."""
    ends = time.monotonic() + MOST_FILLING_SECONDS
    with opened() as (service, insert):
        app = service.app(secret=bytes(range(32)))
        model = service.kept(service.session(app))
        for first in range(1, count + 1, FILLED_AT_ONCE):
            if time.monotonic() > ends:
                raise TimeoutError(f"only {first} of {count} sessions were kept in {MOST_FILLING_SECONDS:.0f} s")
            end = min(count + 1, first + FILLED_AT_ONCE)
            insert({"first": first, "end": end, "step": _step_of(count), "model": model.id})
        numbers = random.Random(count).sample(range(1, count + 1), TURNS)  # noqa: S311 - repeats itself
        tickets = (RefreshTicket(service.store.epoch, _id_of(number, count), 0) for number in numbers)
        yield service, map(service.refresh_tokens.text_of, tickets)


def _id_of(number: int, count: int) -> SessionId:
    return SessionId((number * _step_of(count)).to_bytes(4, "big") + number.to_bytes(12, "big"))


def _step_of(count: int) -> int:
    return (2**32 - 1) // count


def _timed(service: Service, text: str) -> float:
    began = time.perf_counter()
    refreshed = service.refresh(text)
    took = time.perf_counter() - began
    if not refreshed.rotated:
        raise RuntimeError("a refresh token that was never shown is not turned")
    return took
