"""The public vectors, through the code that production uses: Wycheproof for refusals, the RFC cookbook for bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authsvc.model import Algorithm
from authsvc.signing import algorithms, base64url
from authsvc.signing.jwk import KeyRefused, parse_key, parse_key_set
from authsvc.signing.jws import parse_compact, verify_signature
from authsvc.signing.keys import public_members, thumbprint
from authsvc.signing.rejected import Rejected

VECTORS = Path(os.environ.get("JOSE_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))
Json = dict[str, Any]

# Entries that contradict themselves or their key upstream (the vectors' README): our verdict, frozen.
ALG_OF_KEY_IS_WRONG = {346: "PS384", 347: "ES512", 350: "PS384", 351: "ES512"}
SAME_BYTES_AS_A_VALID_ONE = {367, 370}
HAS_A_QUESTION_MARK = {372, 373}
FROZEN = ALG_OF_KEY_IS_WRONG.keys() | SAME_BYTES_AS_A_VALID_ONE | HAS_A_QUESTION_MARK


def vectors(name: str) -> Json:
    """A file of vectors; without them a test is skipped, and fails where CI must have them."""
    path = VECTORS / name
    if not path.is_file():
        reason = f"the public test vectors are not beside the project (JOSE_VECTORS names their folder): {name}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    found: Json = json.loads(path.read_text())
    return found


def entries(name: str) -> Iterator[tuple[Json, Json]]:
    """Each key, or key set, with each test of it."""
    for group in vectors(name)["testGroups"]:
        for test in group["tests"]:
            yield group.get("public") or group["private"], test


def jws_accepted(key: Json, token: object) -> bool:
    """Whether the signature layer accepts a token under a key; JSON serializations come as their text."""
    try:
        verify_signature(
            parse_compact(token if isinstance(token, str) else json.dumps(token)), parse_key(json.dumps(key))
        )
    except (KeyRefused, Rejected):
        return False
    return True


def key_set_accepted(keys: Json, token: str) -> bool:
    """Whether a set of keys is accepted, and a token under the key its kid names."""
    try:
        compact = parse_compact(token)
        verify_signature(compact, parse_key_set(json.dumps(keys))[compact.header.kid])  # type: ignore[index]
    except (KeyRefused, Rejected):
        return False
    return True


def test_wycheproof_signatures_agree() -> None:
    """All 393 Wycheproof JWS entries that do not contradict themselves get the verdict they state."""
    judged = {
        test["tcId"]: (jws_accepted(key, test["jws"]), test["result"] == "valid")
        for key, test in entries("wycheproof/json_web_signature_test.json")
        if test["tcId"] not in FROZEN
    }
    assert len(judged) == 393
    assert {number: verdict for number, verdict in judged.items() if verdict[0] is not verdict[1]} == {}


def test_wycheproof_contradictions_are_frozen() -> None:
    """The eight contradictory entries keep our verdict, and the four with a wrong alg pass once it is corrected."""
    found = {t["tcId"]: (k, t) for k, t in entries("wycheproof/json_web_signature_test.json") if t["tcId"] in FROZEN}
    accepted = {number for number, (key, test) in found.items() if jws_accepted(key, test["jws"])}
    assert accepted == SAME_BYTES_AS_A_VALID_ONE
    corrected = {number: {**found[number][0], "alg": alg} for number, alg in ALG_OF_KEY_IS_WRONG.items()}
    assert all(jws_accepted(key, found[number][1]["jws"]) for number, key in corrected.items())


def test_wycheproof_key_sets_agree() -> None:
    """All 26 Wycheproof JWK entries get the verdict they state."""
    judged = [
        (test["tcId"], key_set_accepted(keys, test["jws"]), test["result"] == "valid")
        for keys, test in entries("wycheproof/json_web_key_test.json")
    ]
    assert len(judged) == 26
    assert [entry for entry in judged if entry[1] is not entry[2]] == []


def number(jwk: Json, name: str) -> int:
    return int.from_bytes(base64url.decode(jwk[name]), "big")


def private_handle(jwk: Json) -> object:
    """The private key of a cookbook JWK, as the signature layer takes it."""
    match jwk["kty"]:
        case "oct":
            return base64url.decode(jwk["k"])
        case "OKP":
            return ed25519.Ed25519PrivateKey.from_private_bytes(base64url.decode(jwk["d"]))
        case "EC":
            return ec.derive_private_key(number(jwk, "d"), ec.SECP521R1())
    public = rsa.RSAPublicNumbers(number(jwk, "e"), number(jwk, "n"))
    p, q, d, dp, dq, qi = (number(jwk, name) for name in ("p", "q", "d", "dp", "dq", "qi"))
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()


COMPACT = [
    pytest.param("jws_4_1.rsa_v15_signature.json", "RS256", True, id="RS256"),
    pytest.param("jws_4_2.rsa-pss_signature.json", "PS384", False, id="PS384"),
    pytest.param("jws_4_3.ecdsa_signature.json", "ES512", False, id="ES512"),
    pytest.param("jws_4_4.hmac-sha2_integrity_protection.json", "HS256", True, id="HS256"),
    pytest.param("curve25519_jws.json", "EdDSA", True, id="EdDSA"),
]


@pytest.mark.parametrize(("name", "alg", "deterministic"), COMPACT)
def test_the_cookbook_s_compact_tokens_verify(name: str, alg: str, deterministic: bool) -> None:
    """Each compact token of RFC 7520 and RFC 8037 verifies under its key to the very payload it was made of."""
    example = vectors(f"cookbook/{name}")
    key = parse_key(json.dumps({**example["input"]["key"], "alg": alg}))
    payload = verify_signature(parse_compact(example["output"]["compact"]), key)
    assert payload == example["input"]["payload"].encode()


@pytest.mark.parametrize(("name", "alg", "deterministic"), COMPACT)
def test_the_cookbook_s_signatures_are_made_again(name: str, alg: str, deterministic: bool) -> None:
    """Signing the cookbook's input gives its very bytes where the algorithm is deterministic, else a good signature."""
    example = vectors(f"cookbook/{name}")
    key, message = example["input"]["key"], example["signing"]["sig-input"].encode()
    made = algorithms.sign(Algorithm(alg), private_handle(key), message)
    assert (base64url.encode(made) == example["signing"]["sig"]) is deterministic
    public = parse_key(json.dumps({**key, "alg": alg}))
    assert algorithms.verify(Algorithm(alg), public.handle, message, made)


