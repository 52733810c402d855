"""What a change of an app leaves in the store: its audit row and its feed rows, in the change's own transaction."""

from __future__ import annotations

from collections.abc import Callable

import apsw
import pytest

from authsvc.app.composition import Domain
from authsvc.apps.admin import AppsAdmin
from authsvc.clock import to_microseconds
from authsvc.model import App, Principal
from tests.apps.wishing import wishes
from tests.conftest import HandClock
from tests.rows import AuditRow, FeedRow, Rows

Change = Callable[[AppsAdmin, Principal], App]

CHANGES: dict[str, Change] = {
    "app.created": lambda apps, root: apps.create(root, "new", wishes()),
    "app.updated": lambda apps, root: apps.update(
        root, "acme", wishes(guests_enabled=True), ("guests_enabled",), etag_version=None
    ),
    "app.suspended": lambda apps, root: apps.set_suspended(root, "acme", True, etag_version=None),
    "app.resumed": lambda apps, root: apps.set_suspended(root, "off", False, etag_version=None),
}
changes = pytest.mark.parametrize(("action", "change"), CHANGES.items(), ids=CHANGES.keys())


@pytest.fixture(autouse=True)
def two_apps(apps: AppsAdmin, root: Principal) -> None:
    """An app to change, and a suspended one."""
    apps.create(root, "acme", wishes())
    apps.create(root, "off", wishes(suspended=True))


@changes
def test_a_change_is_audited_and_fed_under_its_revision(
    apps: AppsAdmin, root: Principal, clock: HandClock, rows: Rows, action: str, change: Change
) -> None:
    """Time, caller, action and app stand in the audit, the app and its first key in the feed, under one revision."""
    clock.move(minutes=5, microseconds=1)
    app = change(apps, root)
    revision = rows.revision()
    assert app.revision == revision
    expected = AuditRow(
        to_microseconds(clock()), revision, action, root.account_id, app.api_key, app.api_key, "done", ""
    )
    assert rows.audit()[-1] == expected
    keys = rows.read(f"SELECT key_id, revision FROM keys WHERE api_key = '{app.api_key}'")  # noqa: S608
    fed = [FeedRow(revision, 0, "app", app.api_key, "")]
    if action == "app.created":
        assert keys[0][1] == revision
        fed.append(FeedRow(revision, 1, "key", app.api_key, keys[0][0]))
    assert [row for row in rows.feed() if row.revision == revision] == fed


@pytest.mark.parametrize("table", ["audit", "feed"])
@changes
def test_what_cannot_be_audited_or_fed_is_not_changed(
    domain: Domain, root: Principal, rows: Rows, action: str, change: Change, table: str
) -> None:
    """Where the audit row or a feed row cannot be written, neither is the change, in the file and in memory."""
    before, known = rows.everything(), domain.view.apps()
    with rows.unwritable(table), pytest.raises(apsw.ConstraintError):
        change(domain.apps, root)
    assert rows.everything() == before
    assert domain.view.apps() == known
    change(domain.apps, root)
    assert rows.audit()[-1].action == action


def test_revisions_count_every_change_once(apps: AppsAdmin, root: Principal, rows: Rows) -> None:
    """Each change has the next revision, refusals spend none, and audit and feed tell of the same ones."""
    first = rows.revision()
    for change in CHANGES.values():
        change(apps, root)
    assert rows.revision() == first + len(CHANGES)
    audited = [row.revision for row in rows.audit()]
    assert audited == sorted({row.revision for row in rows.feed()}) == list(range(1, rows.revision() + 1))


def test_suspending_and_resuming_twice_is_harmless(apps: AppsAdmin, root: Principal, rows: Rows) -> None:
    """The second time nothing is changed, counted or audited, and the answer is the app as it is."""
    for suspended in (True, False):
        first = apps.set_suspended(root, "acme", suspended, etag_version=None)
        before = rows.everything()
        assert apps.set_suspended(root, "acme", suspended, etag_version=None) == first
        assert rows.everything() == before
        assert first.settings.suspended is suspended
