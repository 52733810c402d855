"""Signing keys as rows and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import Algorithm, ApiKey, Gone, KeyId, KeyRecord, KeyState, Revision, Subject
from authsvc.storage.rows.moments import optional_microseconds, optional_moment

COLUMNS: Final = (
    "api_key, key_id, algorithm, state, sealed, public_jwk, created_at, activated_at, retired_at, revoked_at,"
    " imported, revision"
)


def to_row(key: KeyRecord) -> tuple[Any, ...]:
    """The columns ``COLUMNS`` of a key."""
    return (
        key.api_key,
        key.key_id,
        key.algorithm,
        key.state,
        key.sealed,
        key.public_jwk,
        to_microseconds(key.created_at),
        optional_microseconds(key.activated_at),
        optional_microseconds(key.retired_at),
        optional_microseconds(key.revoked_at),
        key.imported,
        key.revision,
    )


def from_row(row: tuple[Any, ...]) -> KeyRecord:
    """The key in the columns ``COLUMNS``."""
    api_key, key_id, algorithm, state, sealed, public_jwk, created_at, *moments, imported, revision = row
    activated_at, retired_at, revoked_at = map(optional_moment, moments)
    return KeyRecord(
        api_key=ApiKey(api_key),
        key_id=KeyId(key_id),
        algorithm=Algorithm(algorithm),
        state=KeyState(state),
        sealed=sealed,
        public_jwk=public_jwk,
        created_at=from_microseconds(created_at),
        activated_at=activated_at,
        retired_at=retired_at,
        revoked_at=revoked_at,
        imported=bool(imported),
        revision=Revision(revision),
    )


@dataclass(frozen=True, slots=True)
class KeyEdit:
    """What an edit of an app's keys comes to. ``changed`` come in an order in which two are never active at once."""

    before: tuple[KeyRecord, ...]
    changed: tuple[KeyRecord, ...]
    removed: tuple[KeyId, ...]

    @property
    def nothing(self) -> bool:
        """Whether all is as it was."""
        return not self.changed and not self.removed

    def under(self, revision: Revision) -> KeyEdit:
        """The same, with the revision in the records that changed."""
        return replace(self, changed=tuple(replace(key, revision=revision) for key in self.changed))

    def changes(self, revision: Revision) -> tuple[KeyRecord | Gone, ...]:
        """What the feed tells of it."""
        api_key = self.before[0].api_key if self.before else self.changed[0].api_key
        return *self.changed, *(Gone(Subject.KEY, api_key, key_id, revision) for key_id in self.removed)

    def after(self) -> tuple[KeyRecord, ...]:
        """All keys that are there afterwards, in order."""
        put = {key.key_id: key for key in (*self.before, *self.changed)}
        return in_order([key for key_id, key in put.items() if key_id not in self.removed])


def key_edit(api_key: ApiKey, before: tuple[KeyRecord, ...], after: Sequence[KeyRecord]) -> KeyEdit:
    """What turns the one into the other; raises ``ValueError`` for keys that an app cannot have."""
    wanted = {key.key_id: key for key in after}
    if len(wanted) != len(after):
        raise ValueError("an edit must not give two keys one id")
    if any(key.api_key != api_key for key in after):
        raise ValueError("an edit must not give an app another's key")
    if sum(key.state is KeyState.ACTIVE for key in after) > 1:
        raise ValueError("an app has one active key at most")
    kept = {key.key_id: key for key in before}
    changed = [key for key in after if not _same(kept.get(key.key_id), key)]
    changed.sort(key=lambda key: key.state is KeyState.ACTIVE)
    return KeyEdit(before, tuple(changed), tuple(key_id for key_id in kept if key_id not in wanted))


def in_order(keys: Sequence[KeyRecord]) -> tuple[KeyRecord, ...]:
    """Oldest first."""
    return tuple(sorted(keys, key=lambda key: (key.created_at, key.key_id)))


def _same(kept: KeyRecord | None, key: KeyRecord) -> bool:
    return kept is not None and kept == replace(key, revision=kept.revision)