FORMS = {
    "jws_4_1.rsa_v15_signature.json": 2,
    "jws_4_2.rsa-pss_signature.json": 2,
    "jws_4_3.ecdsa_signature.json": 2,
    "jws_4_4.hmac-sha2_integrity_protection.json": 2,
    "jws_4_6.protecting_specific_header_fields.json": 2,
    "jws_4_8.multiple_signatures.json": 1,
    "curve25519_jws.json": 2,
}
"""How many serializations in JSON each example has, general and flattened."""


@pytest.mark.parametrize("name", FORMS)
def test_the_cookbook_s_json_serializations_are_refused(name: str) -> None:
    """A JWS in JSON serialization, general or flattened, is not compact and is refused as malformed, by name."""
    output = vectors(f"cookbook/{name}")["output"]
    serialized = [json.dumps(output[form]) for form in ("json", "json_flat") if form in output]
    assert len(serialized) == FORMS[name]
    for text in serialized:
        with pytest.raises(Rejected, match="MALFORMED") as refused:
            parse_compact(text)
        assert refused.value.detail == "not three segments"


PAIRS = [
    pytest.param("jwk_3_1.ec_public_key.json", "jwk_3_2.ec_private_key.json", "ES512", id="EC"),
    pytest.param("jwk_3_3.rsa_public_key.json", "jwk_3_4.rsa_private_key.json", "RS256", id="RSA"),
]


@pytest.mark.parametrize(("public", "private", "alg"), PAIRS)
def test_the_cookbook_s_keys_are_read_once_they_name_their_algorithm(public: str, private: str, alg: str) -> None:
    """One key has one algorithm, so a JWK without ``alg`` is refused; with it public and private are one key."""
    keys = [vectors(f"cookbook/{name}") for name in (public, private)]
    for key in keys:
        with pytest.raises(KeyRefused, match="its alg must be a signature algorithm"):
            parse_key(json.dumps(key))
    read = [parse_key(json.dumps({**key, "alg": alg})) for key in keys]
    assert [key.key_id for key in read] == [key["kid"] for key in keys]
    thumbprints = {thumbprint(public_members(key.handle)) for key in read}  # type: ignore[arg-type]
    assert len(thumbprints) == 1
    message = b"signed with the private one"
    signature = algorithms.sign(Algorithm(alg), private_handle(keys[1]), message)
    assert all(algorithms.verify(Algorithm(alg), key.handle, message, signature) for key in read)


def test_the_cookbook_s_secret_is_read() -> None:
    """The symmetric key of RFC 7520, 3.5 names its algorithm and is the very bytes it says."""
    jwk = vectors("cookbook/jwk_3_5.symmetric_key_mac_computation.json")
    key = parse_key(json.dumps(jwk))
    assert (key.key_id, key.algorithm, key.handle) == (jwk["kid"], Algorithm.HS256, base64url.decode(jwk["k"]))


def test_every_vector_is_used() -> None:
    """No file of the public vectors is left out."""
    vectors("cookbook/curve25519_jws.json")
    there = {str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*.json")}
    pairs = {str(name) for pair in PAIRS for name in pair.values[:2]}
    cookbook = {*FORMS, *pairs, "jwk_3_5.symmetric_key_mac_computation.json"}
    wycheproof = {"wycheproof/json_web_signature_test.json", "wycheproof/json_web_key_test.json"}
    assert there == wycheproof | {f"cookbook/{name}" for name in cookbook}
