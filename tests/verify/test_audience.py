"""Audience: a token that is meant for others is never accepted by silence."""

from __future__ import annotations

import pytest

from authsvc.model import TokenStatus
from tests.verify.workshop import FirstLook, Remove, claims, token

YES, NO = TokenStatus.ACTIVE, TokenStatus.AUDIENCE_MISMATCH

# aud of the token, what was asked, what the caller goes by, the verdict. The app is `acme`.
TABLE = [
    pytest.param(Remove, None, (), YES, id="none, nothing asked"),
    pytest.param(Remove, None, ("api",), YES, id="none, the caller has one"),
    pytest.param(Remove, "acme", (), NO, id="none, but one asked"),
    pytest.param("acme", None, (), YES, id="the app's own, nothing asked"),
    pytest.param(["acme"], None, (), YES, id="the app's own in a list, nothing asked"),
    pytest.param("acme", "acme", (), YES, id="the app's own, asked"),
    pytest.param("acme", "api", (), NO, id="the app's own, another asked"),
    pytest.param("acme", None, ("api",), YES, id="the app's own, the caller has another"),
    pytest.param("api", None, (), NO, id="another, nothing asked"),
    pytest.param("api", "api", (), YES, id="another, asked"),
    pytest.param("api", None, ("api",), YES, id="another, the caller's"),
    pytest.param("api", None, ("x", "api"), YES, id="another, one of the caller's"),
    pytest.param("api", None, ("x",), NO, id="another, not the caller's"),
    pytest.param("api", "x", ("api",), NO, id="another, the caller's but not the one asked"),
    pytest.param("api", "api", ("x",), YES, id="another, the one asked but not the caller's"),
    pytest.param(["acme", "api"], None, (), NO, id="both, nothing asked"),
    pytest.param(["acme", "api"], "acme", (), YES, id="both, the app's asked"),
    pytest.param(["acme", "api"], "api", (), YES, id="both, the other asked"),
    pytest.param(["acme", "api"], None, ("api",), YES, id="both, the caller has one of them"),
    pytest.param(["api", "web"], None, ("web",), YES, id="two others, the caller has one of them"),
    pytest.param("api", "API", (), NO, id="asked in another case"),
    pytest.param("api", "ap", (), NO, id="a part of it asked"),
    pytest.param("api", "api ", (), NO, id="asked with a space"),
    pytest.param("Acme", None, (), NO, id="the app's name in another case"),
    pytest.param("acme api", "api", (), NO, id="a text is one audience"),
    pytest.param("api", "", ("api",), NO, id="an empty one asked"),
]


@pytest.mark.parametrize(("aud", "asked", "caller_has", "expected"), TABLE)
def test_audience(
    judge: FirstLook, aud: object, asked: str | None, caller_has: tuple[str, ...], expected: TokenStatus
) -> None:
    """The audience asked for must be one of the token's; unasked, one of the caller's, or the app alone."""
    verdict = judge.verdict(token(claims(aud=aud)), audience=asked, caller_audiences=caller_has)
    assert verdict.status is expected
    assert verdict.token is not None
