"""A key of every algorithm, and its signatures made by the library below, without the code under test."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from authsvc.model import Algorithm, KeyId
from authsvc.signing.keys import SigningKey
from tests.signing.handmade import Sign

Handle = bytes | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

# Three primes, so that two keys of 2048 bits are the same in every run. Both moduli lie just above 2^2047: a signature
# plus the modulus still has room in as many bytes.
_PRIMES = (
    "b52c82f2da7be29299cfd444f2226fc6daa96fb2cf54aae2029ea0a41b5533a77f209363381c372aa11db3"
    "73ea9bc74935b7bfed78b1e0b4ab5ae58490ac98ce14f4d5a62399148887928d019eceed2074e653ff117f"
    "44c4dbaa9c8103d4a34e84e11e876824918af90adcd5a2317dde079e55e95e4c4c0d06dc2d74aa2c1053",
    "b53c618040c61d4b53ae266b5050b885a4d1ae0fa485617567966e069baa4a74b1ec41a2f42da3493bb454"
    "8ce6da81412a3df6a3146f92f27f9555e8ffc34a1ed1655db3fd497d94338f7abc109e5f4eae946c2d43c4"
    "6196b169aff5667a2946225b4ca458ffaeeb9142ab8430319500d06b1455c1e7a16d149c4c0991226d0b",
    "b6189efc66046c2c69b4f756042effbc6e57b8ce11c4f4bc89c31c664dee357183ee3129b22626ebcbdff8"
    "e7b7565fc40ba725139e8c06bcd9ec6b37e8571dc86899a449cae4e2210af1caa8099b541ff6b043e6d697"
    "b349e0ad2037b911e5d5e7678fe0ed819d3e896240f4e6be8a89e012902f9d04069d8dd8b225b67853f1",
)


def rsa_key(p: int, q: int, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """The key of two primes."""
    d = pow(exponent, -1, (p - 1) * (q - 1))
    parts = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(exponent, p * q)).private_key()


_P, _Q, _R = (int(prime, 16) for prime in _PRIMES)
RSA_PRIVATE: Final = rsa_key(_P, _Q)
ED_PRIVATE: Final = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

_OTHER_RSA = rsa_key(_Q, _R)
_CURVES = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "512": ec.SECP521R1()}
HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def size_of(algorithm: Algorithm) -> str:
    """The number in an algorithm's name."""
    return algorithm.value[2:]


def _handle(algorithm: Algorithm, *, other: bool = False) -> Handle:
    match algorithm.value[:2], size_of(algorithm):
        case "Ed", _:
            return ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)) if other else ED_PRIVATE
        case (("RS" | "PS"), _):
            return _OTHER_RSA if other else RSA_PRIVATE
        case "ES", size:
            return ec.derive_private_key(0xB0B if other else 0xA11CE, _CURVES[size])
        case _, size:
            return bytes(range(other, other + int(size) // 8))


HANDLES: Mapping[Algorithm, Handle] = MappingProxyType({one: _handle(one) for one in Algorithm})
OTHERS: Mapping[Algorithm, Handle] = MappingProxyType({one: _handle(one, other=True) for one in Algorithm})
KEYS: Mapping[Algorithm, SigningKey] = MappingProxyType(
    {one: SigningKey(KeyId(f"{one.value}-key"), one, handle) for one, handle in HANDLES.items()}
)


def signed(algorithm: Algorithm, message: bytes, handle: Handle | None = None, *, size: str = "") -> bytes:
    """The signature of a message by the key of that algorithm, or by another; ``size``: with another hash."""
    handle, chosen = handle or HANDLES[algorithm], size or size_of(algorithm)
    if isinstance(handle, bytes):
        return hmac.digest(handle, message, f"sha{chosen}")
    if isinstance(handle, ed25519.Ed25519PrivateKey):
        return handle.sign(message)
    digest = HASHES[chosen]
    if isinstance(handle, ec.EllipticCurvePrivateKey):
        width = (handle.key_size + 7) // 8
        r, s = decode_dss_signature(handle.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")
    if algorithm.value.startswith("RS"):
        return handle.sign(message, padding.PKCS1v15(), digest)
    return handle.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def signs(algorithm: Algorithm) -> Sign:
    """What signs as a token of that algorithm is signed."""
    return lambda message: signed(algorithm, message)


def header(algorithm: Algorithm) -> dict[str, object]:
    """The header of a good token of that algorithm."""
    return {"alg": algorithm.value, "kid": KEYS[algorithm].key_id, "typ": "JWT"}


def joserfc_key(algorithm: Algorithm) -> Key:
    """The key of that algorithm as an independent library holds it."""
    handle: Any = HANDLES[algorithm]
    match algorithm.value[:2]:
        case "HS":
            return OctKey.import_key(handle)
        case "ES":
            return ECKey.import_key(handle)
        case "Ed":
            return OKPKey.import_key(handle)
    return RSAKey.import_key(handle)
