"""The life of an app's keys, as rules without a store: from the keys there are, and the time, to those there shall be.

pending (published, does not sign) → active (one of them signs) → retired (verifies only) → gone; revoked from any of
them, at once. No state is ever left backwards. What the clock alone decides errs on the side of verifying longer: a
token's own ``exp`` is what ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from authsvc.model import Algorithm, App, KeyId, KeyRecord, KeyState
from authsvc.signing.algorithms import FAMILIES

LEAD_TIME = timedelta(minutes=10)
"""How long a public key is published before it signs: verifiers elsewhere read the key set every few minutes."""

FEED_BOUND = timedelta(seconds=5)
"""By then every worker knows of a change, or answers no more: the lead time of keys that are not published."""

KEPT_AFTER = timedelta(days=7)
"""How long a key stays in the store after it verifies nothing any more: who starts with a clock that is ahead by less
loses none."""

DRIFT = timedelta(seconds=5)
"""How far a clock may be from what it would show without having been set."""

Keys = tuple[KeyRecord, ...]


class Deed(StrEnum):
    """What was done with a key, as the audit names it."""

    PUBLISHED = "key.published"
    ACTIVATED = "key.activated"
    REVOKED = "key.revoked"
    REMOVED = "key.removed"
    MENDED = "key.mended"


@dataclass(frozen=True, slots=True)
class Move:
    """One change of an app's keys: which key it is about, why, and the keys as they are afterwards."""

    deed: Deed
    key_id: KeyId
    reason: str
    keys: Keys


class SuccessorNeeded(Exception):
    """The change needs a new key of that algorithm: make one, and try again with it."""

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__(algorithm.value)
        self.algorithm = algorithm


