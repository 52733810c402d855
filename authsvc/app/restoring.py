"""Backups of the store that the settings name, and what has to be done when one is put back."""

from __future__ import annotations

from pathlib import Path

from authsvc.app import Refused
from authsvc.app.commanding import command
from authsvc.app.refusals import kek_of
from authsvc.clock import system_clock, system_randomness
from authsvc.signing.sealing import OtherKek, Sealer
from authsvc.storage import back_up, restore
from authsvc.storage.base import TrustState
from authsvc.storage.rows.restoring import BackedUp, Check, Progress, Restored
from authsvc.trust.learning import signing_key_place
from authsvc.trust.secrets import secret_place

OF_ITS_TIME = "only the KEK file of the backup's time opens it, which `authsvc kek rotate` may have replaced since"


def back_up_store(file: Path) -> BackedUp:
    """Copy the store, which servers may be using, into a new file. Raises ``Refused``."""
    with command("backup") as settings:
        return back_up(settings.store_url, file.absolute())


def restore_store(file: Path | None, *, progress: Progress) -> Restored:
    """Make the copy in that file the store, or take what is in its place (None). Raises ``Refused``."""
    with command("restore") as settings:
        sealer = Sealer(kek_of(settings, which=OF_ITS_TIME), system_randomness)
        copy = None if file is None else file.absolute()
        try:
            return restore(settings.store_url, copy, check=opens_with(sealer), progress=progress, clock=system_clock)
        except OtherKek:
            raise Refused(f"sealed under another KEK than AUTHSVC_KEK_FILE holds: {OF_ITS_TIME}") from None


def opens_with(sealer: Sealer) -> Check:
    """Raise ``SealBroken`` for a store whose keys and secrets are not all sealed under that KEK."""

    def check(state: TrustState) -> None:
        for key in state.keys:
            sealer.open(key.sealed, signing_key_place(key.api_key, key.key_id))
        for secret in state.secrets:
            sealer.open(secret.sealed, secret_place(secret.purpose, secret.number))

    return check
