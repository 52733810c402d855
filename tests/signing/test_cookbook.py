"""The examples of RFC 7520 that are of our algorithms or tell what we refuse."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import ECKey

from authsvc.model import Algorithm, KeyId, TokenStatus
from authsvc.signing import base64url
from authsvc.signing.jws import parse_compact, verify_signature
from authsvc.signing.keys import VerificationKey, thumbprint
from tests.signing.handmade import outcome
from tests.signing.vectors import vector_file


def test_hmac_of_section_4_4() -> None:
    """The HS256 example verifies under its key and gives its payload back."""
    example = vector_file("cookbook/jws_4_4.hmac-sha2_integrity_protection.json")
    jwk = example["input"]["key"]
    key = VerificationKey(KeyId(jwk["kid"]), Algorithm.HS256, base64url.decode(jwk["k"]))
    text = example["output"]["compact"]
    assert verify_signature(parse_compact(text), key).decode() == example["input"]["payload"]
    assert outcome(text, VerificationKey(key.key_id, key.algorithm, bytes(32))) is TokenStatus.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "name",
    ["jws_4_1.rsa_v15_signature", "jws_4_2.rsa-pss_signature", "jws_4_3.ecdsa_signature", "curve25519_jws"],
)
def test_other_algorithms_are_parsed_and_not_ours(name: str) -> None:
    """Tokens of algorithms this key does not have are taken apart and answered with ALGORITHM_MISMATCH."""
    example = vector_file(f"cookbook/{name}.json")
    key = VerificationKey(KeyId("k"), Algorithm.HS256, bytes(32))
    assert outcome(example["output"]["compact"], key) is TokenStatus.ALGORITHM_MISMATCH


@pytest.mark.parametrize("name", ["jws_4_6.protecting_specific_header_fields", "jws_4_8.multiple_signatures"])
def test_json_serialization_is_not_ours(name: str) -> None:
    """An example that exists in JSON serialization only is MALFORMED."""
    output = vector_file(f"cookbook/{name}.json")["output"]
    assert "compact" not in output
    assert outcome(json.dumps(output["json"])) is TokenStatus.MALFORMED


def test_thumbprint_of_section_3_1() -> None:
    """The thumbprint of the elliptic key of section 3.1 is what an independent library computes."""
    jwk = vector_file("cookbook/jwk_3_1.ec_public_key.json")
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    assert thumbprint(required) == ECKey.import_key(required).thumbprint()
