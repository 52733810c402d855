"""Every algorithm alike: its own signatures fit, whole and unchanged, and nothing that is like one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, permutations, product

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from authsvc.model import Algorithm, KeyId, TokenStatus
from authsvc.signing import base64url
from authsvc.signing.algorithms import FAMILIES
from authsvc.signing.jws import parse_compact, sign_compact, verify_signature
from authsvc.signing.keys import SigningKey, VerificationKey, verification_key
from authsvc.signing.rejected import Rejected
from tests.signing.families import KEYS, header, signed, signs
from tests.signing.forgeries import FORGERIES, block, info, power
from tests.signing.handmade import Sign, b64, compact, outcome

ALL = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
PKCS1 = pytest.mark.parametrize("algorithm", [Algorithm.RS256, Algorithm.RS384, Algorithm.RS512])
FORGED = {
    f"{algorithm}: {name}": (algorithm, sign)
    for algorithm, forged in FORGERIES.items()
    for name, sign in forged.items()
}


@pytest.mark.parametrize(("algorithm", "forge"), FORGED.values(), ids=FORGED.keys())
def test_nothing_like_a_signature_fits(algorithm: Algorithm, forge: Sign) -> None:
    """What is like a signature is refused under the very key and message whose signature is accepted."""
    key = verification_key(KEYS[algorithm])
    assert outcome(compact(header(algorithm), sign=signs(algorithm)), key) is TokenStatus.ACTIVE
    assert outcome(compact(header(algorithm), sign=forge), key) is TokenStatus.SIGNATURE_INVALID


@ALL
def test_what_we_sign_fits_under_its_own_algorithm_alone(key: SigningKey) -> None:
    """What a key signs is accepted by it, and refused unread by a key of any other algorithm."""
    text = sign_compact(key, typ="JWT", payload=b"{}")
    verdicts = {one.algorithm: outcome(text, verification_key(one)) for one in KEYS.values()}
    assert verdicts.pop(key.algorithm) is TokenStatus.ACTIVE
    assert set(verdicts.values()) == {TokenStatus.ALGORITHM_MISMATCH}
    assert len(verdicts) == len(Algorithm) - 1


@pytest.mark.parametrize(("named", "meant"), list(permutations(Algorithm, 2)))
def test_a_header_does_not_choose_the_algorithm(named: Algorithm, meant: Algorithm) -> None:
    """A key refuses a token that names another algorithm, be it signed as its header says or as the key does."""
    key = verification_key(KEYS[meant])
    for sign in (signs(named), signs(meant)):
        assert outcome(compact(header(named), sign=sign), key) is TokenStatus.ALGORITHM_MISMATCH
    assert outcome(compact(header(meant), sign=signs(named)), key) is TokenStatus.SIGNATURE_INVALID
    assert outcome(compact(header(meant), sign=signs(meant)), key) is TokenStatus.ACTIVE


@ALL
def test_every_bit_of_a_token_matters(key: SigningKey) -> None:
    """A token with any single bit of header, payload or signature turned is refused."""
    verifies, text = verification_key(key), sign_compact(key, typ="JWT", payload=b'{"a":1}')
    assert outcome(text, verifies) is TokenStatus.ACTIVE
    token, (head, body, tag) = parse_compact(text), text.split(".")
    for signature in _turned(token.signature):
        assert outcome(f"{head}.{body}.{b64(signature)}", verifies) is TokenStatus.SIGNATURE_INVALID
    for payload in _turned(token.payload):
        assert outcome(f"{head}.{b64(payload)}.{tag}", verifies) is TokenStatus.SIGNATURE_INVALID
    for raw in _turned(base64url.decode(head)):
        assert outcome(f"{b64(raw)}.{body}.{tag}", verifies) in REFUSED


REFUSED = {TokenStatus.MALFORMED, TokenStatus.ALGORITHM_MISMATCH, TokenStatus.SIGNATURE_INVALID}


def _turned(raw: bytes) -> Iterator[bytes]:
    """The bytes with one bit turned, for each of their bits."""
    number, size = int.from_bytes(raw, "big"), len(raw)
    return ((number ^ 1 << bit).to_bytes(size, "big") for bit in range(8 * size))


@ALL
def test_segments_of_two_good_tokens_do_not_mix(key: SigningKey) -> None:
    """Header, payload and signature belong together."""
    verifies = verification_key(key)
    heads = header(key.algorithm), {**header(key.algorithm), "typ": "at+jwt"}
    first, second = (
        compact(head, payload, signs(key.algorithm)).split(".")
        for head, payload in zip(heads, (b'{"a":1}', b'{"a":2}'), strict=True)
    )
    for segments in product(*zip(first, second, strict=True)):
        whole = list(segments) in (first, second)
        expected = TokenStatus.ACTIVE if whole else TokenStatus.SIGNATURE_INVALID
        assert outcome(".".join(segments), verifies) is expected


@PKCS1
def test_the_blocks_differ_from_a_good_one_in_their_fault_alone(algorithm: Algorithm) -> None:
    """The block that the forged ones are made from, without a fault, is what the library below signs."""
    message = b"a message"
    assert power(block(info(algorithm, message))) == signed(algorithm, message)


RSA = pytest.mark.parametrize("algorithm", [one for one in Algorithm if FAMILIES[one].key_type == "RSA"])


@RSA
def test_an_rsa_signature_keeps_its_leading_zeros(algorithm: Algorithm) -> None:
    """A signature that begins with a zero byte is accepted with it and refused without (RFC 8017, 8.1.2 and 8.2.2)."""
    key = verification_key(KEYS[algorithm])
    token = next(
        token
        for number in count()
        if (token := parse_compact(compact(header(algorithm), b"%d" % number, signs(algorithm)))).signature[0] == 0
    )
    assert verify_signature(token, key) == token.payload
    for signature in (token.signature.lstrip(b"\0"), b"\0" + token.signature, token.signature[1:] + b"\0"):
        with pytest.raises(Rejected, match="SIGNATURE_INVALID"):
            verify_signature(token._replace(signature=signature), key)


def test_an_rsa_key_with_exponent_3_takes_no_cube_root() -> None:
    """Under exponent 3 a signature that is a mere cube root of a block that begins well is refused."""
    private = rsa.generate_private_key(public_exponent=3, key_size=2048)
    key = VerificationKey(KeyId("three"), Algorithm.RS256, private.public_key())
    head = {**header(Algorithm.RS256), "kid": "three"}

    def root(message: bytes) -> bytes:
        begins = b"\0\1" + b"\xff" * 8 + b"\0" + info(Algorithm.RS256, message)
        wanted = int.from_bytes(begins.ljust(256, b"\0"), "big")
        found = _cube_root(wanted) + 1
        assert (found**3).to_bytes(256, "big").startswith(begins), "it would pass a check that stops there"
        return found.to_bytes(256, "big")

    good = compact(head, sign=lambda message: signed(Algorithm.RS256, message, private))
    assert outcome(good, key) is TokenStatus.ACTIVE
    assert outcome(compact(head, sign=root), key) is TokenStatus.SIGNATURE_INVALID


def _cube_root(number: int) -> int:
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low
