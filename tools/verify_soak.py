"""The long proofs of the embedded store's size: what is over leaves nothing, and what is there costs no time."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path

from authsvc.model import ApiKey, Session, SessionId
from authsvc.operations.janitor import EVERY_SECONDS, Janitor
from authsvc.storage.rows import sessions as rows
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.tokens.refresh_token import RefreshTicket
from tests.conftest import HandClock
from tests.tokens.service import Service, open_service
from tools.proofs import Part, Result, within_limit

WAVE = 20_000
"""Sessions that live at the same time."""

CALLERS = 64
KEPT_REVISIONS = 1_000
MOST_SECONDS = EVERY_SECONDS
"""To forget a wave: one that waits for its next look takes longer."""

MOST_GROWTH = 1.02
"""Beside what stays in any case: the audit, and so many revisions of the feed."""

FEW = 10_000
TURNS = 4_000
BLOCK = 100
MOST_DEARER = 1.10

_INSERT = (
    f"INSERT INTO sessions ({rows.COLUMNS}, due_at) VALUES ("  # noqa: S608 - constants
    + ", ".join(f":{name.strip()}" for name in rows.COLUMNS.split(","))
    + ", :due_at)"
)


def soak(count: int) -> Result:
    """So many sessions opened, refreshed and over, one in a thousand ended, in waves, each forgotten by a janitor; then
    the size of the file."""
    result, sizes, took = Result(), list[int](), list[float]()
    with _service() as (service, database), ThreadPoolExecutor(CALLERS) as callers:
        app, waves = service.app(secret=bytes(range(32))), max(3, count // WAVE)
        for _ in within_limit(waves, result):
            _live(service, app, callers)
            sizes.append(_pages(database))
            took.append(_forget(service))
        left, empty = service.rows(), _pages_in_use(database)
        _live(service, app, callers)
        needed, file = _pages_in_use(database), _pages(database)
    with _service() as (service, database), ThreadPoolExecutor(CALLERS) as callers:
        _live(service, service.app(secret=bytes(range(32))), callers)
        fresh = _pages(database)
    result.numbers |= {
        "issues, refreshes and expiries each": len(sizes) * WAVE,
        "rows forgotten a second": round(WAVE / statistics.median(took)),
        "longest time to forget a wave, s": round(max(took), 1),
        "sessions left": left["sessions"],
        "rows of the feed left": left["feed"],
        "pages used when all were over": empty,
        f"pages used with {WAVE} sessions": needed,
        f"pages of the file with {WAVE} sessions": file,
        f"pages of a new store with {WAVE} sessions": fresh,
    }
    if left["sessions"] or left["feed"] > KEPT_REVISIONS:
        result.faults.append(f"{left['sessions']} sessions and {left['feed']} rows of the feed are left")
    if max(took) > MOST_SECONDS:
        result.faults.append(f"{WAVE} sessions were forgotten in {max(took):.0f} s, and {MOST_SECONDS:.0f} is the most")
    if file > MOST_GROWTH * fresh + empty:
        result.faults.append(f"the file has {file} pages for {WAVE} sessions, a new store {fresh}, and {empty} stay")
    return result


def refresh_cost(count: int) -> Result:
    """A refresh through the whole use case, in turns with a few sessions in the store and with so many."""
    result, took = Result(), {FEW: list[float](), count: list[float]()}
    with _filled(FEW) as few, _filled(count) as many:
        stores = {FEW: few, count: many}
        for _ in within_limit(TURNS // BLOCK, result, seconds=300):
            for size, (service, texts) in stores.items():
                took[size] += [_timed(service, text) for text in islice(texts, BLOCK)]
    medians = {size: statistics.median(times) * 1e6 for size, times in took.items()}
    ratio = medians[count] / medians[FEW]
    result.numbers |= {f"median in µs with {size} sessions": round(median) for size, median in medians.items()}
    result.numbers |= {"ratio": round(ratio, 3), "refreshes each": len(took[count])}
    if ratio > MOST_DEARER:
        result.faults.append(f"a refresh with {count} sessions takes {ratio:.2f} times as long as with {FEW}")
    return result


PARTS: Mapping[str, Part] = {
    "soak": Part(1_000_000, "sessions", soak),
    "refresh-cost": Part(1_000_000, "sessions", refresh_cost),
}


@contextmanager
def _service() -> Iterator[tuple[Service, Database]]:
    with (
        tempfile.TemporaryDirectory(prefix="authsvc-verify-") as folder,
        open_service(Path(folder), HandClock()) as service,
    ):
        service.domain.logs.configure_loggers({"default": {"level": "error"}})
        yield service, Database(Path(folder) / "authsvc.db", timedelta(seconds=30))


def _live(service: Service, app: ApiKey, callers: ThreadPoolExecutor) -> None:
    """One wave: each session is opened and turned once; one in a thousand is ended."""

    def one(numbers: Sequence[int]) -> None:
        for number in numbers:
            text = service.session(app)
            text = service.refresh(text).refresh_token
            if number % 1_000 == 0:
                service.revoke_session(text)

    list(callers.map(one, [range(start, WAVE, CALLERS) for start in range(CALLERS)]))


def _forget(service: Service) -> float:
    """Let all be over, sessions that were ended too, and a janitor do what it does in a server; how long that took.

    It goes on by itself while there is more: one that waited for its next look would be late here.
    """
    service.clock.move(days=120)
    log = service.domain.logs.get_logger("storage")
    janitor = Janitor(service.store, log, clock=service.clock, keep_revisions=KEPT_REVISIONS)
    began = time.monotonic()
    janitor.start()
    try:
        while _left(service) and time.monotonic() < began + MOST_SECONDS:
            time.sleep(0.02)
    finally:
        janitor.stop()
    return time.monotonic() - began


def _left(service: Service) -> bool:
    rows = service.rows()
    return bool(rows["sessions"]) or rows["feed"] > KEPT_REVISIONS


def _pages(database: Database) -> int:
    with closing(database.connect(query_only=True)) as connection:
        ((pages,),) = fetch(connection, "PRAGMA page_count")
    return int(pages)


def _pages_in_use(database: Database) -> int:
    with closing(database.connect(query_only=True)) as connection:
        ((pages, free),) = fetch(connection, "SELECT * FROM pragma_page_count, pragma_freelist_count")
    return int(pages) - int(free)


@contextmanager
def _filled(count: int) -> Iterator[tuple[Service, Iterator[str]]]:
    """A service with so many live sessions, and refresh tokens of some of them, each another one's."""
    draw = random.Random(count)  # noqa: S311 - repeats itself
    with _service() as (service, database):
        app = service.app(secret=bytes(range(32)))
        model = service.kept(service.session(app))
        ids = [_drawn(draw) for _ in range(TURNS)]
        _fill(database, model, ids, count, draw)
        epoch = service.store.epoch
        tickets = (RefreshTicket(epoch, session_id, 0) for session_id in ids)
        yield service, map(service.refresh_tokens.text_of, tickets)


def _fill(database: Database, model: Session, ids: Sequence[SessionId], count: int, draw: random.Random) -> None:
    """Sessions like ``model``, those with ``ids`` spread over all."""
    row, every = rows.to_row(model) | {"created_revision": model.created_revision}, max(1, count // len(ids))
    named = iter(ids)
    with closing(database.connect()) as connection:
        for start in range(0, count, 50_000):
            fetch(connection, "BEGIN IMMEDIATE")
            for number in range(start, min(count, start + 50_000)):
                session_id = next(named, None) if number % every == 0 else None
                connection.execute(_INSERT, {**row, "id": session_id or _drawn(draw)})
            fetch(connection, "COMMIT")
            fetch(connection, "PRAGMA wal_checkpoint(TRUNCATE)")


def _drawn(draw: random.Random) -> SessionId:
    return SessionId(uuid.UUID(bytes=draw.randbytes(16), version=4).bytes)


def _timed(service: Service, text: str) -> float:
    began = time.perf_counter()
    refreshed = service.refresh(text)
    took = time.perf_counter() - began
    if not refreshed.rotated:
        raise RuntimeError("a refresh token that was never shown is not turned")
    return took
