"""What is like a signature and is none, by algorithm: each is made of a message, as a signature is."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from itertools import product

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from authsvc.model import Algorithm
from tests.signing.families import ED_PRIVATE, HASHES, OTHERS, RSA_PRIVATE, signed, size_of
from tests.signing.handmade import Sign

# Of Ed25519: the prime of its field, the order of its base point (RFC 8032, 5.1), and y of points of order 8.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826

SMALL_ORDER: Mapping[str, bytes] = {
    f"{name}, sign {sign}": (y | sign << 255).to_bytes(32, "little")
    for (name, y), sign in product(
        {
            "y = 0": 0,
            "y = 1, the identity": 1,
            "y = p-1": P - 1,
            "y of order 8": ORDER_8,
            "p - y of order 8": P - ORDER_8,
            "y = p": P,
            "y = p+1": P + 1,
        }.items(),
        (0, 1),
    )
}
"""The fourteen texts of the eight points of Ed25519 whose order divides 8."""

_Change = Callable[[bytes], bytes]

_OF_A_SIGNATURE: Mapping[str, _Change] = {
    "nothing": lambda signature: b"",
    "one byte": lambda signature: signature[:1],
    "half of it": lambda signature: signature[: len(signature) // 2],
    "its other half": lambda signature: signature[len(signature) // 2 :],
    "one byte short": lambda signature: signature[:-1],
    "without its first byte": lambda signature: signature[1:],
    "one byte long": lambda signature: signature + b"\0",
    "a zero before": lambda signature: b"\0" + signature,
    "twice": lambda signature: signature * 2,
    "backwards": lambda signature: signature[::-1],
    "inverted": lambda signature: bytes(byte ^ 0xFF for byte in signature),
    "all zero": lambda signature: bytes(len(signature)),
    "all ones": lambda signature: b"\xff" * len(signature),
    "in hexadecimal": lambda signature: signature.hex().encode(),
    "its halves changed over": lambda signature: signature[len(signature) // 2 :] + signature[: len(signature) // 2],
}


def _changed(algorithm: Algorithm, change: _Change) -> Sign:
    return lambda message: change(signed(algorithm, message))


def _with_size(algorithm: Algorithm, size: str) -> Sign:
    return lambda message: signed(algorithm, message, size=size)


def _common(algorithm: Algorithm) -> dict[str, Sign]:
    forged = {name: _changed(algorithm, change) for name, change in _OF_A_SIGNATURE.items()}
    forged["of another key"] = lambda message: signed(algorithm, message, OTHERS[algorithm])
    forged["of another message"] = lambda message: signed(algorithm, message + b".")
    forged["of the message's hash"] = lambda message: signed(algorithm, hashlib.sha512(message).digest())
    if algorithm is not Algorithm.EDDSA:
        others = {"256", "384", "512"} - {size_of(algorithm)}
        forged |= {f"with SHA-{size}": _with_size(algorithm, size) for size in sorted(others)}
    return forged


def _edwards(change: Callable[[bytes, int], tuple[bytes, int]]) -> Sign:
    """A signature whose R and S were changed."""

    def sign(message: bytes) -> bytes:
        signature = ED_PRIVATE.sign(message)
        r, s = change(signature[:32], int.from_bytes(signature[32:], "little"))
        return r + s.to_bytes(32, "little")

    return sign


def _plus(times: int) -> Sign:
    return _edwards(lambda r, s: (r, s + times * L))


def _without_secret(r: bytes) -> Sign:
    return lambda message: r + bytes(32)


def _of_edwards() -> dict[str, Sign]:
    forged = _common(Algorithm.EDDSA)
    del forged["all zero"]  # comes again below, as R of order 4 with S = 0
    forged |= {f"S + {times} L": _plus(times) for times in (1, 2, 7, 8, 14)}
    forged |= {f"S = 0, R is {name}": _without_secret(point) for name, point in SMALL_ORDER.items()}
    public = ED_PRIVATE.public_key().public_bytes_raw()
    return forged | {
        "L - S": _edwards(lambda r, s: (r, L - s)),
        "S = 0": _edwards(lambda r, s: (r, 0)),
        "S = L": _edwards(lambda r, s: (r, L)),
        "S with its highest bit": _edwards(lambda r, s: (r, s | 1 << 255)),
        "-R": _edwards(lambda r, s: (r[:31] + bytes([r[31] ^ 0x80]), s)),
        "-R and L - S": _edwards(lambda r, s: (r[:31] + bytes([r[31] ^ 0x80]), L - s)),
        "R is the key": _edwards(lambda r, s: (public, s)),
        "S with its high end first": _edwards(lambda r, s: (r, int.from_bytes(s.to_bytes(32, "little"), "big"))),
        "an elliptic signature": lambda message: signed(Algorithm.ES256, message),
        "an HMAC under the public key": lambda message: hmac.digest(public, message, "sha512"),
    }


# RSA: what is signed, before the power of d is taken (RFC 8017, 9.2).
_SIZE = 256
_OF_HASH = {
    "256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_NUMBERS = RSA_PRIVATE.private_numbers()
_N = _NUMBERS.public_numbers.n


def power(block: bytes) -> bytes:
    """A block as the key signs it, whatever it holds."""
    return pow(int.from_bytes(block, "big"), _NUMBERS.d, _N).to_bytes(_SIZE, "big")


def block(
    info: bytes, *, begin: bytes = b"\0\1", fill: bytes = b"\xff", end: bytes = b"\0", behind: bytes = b""
) -> bytes:
    """A block of PKCS #1, each part of which may be another than it should be."""
    return begin + fill * (_SIZE - len(begin) - len(end) - len(info) - len(behind)) + end + info + behind


