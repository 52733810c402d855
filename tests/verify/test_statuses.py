"""Every status there is, and what comes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authsvc.model import ApiKey, KeyState, TokenStatus
from authsvc.verify.verdict import ERROR_CODES, MESSAGES
from tests.signing.handmade import b64
from tests.verify.workshop import HOUR, NOW, FirstLook, World, claims, header, jti, token

S = TokenStatus
Case = tuple[Callable[[World], object], str, dict[str, Any]]


def nothing(_: World) -> None: ...


REACHED: dict[TokenStatus, Case] = {
    S.ACTIVE: (nothing, token(), {}),
    S.EXPIRED: (nothing, token(claims(exp=NOW - HOUR, iat=NOW - 2 * HOUR)), {}),
    S.NOT_YET_VALID: (nothing, token(claims(nbf=NOW + 60)), {}),
    S.ISSUED_IN_FUTURE: (nothing, token(claims(iat=NOW + 60)), {}),
    S.SIGNATURE_INVALID: (nothing, token(sign=lambda message: bytes(32)), {}),
    S.MALFORMED: (nothing, token() + "=", {}),
    S.KEY_UNKNOWN: (nothing, token(head=header(kid="nobody")), {}),
    S.KEY_REVOKED: (lambda world: world.key(state=KeyState.REVOKED), token(), {}),
    S.ALGORITHM_MISMATCH: (nothing, token(head=header(alg="none")), {}),
    S.WRONG_TYPE: (nothing, token(head=header(typ="svc+jwt")), {}),
    S.ISSUER_MISMATCH: (nothing, token(claims(iss="elsewhere")), {}),
    S.AUDIENCE_MISMATCH: (nothing, token(claims(aud="elsewhere")), {}),
    S.CLAIM_INVALID: (nothing, token(claims(exp="tomorrow")), {}),
    S.REVOKED: (lambda world: world.revoke_token(jti()), token(), {}),
    S.SESSION_REVOKED: (lambda world: world.revoke_session(), token(), {}),
    S.DEVELOPMENT_TOKENS_DISABLED: (nothing, f"{b64(b'{}')}.{b64(b'{}')}==.devtoken", {}),
    S.SCOPE_DENIED: (nothing, token(claims(call_cids=["video:1"])), {}),
    S.ROLE_DENIED: (nothing, token(), {"any_role_of": ("admin",)}),
    S.APP_SUSPENDED: (lambda world: world.settings(suspended=True), token(), {}),
}

# The signature was accepted and the claims could be read: `info` is shown.
WITH_TOKEN = {
    S.ACTIVE,
    S.EXPIRED,
    S.NOT_YET_VALID,
    S.ISSUED_IN_FUTURE,
    S.AUDIENCE_MISMATCH,
    S.REVOKED,
    S.SESSION_REVOKED,
    S.SCOPE_DENIED,
    S.ROLE_DENIED,
}

# As clients of earlier systems know them: published, so no number moves.
NUMBERS = {
    0: {S.ACTIVE},
    40: {S.EXPIRED, S.KEY_REVOKED, S.REVOKED, S.SESSION_REVOKED},
    41: {S.NOT_YET_VALID},
    42: {S.ISSUED_IN_FUTURE},
    43: {S.SIGNATURE_INVALID, S.KEY_UNKNOWN, S.ALGORITHM_MISMATCH, S.DEVELOPMENT_TOKENS_DISABLED},
    5: {S.MALFORMED, S.WRONG_TYPE, S.ISSUER_MISMATCH, S.CLAIM_INVALID},
    17: {S.AUDIENCE_MISMATCH, S.SCOPE_DENIED, S.ROLE_DENIED},
    99: {S.APP_SUSPENDED},
}


@pytest.mark.parametrize("status", TokenStatus)
def test_each_is_reached(judge: FirstLook, status: TokenStatus) -> None:
    """There is a token and a state of the world for each status."""
    change, text, questions = REACHED[status]
    change(judge.world)
    assert judge.status(text, **questions) is status


@pytest.mark.parametrize("status", TokenStatus)
def test_a_token_is_shown_only_when_its_signature_verified(judge: FirstLook, status: TokenStatus) -> None:
    """What a token says is shown with those statuses only that come after its signature."""
    change, text, questions = REACHED[status]
    change(judge.world)
    verdict = judge.verdict(text, **questions)
    assert (verdict.token is not None) is (status in WITH_TOKEN)
    if verdict.token is not None:
        assert (verdict.token.claims.user.id, verdict.token.key_id, verdict.token.api_key) == ("sara", "hs-key", "acme")


@pytest.mark.parametrize("status", TokenStatus)
def test_only_active_is_active(judge: FirstLook, status: TokenStatus) -> None:
    """``active`` says the same as the status."""
    change, text, questions = REACHED[status]
    change(judge.world)
    assert judge.verdict(text, **questions).active is (status is S.ACTIVE)


@pytest.mark.parametrize("status", TokenStatus)
def test_numbers_are_those_that_were_published(status: TokenStatus) -> None:
    """Each status has the number that clients switch on."""
    assert [number for number, statuses in NUMBERS.items() if status in statuses] == [ERROR_CODES[status]]


def test_messages_are_constant_and_short() -> None:
    """Each status has a sentence of its own of at most 200 bytes."""
    assert MESSAGES.keys() == ERROR_CODES.keys() == set(TokenStatus)
    assert len(set(MESSAGES.values())) == len(TokenStatus)
    assert max(len(text.encode()) for text in MESSAGES.values()) <= 200


def test_an_app_that_is_not_there_accepts_nothing(judge: FirstLook) -> None:
    """A token is good for its own app, and for no other name."""
    assert judge.status(token()) is S.ACTIVE
    for name in ("", "ACME", "acme ", "nobody"):
        assert not judge.verdict(token(), api_key=ApiKey(name)).active


@pytest.mark.parametrize(
    "text", ["art1_" + "A" * 52, "ask1_account_" + "A" * 50, "art1_", "ask1_", "art1_" + token(), "ask1_" + token()]
)
def test_other_credentials_of_ours_are_of_a_wrong_type(judge: FirstLook, text: str) -> None:
    """A refresh token or a service credential is told apart, not called malformed."""
    assert judge.status(text) is S.WRONG_TYPE


@pytest.mark.parametrize("text", ["art2_" + "A" * 52, "ART1_" + "A" * 52, "art1-" + "A" * 52, " art1_" + "A" * 52])
def test_what_only_resembles_one_is_malformed(judge: FirstLook, text: str) -> None:
    """The mark of another kind is matched exactly."""
    assert judge.status(text) is S.MALFORMED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoibHVrZV9za3l3YWxrZXIifQ==.devtoken", True),
        (token() + ".devtoken", True),
        (".devtoken", True),
        ("devtoken", False),
        (token() + ".devtoken ", False),
        (token() + ".DEVTOKEN", False),
        (token() + "devtoken", False),
    ],
)
def test_development_tokens_end_in_exactly_that(judge: FirstLook, text: str, expected: bool) -> None:
    """Only what ends in `.devtoken` is a development token; none is accepted by this version."""
    assert judge.status(text) is (S.DEVELOPMENT_TOKENS_DISABLED if expected else S.MALFORMED)


def test_the_answer_shows_what_the_token_says(judge: FirstLook) -> None:
    """All claims arrive in the verdict as they were signed."""
    text = token(
        claims(
            name="Šára",
            image="https://x/y.png",
            custom={"a": [1, None, {"b": 1.5}]},
            aud=["acme", "other"],
            call_cids=["video:1", "audio:2"],
            channel_cids=["chat:!x"],
            nbf=NOW,
            plan="gold",
        )
    )
    verdict = judge.verdict(text, audience="other", call_cid="audio:2", channel_cid="chat:!x")
    assert verdict.active
    assert verdict.token is not None
    said, user = verdict.token.claims, verdict.token.claims.user
    assert (user.role, user.name, user.image) == ("host", "Šára", "https://x/y.png")
    assert user.custom == {"a": [1, None, {"b": 1.5}]}
    assert (said.audience, said.custom_claims) == (("acme", "other"), {"plan": "gold"})
    assert (said.scope.call_cids, said.scope.channel_cids) == (("video:1", "audio:2"), ("chat:!x",))
    assert (said.issuer, said.token_id, said.token_revision) == ("authsvc", jti(), 7)
    assert (said.issued_at, said.not_before, said.expires_at) == (NOW - 5, NOW, NOW + HOUR)
    assert said.session_id == bytes(range(16))
