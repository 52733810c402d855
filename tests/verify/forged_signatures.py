"""Tokens of each algorithm an app can choose, good but for their signature, their key or one turned bit."""

from __future__ import annotations

from collections.abc import Iterator

from authsvc.model import APP_ALGORITHMS, Algorithm, TokenStatus
from authsvc.signing import base64url
from tests.signing import families
from tests.signing.families import signs
from tests.signing.forgeries import FORGERIES
from tests.signing.handmade import Sign, b64, compact, hs256, json_bytes
from tests.signing.public_forms import forms
from tests.verify.attacks import Attack
from tests.verify.workshop import FAMILY_APPS, claims

S = TokenStatus
PAYLOAD = json_bytes(claims())
EVE = json_bytes(claims(user_id="eve", sub="user/eve"))


def token(algorithm: Algorithm, payload: bytes = PAYLOAD, *, sign: Sign | None = None, **changes: object) -> str:
    """A token of the app of that algorithm: good, unless something is changed."""
    return compact({**families.header(algorithm), **changes}, payload, sign or signs(algorithm))


def attack(algorithm: Algorithm, name: str, text: str, status: TokenStatus) -> Attack:
    """A token that the app of that algorithm is asked about; its twin is the good one."""
    return Attack(f"{algorithm}: {name}", text, status, token(algorithm), {"api_key": FAMILY_APPS[algorithm]})


def signatures(algorithm: Algorithm) -> Iterator[Attack]:
    """What is like a signature, and signatures of something else."""
    for name, forge in FORGERIES[algorithm].items():
        yield attack(algorithm, name, token(algorithm, sign=forge), S.SIGNATURE_INVALID)
    head, body, tag = token(algorithm).split(".")
    yield attack(algorithm, "another payload", f"{head}.{b64(EVE)}.{tag}", S.SIGNATURE_INVALID)
    other = b64(json_bytes(dict(reversed(families.header(algorithm).items()))))
    yield attack(algorithm, "a header of another order", f"{other}.{body}.{tag}", S.SIGNATURE_INVALID)
    meant = json_bytes(claims(aud=FAMILY_APPS[algorithm]))
    for one in APP_ALGORITHMS:
        if one is not algorithm:
            yield attack(algorithm, f"a token of the app with {one}", token(one, meant), S.KEY_UNKNOWN)


def turned_header(algorithm: Algorithm) -> Iterator[Attack]:
    """One bit turned in what a header parameter says, under the signature of the good token."""
    _, body, tag = token(algorithm).split(".")
    good = families.header(algorithm)
    for name, status in {"alg": S.ALGORITHM_MISMATCH, "kid": S.KEY_UNKNOWN, "typ": S.WRONG_TYPE}.items():
        said = str(good[name])
        turned = {**good, name: said[:-1] + chr(ord(said[-1]) ^ 1)}
        yield attack(algorithm, f"a bit of {name}", f"{b64(json_bytes(turned))}.{body}.{tag}", status)


def turned_bits(algorithm: Algorithm) -> Iterator[Attack]:
    """One bit turned at the ends of the header, and at begin, middle and end of payload and signature."""
    parts = [base64url.decode(part) for part in token(algorithm).split(".")]
    for place, name in enumerate(("header", "payload", "signature")):
        raw = parts[place]
        for byte in (0, len(raw) // 2, len(raw) - 1) if place else (0, len(raw) - 1):
            for bit in (0, 6):
                changed = raw[:byte] + bytes([raw[byte] ^ 1 << bit]) + raw[byte + 1 :]
                text = ".".join(b64(part) for part in [*parts[:place], changed, *parts[place + 1 :]])
                status = S.SIGNATURE_INVALID if place else S.MALFORMED
                yield attack(algorithm, f"bit {bit} of byte {byte} of the {name}", text, status)


def other_algorithms(algorithm: Algorithm) -> Iterator[Attack]:
    """The header names another algorithm: signed so, or as the key signs."""
    for other in Algorithm:
        if other is not algorithm:
            text = token(algorithm, sign=signs(other), alg=other.value)
            yield attack(algorithm, f"as {other}, signed so", text, S.ALGORITHM_MISMATCH)
            yield attack(algorithm, f"as {other} by name", token(algorithm, alg=other.value), S.ALGORITHM_MISMATCH)
    for none in ("none", "None", "NONE", "nOnE"):
        text = token(algorithm, sign=lambda message: b"", alg=none)
        yield attack(algorithm, f"alg = {none}", text, S.ALGORITHM_MISMATCH)


def confusion(algorithm: Algorithm) -> Iterator[Attack]:
    """An HMAC under a form of the public key."""
    for name, secret in forms(algorithm).items():
        for alg, status in (("HS256", S.ALGORITHM_MISMATCH), (algorithm.value, S.SIGNATURE_INVALID)):
            text = token(algorithm, sign=_hmac(secret), alg=alg)
            yield attack(algorithm, f"{alg} with {name} as the secret", text, status)


def _hmac(secret: bytes) -> Sign:
    return lambda message: hs256(message, secret)


KINDS = (signatures, turned_header, turned_bits, other_algorithms)
FORGED = [
    *(forged for algorithm in APP_ALGORITHMS for kind in KINDS for forged in kind(algorithm)),
    *(forged for algorithm in APP_ALGORITHMS if algorithm is not Algorithm.HS256 for forged in confusion(algorithm)),
]
