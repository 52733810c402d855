"""A secret that is the text of another key is refused, and no other secret is."""

from __future__ import annotations

import base64
import datetime
import json
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from authsvc.signing.key_text import is_key_text
from tests.signing.public_forms import JWK

PRIVATE: dict[str, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey] = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def certificate(encoding: Encoding) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    key = PRIVATE["P-256"]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(encoding)


def texts() -> dict[str, bytes]:
    """Every form a key comes in."""
    forms: dict[str, bytes] = {
        "JWK": json.dumps(JWK).encode(),
        "JWK after white space": b"\n\t " + json.dumps(JWK).encode(),
        "JWKS": json.dumps({"keys": [JWK]}).encode(),
        "a list of JWKs": json.dumps([JWK]).encode(),
        "certificate, PEM": certificate(Encoding.PEM),
        "certificate, DER": certificate(Encoding.DER),
        "RFC 4716": b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n",
        "PEM after a comment": b"# " + b"x" * 200 + b"\n-----BEGIN PUBLIC KEY-----\nAAAA\n",
    }
    for name, key in PRIVATE.items():
        public = key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        forms |= {
            f"{name} public, PEM": pem,
            f"{name} public, PEM with CRLF": pem.replace(b"\n", b"\r\n"),
            f"{name} public, PEM after white space": b"\n  " + pem,
            f"{name} public, body of the PEM": b"".join(pem.splitlines()[1:-1]),
            f"{name} public, body of the PEM in lines": b"\n".join(pem.splitlines()[1:-1]),
            f"{name} public, DER": der,
            f"{name} public, SSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            f"{name} private, PEM": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            f"{name} private, DER": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
            f"{name} private, DER with a password": key.private_bytes(
                Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
            ),
            f"{name} private, OpenSSH": key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        }
    return forms


TEXTS = texts()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_keys_are_told(text: bytes) -> None:
    """Each form of each kind of key is told from a secret."""
    assert is_key_text(text)


SECRETS = {
    "32 bytes": bytes(range(32)),
    "what begins as JSON": b"{" + bytes(range(200, 231)),
    "what begins as a list": b"[" + bytes(range(200, 231)),
    "white space and a brace": b" \n{" + bytes(range(200, 231)),
    "what begins as DER": b"\x30\x82" + bytes(range(30)),
    "what begins as short DER": b"\x30\x1e" + bytes(range(30)),
    "hexadecimal": bytes(range(32)).hex().encode(),
    "base64": base64.b64encode(bytes(range(33))),
    "letters and digits": b"q3b9k7x2m5n8p4r6t1v0w9y8z7a6b5c4",
    "words": b"correct horse battery staple, begin ssh",
    "a mark within": b"my-ssh-rsa-secret-BEGIN-of-32-by",
    "nothing": b"",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_secrets_are_secrets(secret: bytes) -> None:
    """What only begins like a key, or looks like nothing, is a secret."""
    assert not is_key_text(secret)


def test_no_random_secret_is_refused() -> None:
    """Of many random secrets, begun in every way, none is taken for a key."""
    source = random.Random(7)
    assert not any(is_key_text(bytes([first]) + source.randbytes(31)) for first in range(256) for _ in range(8))
