"""The JWS vectors of C2SP/wycheproof for the algorithms we have, through parsing and signature."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from authsvc.model import Algorithm, KeyId, TokenStatus
from authsvc.signing import base64url
from authsvc.signing.keys import VerificationKey
from tests.signing.handmade import outcome
from tests.signing.vectors import vector_file

FILE = "wycheproof/json_web_signature_test.json"

# Entries that contradict themselves upstream, with the verdict that is right:
# 367 and 370 are byte for byte 357, which is marked valid; 372 and 373 hold a `?`, which is no base64url.
FROZEN = {367: "valid", 370: "valid", 372: "invalid", 373: "invalid"}
# They ask what a key in JWK form may be used for. We take no key in JWK form: ours are generated for signing.
ABOUT_JWK_USE = {354, 356}


def key_of(jwk: dict[str, str]) -> VerificationKey | None:
    """The key of a group, where it is of an algorithm of ours."""
    if jwk["kty"] == "oct" and jwk["alg"] == "HS256":
        return VerificationKey(KeyId(jwk["kid"]), Algorithm.HS256, base64url.decode(jwk["k"]))
    if jwk["kty"] == "EC" and jwk["crv"] == "P-256":
        x, y = (int.from_bytes(base64url.decode(jwk[name]), "big") for name in "xy")
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        return VerificationKey(KeyId(jwk["kid"]), Algorithm.ES256, public)
    return None


def vectors() -> Iterator[tuple[VerificationKey, dict[str, Any]]]:
    for group in vector_file(FILE)["testGroups"]:
        key = key_of(group.get("public") or group["private"])
        if key is not None:
            yield from ((key, vector) for vector in group["tests"])


def text_of(vector: dict[str, Any]) -> str:
    """The token; one in JSON serialization stands in the file as an object."""
    jws = vector["jws"]
    return jws if isinstance(jws, str) else json.dumps(jws)


@pytest.mark.parametrize("algorithm", [Algorithm.HS256, Algorithm.ES256])
def test_every_verdict_agrees(algorithm: Algorithm) -> None:
    """Each HS256 and ES256 entry is accepted or refused as it says, but for those that contradict themselves."""
    judged, disagreeing = 0, []
    for key, vector in vectors():
        number = vector["tcId"]
        if key.algorithm is not algorithm or number in ABOUT_JWK_USE:
            continue
        expected = FROZEN.get(number, vector["result"])
        found = "valid" if outcome(text_of(vector), key) is TokenStatus.ACTIVE else "invalid"
        judged += 1
        if found != expected:
            disagreeing.append((number, vector["comment"], expected))
    assert disagreeing == []
    assert judged == {Algorithm.HS256: 40, Algorithm.ES256: 39}[algorithm]


def test_the_frozen_ones_are_what_they_are_said_to_be() -> None:
    """367 and 370 are 357 byte for byte, 372 and 373 hold a `?`, and 354 and 356 are signed well."""
    by_number = {vector["tcId"]: (key, vector) for key, vector in vectors()}
    assert by_number[367][1]["jws"] == by_number[370][1]["jws"] == by_number[357][1]["jws"]
    assert by_number[357][1]["result"] == "valid"
    assert all("?" in by_number[number][1]["jws"] for number in (372, 373))
    for number in ABOUT_JWK_USE:
        key, vector = by_number[number]
        assert outcome(text_of(vector), key) is TokenStatus.ACTIVE
