"""The life of keys: what becomes due when, and what each change makes of the keys there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from authsvc.model import APP_ALGORITHMS, Algorithm, App, KeyId, KeyRecord, KeyState
from authsvc.signing.lifecycle import (
    FEED_BOUND,
    KEPT_AFTER,
    LEAD_TIME,
    Deed,
    Keys,
    LifeCycle,
    Move,
    Present,
    SuccessorNeeded,
    active,
    pending,
    verifies_until,
)
from tests.signing.key_records import DAY, MICROSECOND, NOW, a_key, a_pending_key, an_app

LIFE = LifeCycle()
AGE = timedelta(days=30)
HS256 = {"algorithm": Algorithm.HS256}


def at(now: datetime, *, earliest: datetime | None = None, latest: datetime | None = None) -> Present:
    """A clock that shows that time; it was never set where nothing else is said."""
    return Present(now, earliest or now, latest or now)


def due(keys: Keys, now: datetime, app: App | None = None, spare: KeyRecord | None = None) -> Move | None:
    return LIFE.due(keys, app or an_app(), at(now), spare=spare)


def advanced(keys: Keys, now: datetime, app: App | None = None) -> Keys:
    """The keys after all that is due."""
    while (move := due(keys, now, app)) is not None:
        keys = move.keys
    return keys


def revoked(keys: Keys, key_id: str, now: datetime = NOW, spare: KeyRecord | None = None) -> Move | None:
    return LIFE.revoked(keys, an_app(), KeyId(key_id), at(now), spare=spare, reason="leaked")


def states(keys: Keys) -> dict[str, KeyState]:
    return {key.key_id: key.state for key in keys}


# -- from pending to active --------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", APP_ALGORITHMS)
def test_a_key_signs_after_its_lead_time(algorithm: Algorithm) -> None:
    """A published key signs when its lead time is over, to the microsecond: ten minutes, or for HMAC the feed bound."""
    lead = FEED_BOUND if algorithm is Algorithm.HS256 else timedelta(minutes=10)
    keys = (a_key(algorithm=algorithm), a_pending_key(algorithm=algorithm))
    app = an_app(algorithm=algorithm)
    assert advanced(keys, NOW + lead - MICROSECOND, app) == keys
    moved = advanced(keys, NOW + lead, app)
    assert states(moved) == {"first": KeyState.RETIRED, "next": KeyState.ACTIVE}
    assert active(moved) == replace(keys[1], state=KeyState.ACTIVE, activated_at=NOW + lead)


def test_workers_that_may_be_further_behind_are_waited_for() -> None:
    """The lead time of HMAC keys is how far behind a worker may be that still answers."""
    slow = LifeCycle(feed_bound=timedelta(seconds=60))
    assert slow.lead_time(Algorithm.HS256) == timedelta(seconds=60)
    assert slow.lead_time(Algorithm.ES256) == LEAD_TIME


def test_a_retired_key_stays_a_while_for_those_who_have_not_heard() -> None:
    """A key counts as retired from when every worker has heard of it: until then some may sign with it."""
    move = LIFE.activated((a_key(), a_pending_key()), KeyId("next"), at(NOW + DAY), "now")
    assert (move.deed, move.key_id, move.reason) == (Deed.ACTIVATED, "next", "now")
    assert move.keys[0] == replace(a_key(), state=KeyState.RETIRED, retired_at=NOW + DAY + FEED_BOUND)


def test_a_clock_that_went_backwards_does_not_shorten_a_key_s_life() -> None:
    """A key is retired as of what the clock would show if it had not been set back: others sign by clocks that were
    not."""
    keys, day_before = (a_key(), a_pending_key()), NOW - DAY
    by_latest = LIFE.activated(keys, KeyId("next"), at(day_before, latest=NOW + DAY), "")
    assert by_latest.keys[0].retired_at == NOW + DAY + FEED_BOUND
    by_itself = LIFE.activated(keys, KeyId("next"), at(day_before), "")
    assert by_itself.keys[0].retired_at == NOW + FEED_BOUND


def test_a_key_of_another_algorithm_never_signs() -> None:
    """A pending key of an algorithm that the app is set to no longer is dropped, whatever the time."""
    keys = (a_key(), a_pending_key(algorithm=Algorithm.EDDSA))
    dropped = due(keys, NOW + DAY)
    assert dropped is not None
    assert (dropped.deed, dropped.key_id, dropped.keys) == (Deed.REMOVED, "next", keys[:1])
    assert states(advanced(keys, NOW + DAY, an_app(algorithm=Algorithm.EDDSA)))["next"] is KeyState.ACTIVE


# -- when a successor is published ---------------------------------------------------------------------


def test_a_key_without_an_age_to_reach_stays() -> None:
    """Without key_rotation_age no time is long enough for a successor."""
    assert due((a_key(),), NOW + 10_000 * DAY) is None


@pytest.mark.parametrize(("settings", "lead"), [({}, LEAD_TIME), (HS256, FEED_BOUND)])
def test_a_successor_is_published_ahead_of_the_age(settings: dict[str, Any], lead: timedelta) -> None:
    """A successor is published so early that it signs exactly when the key reaches its age."""
    app = an_app(key_rotation_age=AGE, **settings)
    keys, published_at = (a_key(algorithm=app.settings.algorithm),), NOW + AGE - lead
    spare = a_pending_key(algorithm=app.settings.algorithm, created_at=published_at)
    assert due(keys, published_at - MICROSECOND, app, spare) is None
    move = due(keys, published_at, app, spare)
    assert move == Move(Deed.PUBLISHED, KeyId("next"), "key_rotation_age", (*keys, spare))
    assert due(move.keys, NOW + AGE - MICROSECOND, app) is None
    signing = active(advanced(move.keys, NOW + AGE, app))
    assert signing is not None
    assert (signing.key_id, signing.activated_at) == ("next", NOW + AGE)


def test_another_algorithm_wants_a_successor_at_once() -> None:
    """Once the app is set to another algorithm a successor of it is published, and one of the former is dropped."""
    app, spare = an_app(algorithm=Algorithm.EDDSA), a_pending_key("new", algorithm=Algorithm.EDDSA)
    dropped = due((a_key(), a_pending_key()), NOW, app, spare)
    assert dropped is not None
    assert dropped.deed is Deed.REMOVED
    published = due(dropped.keys, NOW, app, spare)
    assert published is not None
    assert states(published.keys) == {"first": KeyState.ACTIVE, "new": KeyState.PENDING}
    assert due(published.keys, NOW, app) is None


def test_there_is_one_successor_at_a_time() -> None:
    """Where one is pending, another wish for a successor changes nothing and needs no key."""
    keys = (a_key(), a_pending_key())
    assert LIFE.published(keys, an_app(), None, "asked for") is None
    assert LIFE.published(keys, an_app(), a_pending_key("other"), "asked for") is None


@pytest.mark.parametrize("spare", [None, a_pending_key(algorithm=Algorithm.EDDSA)])
def test_a_successor_needs_a_key_that_fits(spare: KeyRecord | None) -> None:
    """Without a new key, or with one of another algorithm than the app's, it is said which is needed."""
    with pytest.raises(SuccessorNeeded) as needed:
        LIFE.published((a_key(),), an_app(algorithm=Algorithm.RS256), spare, "asked for")
    assert needed.value.algorithm is Algorithm.RS256


