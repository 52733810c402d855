"""Replacing the keys that are no app's: the key that seals all others, and those of refresh tokens and guest ids.

On the store itself. The KEK is replaced while nobody serves, one record after the other: interrupted, each record opens
with the old KEK or with the new one, and the same command goes on. The other keys are replaced under running servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from authsvc.app import Refused
from authsvc.app.commanding import command
from authsvc.app.refusals import kek_of
from authsvc.clock import Clock, system_clock, system_randomness
from authsvc.config import Settings
from authsvc.model import ApiKey, AuditEvent, KeyRecord, SealedSecret
from authsvc.signing.sealing import Kek, Sealer, kek_id_of, load_kek, refuse_unfinished, rewrapped
from authsvc.storage import open_store, scrub
from authsvc.storage.base import Store
from authsvc.trust.learning import signing_key_place
from authsvc.trust.secrets import GUEST_KEY_PURPOSE, REFRESH_KEY_PURPOSE, secret_place

Progress = Callable[[int, int], object]
"""Told after each step how many are done, of how many."""

_LAST_NUMBER: Final = 255  # one byte in each refresh token
_SECRET_BYTES: Final = 32
_RETRIES_WITHIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did: ``number`` of the new secret, and of one that was forgotten for it."""

    number: int
    forgotten: int | None


def rotate_kek(new_kek_file: Path, *, progress: Progress) -> int:
    """Put all sealed records under the KEK in that file; returns how many there are. Raises ``Refused``.

    Nothing that was sealed is opened or made anew, so every session and token lives on. Afterwards the servers are
    started with the new file, and nothing in the store opens with the old one.
    """
    with command("kek rotate") as settings:
        old, new = kek_of(settings), load_kek(new_kek_file)
        if old.id == new.id:
            raise Refused(f"{new_kek_file} holds the KEK that is in use: make another one")
        store = open_store(settings.store_url, clock=system_clock, exclusive=True)
        try:
            count = put_under(store, old, Sealer(new, system_randomness), clock=system_clock, progress=progress)
        finally:
            store.close()
        scrub(settings.store_url)
    return count


def put_under(store: Store, old: Kek, new: Sealer, *, clock: Clock, progress: Progress) -> int:
    """What ``rotate_kek`` does with an open store. Raises ``SealBroken`` for a record that neither KEK opens."""
    state = store.trust_state()
    total, done = len(state.keys) + len(state.secrets), 0
    for app in state.apps:
        changed = store.edit_keys(
            app.api_key,
            lambda keys: tuple(_key_under(key, old, new) for key in keys),
            _event(clock, "kek.rotated", app.api_key),
        )
        done += len(changed)
        progress(done, total)
    for secret in state.secrets:
        place = secret_place(secret.purpose, secret.number)
        sealed = rewrapped(secret.sealed, place, old, new)
        if sealed != secret.sealed:
            store.replace_secret(
                replace(secret, sealed=sealed),
                secret.sealed,
                _event(clock, "kek.rotated", subject=f"{secret.purpose}/{secret.number}"),
            )
        done += 1
        progress(done, total)
    if any(kek_id_of(sealed) != new.kek.id for sealed in store.trust_state().sealed()):
        raise Refused("something was sealed meanwhile: run the same command again")
    return total


def rotate_refresh_key(*, forget_old: bool = False) -> Rotated:
    """Make the next key of refresh tokens; raises ``Refused``.

    It is published first and used once every server must know it. Tokens of the one before are good as ever. A third
    one takes the place of the oldest, once no session can show a token of that; ``forget_old`` ends those at once.
    """
    with _open("refresh-key rotate") as (store, sealer, settings):
        longest = max((app.longest_session_ever for app in store.trust_state().apps), default=timedelta(0))
        # The key before the newest goes on making tokens until every server must know the newest.
        needed_for = settings.max_staleness + longest
        return add_next(
            store, sealer, REFRESH_KEY_PURPOSE, needed_for=needed_for, forget_old=forget_old, clock=system_clock
        )


def rotate_guest_key(*, forget_old: bool = False) -> Rotated:
    """Make the next key that ids of guests and sessions are derived by; a request repeated later than that is a new
    one. As ``rotate_refresh_key``."""
    with _open("guest-key rotate") as (store, sealer, _):
        return add_next(
            store, sealer, GUEST_KEY_PURPOSE, needed_for=_RETRIES_WITHIN, forget_old=forget_old, clock=system_clock
        )


def add_next(
    store: Store, sealer: Sealer, purpose: str, *, needed_for: timedelta, forget_old: bool, clock: Clock
) -> Rotated:
    """What the two do with an open store. ``needed_for``: how long the key before the newest is needed."""
    secrets = sorted(store.secrets(purpose), key=lambda secret: secret.number)
    newest = secrets[-1] if secrets else None
    number = 1 if newest is None else newest.number + 1
    if number > _LAST_NUMBER:
        raise Refused(f"{_LAST_NUMBER} keys have been made: there is no room for another number")
    forgotten = None
    if len(secrets) > 1 and newest is not None:
        free_at = newest.created_at + needed_for
        if clock() < free_at and not forget_old:
            raise Refused(
                f"two keys are in use, the newer one since {newest.created_at:%Y-%m-%d %H:%M} UTC, and what the older "
                f"one made can live until {free_at:%Y-%m-%d %H:%M} UTC: wait, or end it at once with --forget-old"
            )
        for old in secrets[:-1]:
            forgotten = old.number
            store.remove_secret(
                purpose, old.number, _event(clock, "secret.forgotten", subject=f"{purpose}/{old.number}")
            )
    sealed = sealer.seal(sealer.randomness(_SECRET_BYTES), secret_place(purpose, number))
    made = SealedSecret(purpose, number, sealed, clock())
    kept = store.add_secret(made, _event(clock, "secret.made", subject=f"{purpose}/{number}"))
    if kept.sealed != sealed:
        raise Refused("another process made one at the same moment: that is the new one")
    return Rotated(number, forgotten)


@contextmanager
def _open(name: str) -> Iterator[tuple[Store, Sealer, Settings]]:
    with command(name) as settings:
        sealer = Sealer(kek_of(settings), system_randomness)
        store = open_store(settings.store_url, clock=system_clock)
        try:
            state = store.trust_state()
            refuse_unfinished(state.sealed())
            for secret in state.secrets:  # with another KEK the servers could not read the new one
                sealer.open(secret.sealed, secret_place(secret.purpose, secret.number))
            yield store, sealer, settings
        finally:
            store.close()


def _key_under(key: KeyRecord, old: Kek, new: Sealer) -> KeyRecord:
    return replace(key, sealed=rewrapped(key.sealed, signing_key_place(key.api_key, key.key_id), old, new))


def _event(clock: Clock, action: str, api_key: ApiKey | str = "", *, subject: str = "") -> AuditEvent:
    return AuditEvent(clock(), action, "operator", api_key, subject or api_key, "done")
