"""Is a secret the text of another key? Everybody may know a public key, so everybody could sign with that secret."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key


def _load_certificate(raw: bytes) -> object:
    from cryptography import x509  # noqa: PLC0415 - dear to import, and verifiers get no secrets

    return x509.load_der_x509_certificate(raw)


# PEM and RFC 4716 begin a line so; an OpenSSH public key begins with its type.
_MARK = re.compile(rb"^\s*-----? ?BEGIN |^\s*(ssh-|ecdsa-sha2-|sk-(ssh|ecdsa)-)[a-z0-9@.-]+\s", re.MULTILINE)
_DER_FORMS: tuple[Callable[[bytes], object], ...] = (
    load_der_public_key,
    lambda raw: load_der_private_key(raw, password=None),
    _load_certificate,
)


def is_key_text(secret: bytes) -> bool:
    """Whether the bytes are a key or a certificate as other software writes one: PEM, DER, base64 of DER, SSH, JWK.

    They are parsed, not guessed from their first bytes: a random secret must not be refused for how it begins.
    """
    return _MARK.search(secret) is not None or _is_jwk(secret) or _is_der(secret) or _is_der(_from_base64(secret))


def _is_jwk(secret: bytes) -> bool:
    try:
        return isinstance(json.loads(secret), dict | list)
    except (ValueError, RecursionError):
        return False


def _is_der(raw: bytes) -> bool:
    return any(_loads(load, raw) for load in _DER_FORMS)


def _loads(load: Callable[[bytes], object], raw: bytes) -> bool:
    try:
        load(raw)
    except TypeError:  # a private key that wants its password
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _from_base64(secret: bytes) -> bytes:
    """The body of a PEM without its first and last line, or nothing."""
    try:
        return binascii.a2b_base64(b"".join(secret.split()), strict_mode=True)
    except ValueError:
        return b""
