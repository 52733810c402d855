"""What each kind of change does to a view, and to what else a worker takes from the feed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from authsvc.logs import Logger
from authsvc.model import (
    ApiKey,
    App,
    Change,
    Gone,
    KeyRecord,
    LogLevel,
    SealedSecret,
    ServiceAccount,
    SessionRevoked,
    Subject,
    TokenRevoked,
    Watermark,
)
from authsvc.signing.keyring import RingKey, ring_key
from authsvc.signing.sealing import Place, SealBroken, Sealer, refuse_unfinished
from authsvc.storage.base import TrustState
from authsvc.trust.levels import Levels
from authsvc.trust.secrets import ServiceSecrets
from authsvc.trust.view import TrustView

SIGNING_KEY_PURPOSE = "signing-key"


def signing_key_place(api_key: ApiKey, key_id: str) -> Place:
    """Where the sealed secret of a signing key belongs."""
    return Place(SIGNING_KEY_PURPOSE, api_key, key_id)


class Learning:
    """Opens what is sealed and puts everything where it is used.

    A worker that runs on when the KEK was replaced under it keeps what it knows, says what it cannot open, and does
    without that; at its start it must open everything.
    """

    def __init__(self, sealer: Sealer, secrets: ServiceSecrets, log: Logger) -> None:
        self._sealer = sealer
        self._secrets = secrets
        self._log = log
        self.levels = Levels()

    def built(self, state: TrustState, known: TrustView, *, strict: bool) -> TrustView:
        """A view of that state; keys that ``known`` has are not opened again. Raises ``SealBroken`` where strict."""
        if strict:
            refuse_unfinished(state.sealed())
        fresh = TrustView(state.revision)
        self._put_keys(fresh, known, state.keys, (), strict=strict)
        for app in state.apps:
            fresh.put_app(app)
        for account in state.accounts:
            fresh.put_account(account)
        fresh.load(state.sessions.plain(), state.tokens.plain(), state.watermarks.plain())
        return fresh

    def load_rest(self, state: TrustState, *, strict: bool) -> None:
        """Take secrets and log levels from a state, and forget all others."""
        try:
            self._secrets.load(state.secrets)
        except SealBroken:
            if strict:
                raise
            self._log.error("secret cannot be opened")
        self.levels.load(state.levels)

    def put(self, view: TrustView, changes: Iterable[Change]) -> None:
        """Keys first and all at once: an app is never seen without them, nor with two that are active."""
        changes = tuple(changes)
        keys = [change for change in changes if isinstance(change, KeyRecord)]
        gone = [change for change in changes if isinstance(change, Gone) and change.kind is Subject.KEY]
        self._put_keys(view, view, keys, gone, strict=False)
        for change in changes:
            match change:
                case App():
                    view.put_app(change)
                case ServiceAccount():
                    view.put_account(change)
                case SessionRevoked() | TokenRevoked() | Watermark():
                    view.put_revocation(change)
                case _:
                    self._put_rest(view, change)

    def _put_rest(self, view: TrustView, change: Change) -> None:
        match change:
            case SealedSecret():
                self._put_secret(change)
            case LogLevel():
                self.levels.put(change)
            case Gone(kind=Subject.TOKEN):
                view.clear_token(change)
            case Gone(kind=Subject.SECRET):
                self._secrets.forget(change)
            case Gone(kind=Subject.LEVEL):
                self.levels.forget(change)

    def _put_keys(
        self,
        view: TrustView,
        known: TrustView,
        records: Iterable[KeyRecord],
        gone: Iterable[Gone],
        *,
        strict: bool,
    ) -> None:
        keys, lost = defaultdict[ApiKey, list[RingKey]](list), defaultdict[ApiKey, list[Gone]](list)
        for record in records:
            key = self._opened(record, known, strict=strict)
            if key is not None:
                keys[record.api_key].append(key)
        for each in gone:
            lost[each.api_key].append(each)
        for api_key in keys.keys() | lost.keys():
            view.put_keys(api_key, keys[api_key], lost[api_key])

    def _opened(self, record: KeyRecord, known: TrustView, *, strict: bool) -> RingKey | None:
        """The key of a record: the known one in its new state, or a new one, opened."""
        trust = known.app(record.api_key)
        key = trust.ring.keys.get(record.key_id) if trust is not None else None
        if key is not None:
            return key.moved_to(record)
        try:
            secret = self._sealer.open(record.sealed, signing_key_place(record.api_key, record.key_id))
        except SealBroken:
            if strict:
                raise
            self._log.error("key cannot be opened", app=record.api_key, kid=record.key_id)
            return None
        return ring_key(record, secret)

    def _put_secret(self, secret: SealedSecret) -> None:
        try:
            self._secrets.put(secret)
        except SealBroken:
            self._log.error("secret cannot be opened", detail=f"{secret.purpose}/{secret.number}")
