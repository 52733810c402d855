"""A remembered signature changes the price of a verdict and nothing else, whatever changed since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from authsvc.model import KeyState, PastIssuer, Revision, TokenStatus
from authsvc.verify.questions import Questions
from tests.verify.workshop import APP, HOUR, NOW, REVISION, SARA, SESSION, START, Change, World, claims, jti, token

S = TokenStatus


def later(**by: float) -> Change:
    def move(world: World) -> None:
        world.clock.now += timedelta(**by)

    return move


def both(*changes: Change) -> Change:
    def apply(world: World) -> None:
        for change in changes:
            change(world)

    return apply


def raised(user: bool, **watermark: object) -> Change:
    return lambda world: world.revoke_all(SARA if user else None, **watermark)


AFTER: dict[str, tuple[Change, TokenStatus]] = {
    "nothing": (lambda world: None, S.ACTIVE),
    "the app is suspended": (lambda world: world.settings(suspended=True), S.APP_SUSPENDED),
    "the app is suspended and resumed": (
        both(lambda world: world.settings(suspended=True), lambda world: world.settings(suspended=False)),
        S.ACTIVE,
    ),
    "the key is revoked": (lambda world: world.key(state=KeyState.REVOKED), S.KEY_REVOKED),
    "the key is retired": (lambda world: world.key(state=KeyState.RETIRED, retired_at=START), S.ACTIVE),
    "the key was retired too long ago": (
        lambda world: world.key(state=KeyState.RETIRED, retired_at=START - timedelta(days=2)),
        S.KEY_UNKNOWN,
    ),
    "the issuer is another": (lambda world: world.settings(issuer="elsewhere"), S.ISSUER_MISMATCH),
    "the issuer is a past one": (
        both(
            lambda world: world.settings(issuer="elsewhere"),
            lambda world: world.edit(past_issuers=(PastIssuer("authsvc", START),)),
        ),
        S.ACTIVE,
    ),
    "the past issuer is over": (
        both(
            lambda world: world.settings(issuer="elsewhere"),
            lambda world: world.edit(past_issuers=(PastIssuer("authsvc", START - timedelta(days=2)),)),
        ),
        S.ISSUER_MISMATCH,
    ),
    "it expires": (later(hours=1, seconds=30), S.EXPIRED),
    "it nearly expires": (later(hours=1, seconds=30, microseconds=-1), S.ACTIVE),
    "the skew becomes smaller": (
        both(lambda world: world.settings(clock_skew=timedelta(0)), later(hours=1)),
        S.EXPIRED,
    ),
    "the clock goes back": (later(seconds=-36), S.ISSUED_IN_FUTURE),
    "the token is revoked": (lambda world: world.revoke_token(jti()), S.REVOKED),
    "another token is revoked": (lambda world: world.revoke_token(jti(8)), S.ACTIVE),
    "its session is revoked": (lambda world: world.revoke_session(), S.SESSION_REVOKED),
    "its user is revoked": (raised(True), S.REVOKED),
    "its app is revoked": (raised(False), S.REVOKED),
    "its user was revoked before it": (raised(True, tokens_revision=Revision(REVISION)), S.ACTIVE),
    "all its user had until then is revoked": (raised(True, tokens_issued_before=START), S.REVOKED),
    "all the app had until before it is revoked": (
        raised(False, tokens_issued_before=START - timedelta(seconds=5)),
        S.ACTIVE,
    ),
}


@pytest.mark.parametrize("others", [False, True], ids=["nothing was revoked", "others were revoked"])
@pytest.mark.parametrize(("change", "expected"), AFTER.values(), ids=AFTER.keys())
def test_what_changed_since_is_seen(world: World, change: Change, expected: TokenStatus, others: bool) -> None:
    """After a change a verifier that remembers the token says in every detail what a fresh one says."""
    verifier = world.verifier()
    if others:
        world.revoke_token(jti(77))
    assert verifier.verify(token(), api_key=APP, questions=Questions()).active
    change(world)
    remembered = verifier.verify(token(), api_key=APP, questions=Questions())
    assert remembered.status is expected
    assert remembered == world.verdict(token())


ASKED = {
    "nothing": (Questions(), S.SCOPE_DENIED),
    "its call": (Questions(call_cid="video:1"), S.ACTIVE),
    "another call": (Questions(call_cid="video:2"), S.SCOPE_DENIED),
    "its audience": (Questions(call_cid="video:1", audience="acme"), S.ACTIVE),
    "another audience": (Questions(call_cid="video:1", audience="other"), S.AUDIENCE_MISMATCH),
    "its role": (Questions(call_cid="video:1", any_role_of=("admin", "host")), S.ACTIVE),
    "another role": (Questions(call_cid="video:1", any_role_of=("admin",)), S.ROLE_DENIED),
}


@pytest.mark.parametrize(("questions", "expected"), ASKED.values(), ids=ASKED.keys())
def test_no_answer_is_remembered(world: World, questions: Questions, expected: TokenStatus) -> None:
    """What was asked before has no say in what is answered now."""
    text, verifier = token(claims(call_cids=["video:1"], aud="acme")), world.verifier()
    for before, _ in ASKED.values():
        verifier.verify(text, api_key=APP, questions=before)
        answer = verifier.verify(text, api_key=APP, questions=questions)
        assert answer.status is expected
        assert answer == world.verifier().verify(text, api_key=APP, questions=questions)


NEVER_GOOD: dict[str, tuple[Callable[[], str], TokenStatus]] = {
    "a signature that does not fit": (lambda: token(sign=lambda message: bytes(32)), S.SIGNATURE_INVALID),
    "a claim of a wrong type": (lambda: token(claims(role=1)), S.CLAIM_INVALID),
    "no expiry": (lambda: token({**claims(), "exp": None}), S.CLAIM_INVALID),
    "another issuer": (lambda: token(claims(iss="elsewhere")), S.ISSUER_MISMATCH),
    "expired": (lambda: token(claims(iat=NOW - 2 * HOUR, exp=NOW - HOUR)), S.EXPIRED),
    "not strict JSON": (lambda: token(b'{"iss":"authsvc","iss":"authsvc"}'), S.MALFORMED),
}


@pytest.mark.parametrize(("make", "expected"), NEVER_GOOD.values(), ids=NEVER_GOOD.keys())
def test_a_bad_token_stays_as_bad(world: World, make: Callable[[], str], expected: TokenStatus) -> None:
    """A bad token that is shown again and again gets the same verdict each time."""
    verifier, text = world.verifier(), make()
    verdicts = [verifier.verify(text, api_key=APP, questions=Questions()) for _ in range(3)]
    assert verdicts == [world.verdict(text)] * 3
    assert verdicts[0].status is expected


def test_what_was_refused_for_its_issuer_is_accepted_when_that_is_ours(world: World) -> None:
    """A refusal is not remembered either: once the app accepts the issuer, the token is good."""
    verifier, text = world.verifier(), token(claims(iss="elsewhere"))
    assert verifier.verify(text, api_key=APP, questions=Questions()).status is S.ISSUER_MISMATCH
    world.settings(issuer="elsewhere")
    assert verifier.verify(text, api_key=APP, questions=Questions()).active


def test_a_token_without_expiry_follows_the_app(world: World) -> None:
    """A token without exp is good only since the app may have minted such tokens."""
    text = token({name: value for name, value in claims().items() if name != "exp"})
    verifier = world.verifier()
    assert verifier.verify(text, api_key=APP, questions=Questions()).status is S.CLAIM_INVALID
    world.edit(ever_non_expiring=True)
    assert verifier.verify(text, api_key=APP, questions=Questions()).active
    assert world.verdict(text).active
    world.revoke_session(SESSION)
    assert verifier.verify(text, api_key=APP, questions=Questions()).status is S.SESSION_REVOKED