def info(algorithm: Algorithm, message: bytes) -> bytes:
    """The DigestInfo of a message."""
    size = size_of(algorithm)
    return _OF_HASH[size] + hashlib.new(f"sha{size}", message).digest()


def _blocks(algorithm: Algorithm) -> dict[str, Sign]:
    size, digest_bytes = size_of(algorithm), int(size_of(algorithm)) // 8
    wrong = {"256": "384", "384": "512", "512": "256"}[size]

    def of(make: Callable[[bytes], bytes]) -> Sign:
        return lambda message: power(make(info(algorithm, message)))

    def named(di: bytes, parameters: bytes) -> bytes:
        # 30 length, 30 length, the hash's name, its parameters (05 00), 04 length, the digest
        head, digest, more = di[:-digest_bytes], di[-digest_bytes:], len(parameters) - 2
        sequence = bytes([0x30, head[1] + more, 0x30, head[3] + more]) + head[4:-4]
        return block(sequence + parameters + head[-2:] + digest)

    return {
        "block type 2": of(lambda di: block(di, begin=b"\0\2")),
        "block type 0": of(lambda di: block(di, begin=b"\0\0")),
        "filled with zeros": of(lambda di: block(di, fill=b"\0")),
        "filled with FE": of(lambda di: block(di, fill=b"\xfe")),
        "no zero after the filling": of(lambda di: block(di, end=b"")),
        "two zeros after the filling": of(lambda di: block(di, end=b"\0\0")),
        "eight bytes of filling, garbage behind": of(
            lambda di: (b"\0\1" + b"\xff" * 8 + b"\0" + di).ljust(_SIZE, b"g")
        ),
        "no filling, garbage behind": of(lambda di: (b"\0\1\0" + di).ljust(_SIZE, b"\0")),
        "a byte behind the digest": of(lambda di: block(di, behind=b"\0")),
        "no name of the hash": of(lambda di: block(di[-digest_bytes:])),
        "the name of another hash": of(lambda di: block(_OF_HASH[wrong] + di[-digest_bytes:])),
        "no parameters of the hash": of(lambda di: named(di, b"")),
        "garbage in the parameters": of(lambda di: named(di, b"\x04\x08garbage!")),
        "a length in its long form": of(lambda di: block(b"\x30\x81" + di[1:])),
        "half a digest": of(lambda di: block(di[: -digest_bytes // 2])),
    }


def _of_rsa(algorithm: Algorithm) -> dict[str, Sign]:
    def number(change: Callable[[int], int]) -> Sign:
        # PSS is random, and one signature in 250 has no room for n.
        def sign(message: bytes) -> bytes:
            made = (int.from_bytes(signed(algorithm, message), "big") for _ in range(50))
            return next(change(s) for s in made if s + _N < 1 << 8 * _SIZE).to_bytes(_SIZE, "big")

        return sign

    twin = {"RS": "PS", "PS": "RS"}[algorithm.value[:2]]
    return _common(algorithm) | {
        f"as {twin}{size_of(algorithm)}": lambda message: signed(Algorithm(f"{twin}{size_of(algorithm)}"), message),
        "one": number(lambda s: 1),
        "n - 1": number(lambda s: _N - 1),
        "n": number(lambda s: _N),
        "n + 1": number(lambda s: _N + 1),
        "s + n": number(lambda s: s + _N),
        "n - s": number(lambda s: _N - s),
        "the message's number": lambda message: hashlib.sha512(message).digest().rjust(_SIZE, b"\0"),
        "an elliptic signature": lambda message: signed(Algorithm.ES256, message),
    }


def _of_pss(algorithm: Algorithm) -> dict[str, Sign]:
    digest = HASHES[size_of(algorithm)]

    def salted(length: int, mask: hashes.HashAlgorithm = digest) -> Sign:
        return lambda message: RSA_PRIVATE.sign(message, padding.PSS(padding.MGF1(mask), length), digest)

    most = _SIZE - digest.digest_size - 2
    return _of_rsa(algorithm) | {
        "no salt": salted(0),
        "a salt one byte short": salted(digest.digest_size - 1),
        "a salt one byte long": salted(digest.digest_size + 1),
        "as much salt as there is room": salted(most),
        "another mask": salted(digest.digest_size, hashes.SHA512_256()),
    }


def _forgeries(algorithm: Algorithm) -> dict[str, Sign]:
    match algorithm.value[:2]:
        case "Ed":
            return _of_edwards()
        case "RS":
            return _of_rsa(algorithm) | _blocks(algorithm)
        case "PS":
            return _of_pss(algorithm)
        case _:
            return _common(algorithm)


FORGERIES: Mapping[Algorithm, Mapping[str, Sign]] = {algorithm: _forgeries(algorithm) for algorithm in Algorithm}
