"""What a token may be used for: a limited token is an answer to a stated cid only."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.model import TokenStatus
from tests.verify.workshop import FirstLook, Remove, claims, token

YES, DENIED, ROLE = TokenStatus.ACTIVE, TokenStatus.SCOPE_DENIED, TokenStatus.ROLE_DENIED
CALLS, CHANNELS = {"call_cids": ["video:1", "video:2"]}, {"channel_cids": ["chat:1"]}
BOTH = {**CALLS, **CHANNELS}

SCOPES = [
    pytest.param({}, {}, YES, id="unlimited, nothing asked"),
    pytest.param({}, {"call_cid": "video:1"}, YES, id="unlimited, a call"),
    pytest.param({}, {"call_cid": "video:1", "channel_cid": "chat:1"}, YES, id="unlimited, both"),
    pytest.param(CALLS, {}, DENIED, id="calls, nothing asked"),
    pytest.param(CALLS, {"call_cid": "video:1"}, YES, id="calls, one of them"),
    pytest.param(CALLS, {"call_cid": "video:2"}, YES, id="calls, another of them"),
    pytest.param(CALLS, {"call_cid": "video:3"}, DENIED, id="calls, none of them"),
    pytest.param(CALLS, {"call_cid": "video:11"}, DENIED, id="calls, one that begins alike"),
    pytest.param(CALLS, {"call_cid": "VIDEO:1"}, DENIED, id="calls, one in another case"),
    pytest.param(CALLS, {"channel_cid": "chat:1"}, DENIED, id="calls, a channel"),
    pytest.param(CALLS, {"channel_cid": "video:1"}, DENIED, id="calls, one of them as a channel"),
    pytest.param(CALLS, {"call_cid": "video:1", "channel_cid": "chat:1"}, DENIED, id="calls, a call and a channel"),
    pytest.param(CHANNELS, {}, DENIED, id="channels, nothing asked"),
    pytest.param(CHANNELS, {"channel_cid": "chat:1"}, YES, id="channels, one of them"),
    pytest.param(CHANNELS, {"call_cid": "chat:1"}, DENIED, id="channels, one of them as a call"),
    pytest.param(BOTH, {}, DENIED, id="both, nothing asked"),
    pytest.param(BOTH, {"call_cid": "video:1"}, YES, id="both, a call"),
    pytest.param(BOTH, {"channel_cid": "chat:1"}, YES, id="both, a channel"),
    pytest.param(BOTH, {"call_cid": "video:1", "channel_cid": "chat:1"}, YES, id="both, one of each"),
    pytest.param(BOTH, {"call_cid": "video:1", "channel_cid": "chat:2"}, DENIED, id="both, a wrong channel"),
    pytest.param(BOTH, {"call_cid": "video:3", "channel_cid": "chat:1"}, DENIED, id="both, a wrong call"),
]


@pytest.mark.parametrize(("scope", "asked", "expected"), SCOPES)
def test_scope(judge: FirstLook, scope: dict[str, list[str]], asked: dict[str, Any], expected: TokenStatus) -> None:
    """A token with any list is good for a listed cid, and for no kind that it does not list."""
    verdict = judge.verdict(token(claims(**scope)), **asked)
    assert verdict.status is expected
    assert verdict.token is not None


def test_a_hundred_cids(judge: FirstLook) -> None:
    """A token lists a hundred cids of a kind, and each of them is good."""
    text = token(claims(call_cids=[f"video:{number}" for number in range(100)]))
    assert {judge.status(text, call_cid=f"video:{number}") for number in range(100)} == {YES}
    assert judge.status(text, call_cid="video:100") is DENIED


ROLES = [
    pytest.param("host", None, YES, id="nothing asked"),
    pytest.param("host", ("host",), YES, id="its own"),
    pytest.param("host", ("admin", "host"), YES, id="one of two"),
    pytest.param("host", ("admin",), ROLE, id="another"),
    pytest.param("host", ("hos", "hosts", "HOST"), ROLE, id="what resembles it"),
    pytest.param("host", (), ROLE, id="none would do"),
    pytest.param(Remove, None, YES, id="no role, nothing asked"),
    pytest.param(Remove, ("host",), ROLE, id="no role, one asked"),
    pytest.param(Remove, ("",), YES, id="no role, and that is asked"),
]


@pytest.mark.parametrize(("role", "asked", "expected"), ROLES)
def test_role(judge: FirstLook, role: object, asked: tuple[str, ...] | None, expected: TokenStatus) -> None:
    """Where roles are asked for, the token's must be one of them."""
    assert judge.status(token(claims(role=role)), any_role_of=asked) is expected
