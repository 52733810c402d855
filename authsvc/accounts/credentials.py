"""The service credential: ``ask1_<account id>_<43 characters of 32 random bytes><6 characters of checksum>``.

The prefix lets secret scanners find a leaked one, the checksum lets them (and us) tell it from a typo without a
look-up; the store keeps its SHA-256 only, which is enough for 256 random bits (no password, so no slow hash).
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from typing import NoReturn

from authsvc.clock import Randomness
from authsvc.model import AccountId, CredentialId
from authsvc.signing import base64url

PREFIX = "ask1_"
MAX_LENGTH = 128

_FORM = re.compile(r"ask1_([a-z2-7]{16})_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})", re.ASCII)
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True, eq=False)
class NewCredential:
    """A credential just made: its text is shown once, then only its digest is known."""

    id: CredentialId
    text: str = field(repr=False)
    digest: bytes = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a credential is not pickled")


@dataclass(frozen=True, slots=True, eq=False)
class PresentedCredential:
    """What a caller showed, of the right form; whether it is true is not known yet."""

    account_id: AccountId
    digest: bytes = field(repr=False)


def new_account_id(randomness: Randomness) -> AccountId:
    """Sixteen characters of base32: 80 random bits, without the underscore that ends it in a credential."""
    return AccountId(_base32(16, randomness))


def new_credential(account_id: AccountId, randomness: Randomness) -> NewCredential:
    """Make a credential of that account."""
    head = f"{PREFIX}{account_id}_{base64url.encode(randomness(32))}"
    text = head + _checksum(head)
    return NewCredential(CredentialId(_base32(12, randomness)), text, digest_of(text))


def read_credential(text: str) -> PresentedCredential | None:
    """Take a credential apart; None unless it has the one exact form and its checksum fits."""
    if len(text) > MAX_LENGTH:
        return None
    parts = _FORM.fullmatch(text)
    if parts is None or _checksum(text[:-6]) != parts[3]:
        return None
    return PresentedCredential(AccountId(parts[1]), digest_of(text))


def digest_of(text: str) -> bytes:
    """What the store keeps of a credential."""
    return hashlib.sha256(text.encode("ascii")).digest()


def _base32(length: int, randomness: Randomness) -> str:
    """So many characters of 5 random bits each; none that a command line takes for an option."""
    return "".join(_ID_ALPHABET[byte & 31] for byte in randomness(length))


def _checksum(head: str) -> str:
    # Not a secret and not compared in constant time: anyone can compute it.
    return base64url.encode(zlib.crc32(head.encode("ascii")).to_bytes(4, "big"))
