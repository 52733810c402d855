"""Reading a token without a key: whose it is and how long it lives, and nothing that is no token."""

from __future__ import annotations

import base64
import json

import pytest

from authsvc.client.tokens.access_token import MAX_LENGTH, read_access_token
from authsvc.client.tokens.faults import TokenInvalid
from authsvc.signing import base64url
from authsvc.signing.jws import MAX_PARSED_BYTES
from authsvc.v1 import auth_pb2
from authsvc.verify.development import make_development_token
from tests.client.tokens.made import made_token
from tests.conftest import RunningServer


def with_payload(payload: object, *, raw: bytes | None = None) -> str:
    """A token with that payload."""
    return f"e30.{base64url.encode(raw if raw is not None else json.dumps(payload).encode())}.x"


def test_a_token_of_the_service_is_read(server: RunningServer) -> None:
    """User, times, scope and audience of a real token are those that the service tells."""
    scope = auth_pb2.TokenScope(call_cids=["default:1"], channel_cids=["messaging:1"])
    request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"), scope=scope, audience=["a", "b"])
    issued = server.auth().IssueToken(request, metadata=server.metadata)
    token = read_access_token(issued.token)
    assert (token.text, token.user_id) == (issued.token, "sara")
    assert (token.issued_at, token.expires_at) == (issued.info.issued_at.seconds, issued.info.expires_at.seconds)
    assert (token.call_cids, token.channel_cids, token.audience) == (("default:1",), ("messaging:1",), ("a", "b"))


def test_a_development_token_is_read() -> None:
    """Its payload is standard base64 with padding; the token is sent as it was given."""
    text = make_development_token("luke_skywalker")
    token = read_access_token(text)
    assert (token.user_id, token.expires_at, token.text) == ("luke_skywalker", None, text)


def test_both_alphabets_are_read() -> None:
    """Payloads whose base64url has `-` and `_`, which two of the seed SDKs cannot read, and their standard twins."""
    raw = json.dumps({"user_id": "sara", "name": "ÿ>?~"}, ensure_ascii=False).encode()
    url, standard = base64.urlsafe_b64encode(raw).decode(), base64.b64encode(raw).decode()
    assert set(url) & set("-_")
    assert {read_access_token(f"e30.{segment}.x").user_id for segment in (url, url.rstrip("="), standard)} == {"sara"}


@pytest.mark.parametrize(
    "text",
    [
        "", "canary", "a.b", "a.b.c.d", "e30..x", "e30.canary.x", " " + made_token(), made_token() + "\n",
        made_token() + "é", b"a.e30.x", None, 7, "e30." + "A" * 9000 + ".x",
        with_payload([]), with_payload({}), with_payload({"user_id": 7}), with_payload({"user_id": ""}),
        with_payload({"user_id": "sara", "exp": "canary"}), with_payload({"user_id": "sara", "exp": True}),
        with_payload({"user_id": "sara", "iat": []}), with_payload(None, raw=b'{"user_id":"a","user_id":"b"}'),
        with_payload(None, raw=b'{"user_id":"a","exp":1e999}'),
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused_unseen(text: object) -> None:
    """Texts that are no token, bytes, and payloads without a user are errors that do not repeat what was given."""
    with pytest.raises(TokenInvalid) as raised:
        read_access_token(text)
    assert raised.value.reason == "TOKEN_INVALID"
    assert "canary" not in str(raised.value)


def test_a_token_does_not_print() -> None:
    """Neither its repr nor that of an error shows its text."""
    text = made_token()
    assert text not in repr(read_access_token(text))


def test_what_is_too_long_for_a_verifier_is_too_long_here() -> None:
    """The two limits are the same, though one does not load the other."""
    assert MAX_LENGTH == MAX_PARSED_BYTES