# -- revoking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [KeyState.PENDING, KeyState.RETIRED])
def test_revoking_a_key_that_does_not_sign(state: KeyState) -> None:
    """A key that does not sign is revoked alone, now, and needs no successor."""
    keys = (a_key(), a_key("other", state=state))
    after = (keys[0], replace(keys[1], state=KeyState.REVOKED, revoked_at=NOW + DAY))
    assert revoked(keys, "other", NOW + DAY) == Move(Deed.REVOKED, KeyId("other"), "leaked", after)


def test_revoking_the_active_key_lets_the_pending_one_sign() -> None:
    """The pending key, which verifiers know already, takes the place of a revoked one without waiting."""
    move = revoked((a_key(), a_pending_key()), "first")
    assert move is not None
    assert states(move.keys) == {"first": KeyState.REVOKED, "next": KeyState.ACTIVE}
    moments = [(key.activated_at, key.retired_at, key.revoked_at) for key in move.keys]
    assert moments == [(NOW, None, NOW), (NOW, None, None)]


def test_revoking_the_only_key_needs_a_new_one() -> None:
    """Where nothing is pending a new key signs at once; the app is never left without one."""
    with pytest.raises(SuccessorNeeded):
        revoked((a_key(),), "first")
    move = revoked((a_key(),), "first", spare=a_pending_key("new"))
    assert move is not None
    assert states(move.keys) == {"first": KeyState.REVOKED, "new": KeyState.ACTIVE}


def test_revoking_twice_changes_nothing() -> None:
    """A revoked key stays as it was, and the moment of its revocation too."""
    assert revoked((a_key(), a_key("old", state=KeyState.REVOKED, revoked_at=NOW)), "old", NOW + DAY) is None


# -- until a key is gone ---------------------------------------------------------------------------------


