"""A public key in every form in which somebody could take it for a secret."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authsvc.model import Algorithm
from tests.signing.families import HANDLES, KEYS, joserfc_key
from tests.signing.handmade import b64

JWK = joserfc_key(Algorithm.ES256).as_dict(private=False)


def forms(algorithm: Algorithm) -> dict[str, bytes]:
    """Everything that a public key could be taken for a secret as."""
    handle = HANDLES[algorithm]
    assert not isinstance(handle, bytes)
    public = handle.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = joserfc_key(algorithm).as_dict(private=False)
    return {
        "PEM": pem,
        "PEM without its last newline": pem.rstrip(),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "PEM on one line": pem.replace(b"\n", b""),
        "the bare body of the PEM": b"".join(pem.splitlines()[1:-1]),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "SSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "JWK": json.dumps(key).encode(),
        "JWK, dense and sorted": json.dumps(key, sort_keys=True, separators=(",", ":")).encode(),
        "JWKS": json.dumps({"keys": [key]}).encode(),
        "the key id": KEYS[algorithm].key_id.encode(),
        "nothing": b"",
        **_numbers(public),
    }


def _numbers(public: object) -> dict[str, bytes]:
    match public:
        case ec.EllipticCurvePublicKey():
            x = public.public_numbers().x
            return {
                "the point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
                "the point, compressed": public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
                **_spellings("x", x.to_bytes(32, "big")),
            }
        case ed25519.Ed25519PublicKey():
            return _spellings("x", public.public_bytes_raw())
        case rsa.RSAPublicKey():
            modulus = public.public_numbers().n.to_bytes(256, "big")
            whole = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
            older = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
            return {"DER of PKCS #1": whole, "PEM of PKCS #1": older, **_spellings("the modulus", modulus)}
    raise AssertionError(public)


def _spellings(name: str, raw: bytes) -> dict[str, bytes]:
    return {
        name: raw,
        f"{name} backwards": raw[::-1],
        f"{name} in hexadecimal": raw.hex().encode(),
        f"{name} in base64url": b64(raw).encode(),
        f"{name} in decimal": str(int.from_bytes(raw, "big")).encode(),
    }