@dataclass(frozen=True, slots=True)
class Present:
    """What a clock shows, and what it would show at the least and at the most, had it never been set since it was
    first looked at. The three are the same where it never was."""

    now: datetime
    earliest: datetime
    latest: datetime

    @property
    def not_before(self) -> datetime:
        """The time now, but for a clock that was set back: what happens now is dated no earlier."""
        return self.latest if self.latest - self.now > DRIFT else self.now


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """The rules. ``feed_bound``: how far behind a worker may be that still answers.

    ``spare`` is a new pending key for changes that need one, which raise ``SuccessorNeeded`` without it.
    """

    feed_bound: timedelta = FEED_BOUND

    def lead_time(self, algorithm: Algorithm) -> timedelta:
        """How long a key of that algorithm is pending."""
        return self.feed_bound if FAMILIES[algorithm].key_type == "oct" else LEAD_TIME

    def signs_from(self, key: KeyRecord) -> datetime:
        """From when a pending key may sign."""
        return key.created_at + self.lead_time(key.algorithm)

    # -- what time brings ------------------------------------------------------------------------

    def due(self, keys: Keys, app: App, present: Present, *, spare: KeyRecord | None) -> Move | None:
        """The next change that is due, one at a time; None: nothing is."""
        return (
            _mended(keys, present.now)
            or _removed(keys, app, present.earliest)
            or self._come_of_age(keys, app, present)
            or self.succession(keys, app, present.now, spare)
        )

    def _come_of_age(self, keys: Keys, app: App, present: Present) -> Move | None:
        successor = pending(keys, app)
        if successor is None or present.now < self.signs_from(successor):
            return None
        return self.activated(keys, successor.key_id, present, "its time has come")

    def succession(self, keys: Keys, app: App, now: datetime, spare: KeyRecord | None) -> Move | None:
        """A successor is published because the settings ask for one; None: they do not."""
        signing, age = active(keys), app.settings.key_rotation_age
        if signing is None or signing.activated_at is None or signing.algorithm is not app.settings.algorithm:
            return self.published(keys, app, spare, "another algorithm is set")
        # So early that it signs when the key reaches its age; at once where a clock that was ahead has dated the key,
        # whose age is anybody's guess.
        early = signing.activated_at - LEAD_TIME
        if age is None or early <= now < signing.activated_at + age - self.lead_time(signing.algorithm):
            return None
        return self.published(keys, app, spare, "key_rotation_age")

    # -- what is asked for -----------------------------------------------------------------------

    def published(self, keys: Keys, app: App, spare: KeyRecord | None, reason: str) -> Move | None:
        """A successor is published; None where one is pending already."""
        if pending(keys, app) is not None:
            return None
        if spare is None or spare.algorithm is not app.settings.algorithm:
            raise SuccessorNeeded(app.settings.algorithm)
        return Move(Deed.PUBLISHED, spare.key_id, reason, (*keys, spare))

    def activated(self, keys: Keys, key_id: KeyId, present: Present, reason: str) -> Move:
        """That pending key signs from now on, and the one that signed until now is retired."""
        return Move(Deed.ACTIVATED, key_id, reason, self._with_active(keys, key_id, present))

    def succeeded(self, keys: Keys, app: App, present: Present, *, spare: KeyRecord | None, reason: str) -> Move:
        """A successor signs at once: the pending key, or a new one."""
        published = self.published(keys, app, spare, reason)
        keys = keys if published is None else published.keys
        successor = pending(keys, app)
        assert successor is not None
        return self.activated(keys, successor.key_id, present, reason)

    def revoked(
        self, keys: Keys, app: App, key_id: KeyId, present: Present, *, spare: KeyRecord | None, reason: str
    ) -> Move | None:
        """That key is revoked, and where it signed its successor signs at once; None where it was revoked already."""
        after = tuple(_revoked(key, present) if key.key_id == key_id else key for key in keys)
        if after == keys:
            return None
        if active(after) is None:
            after = self.succeeded(after, app, present, spare=spare, reason=reason).keys
        return Move(Deed.REVOKED, key_id, reason, after)

    def _with_active(self, keys: Keys, key_id: KeyId, present: Present) -> Keys:
        return tuple(
            replace(key, state=KeyState.ACTIVE, activated_at=present.now)
            if key.key_id == key_id
            else self._retired(key, present)
            for key in keys
        )

    def _retired(self, key: KeyRecord, present: Present) -> KeyRecord:
        if key.state is not KeyState.ACTIVE:
            return key
        # Workers sign with it until they have heard of this; and where this clock went backwards, theirs did not.
        last = max(present.latest, key.activated_at or present.latest) + self.feed_bound
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


def _removed(keys: Keys, app: App, now: datetime) -> Move | None:
    over = next((key for key in keys if _is_over(key, app, now)), None)
    if over is None:
        return None
    reason = "another algorithm is set" if over.state is KeyState.PENDING else "its tokens have ended"
    return Move(Deed.REMOVED, over.key_id, reason, tuple(key for key in keys if key is not over))


def _is_over(key: KeyRecord, app: App, now: datetime) -> bool:
    if key.state is KeyState.PENDING:
        return key.algorithm is not app.settings.algorithm  # it never signed, and never will
    # Others mint with an imported key too: the app may be told to accept that at any time.
    until = None if key.imported else verifies_until(key, app)
    return until is not None and now >= until + KEPT_AFTER


def _mended(keys: Keys, now: datetime) -> Move | None:
    """A key that was published at a moment far ahead, by a clock that was wrong, was published now: its lead time
    would not end otherwise."""
    waiting = (key for key in keys if key.state is KeyState.PENDING)
    ahead = next((key for key in waiting if key.created_at > now + LEAD_TIME), None)
    if ahead is None:
        return None
    after = tuple(replace(key, created_at=now) if key is ahead else key for key in keys)
    return Move(Deed.MENDED, ahead.key_id, "dated by a clock that was ahead", after)


def _revoked(key: KeyRecord, present: Present) -> KeyRecord:
    if key.state is KeyState.REVOKED:
        return key
    # As for one that is retired: dated too early, it would be forgotten while its tokens are told that it was revoked.
    revoked_at = max(present.not_before, key.activated_at or present.not_before)
    return replace(key, state=KeyState.REVOKED, revoked_at=revoked_at)
