"""What can be revoked, what has to be said another way, and for how long it is remembered."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from authsvc.accounts.credentials import new_account_id, new_credential
from authsvc.clock import system_randomness
from authsvc.model import AuditEvent, KeyState, Kind, Revision, TokenId, TokenRevoked, TokenScope, User, UserId
from authsvc.tokens.mint import Grant
from authsvc.tokens.requests import AnonymousSubject, NeverExpires, ScopeRequest, Seconds, Ttl
from authsvc.tokens.revocable import moment_of
from authsvc.tokens.targets import (
    AllUsersTarget,
    RefreshTokenTarget,
    SessionTarget,
    Target,
    TokenIdTarget,
    TokenTarget,
    UserTarget,
)
from authsvc.verify.claims import token_id_of
from authsvc.verify.development import make_development_token
from tests.conftest import HandClock
from tests.tokens.revoking import refused, revoke
from tests.tokens.service import Service
from tests.tokens.test_unmanaged_tokens import SECRET, minted

HOUR = timedelta(hours=1)
MARGIN = timedelta(seconds=120)  # the largest clock_skew there can be
JTI = token_id_of(Revision(1), bytes(12))
SESSION = "00112233-4455-6677-8899-aabbccddeeff"

FAULTY: dict[str, tuple[Target | None, str]] = {
    "nothing": (None, "target"),
    "no user": (UserTarget(""), "user_id"),
    "not a user": (UserTarget("a b"), "user_id"),
    "another nobody": (UserTarget("!nobody"), "user_id"),
    "a NUL": (UserTarget("a\0"), "user_id"),
    "too long": (UserTarget("x" * 129), "user_id"),
    "no session": (SessionTarget(""), "session_id"),
    "in capitals": (SessionTarget(SESSION.upper()), "session_id"),
    "without hyphens": (SessionTarget(SESSION.replace("-", "")), "session_id"),
    "no token": (TokenTarget(""), "token"),
    "no jti": (TokenIdTarget(""), "token_id"),
    "another's jti": (TokenIdTarget("550e8400-e29b-41d4-a716-446655440000"), "token_id"),
    "a padded jti": (TokenIdTarget(f"{JTI}="), "token_id"),
    "no refresh token": (RefreshTokenTarget(""), "refresh_token"),
    "not all users": (AllUsersTarget(False), "all_users"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_target_is_named_and_ends_nothing(desk: Service, name: str) -> None:
    """Empty is never everything: each field says what it must be."""
    app, (target, field) = desk.app(), FAULTY[name]
    before = desk.rows()
    assert list(refused(desk, app, target)) == [field]
    assert desk.rows() == before


@pytest.mark.parametrize("target", [SessionTarget(SESSION), TokenTarget("x"), TokenIdTarget(JTI), None])
def test_a_moment_goes_with_users_alone(desk: Service, target: Target | None) -> None:
    """A session or a token is ended as a whole; all faults are told at once."""
    assert "issued_before" in refused(desk, desk.app(), target, Seconds(1))


MOMENTS = {
    "now": (0.0, 0, True),
    "at the skew": (30.0, 0, True),
    "beyond the skew": (31.0, 0, False),
    "long ahead": (10.0**15, 0, False),
    "too many nanos": (0.0, 1_000_000_000, False),
    "negative nanos": (0.0, -1, False),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_a_moment_is_not_ahead_by_more_than_clocks_differ(desk: Service, name: str) -> None:
    """At most now + clock_skew: a revocation of what is not issued yet is a mistake."""
    (ahead, nanos, good), app = MOMENTS[name], desk.app(clock_skew=timedelta(seconds=30))
    moment = Seconds(int(desk.clock().timestamp() + ahead), nanos)
    if good:
        revoke(desk, app, UserTarget("sara"), issued_before=moment)
    else:
        assert list(refused(desk, app, UserTarget("sara"), moment)) == ["issued_before"]


@pytest.mark.parametrize("seconds", [-1, -(10**12)])
def test_a_moment_before_all_tokens_is_a_mistake(desk: Service, seconds: int) -> None:
    """No token was issued before 1970."""
    assert list(refused(desk, desk.app(), AllUsersTarget(True), Seconds(seconds))) == ["issued_before"]


def test_a_part_of_a_microsecond_leaves_nothing_out() -> None:
    """What is kept is not before what was asked for, and not a microsecond after it."""
    start = datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
    for nanos, micros in ((0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (999_999_999, 1_000_000)):
        assert moment_of(Seconds(5, nanos)) == start + timedelta(microseconds=micros)


@pytest.mark.parametrize("target", [UserTarget("sara"), AllUsersTarget(True)])
def test_a_moment_ends_what_was_issued_before_it(service: Service, clock: HandClock, target: Target) -> None:
    """Tokens by their iat and sessions by when they were opened; what came later is good."""
    app = service.app(issued_at_backdate=timedelta(0))
    old = service.issue(app, refreshable=True)
    clock.move(seconds=60)
    moment = Seconds(int(clock().timestamp()))
    clock.move(seconds=60)
    new = service.issue(app, refreshable=True)
    revoke(service, app, target, issued_before=moment)
    assert [service.validate(app, one.minted.text).status for one in (old, new)] == ["REVOKED", "ACTIVE"]
    assert service.refresh(new.refresh_token).rotated
    state = service.store.session_state(service.ticket(old.refresh_token).session_id)
    assert state is not None
    assert state.covered


OTHER_KINDS = {
    "a refresh token": "send it as refresh_token",
    "a credential": "RevokeCredential",
    "a development token": "name its user_id",
    "another app's": "token of another app?",
    "forged": "signature does not fit",
    "nonsense": "not a compact signed token",
}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_another_kind_is_told_how_it_is_ended(desk: Service, name: str) -> None:
    """A text that is no token of the app ends nothing, and the refusal says what would."""
    app, other = desk.app(allow_development_tokens=True), desk.app()
    good = desk.issue(app, refreshable=True)
    account = new_account_id(system_randomness)
    texts = {
        "a refresh token": good.refresh_token,
        "a credential": new_credential(account, system_randomness).text,
        "a development token": make_development_token("sara"),
        "another app's": desk.issue(other).minted.text,
        "forged": good.minted.text[:-4] + ("AAAA" if not good.minted.text.endswith("AAAA") else "BBBB"),
        "nonsense": "nonsense",
    }
    faults = refused(desk, app, TokenTarget(texts[name]))
    assert OTHER_KINDS[name] in faults["token"]
    assert texts[name] not in str(faults)
    assert desk.validate(app, good.minted.text).active


@pytest.mark.parametrize("kind", ["a refresh token", "a credential"])
def test_a_secret_is_no_user(desk: Service, kind: str) -> None:
    """It has the letters of a user's id, and what is ended is audited by its id: it is refused, and kept nowhere."""
    app = desk.app()
    text = desk.session(app)
    if kind == "a credential":
        text = new_credential(new_account_id(system_randomness), system_randomness).text
    before = desk.rows()
    assert OTHER_KINDS[kind] in refused(desk, app, UserTarget(text))["user_id"]
    assert desk.rows() == before
    revoke(desk, app, UserTarget("art1_fan"))  # somebody may be called so


