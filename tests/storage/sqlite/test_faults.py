"""When a commit fails nothing of it is acknowledged, whichever change it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from authsvc.clock import system_randomness
from authsvc.errors import Reason, Unavailable
from authsvc.model import Commit, LogLevel, Revision, SealedSecret, TokenId
from authsvc.storage.base import Purged, Store
from authsvc.storage.sqlite import open_sqlite
from tests.storage.crowd import all_at_once
from tests.storage.places import START, SettableClock, SqlitePlace
from tests.storage.records import APP, SARA, an_audit, keep_session
from tests.storage.sqlite.disk import Disk, Fault, disk_full, io_error

SECRET = SealedSecret("mac", 0, b"first", START)
JTI = TokenId("jti")

CHANGES: dict[str, Callable[[Store], object]] = {
    "edit keys": lambda store: store.edit_keys(APP, lambda keys: (), an_audit()),
    "revoke a token": lambda store: store.revoke_token(APP, TokenId("other"), None, an_audit()),
    "clear a token": lambda store: store.clear_token(APP, JTI, an_audit()),
    "clear a watermark": lambda store: store.clear_watermark(APP, SARA, an_audit()),
    "set levels": lambda store: store.set_levels([LogLevel("rpc", "warn", START)], reset=True, audit=an_audit()),
    "add a secret": lambda store: store.add_secret(replace(SECRET, number=1)),
    "replace a secret": lambda store: store.replace_secret(replace(SECRET, sealed=b"second"), b"first"),
    "remove a secret": lambda store: store.remove_secret("mac", 0),
    "purge": lambda store: store.purge(limit=100, keep_revisions=1),
}


@pytest.fixture
def faulty(place: SqlitePlace, clock: SettableClock, disk: Disk) -> Iterator[Store]:
    """A store on a disk that can be made to fail, with something of everything, and a session that is due."""
    store = open_sqlite(place.path, clock=clock, randomness=system_randomness, exclusive=False, vfs=disk.name)
    keep_session(store, idle_expires_at=START)
    store.revoke_token(APP, JTI, None, an_audit())
    store.raise_watermark(APP, SARA, an_audit())
    store.add_secret(SECRET)
    store.set_levels([LogLevel("storage", "debug", START + timedelta(days=1))], reset=False, audit=an_audit())
    clock.advance(timedelta(hours=2))
    yield store
    store.close()


@pytest.mark.parametrize("fault", [io_error, disk_full])
@pytest.mark.parametrize("operation", ["sync", "write"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_failed_commit_is_not_acknowledged(
    faulty: Store, disk: Disk, name: str, operation: str, fault: Fault
) -> None:
    """When the log cannot be written or flushed the change is refused, nobody hears of it, and later it succeeds."""
    change, heard = CHANGES[name], list[Commit]()
    before = faulty.trust_state(), faulty.counts()
    faulty.listen(heard.append)
    disk.faults[operation, "log"] = fault
    with pytest.raises(Unavailable) as refusal:
        change(faulty)
    assert refusal.value.reason is Reason.STORE_UNAVAILABLE
    disk.faults.clear()
    assert (faulty.trust_state(), faulty.counts(), heard) == (*before, [])
    page = faulty.changes_since(before[0].revision)
    assert page is not None
    assert page.commits == ()
    change(faulty)
    assert (faulty.trust_state(), faulty.counts()) != before


def test_a_purge_with_nothing_to_do_writes_nothing(faulty: Store, disk: Disk) -> None:
    """Where nothing is due a purge neither writes nor flushes, so it succeeds on a disk that does neither."""
    assert sum(faulty.purge(limit=100, keep_revisions=1).removed.values()) > 0
    done = disk.done.copy()
    for operation in ("sync", "write"):
        disk.faults[operation, "log"] = io_error
    outcome = faulty.purge(limit=100, keep_revisions=1)
    assert isinstance(outcome, Purged)
    assert outcome.complete
    assert (disk.done["sync", "log"], disk.done["write", "log"]) == (done["sync", "log"], done["write", "log"])
    disk.faults.clear()


def test_a_cut_purge_keeps_what_it_had_done(faulty: Store, disk: Disk, clock: SettableClock) -> None:
    """A purge that fails half way leaves whole transactions, and the next one goes on from there."""
    all_at_once([partial(keep_session, faulty, idle_expires_at=clock.now)] * 250)
    clock.advance(timedelta(hours=2))
    flushed = disk.done["sync", "log"]

    def fail_later() -> None:
        if disk.done["sync", "log"] > flushed:
            io_error()

    disk.faults["sync", "log"] = fail_later
    with pytest.raises(Unavailable):
        faulty.purge(limit=1000, keep_revisions=1)
    disk.faults.clear()
    left = faulty.counts()["sessions"]
    assert 0 < left < 251
    assert faulty.purge(limit=1000, keep_revisions=1).removed["sessions"] == left
    assert faulty.changes_since(Revision(0)) is None
