"""Revocation: by token, session, user and app; by revision for ours, by time where a moment was named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.model import (
    ApiKey,
    Revision,
    SessionId,
    SessionRevoked,
    TokenId,
    TokenRevoked,
    TokenStatus,
    UserId,
    Watermark,
)
from tests.verify.workshop import APP, NOW, REVISION, SARA, START, FirstLook, Remove, claims, jti, token

S = TokenStatus
OTHER = ApiKey("elliptic")


def test_a_single_token(judge: FirstLook) -> None:
    """Revoking one token ends that one and no other of the same user and session."""
    judge.world.revoke_token(jti(3))
    assert judge.status(token(claims(jti=jti(3)))) is S.REVOKED
    assert judge.status(token(claims(jti=jti(4)))) is S.ACTIVE


def test_a_session(judge: FirstLook) -> None:
    """Revoking a session ends its tokens, and not those of other sessions or of none."""
    judge.world.revoke_session()
    assert judge.status(token()) is S.SESSION_REVOKED
    assert judge.status(token(claims(sid="10010203-0405-0607-0809-0a0b0c0d0e0f"))) is S.ACTIVE
    assert judge.status(token(claims(sid=Remove))) is S.ACTIVE


@pytest.mark.parametrize("whom", [SARA, None])
@pytest.mark.parametrize(
    ("minted_at", "expected"),
    [(0, S.REVOKED), (REVISION - 1, S.REVOKED), (REVISION, S.ACTIVE), (REVISION + 1, S.ACTIVE), (2**63, S.ACTIVE)],
)
def test_all_of_ours_by_revision(judge: FirstLook, whom: UserId | None, minted_at: int, expected: TokenStatus) -> None:
    """A watermark at revision R ends what was minted before R, whatever any clock said."""
    judge.world.revoke_all(whom, tokens_revision=Revision(REVISION))
    assert judge.status(token(claims(jti=jti(minted_at)))) is expected
    judge.world.clock.now += timedelta(minutes=10)
    assert judge.status(token(claims(jti=jti(minted_at), iat=NOW + 600))) is expected


@pytest.mark.parametrize("whom", [SARA, None])
@pytest.mark.parametrize(("offset", "expected"), [(-1, S.REVOKED), (0, S.ACTIVE), (1, S.ACTIVE)])
def test_all_before_a_moment(judge: FirstLook, whom: UserId | None, offset: int, expected: TokenStatus) -> None:
    """A named moment ends what was issued before it, and not what was issued in that second."""
    judge.world.revoke_all(whom, tokens_issued_before=START - timedelta(seconds=60))
    assert judge.status(token(claims(iat=NOW - 60 + offset))) is expected


def test_a_moment_within_a_second(judge: FirstLook) -> None:
    """A moment in the middle of a second ends what was issued in that second: iat is its beginning."""
    judge.world.revoke_all(SARA, tokens_issued_before=START - timedelta(seconds=59.5))
    assert judge.status(token(claims(iat=NOW - 60))) is S.REVOKED
    assert judge.status(token(claims(iat=NOW - 59))) is S.ACTIVE


def test_a_moment_does_not_look_at_revisions(judge: FirstLook) -> None:
    """A named moment leaves alone what was issued after it, however low its revision."""
    judge.world.revoke_all(SARA, tokens_issued_before=START - timedelta(seconds=60))
    assert judge.status(token(claims(jti=jti(0)))) is S.ACTIVE


def test_what_ended_sessions_alone_leaves_tokens(judge: FirstLook) -> None:
    """The parts of a watermark that are about sessions, or about tokens of others, end no token of ours."""
    judge.world.revoke_all(
        SARA,
        sessions_revision=Revision(10**6),
        sessions_created_before=START + timedelta(days=1),
        tokens_revoked_at=START + timedelta(days=1),
    )
    assert judge.status(token()) is S.ACTIVE


@pytest.mark.parametrize("user_id", ["eve", "Sara", "sara2", "sar", "guest-sara"])
def test_other_users_are_not_touched(judge: FirstLook, user_id: str) -> None:
    """A user's watermark is that user's alone, by the exact id."""
    judge.world.revoke_all(SARA)
    assert judge.status(token()) is S.REVOKED
    assert judge.status(token(claims(user_id=user_id, sub=f"user/{user_id}"))) is S.ACTIVE


def test_other_apps_are_not_touched(judge: FirstLook) -> None:
    """What another app revoked, under the very same ids, ends nothing here."""
    view = judge.world.view
    view.put_revocation(TokenRevoked(OTHER, TokenId(jti()), None, Revision(8)))
    view.put_revocation(Watermark(OTHER, SARA, tokens_revision=Revision(8), revision=Revision(8)))
    view.put_revocation(Watermark(OTHER, None, tokens_revision=Revision(8), revision=Revision(8)))
    assert judge.status(token()) is S.ACTIVE
    view.put_revocation(Watermark(APP, None, tokens_revision=Revision(8), revision=Revision(8)))
    assert judge.status(token()) is S.REVOKED


def test_another_session_of_nearly_the_same_id(judge: FirstLook) -> None:
    """A session is known by all its sixteen bytes."""
    nearly = SessionId(bytes(range(15)) + b"\xff")
    judge.world.view.put_revocation(SessionRevoked(APP, nearly, START + timedelta(days=1), Revision(8)))
    assert judge.status(token()) is S.ACTIVE


@pytest.mark.parametrize(
    ("user_id", "role"), [("!anon", "viewer"), ("guest-00010203-0405-4607-8809-0a0b0c0d0e0f-bob", "guest")]
)
def test_guests_and_anonymous_viewers_can_be_revoked_too(judge: FirstLook, user_id: str, role: str) -> None:
    """A watermark of a guest's id, or of `!anon`, ends those tokens."""
    text = token(claims(user_id=user_id, sub=f"user/{user_id}", role=role))
    assert judge.status(text) is S.ACTIVE
    judge.world.revoke_all(UserId(user_id))
    assert judge.status(text) is S.REVOKED
    assert judge.status(token()) is S.ACTIVE