def test_how_long_a_key_verifies() -> None:
    """A retired key verifies for the longest life a token of the app ever had, and the skew; a revoked one is
    remembered as long."""
    app = replace(an_app(clock_skew=timedelta(seconds=30)), longest_ttl_ever=timedelta(hours=5))
    life = timedelta(hours=5, seconds=30)
    assert verifies_until(a_key(state=KeyState.RETIRED, retired_at=NOW), app) == NOW + life
    assert verifies_until(a_key(state=KeyState.REVOKED, revoked_at=NOW), app) == NOW + life
    both = a_key(state=KeyState.REVOKED, retired_at=NOW, revoked_at=NOW + DAY)
    assert verifies_until(both, app) == NOW + life


def test_what_has_no_end() -> None:
    """A key that signs or will sign has no end, and none has where tokens without an end may exist."""
    assert verifies_until(a_key(), an_app()) is None
    assert verifies_until(a_pending_key(), an_app()) is None
    assert verifies_until(a_key(state=KeyState.RETIRED, retired_at=NOW), an_app(allow_never_expires=True)) is None


@pytest.mark.parametrize(
    "ended", [{"state": KeyState.RETIRED, "retired_at": NOW}, {"state": KeyState.REVOKED, "revoked_at": NOW}]
)
def test_a_key_is_gone_a_week_after_it_verified_anything(ended: dict[str, Any]) -> None:
    """A retired or revoked key leaves the store a week after its last token can have lived, not before."""
    old, app = a_key("old", **ended), an_app()
    keys, until = (old, a_key()), verifies_until(old, app)
    assert until is not None
    assert advanced(keys, until + KEPT_AFTER - MICROSECOND) == keys
    assert advanced(keys, until + KEPT_AFTER) == keys[1:]
    assert advanced(keys, until + 10_000 * DAY, replace(app, ever_non_expiring=True)) == keys


def test_a_clock_that_was_set_forwards_ends_no_key() -> None:
    """A key is gone only when it would be, had the clock not been set forwards: others' tokens live by their clocks."""
    keys = (a_key("old", state=KeyState.RETIRED, retired_at=NOW), a_key())
    later = NOW + 10_000 * DAY
    assert LIFE.due(keys, an_app(), at(later, earliest=NOW + DAY), spare=None) is None
    gone = LIFE.due(keys, an_app(), at(later), spare=None)
    assert gone is not None
    assert (gone.deed, gone.key_id, gone.keys) == (Deed.REMOVED, "old", keys[1:])


def test_an_imported_key_is_never_gone() -> None:
    """An imported key stays: others mint with it, and the app may be told to accept that later."""
    keys = (a_key("old", state=KeyState.RETIRED, retired_at=NOW, imported=True, **HS256), a_key(**HS256))
    assert advanced(keys, NOW + 10_000 * DAY, an_app(**HS256)) == keys


@pytest.mark.parametrize("days", [-10_000, -1, 1, 10_000])
def test_time_alone_never_ends_the_key_that_signs(days: int) -> None:
    """Wherever the clock goes, the only key of an app stays active."""
    assert due((a_key(),), NOW + days * DAY) is None
    aging, spare = an_app(key_rotation_age=AGE), a_pending_key(created_at=NOW + days * DAY)
    move = due((a_key(),), NOW + days * DAY, aging, spare)
    assert move is None or states(move.keys) == {"first": KeyState.ACTIVE, "next": KeyState.PENDING}


# -- clocks that were wrong --------------------------------------------------------------------------------


def test_a_key_published_by_a_clock_ahead_starts_again() -> None:
    """A pending key that says it is of a time to come signs its lead time from now, not from then."""
    keys = (a_key(), a_pending_key(created_at=NOW + 365 * DAY))
    mended = advanced(keys, NOW)
    assert mended == (keys[0], a_pending_key(created_at=NOW))
    assert states(advanced(mended, NOW + LEAD_TIME))["next"] is KeyState.ACTIVE
    slightly = (a_key(), a_pending_key(created_at=NOW + LEAD_TIME))
    assert advanced(slightly, NOW) == slightly


def test_a_key_activated_by_a_clock_ahead_is_succeeded() -> None:
    """An active key that says it is of a time to come is replaced at once, where keys have an age to reach at all."""
    app, ahead = an_app(key_rotation_age=AGE), (a_key(activated_at=NOW + 365 * DAY),)
    published = due(ahead, NOW, app, a_pending_key())
    assert published is not None
    assert published.deed is Deed.PUBLISHED
    assert due(ahead, NOW) is None
    assert due((a_key(activated_at=NOW + LEAD_TIME),), NOW, app) is None


def test_nothing_due_is_nothing_changed() -> None:
    """Where nothing is due there is no move, so that nothing is written."""
    keys = (a_key("old", state=KeyState.RETIRED, retired_at=NOW), a_key(), a_pending_key())
    assert due(keys, NOW) is None
    assert pending(keys, an_app()) == keys[2]
