"""Two independent libraries accept what we sign, and we accept what they sign in our strict form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from authsvc.model import TokenStatus
from authsvc.signing.jws import parse_compact, sign_compact, verify_signature
from authsvc.signing.keys import SigningKey, verification_key
from authsvc.signing.strict_json import write_object
from tests.properties import QUICK
from tests.signing.families import HANDLES, KEYS, joserfc_key
from tests.signing.handmade import HS_SIGNING, SECRET, outcome

Accept = Callable[[str, SigningKey], object]
Sign = Callable[[dict[str, object], SigningKey], str]

ALL = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
# RFC 9864 has new names for what EdDSA may be; ours is Ed25519 alone.
OLD_NAME = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
CLAIMS: dict[str, object] = {"user_id": "sara", "name": "Šára ~ > ? \x7f 😀", "iat": 1, "n": [1.5, None, True, {}]}


def public_handle(key: SigningKey) -> Any:
    handle = HANDLES[key.algorithm]
    return handle if isinstance(handle, bytes) else handle.public_key()


def pyjwt_accepts(text: str, key: SigningKey) -> object:
    return jwt.decode(text, public_handle(key), algorithms=[key.algorithm.value], options={"verify_iat": False})


def joserfc_accepts(text: str, key: SigningKey) -> object:
    return json.loads(
        jws.deserialize_compact(text, joserfc_key(key.algorithm), algorithms=[key.algorithm.value]).payload
    )


def pyjwt_signs(claims: dict[str, object], key: SigningKey) -> str:
    handle: Any = HANDLES[key.algorithm]
    return jwt.encode(claims, handle, key.algorithm.value, headers={"kid": key.key_id})


def joserfc_signs(claims: dict[str, object], key: SigningKey) -> str:
    header = {"alg": key.algorithm.value, "kid": key.key_id, "typ": "JWT"}
    return jws.serialize_compact(header, json.dumps(claims).encode(), joserfc_key(key.algorithm), [key.algorithm.value])


@ALL
@OLD_NAME
@pytest.mark.parametrize("accept", [pyjwt_accepts, joserfc_accepts])
def test_others_accept_ours(accept: Accept, key: SigningKey) -> None:
    """What we sign verifies elsewhere, with the same claims, and not when its payload is another's."""
    text = sign_compact(key, typ="JWT", payload=write_object(CLAIMS))
    assert accept(text, key) == CLAIMS
    head, _, tag = text.split(".")
    forged = sign_compact(key, typ="JWT", payload=b'{"user_id":"eve"}').split(".")[1]
    with pytest.raises(Exception, match=r"(?i)signature"):
        accept(f"{head}.{forged}.{tag}", key)


@ALL
@OLD_NAME
@pytest.mark.parametrize("sign", [pyjwt_signs, joserfc_signs])
def test_we_accept_theirs(sign: Sign, key: SigningKey) -> None:
    """What others sign in the strict form verifies here, and their payload is what they signed."""
    text = sign(CLAIMS, key)
    payload = verify_signature(parse_compact(text), verification_key(key))
    assert json.loads(payload) == CLAIMS
    assert outcome(text[:-2] + ("AA" if text[-2:] != "AA" else "BB"), verification_key(key)) is not TokenStatus.ACTIVE


@QUICK
@given(st.binary(max_size=120))
def test_any_payload_of_ours_verifies_elsewhere(payload: bytes) -> None:
    """An independent library gives back the very bytes that we signed."""
    text = sign_compact(HS_SIGNING, typ="JWT", payload=payload)
    assert jws.deserialize_compact(text, OctKey.import_key(SECRET)).payload == payload
