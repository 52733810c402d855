"""Ed25519 public keys that are none are refused: small order, a second text of one point, no point at all."""

from __future__ import annotations

import json
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from authsvc.model import Algorithm, KeyId, TokenStatus
from authsvc.signing.jwk import KeyRefused, parse_key
from authsvc.signing.keys import VerificationKey
from tests.signing.families import ED_PRIVATE, header
from tests.signing.forgeries import SMALL_ORDER, L, P
from tests.signing.handmade import b64, compact, outcome

D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def jwk(encoded: bytes) -> str:
    return json.dumps({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": b64(encoded)})


def added(first: Point, second: Point) -> Point:
    """The sum of two points (RFC 8032, 5.1.4, without its projective coordinates)."""
    (x1, y1), (x2, y2) = first, second
    shared = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + shared, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - shared, -1, P)
    return x % P, y % P


def times(number: int, point: Point) -> Point:
    total = IDENTITY
    for bit in f"{number:b}":
        total = added(total, total)
        if bit == "1":
            total = added(total, point)
    return total


def x_of(y: int) -> int | None:
    """The even x of a point with that y, where there is one (RFC 8032, 5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    if root * root % P != square:
        root = root * pow(2, (P - 1) // 4, P) % P
    if root * root % P != square:
        return None
    return root if root % 2 == 0 else P - root


def encoded(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decoded(text: bytes) -> Point:
    number = int.from_bytes(text, "little")
    y = number % 2**255 % P
    x = x_of(y)
    assert x is not None
    return (P - x) % P if number >> 255 else x, y


def points() -> list[Point]:
    """Random points of the whole curve, those outside the group of its base point too."""
    source = random.Random(8032)
    found = ((x_of(y), y) for y in (source.randrange(P) for _ in range(80)))
    return [(x, y) for x, y in found if x is not None]


@pytest.mark.parametrize("text", SMALL_ORDER.values(), ids=SMALL_ORDER.keys())
def test_a_point_of_small_order_is_no_key(text: bytes) -> None:
    """Each of the fourteen texts is a point that eight times itself is the identity, and is refused by that name."""
    assert times(8, decoded(text)) == IDENTITY
    with pytest.raises(KeyRefused, match=r"^its x is a point of small order: one signature would fit any message$"):
        parse_key(jwk(text))


def test_there_are_no_others() -> None:
    """The points of small order are eight, as multiplying random points by L finds them, and all are refused."""
    found = {times(L, point) for point in points()}
    assert len(found) == 8
    assert {encoded(point) for point in found} <= set(SMALL_ORDER.values())
    assert len(set(SMALL_ORDER.values())) == 14


def test_one_signature_would_fit_any_message() -> None:
    """Under the identity, which the library below takes as a key, a signature of no secret fits every token."""
    text = SMALL_ORDER["y = 1, the identity, sign 0"]
    handle = ed25519.Ed25519PublicKey.from_public_bytes(text)
    forged = [compact(header(Algorithm.EDDSA), b'{"n":%d}' % n, lambda _: text + bytes(32)) for n in range(20)]
    weak = VerificationKey(KeyId("weak"), Algorithm.EDDSA, handle)
    assert {outcome(token, weak) for token in forged} == {TokenStatus.ACTIVE}
    assert {outcome(token, parse_key(jwk(GOOD))) for token in forged} == {TokenStatus.SIGNATURE_INVALID}


GOOD = ED_PRIVATE.public_key().public_bytes_raw()


@pytest.mark.parametrize("y", [y for y in range(2, 19) if x_of(y) is not None])
@pytest.mark.parametrize("sign", [0, 1])
def test_a_point_has_one_text(y: int, sign: int) -> None:
    """A point is accepted as it is, and refused with p added to its y, although that fits in as many bits."""
    first, second = ((number | sign << 255).to_bytes(32, "little") for number in (y, y + P))
    assert parse_key(jwk(first)).algorithm is Algorithm.EDDSA
    with pytest.raises(KeyRefused, match=r"^its x must be written with y below p$"):
        parse_key(jwk(second))


@pytest.mark.parametrize("y", [y for y in range(2, 30) if x_of(y) is None])
def test_what_is_no_point_is_no_key(y: int) -> None:
    """A y that no point of the curve has is refused, and so is nothing else: half of all numbers are one."""
    with pytest.raises(KeyRefused, match=r"^its x is no point of its curve$"):
        parse_key(jwk(y.to_bytes(32, "little")))


def test_sound_keys_are_taken() -> None:
    """Points of large order are accepted, and so are the public halves of many keys."""
    made = [ed25519.Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)).public_key() for n in range(256)]
    texts = [key.public_bytes_raw() for key in made] + [encoded(point) for point in points()]
    assert {parse_key(jwk(text)).algorithm for text in texts} == {Algorithm.EDDSA}


@pytest.mark.parametrize("text", [b"", GOOD[:-1], GOOD + b"\0", GOOD * 2], ids=["empty", "31", "33", "64"])
def test_a_key_has_32_bytes(text: bytes) -> None:
    """A key of another size is refused by its size."""
    assert parse_key(jwk(GOOD)).algorithm is Algorithm.EDDSA
    with pytest.raises(KeyRefused, match=r"^its x must have 32 bytes$"):
        parse_key(jwk(text))
