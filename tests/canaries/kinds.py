"""The secrets of a server and of those who call it, by kind, as what must never be read anywhere."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authsvc.app.composition import Domain
from authsvc.trust.secrets import PURPOSES


class Kinds:
    """Collects them as they come to be."""

    def __init__(self) -> None:
        self.secrets: dict[str, list[bytes]] = defaultdict(list)

    def add(self, kind: str, *values: bytes) -> None:
        """Note what is secret as bytes."""
        self.secrets[kind].extend(values)

    def add_text(self, kind: str, text: str) -> None:
        """Note a text, and what it is the base64url of."""
        self.add(kind, text.encode(), base64.urlsafe_b64decode(text[: len(text) // 4 * 4]))

    def add_access_token(self, kind: str, token: str) -> None:
        """Its signature: the rest says who the user is, and is nothing without it."""
        self.add_text(kind, token.rpartition(".")[2])

    def add_refresh_token(self, kind: str, token: str) -> None:
        """Its MAC: the rest names a session."""
        raw = base64.urlsafe_b64decode(token.removeprefix("art1_"))
        self.add(kind, raw[-16:], token[-21:].encode())

    def add_credential(self, kind: str, credential: str) -> None:
        """All but the id of its account."""
        self.add_text(kind, credential[len("ask1_") + 17 :])

    def add_keys_of(self, domain: Domain, names: Mapping[str, str]) -> None:
        """The keys of a server, those of apps by the kind that ``names`` gives them."""
        self.add("key-encryption key", domain.sealer.kek.secret)
        for purpose in PURPOSES:
            self.add(purpose, domain.secrets.ring(purpose).current()[1])
        for app in domain.view.apps():
            trust = domain.view.app(app.api_key)
            assert trust is not None
            self.add(names[app.api_key], *private_parts(trust.ring.signing_key().handle))


def private_parts(key: object) -> list[bytes]:
    """What of a private key nobody else may know."""
    match key:
        case bytes():
            return [key]
        case ec.EllipticCurvePrivateKey():
            return [key.private_numbers().private_value.to_bytes(32, "big")]
        case ed25519.Ed25519PrivateKey():
            return [key.private_bytes_raw()]
        case rsa.RSAPrivateKey():
            numbers = key.private_numbers()
            return [
                number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.p, numbers.q, numbers.d)
            ]
    raise TypeError(type(key).__name__)


def private_parts_of_pem(pem: bytes) -> list[bytes]:
    """The same of a key in a PEM file, and its text."""
    lines = b"".join(pem.splitlines()[1:-1])
    key = serialization.load_pem_private_key(pem, password=None)
    # The beginning and the end of the text are the same for all keys: version, algorithm, public half.
    return [*private_parts(key), lines[48:88]]
