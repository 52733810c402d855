"""The life of an app's keys, as rules without a store: from the keys there are, and the time, to those there shall be.

pending (published, does not sign) → active (one of them signs) → retired (verifies only) → gone; revoked from any of
them, at once. No state is ever left backwards. What the clock alone decides errs on the side of verifying longer: a
token's own ``exp`` is what ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from authsvc.model import Algorithm, App, KeyId, KeyRecord, KeyState
from authsvc.signing.algorithms import FAMILIES

LEAD_TIME = timedelta(minutes=10)
"""How long a public key is published before it signs: verifiers elsewhere read the key set every few minutes."""

FEED_BOUND = timedelta(seconds=5)
"""By then every worker knows of a change, or answers no more: the lead time of keys that are not published."""

KEPT_AFTER = timedelta(days=7)
"""How long a key stays in the store after it verifies nothing any more: a clock that is ahead by less loses none."""

Keys = tuple[KeyRecord, ...]


class SuccessorNeeded(Exception):
    """The change needs a new key of that algorithm: make one, and try again with it."""

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__(algorithm.value)
        self.algorithm = algorithm


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """The rules. ``feed_bound``: how far behind a worker may be that still answers.

    ``seen`` is the latest moment that the worker's clock ever showed; ``spare`` a new pending key, where one was made.
    """

    feed_bound: timedelta = FEED_BOUND

    def lead_time(self, algorithm: Algorithm) -> timedelta:
        """How long a key of that algorithm is pending."""
        return self.feed_bound if FAMILIES[algorithm].key_type == "oct" else LEAD_TIME

    def signs_from(self, key: KeyRecord) -> datetime:
        """From when a pending key may sign."""
        return key.created_at + self.lead_time(key.algorithm)

    def wants_successor(self, keys: Keys, app: App, now: datetime) -> bool:
        """Whether one should be published now: another algorithm is set, or the key will have reached its age by the
        time its successor may sign."""
        signing, age = active(keys), app.settings.key_rotation_age
        if pending(keys, app) is not None:
            return False
        if signing is None or signing.activated_at is None or signing.algorithm is not app.settings.algorithm:
            return True
        return age is not None and now >= signing.activated_at + age - self.lead_time(signing.algorithm)

    def published(self, keys: Keys, app: App, spare: KeyRecord | None) -> Keys:
        """The keys with a successor, which is the pending one where there is one; raises ``SuccessorNeeded``."""
        if pending(keys, app) is not None:
            return keys
        # A pending key of another algorithm never signed, and never will.
        return (*(key for key in keys if key.state is not KeyState.PENDING), _fitting(spare, app))

    def activated(self, keys: Keys, key_id: KeyId, now: datetime, *, seen: datetime) -> Keys:
        """The keys with that pending one signing from now on, and the one that signed until now retired."""
        return tuple(
            replace(key, state=KeyState.ACTIVE, activated_at=now)
            if key.key_id == key_id
            else self._retired(key, now, seen)
            for key in keys
        )

    def revoked(
        self, keys: Keys, app: App, key_id: KeyId, now: datetime, *, seen: datetime, spare: KeyRecord | None
    ) -> Keys:
        """The keys with that one revoked; where it signed, its successor signs at once. Raises ``SuccessorNeeded``."""
        after = tuple(_revoked(key, now) if key.key_id == key_id else key for key in keys)
        if active(after) is not None:
            return after
        after = self.published(after, app, spare)
        successor = pending(after, app)
        assert successor is not None
        return self.activated(after, successor.key_id, now, seen=seen)

    def advanced(self, keys: Keys, app: App, now: datetime, *, seen: datetime) -> Keys:
        """The keys after all that time has brought: the pending one signs, what verifies nothing any more is gone."""
        after = tuple(_mended(key, now) for key in keys if not _is_over(key, app, now))
        successor = pending(after, app)
        if successor is None or now < self.signs_from(successor):
            return after
        return self.activated(after, successor.key_id, now, seen=seen)

    def _retired(self, key: KeyRecord, now: datetime, seen: datetime) -> KeyRecord:
        if key.state is not KeyState.ACTIVE:
            return key
        # Workers sign with it until they have heard of this; and where a clock went backwards, there are tokens that
        # it dated before it did.
        last = max(now, seen, key.activated_at or now) + self.feed_bound
        return replace(key, state=KeyState.RETIRED, retired_at=last)


def active(keys: Keys) -> KeyRecord | None:
    """The key that signs."""
    return next((key for key in keys if key.state is KeyState.ACTIVE), None)


def pending(keys: Keys, app: App) -> KeyRecord | None:
    """The key that signs next: the one that is published, of the algorithm that the app is set to."""
    fitting = (key for key in keys if key.algorithm is app.settings.algorithm)
    return next((key for key in fitting if key.state is KeyState.PENDING), None)


def verifies_until(key: KeyRecord, app: App) -> datetime | None:
    """When the last token that a key signed, or may have signed, has ended; None: not before it is retired or revoked,
    or never."""
    signed_until = key.retired_at or key.revoked_at
    if signed_until is None or app.ever_non_expiring:
        return None
    return signed_until + app.longest_ttl_ever + app.settings.clock_skew


def _is_over(key: KeyRecord, app: App, now: datetime) -> bool:
    if key.state is KeyState.PENDING:
        return key.algorithm is not app.settings.algorithm
    # Others mint with an imported key too: the app may be told to accept that at any time.
    until = None if key.imported else verifies_until(key, app)
    return until is not None and now >= until + KEPT_AFTER


def _mended(key: KeyRecord, now: datetime) -> KeyRecord:
    """A key that became what it is at a moment far ahead, by a clock that was wrong, became so now: waiting for that
    moment would be waiting for ever."""
    limit = now + LEAD_TIME
    if key.state is KeyState.PENDING and key.created_at > limit:
        return replace(key, created_at=now)
    if key.state is KeyState.ACTIVE and key.activated_at is not None and key.activated_at > limit:
        return replace(key, activated_at=now)
    return key


def _revoked(key: KeyRecord, now: datetime) -> KeyRecord:
    if key.state is KeyState.REVOKED:
        return key
    return replace(key, state=KeyState.REVOKED, revoked_at=now)


def _fitting(spare: KeyRecord | None, app: App) -> KeyRecord:
    if spare is None or spare.algorithm is not app.settings.algorithm:
        raise SuccessorNeeded(app.settings.algorithm)
    return spare
