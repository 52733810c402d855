"""The key-encryption key of a development server: made on its first start, and never where it would open nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from authsvc.app import Refused
from authsvc.app.private_files import create_private, one_at_a_time
from authsvc.clock import Randomness, system_clock
from authsvc.config import Settings
from authsvc.signing.sealing import KEK_BYTES, Kek, OtherKek, load_kek
from authsvc.storage import open_store, store_exists

FIRST_START: Final = "first-start.lock"
"""In the state directory: of servers that start together one makes what is missing, and the others find it."""


def dev_kek(settings: Settings, randomness: Randomness) -> Kek:
    """The KEK in the state directory, made on first start; a named file wins.

    Raises ``Refused`` where it is lost: another one would not open what is there.
    """
    if settings.kek_file is not None:
        return load_kek(settings.kek_file)
    path = _own_kek(settings)
    with one_at_a_time(settings.state_dir / FIRST_START):
        if not path.exists():
            if _sealed_things(settings):
                raise Refused(f"{path} is gone, and the store opens with that key alone: {_way_out(settings)}")
            create_private(path, randomness(KEK_BYTES))
    return load_kek(path)


@contextmanager
def knowing_the_kek(settings: Settings) -> Iterator[None]:
    """Say which file is wrong, and how to begin anew, where the KEK in the state directory is not the store's."""
    try:
        yield
    except OtherKek as fault:
        if settings.kek_file is not None:
            raise
        raise Refused(f"{fault}, which {_own_kek(settings)} is not: {_way_out(settings)}") from None


def _own_kek(settings: Settings) -> Path:
    return settings.state_dir / "kek"


def _sealed_things(settings: Settings) -> bool:
    """Whether there is anything in the store that a new KEK would not open."""
    if store_exists(settings.store_url) is False:
        return False
    store = open_store(settings.store_url, clock=system_clock, migrate=True)
    try:
        state = store.trust_state()
        return bool(state.keys or state.secrets)
    finally:
        store.close()


def _way_out(settings: Settings) -> str:
    anew = "with another AUTHSVC_STORE" if settings.store else f"by removing the folder {settings.state_dir}"
    return f"put the file back, or begin anew {anew} (apps, accounts and sessions are lost then)"
