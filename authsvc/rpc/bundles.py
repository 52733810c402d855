"""What verifiers are told of an app: a snapshot, what has changed since a cursor, and that nothing has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from authsvc.clock import Clock, Deadline
from authsvc.errors import InvalidRequest, Violation
from authsvc.model import ApiKey, App, Change, Gone, KeyRecord, Permission, Principal, Revision, Subject
from authsvc.rpc.convert import set_moment
from authsvc.rpc.convert_trust import changed_revocations, policy_message, revocation_chunks, revocation_message
from authsvc.storage.base import Store
from authsvc.trust.access import app_for, still_admitted
from authsvc.trust.feed import Learnt
from authsvc.trust.freshness import Freshness
from authsvc.trust.view import AppTrust, TrustView
from authsvc.v1 import trust_pb2 as pb

PAGE: Final = 1_000
PAGES: Final = 10
"""Commits that are looked through for what a watcher has missed, in pages; beyond that a snapshot is cheaper."""

_CURSOR = re.compile(r"(\d{1,5})-(\d{1,19})", re.ASCII)


class Bundles:
    """Reads the trust view; ``development_tokens``: whether this service accepts them at all."""

    def __init__(
        self, view: TrustView, store: Store, freshness: Freshness, *, clock: Clock, development_tokens: bool
    ) -> None:
        self._view = view
        self._store = store
        self._freshness = freshness
        self._clock = clock
        self._development_tokens = development_tokens

    @property
    def as_of(self) -> datetime:
        """Everything that was committed before is in the view, and was told to whoever subscribed."""
        return self._freshness.as_of

    def app(self, principal: Principal, api_key: str, *, deadline: Deadline | None = None) -> AppTrust:
        """See ``app_for``."""
        return app_for(self._view, principal, api_key, deadline=deadline)

    def check(self, principal: Principal, api_key: ApiKey) -> None:
        """Raise what ends a watch: an account or a right that is gone, or memory that is too old."""
        self._freshness.check()
        app_for(self._view, still_admitted(self._view, principal, Permission.TRUST_READ), api_key)

    def policy(self, trust: AppTrust) -> pb.TrustPolicy:
        """The policy of an app as it is known now."""
        return policy_message(trust, development_tokens=self._development_tokens, now=self._clock())

    @property
    def revision(self) -> Revision:
        """Every change up to this one is in the view; whoever subscribes afterwards is told of all later ones."""
        return self._view.revision

    def heartbeat(self, as_of: datetime, reached: Revision) -> pb.TrustUpdate:
        """That nothing has changed."""
        return self._update(as_of, reached, heartbeat=pb.Heartbeat())

    def snapshot(self, api_key: ApiKey) -> Iterator[pb.TrustUpdate]:
        """Everything that is known of an app; made while it is sent, so that it need not fit into memory twice."""
        as_of, revision, trust = self.as_of, self._view.revision, self._view.app(api_key)
        if trust is None:
            return
        yield self._update(as_of, None, snapshot_start=pb.SnapshotStart())
        yield self._update(as_of, None, policy=self.policy(trust))
        for chunk in revocation_chunks(map(revocation_message, self._view.revocations(api_key))):
            yield self._update(as_of, None, revocations=chunk)
        yield self._update(as_of, revision, snapshot_end=pb.SnapshotEnd())

    def check_cursor(self, cursor: str) -> None:
        """Raise ``InvalidRequest`` for what is no cursor."""
        self._revision_of(cursor)

    def from_cursor(
        self, api_key: ApiKey, cursor: str, *, deadline: Deadline | None = None
    ) -> Iterable[pb.TrustUpdate]:
        """What a watcher lacks that has everything up to its cursor: changes, or a snapshot.

        Raises ``InvalidRequest`` for what is no cursor, and what reading the store raises.
        """
        # The store may be ahead of the view, where the policy is from: no cursor goes beyond that.
        after, as_of, known = self._revision_of(cursor), self.as_of, self._view.revision
        missed = None if after is None else self._changes_after(after, deadline)
        if missed is None:
            return self.snapshot(api_key)
        changes, head = missed
        return self._told(api_key, changes, as_of, min(head, known)) or (self.heartbeat(as_of, head),)

    def updates(self, api_key: ApiKey, learnt: Learnt, as_of: datetime) -> Sequence[pb.TrustUpdate]:
        """What was learnt of an app."""
        return self._told(api_key, learnt.changes, as_of, learnt.reached)

    def _told(
        self, api_key: ApiKey, changes: Sequence[Change], as_of: datetime, reached: Revision
    ) -> Sequence[pb.TrustUpdate]:
        updates = []
        trust = self._view.app(api_key)
        if trust is not None and any(_is_policy(change, api_key) for change in changes):
            updates.append(self._update(as_of, None, policy=self.policy(trust)))
        chunks = revocation_chunks(changed_revocations(changes, api_key))
        updates += [self._update(as_of, None, revocations=chunk) for chunk in chunks]
        if updates:  # all of it, or none
            updates[-1].cursor = self._cursor(reached)
        return updates

    def _changes_after(self, after: Revision, deadline: Deadline | None) -> tuple[Sequence[Change], Revision] | None:
        """All changes since then that the store knows, and up to which revision; None where there are too many."""
        changes: list[Change] = []
        for _ in range(PAGES):
            page = self._store.changes_since(after, limit=PAGE, deadline=deadline)
            if page is None or page.head < after:
                return None
            changes += [change for commit in page.commits for change in commit.changes]
            if len(page.commits) < PAGE:
                return changes, page.head
            after = page.commits[-1].revision
        return None

    def _update(self, as_of: datetime, reached: Revision | None, **event: object) -> pb.TrustUpdate:
        update = pb.TrustUpdate(cursor="" if reached is None else self._cursor(reached), **event)  # type: ignore[arg-type]
        set_moment(update.as_of, as_of)
        return update

    def _cursor(self, revision: Revision) -> str:
        return f"{self._store.epoch}-{revision}"

    def _revision_of(self, cursor: str) -> Revision | None:
        """None where a snapshot is wanted, or the store is another since."""
        if not cursor:
            return None
        parts = _CURSOR.fullmatch(cursor)
        if parts is None:
            raise InvalidRequest([Violation("cursor", "must be the cursor of an earlier update, or empty")])
        return Revision(int(parts[2])) if int(parts[1]) == self._store.epoch else None


def _is_policy(change: Change, api_key: ApiKey) -> bool:
    if isinstance(change, Gone):
        return change.kind is Subject.KEY and change.api_key == api_key
    return isinstance(change, App | KeyRecord) and change.api_key == api_key
