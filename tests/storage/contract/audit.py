"""Reading the audit: newest first, by what was asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.model import ApiKey, AuditEvent, UserId
from authsvc.storage.base import AuditFilter, Store
from tests.storage.places import START
from tests.storage.records import APP, SARA, a_key, an_app, an_audit, keep_app, keep_session

HOUR = timedelta(hours=1)
ANY = AuditFilter()

# Each differs from ``an_audit()`` in what the filter of that name asks for.
OTHERS: dict[str, dict[str, object]] = {
    "api_key": {"api_key": "other"},
    "principal": {"principal": "svc-2"},
    "action": {"action": "tests.other"},
    "subject": {"subject": "Sara"},
    "outcome": {"outcome": "refused"},
}


def write(store: Store, *events: AuditEvent) -> None:
    """Make changes that leave these events, in this order."""
    for event in events:
        store.raise_watermark(APP, SARA, event)


def events(store: Store, wanted: AuditFilter = ANY) -> list[AuditEvent]:
    """The events in a list."""
    return [row.event for row in store.list_audit(wanted)]


class Audit:
    """``list_audit``."""

    def test_rows_come_back_as_they_were(self, store: Store) -> None:
        """Every field survives, and a row carries the revision of the change it tells of."""
        moment = START - timedelta(days=1, microseconds=1)
        event = AuditEvent(moment, "app.create", "svc-ä", "Acme", "süb'ject", "ok", 'a "reason"')
        app = store.create_app(an_app(), a_key(), event)
        (row,) = store.list_audit(ANY)
        assert (row.event, row.revision) == (event, app.revision)
        assert row.id > 0

    def test_newest_first_and_page_by_page(self, store: Store) -> None:
        """The latest row is first whatever the clock said, and pages of any size hold each row once."""
        keep_app(store)
        write(store, *(an_audit(f"act-{i}", at=START + i % 3 * HOUR) for i in range(7)))
        whole = store.list_audit(ANY)
        assert [row.event.action for row in whole] == [f"act-{i}" for i in reversed(range(7))] + ["tests.act"]
        for limit in (1, 3, 8):
            seen: list[int] = []
            while page := store.list_audit(ANY, before=seen[-1] if seen else None, limit=limit):
                assert len(page) <= limit
                seen += [row.id for row in page]
            assert seen == [row.id for row in whole]

    @pytest.mark.parametrize("name", OTHERS)
    def test_each_filter_chooses(self, store: Store, name: str) -> None:
        """A filter lets through the rows that have exactly that, and without it both are there."""
        one, other = an_audit(), an_audit(**OTHERS[name])  # type: ignore[arg-type]
        store.create_app(an_app(), a_key(), one)
        write(store, other)
        for event in (one, other):
            assert events(store, AuditFilter(**{name: getattr(event, name)})) == [event]
        assert events(store) == [other, one]

    def test_since_is_included_and_until_is_not(self, store: Store) -> None:
        """Rows are chosen by their time to the microsecond, from ``since`` on and before ``until``."""
        store.create_app(an_app(), a_key(), an_audit("first", at=START))
        write(store, an_audit("second", at=START + HOUR), an_audit("third", at=START + 2 * HOUR))
        step = timedelta(microseconds=1)
        for since, until, expected in [
            (START, None, ["third", "second", "first"]),
            (START + step, None, ["third", "second"]),
            (None, START + HOUR, ["first"]),
            (None, START + HOUR + step, ["second", "first"]),
            (START + HOUR, START + 2 * HOUR, ["second"]),
            (START + 2 * HOUR, START, []),
        ]:
            assert [event.action for event in events(store, AuditFilter(since=since, until=until))] == expected

    def test_filters_are_all_asked_for(self, store: Store) -> None:
        """A row must satisfy every filter that is given."""
        store.create_app(an_app(), a_key(), an_audit("first"))
        write(store, an_audit("first", subject="tom"), an_audit("second", subject="tom"))
        wanted = AuditFilter(action="first", subject="tom", api_key=APP, since=START, apps=frozenset({APP}))
        assert events(store, wanted) == [an_audit("first", subject="tom")]

    def test_only_apps_that_may_be_seen(self, store: Store) -> None:
        """With a set of apps, rows about others and about none are left out; with an empty set all are."""
        store.create_app(an_app(), a_key(), an_audit(api_key=""))
        write(store, an_audit(api_key="other"), an_audit(api_key="ACME"), an_audit(api_key="a'b"), an_audit())
        for apps, expected in [
            ({APP, "a'b"}, ["acme", "a'b"]),
            ({"other", "nobody"}, ["other"]),
            (set(), []),
            (None, ["acme", "a'b", "ACME", "other", ""]),
        ]:
            chosen = None if apps is None else frozenset(map(ApiKey, apps))
            assert [event.api_key for event in events(store, AuditFilter(apps=chosen))] == expected

    def test_what_changed_nothing_left_no_row(self, store: Store) -> None:
        """A change that was refused or had no effect is not in the audit; one that had is."""
        session = keep_session(store)
        store.revoke_session(session.id, "logout", an_audit("revoked"))
        store.revoke_session(session.id, "logout", an_audit("again"))
        store.clear_watermark(APP, UserId("nobody"), an_audit("cleared"))
        assert [event.action for event in events(store)] == ["revoked", "tests.act"]
