"""Whether PEM texts are what they should be: certificates, an unencrypted key, and the two of a pair fitting."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization


class Unusable(ValueError):
    """A text is not what it should be; ``part`` is which one, and nothing of it is shown."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(why)
        self.part = part


def check(roots: bytes | None, certificate: bytes | None, key: bytes | None) -> None:
    """Raise ``Unusable`` for the first of them that a connection cannot be opened with."""
    if roots is not None:
        _certificates("roots", roots)
    if certificate is not None and key is not None:
        leaf = _certificates("certificate", certificate)[0]
        if _public_bytes(leaf.public_key()) != _public_half(key):
            raise Unusable("key", "is not the key of the certificate beside it")


def _certificates(part: str, text: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise Unusable(part, "must hold PEM certificates") from None


def _public_half(text: bytes) -> bytes:
    try:
        return _public_bytes(serialization.load_pem_private_key(text, password=None).public_key())
    except (ValueError, TypeError):  # the second: it is encrypted
        raise Unusable("key", "must hold a PEM key, unencrypted") from None


def _public_bytes(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