@pytest.mark.parametrize("enabled", [True, False])
def test_a_development_token_is_ended_with_its_user(desk: Service, enabled: bool) -> None:
    """Nobody issued it, so it has no jti and no iat: any revocation of the user ends it, and it says so."""
    app, text = desk.app(allow_development_tokens=enabled), make_development_token("sara")
    assert "any revocation of the user ends it" in refused(desk, app, TokenTarget(text))["token"]
    assert desk.validate(app, text).active is enabled
    revoke(desk, app, UserTarget("sara"))
    assert not desk.validate(app, text).active


def test_what_others_minted_is_reached_by_its_user(service: Service, clock: HandClock) -> None:
    """It has no jti of ours: the refusal says how, and doing as it says ends it and spares what is newer."""
    app = service.app(secret=SECRET, accept_unmanaged_tokens=True)
    iat = int(clock().timestamp()) - 60
    old = minted({"user_id": "sara", "iat": iat, "jti": "theirs"})
    new = minted({"user_id": "sara", "iat": iat + 30})
    assert "issued_before later than its iat" in refused(service, app, TokenTarget(old))["token"]
    revoke(service, app, UserTarget("sara"), issued_before=Seconds(iat + 1))
    assert [service.validate(app, token).status for token in (old, new)] == ["REVOKED", "ACTIVE"]


def test_all_anonymous_visitors_are_one_user(desk: Service) -> None:
    """Their tokens have one user id, and it can be named."""
    app = desk.app(anonymous_enabled=True)
    scope = ScopeRequest(call_cids=("livestream:1",))
    visitor, sara = desk.issue(app, AnonymousSubject(), scope=scope), desk.issue(app)
    revoke(desk, app, UserTarget("!anon"))
    assert desk.validate(app, visitor.minted.text, call_cid="livestream:1").status == "REVOKED"
    assert desk.validate(app, sara.minted.text).active


