"""Moves the trust view: the whole state at start, then each commit of this process in commit order."""

from __future__ import annotations

from collections import defaultdict

from authsvc.model import (
    ApiKey,
    App,
    Change,
    Commit,
    KeyRecord,
    ServiceAccount,
    SessionRevoked,
    TokenRevoked,
    Watermark,
)
from authsvc.signing.keyring import RingKey, ring_key
from authsvc.signing.sealing import Place, Sealer
from authsvc.storage.base import Store
from authsvc.trust.view import TrustView

SIGNING_KEY_PURPOSE = "signing-key"


def signing_key_place(api_key: ApiKey, key_id: str) -> Place:
    """Where the sealed secret of a signing key belongs."""
    return Place(SIGNING_KEY_PURPOSE, api_key, key_id)


class Feed:
    """Keeps one view in step with one store.

    The store tells of its commits in commit order and before the caller that made the change is answered, so a
    worker never contradicts what it has acknowledged.
    """

    def __init__(self, store: Store, view: TrustView, sealer: Sealer) -> None:
        self._view = view
        self._sealer = sealer
        store.listen(self.apply)
        self._load(store)

    def apply(self, commit: Commit) -> None:
        """Put the changes of one commit into the view."""
        for change in commit.changes:
            self._put(change)
        self._view.reached(commit.revision)

    def _load(self, store: Store) -> None:
        state = store.trust_state()
        for app in state.apps:
            self._view.put_app(app)
        keys = defaultdict(list)
        for record in state.keys:
            keys[record.api_key].append(self._open(record))
        for api_key, ring_keys in keys.items():
            self._view.put_keys(api_key, ring_keys)
        for account in state.accounts:
            self._view.put_account(account)
        revocations: tuple[SessionRevoked | TokenRevoked | Watermark, ...]
        for revocations in (state.sessions, state.tokens, state.watermarks):
            for revocation in revocations:
                self._view.put_revocation(revocation)
        self._view.reached(state.revision)

    def _put(self, change: Change) -> None:
        match change:
            case App():
                self._view.put_app(change)
            case KeyRecord():
                self._view.put_keys(change.api_key, [self._open(change)])
            case ServiceAccount():
                self._view.put_account(change)
            case SessionRevoked() | TokenRevoked() | Watermark():
                self._view.put_revocation(change)

    def _open(self, record: KeyRecord) -> RingKey:
        return ring_key(record, self._sealer.open(record.sealed, signing_key_place(record.api_key, record.key_id)))
