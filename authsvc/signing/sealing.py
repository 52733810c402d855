"""Secrets at rest: AES-256-GCM under a random data key of their own, itself wrapped by the key-encryption key.

A sealed text is: version 1 ‖ KEK id 8 ‖ nonce 12 ‖ wrapped data key 48 ‖ nonce 12 ‖ ciphertext and tag. The
associated data of both layers binds version, purpose, app and key id, so a sealed text moved to another row, app or
use does not open. Each data key seals once, so a random nonce is safe (NIST SP 800-38D, 8.2.2).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from authsvc.clock import Randomness
from authsvc.signing import base64url

KEK_BYTES = 32
_VERSION = b"\x01"
_KEK_ID, _NONCE, _WRAPPED = 8, 12, 48


class KekUnusable(ValueError):
    """The key-encryption-key file cannot be used; the text says what would help and never shows the key."""


class SealBroken(ValueError):
    """A sealed secret does not open: another KEK, another place, or changed bytes."""


class OtherKek(SealBroken):
    """It was sealed under another KEK than the one at hand."""


@dataclass(frozen=True, slots=True, eq=False)
class Kek:
    """The key-encryption key. Does not print or pickle."""

    secret: bytes = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key-encryption key is not pickled")

    @property
    def id(self) -> bytes:
        """Eight bytes that tell KEKs apart and tell nothing about them."""
        return hashlib.sha256(b"authsvc kek id\0" + self.secret).digest()[:_KEK_ID]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed secret belongs: what it is for, whose it is, and which one."""

    purpose: str
    app: str
    key: str

    @property
    def associated_data(self) -> bytes:
        """Unambiguous bytes of the place: each part preceded by its length."""
        parts = (part.encode() for part in (self.purpose, self.app, self.key))
        return _VERSION + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals and opens secrets under one KEK."""

    kek: Kek
    randomness: Randomness

    def seal(self, secret: bytes, place: Place) -> bytes:
        """The sealed form of ``secret`` for that place."""
        data_key, wrap_nonce, nonce = self.randomness(32), self.randomness(_NONCE), self.randomness(_NONCE)
        bound = place.associated_data
        wrapped = AESGCM(self.kek.secret).encrypt(wrap_nonce, data_key, bound)
        return b"".join(
            (_VERSION, self.kek.id, wrap_nonce, wrapped, nonce, AESGCM(data_key).encrypt(nonce, secret, bound))
        )

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The secret, when it was sealed under this KEK for this place; raises ``SealBroken`` otherwise."""
        version, kek_id, rest = sealed[:1], sealed[1 : 1 + _KEK_ID], sealed[1 + _KEK_ID :]
        if version != _VERSION or len(rest) < 2 * _NONCE + _WRAPPED:
            raise SealBroken("not a sealed secret of a known version")
        if kek_id != self.kek.id:
            raise OtherKek("sealed under another KEK: give the server the KEK file this store was last sealed with")
        wrap_nonce, wrapped = rest[:_NONCE], rest[_NONCE : _NONCE + _WRAPPED]
        nonce, ciphertext = rest[_NONCE + _WRAPPED : 2 * _NONCE + _WRAPPED], rest[2 * _NONCE + _WRAPPED :]
        try:
            data_key = AESGCM(self.kek.secret).decrypt(wrap_nonce, wrapped, place.associated_data)
            return AESGCM(data_key).decrypt(nonce, ciphertext, place.associated_data)
        except InvalidTag:
            raise SealBroken("the sealed bytes were changed or moved") from None


def kek_id_of(sealed: bytes) -> bytes:
    """Which KEK a sealed text is under."""
    return sealed[1 : 1 + _KEK_ID]


def refuse_unfinished(sealed: Iterable[bytes]) -> None:
    """Raise ``SealBroken`` where some of a store's sealed texts are under one KEK and some under another."""
    if len({kek_id_of(each) for each in sealed}) > 1:
        raise SealBroken(
            "a rotation of the KEK was begun and not finished: run `authsvc kek rotate --new-kek-file FILE` again, "
            "with the new KEK in FILE and the old one in AUTHSVC_KEK_FILE"
        )


def rewrapped(sealed: bytes, place: Place, old: Kek, new: Sealer) -> bytes:
    """The sealed text with its data key wrapped by another KEK; unchanged where that has wrapped it already.

    The content is not opened. Raises ``SealBroken`` when it is under neither, or does not belong to that place.
    """
    if kek_id_of(sealed) == new.kek.id:
        new.open(sealed, place)
        return sealed
    Sealer(old, new.randomness).open(sealed, place)  # says what is wrong where something is
    head = 1 + _KEK_ID
    nonce, wrapped = sealed[head : head + _NONCE], sealed[head + _NONCE : head + _NONCE + _WRAPPED]
    data_key = AESGCM(old.secret).decrypt(nonce, wrapped, place.associated_data)
    nonce = new.randomness(_NONCE)
    wrapped = AESGCM(new.kek.secret).encrypt(nonce, data_key, place.associated_data)
    return b"".join((_VERSION, new.kek.id, nonce, wrapped, sealed[head + _NONCE + _WRAPPED :]))


def load_kek(path: Path) -> Kek:
    """Read a KEK file: 32 raw bytes, or 64 hex digits, or base64url text of 32 bytes, with an optional newline.

    Links are followed (Kubernetes mounts secrets as links) and the file they end at is judged. Raises
    ``KekUnusable`` when it is missing, not a file, open to others, writable by the group, or of another size.
    """
    try:
        # A pipe is not waited for: it is refused below, like everything that is no file.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as fault:
        raise KekUnusable(f"the KEK file {path} cannot be read: {fault.strerror}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise KekUnusable(f"the KEK file {path} is not a regular file")
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise KekUnusable(f"the KEK file {path} is open to others: chmod 600 {path}")
        return Kek(_kek_bytes(os.read(descriptor, 1024), path))
    finally:
        os.close(descriptor)


def _kek_bytes(raw: bytes, path: Path) -> bytes:
    if len(raw) == KEK_BYTES and not re.fullmatch(rb"[0-9A-Fa-f]{32}", raw):
        return raw  # 32 hex digits would be a key of half the size, written out
    text = raw.strip()
    if re.fullmatch(rb"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text.decode("ascii"))
    try:
        secret = base64url.decode(text.decode("ascii").rstrip("=").translate(str.maketrans("+/", "-_")))
    except ValueError:
        secret = b""
    if len(secret) != KEK_BYTES:
        raise KekUnusable(f"the KEK file {path} must hold 32 bytes: raw, as 64 hex digits, or as base64")
    return secret