def kept(service: Service) -> TokenRevoked:
    """The one single token that is remembered as revoked."""
    (revoked,) = service.store.trust_state().tokens
    return revoked


def test_a_token_is_remembered_until_no_setting_could_revive_it(service: Service, clock: HandClock) -> None:
    """Until its exp and the largest clock_skew, whatever the app's is now."""
    app = service.app(clock_skew=timedelta(0))
    issued = service.issue(app, lifetime=Ttl(Seconds(600)))
    revoke(service, app, TokenTarget(issued.minted.text))
    expires_at = issued.minted.token.claims.expires_at
    assert expires_at is not None
    assert kept(service).until == datetime.fromtimestamp(expires_at, UTC) + MARGIN


def test_a_jti_alone_is_remembered_as_long_as_any_token_lives(service: Service, clock: HandClock) -> None:
    """Nobody knows its exp: the longest life that the app ever gave counts, though it gives shorter ones now."""
    app = service.app(max_ttl=12 * HOUR, default_ttl=HOUR)
    service.set(app, max_ttl=HOUR)
    revoke(service, app, TokenIdTarget(JTI))
    assert kept(service).until == clock() + 12 * HOUR + MARGIN


def test_what_never_expires_is_remembered_for_ever(service: Service) -> None:
    """By its text and by its jti, and also once the app allows no more of them."""
    app = service.app(allow_never_expires=True)
    issued = service.issue(app, lifetime=NeverExpires(True))
    service.set(app, allow_never_expires=False)
    revoke(service, app, TokenIdTarget(issued.minted.token.claims.token_id))
    assert kept(service).until is None
    revoke(service, app, TokenTarget(issued.minted.text))
    assert kept(service).until is None


def test_a_text_sets_no_shorter_end_than_a_jti_did(service: Service) -> None:
    """What was remembered for longer stays so."""
    app = service.app()
    issued = service.issue(app, lifetime=Ttl(Seconds(60)))
    revoke(service, app, TokenIdTarget(issued.minted.token.claims.token_id))
    before = kept(service)
    revoke(service, app, TokenTarget(issued.minted.text))
    assert kept(service) == before


def test_an_expired_token_is_no_error(service: Service, clock: HandClock) -> None:
    """While a larger skew could revive it, it is remembered; afterwards there is nothing to do."""
    app = service.app()
    first, second = (service.issue(app, lifetime=Ttl(Seconds(60))).minted.text for _ in range(2))
    clock.move(seconds=60 + 119)
    revoke(service, app, TokenTarget(first))
    assert len(service.store.trust_state().tokens) == 1
    clock.move(seconds=2)
    before = service.rows()
    assert revoke(service, app, TokenTarget(second)) == service.domain.view.revision
    assert service.rows() == before


def test_a_token_of_a_revoked_key_is_dead_already(service: Service) -> None:
    """There is nothing to do, and nothing to complain of."""
    app = service.app()
    text = service.issue(app).minted.text
    event = AuditEvent(service.clock(), "key.revoked", "test", app, "", "done")
    service.store.edit_keys(
        app,
        lambda keys: tuple(replace(key, state=KeyState.REVOKED, revoked_at=service.clock()) for key in keys),
        event,
    )
    before = service.rows()
    revoke(service, app, TokenTarget(text))
    assert service.rows() == before


def test_an_end_beyond_every_calendar_is_for_ever(service: Service) -> None:
    """Whoever may sign can say anything: an exp that is no date breaks nothing."""
    app = service.app()
    trust = service.domain.view.app(app)
    assert trust is not None
    grant = Grant(Kind.USER, User(UserId("sara")), TokenScope(), (), {}, expires_at=2**53)
    endless = service.mint.mint(trust, grant)
    revoke(service, app, TokenTarget(endless.text))
    assert (kept(service).until, kept(service).token_id) == (None, TokenId(endless.token.claims.token_id))


def test_a_key_that_is_gone_is_not_ours(desk: Service) -> None:
    """Control for the table above: the same token is ended where its key is known."""
    app, other = desk.app(), desk.app()
    text = desk.issue(app).minted.text
    assert "token" in refused(desk, other, TokenTarget(text))
    assert desk.validate(app, text).active
    revoke(desk, app, TokenTarget(text))
    assert not desk.validate(app, text).active


@pytest.mark.parametrize("target", [TokenTarget("a-token"), RefreshTokenTarget("a-token")])
def test_a_target_does_not_print_what_is_secret(target: Target) -> None:
    """Neither its text nor a pickle has the token."""
    assert "a-token" not in repr(target)
    with pytest.raises(TypeError):
        pickle.dumps(target)
