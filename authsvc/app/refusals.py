"""From what can go wrong at a start to the sentence that helps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from authsvc.app import Refused
from authsvc.config import Settings, SettingsInvalid, load_settings
from authsvc.errors import AuthError
from authsvc.logs import LogSettingError
from authsvc.signing.sealing import Kek, KekUnusable, SealBroken, load_kek
from authsvc.storage import store_exists
from authsvc.storage.errors import StoreRefused, Unreachable

KEK_RECIPE = "make one with: (umask 077; head -c 32 /dev/urandom > kek) and keep a copy apart from the store's backups"
LAST_SEALED_WITH = "only the key that the store was last sealed with opens it"


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what an operator can mend into ``Refused``; bugs stay what they are."""
    try:
        yield
    except (SettingsInvalid, LogSettingError, KekUnusable, SealBroken, StoreRefused) as fault:
        raise Refused(str(fault)) from None
    except Unreachable as fault:
        raise Refused(f"{fault.reason}: {fault.sentence}") from None
    except AuthError as fault:
        detail = f" ({fault.detail})" if fault.detail else ""
        raise Refused(f"{fault.reason}: {fault.text}{detail}") from None
    except OSError as fault:
        raise Refused(f"{fault.filename or 'a file'}: {fault.strerror}") from None


def settings_of_process() -> Settings:
    """The settings of this process; raises ``Refused``."""
    with refusing():
        return load_settings(os.environ)


def kek_of(settings: Settings, *, which: str = LAST_SEALED_WITH) -> Kek:
    """The key-encryption key; raises ``Refused`` where none is named, and says ``which`` is wanted for what is there.

    A new one is advised for a new store alone.
    """
    if settings.kek_file is None:
        raise Refused(
            f"AUTHSVC_KEK_FILE must name the file of the key that seals all others; {_advice(settings, which)}"
        )
    with refusing():
        return load_kek(Path(settings.kek_file))


def _advice(settings: Settings, which: str) -> str:
    of_development = settings.state_dir / "kek"
    found = f" ({of_development} is that of a development server)" if of_development.exists() else ""
    with refusing():
        exists = store_exists(settings.store_url)
    if exists or which != LAST_SEALED_WITH:
        return f"{which}{found}"
    return KEK_RECIPE if exists is False else f"for a store that is there, {which}; for a new one {KEK_RECIPE}"


def check_exposure(settings: Settings, *, dev: bool) -> None:
    """Raise ``Refused`` for an address that would show tokens and credentials to the network."""
    if dev and not settings.on_loopback:
        raise Refused(f"--dev listens on loopback only, and AUTHSVC_LISTEN is {settings.listen}")
    if dev and settings.tls_cert is not None:
        raise Refused("--dev serves without TLS: unset AUTHSVC_TLS_CERT and AUTHSVC_TLS_KEY, or leave --dev out")
    if not (settings.on_loopback or settings.tls_cert is not None or settings.allow_plaintext):
        raise Refused(
            f"AUTHSVC_LISTEN is {settings.listen}: without TLS, tokens and credentials would cross the network in the "
            "clear. Set AUTHSVC_TLS_CERT and AUTHSVC_TLS_KEY; where a proxy or a mesh encrypts, say "
            "AUTHSVC_ALLOW_PLAINTEXT=true"
        )
