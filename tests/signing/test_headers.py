"""The protected header: alg, kid and typ, each once and of its type; everything else is refused unread."""

from __future__ import annotations

import itertools

import pytest

from authsvc.model import TokenStatus
from authsvc.signing.jws import sign_compact
from authsvc.signing.keys import SigningKey
from tests.signing.handmade import ES_KEY, ES_SIGNING, HS_SIGNING, b64, compact, es256, json_bytes, outcome

PLAIN = {"alg": "HS256", "kid": "hs-key", "typ": "JWT"}
EVIL_KEY = {"kty": "oct", "k": b64(b"e" * 32)}

ADDED = [
    ("crit", ["exp"]),
    ("crit", []),
    ("b64", False),
    ("b64", True),
    ("zip", "DEF"),
    ("cty", "JWT"),
    ("enc", "A256GCM"),
    ("jwk", EVIL_KEY),
    ("jku", "https://attacker.example/jwks.json"),
    ("x5u", "https://attacker.example/cert.pem"),
    ("x5c", ["MIIB"]),
    ("x5t", "AAAA"),
    ("x5t#S256", "AAAA"),
    ("iss", "authsvc"),
    ("nonce", "n"),
    ("", ""),
]


@pytest.mark.parametrize(("name", "value"), ADDED)
def test_no_fourth_parameter(name: str, value: object) -> None:
    """A header with any parameter but the three is MALFORMED, well signed as it is."""
    assert outcome(compact(PLAIN)) is TokenStatus.ACTIVE
    assert outcome(compact({**PLAIN, name: value})) is TokenStatus.MALFORMED


@pytest.mark.parametrize("name", ["Alg", "ALG", "alg ", "al\u0261", "Kid", "KID", "Typ", "TYP"])
def test_names_are_matched_exactly(name: str) -> None:
    """A name that only resembles one of the three is a fourth."""
    assert outcome(compact({**PLAIN, name: "HS256"})) is TokenStatus.MALFORMED


WRONG_TYPES = {"number": 1, "zero": 0, "true": True, "null": None, "list": ["HS256"], "object": {"a": 1}, "empty": ""}


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
@pytest.mark.parametrize("value", WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_each_is_a_text_that_is_not_empty(name: str, value: object) -> None:
    """alg, kid and typ are texts and never empty."""
    assert outcome(compact({**PLAIN, name: value})) is TokenStatus.MALFORMED


def test_alg_is_required_and_the_others_are_judged_elsewhere() -> None:
    """A header without alg is MALFORMED; whether kid or typ may be missing is no question of this layer."""
    assert outcome(compact({"kid": "hs-key", "typ": "JWT"})) is TokenStatus.MALFORMED
    assert outcome(compact({"alg": "HS256"})) is TokenStatus.ACTIVE


DUPLICATES = {
    "alg": b'{"alg":"none","alg":"HS256"}',
    "alg, the good one first": b'{"alg":"HS256","alg":"none"}',
    "alg, equal": b'{"alg":"HS256","alg":"HS256"}',
    "alg, escaped": b'{"\\u0061lg":"none","alg":"HS256"}',
    "kid": b'{"alg":"HS256","kid":"a","kid":"hs-key"}',
    "typ": b'{"alg":"HS256","typ":"JWT","typ":"at+jwt"}',
}


@pytest.mark.parametrize("header", DUPLICATES.values(), ids=DUPLICATES.keys())
def test_no_name_twice(header: bytes) -> None:
    """A header that says something twice is MALFORMED, whichever of the two is right."""
    assert outcome(compact(b'{"alg":"HS256","kid":"hs-key"}')) is TokenStatus.ACTIVE
    assert outcome(compact(header)) is TokenStatus.MALFORMED


NOT_STRICT = {
    "a list": b'["HS256"]',
    "a text": b'"HS256"',
    "nothing": b"",
    "a trailing space": json_bytes(PLAIN) + b" ",
    "a byte order mark": b"\xef\xbb\xbf" + json_bytes(PLAIN),
    "UTF-16": json_bytes(PLAIN).decode().encode("utf-16"),
    "a lone surrogate": b'{"alg":"HS256","kid":"\\ud800"}',
    "Latin-1": b'{"alg":"HS256","kid":"\xe9"}',
    "8,000 lists": b'{"alg":"HS256","kid":' + b"[" * 2500 + b"]" * 2500 + b"}",
}


@pytest.mark.parametrize("header", NOT_STRICT.values(), ids=NOT_STRICT.keys())
def test_strict_json(header: bytes) -> None:
    """The header is read as strictly as the payload."""
    assert outcome(compact(header)) is TokenStatus.MALFORMED


def test_a_key_id_of_10_kb_is_not_even_read() -> None:
    """A kid that makes the token larger than 8 KiB is MALFORMED; one that just fits is a text like any other."""
    assert outcome(compact({**PLAIN, "kid": "k" * 10_000})) is TokenStatus.MALFORMED
    assert outcome(compact({**PLAIN, "kid": "k" * 5_000})) is TokenStatus.ACTIVE


NONE = sorted({"".join(letters) for letters in itertools.product(*zip("none", "NONE", strict=True))})


@pytest.mark.parametrize("spelling", [*NONE, "none ", " none", "no\u0000ne", "n\u00f6ne", "no\u200bne", "null", "0"])
def test_alg_none_is_never_an_algorithm(spelling: str) -> None:
    """`none` in any case and spelling is no algorithm of any key, with an empty or a good signature."""
    good = compact({"alg": spelling, "kid": "hs-key", "typ": "JWT"})
    signed = good.rpartition(".")[0]
    for attack in (good, f"{signed}.", f"{signed}.{b64(bytes(32))}"):
        assert outcome(attack) is TokenStatus.ALGORITHM_MISMATCH
        assert outcome(attack, ES_KEY) is TokenStatus.ALGORITHM_MISMATCH


@pytest.mark.parametrize("alg", ["hs256", "HS256 ", "ＨＳ256", "HS-256", "HmacSHA256", "HS384", "HS512", "HS1", "dir"])
def test_an_algorithm_has_one_name(alg: str) -> None:
    """A key's algorithm is matched by its exact name."""
    assert outcome(compact({**PLAIN, "alg": alg})) is TokenStatus.ALGORITHM_MISMATCH


@pytest.mark.parametrize("alg", ["es256", "ES256K", "ES384", "ES512", "PS256", "RS256", "EdDSA", "ESP256"])
def test_an_elliptic_key_has_one_name_too(alg: str) -> None:
    """The same for ES256, whose neighbours have the same form of signature."""
    assert outcome(compact({"alg": "ES256"}, sign=es256), ES_KEY) is TokenStatus.ACTIVE
    assert outcome(compact({"alg": alg}, sign=es256), ES_KEY) is TokenStatus.ALGORITHM_MISMATCH


@pytest.mark.parametrize("signing", [HS_SIGNING, ES_SIGNING], ids=["HS256", "ES256"])
def test_our_own_header(signing: SigningKey) -> None:
    """A minted header is the canonical JSON of exactly alg, kid and typ."""
    head = sign_compact(signing, typ="JWT", payload=b"{}").split(".")[0]
    assert head == b64(f'{{"alg":"{signing.algorithm}","kid":"{signing.key_id}","typ":"JWT"}}'.encode())
