"""RevokeTokens: what each target ends, and what it leaves alone."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from authsvc.errors import CallerForbidden, NotFound, Reason, RefreshRefused
from authsvc.model import ApiKey
from authsvc.tokens.requests import GuestSubject, UserSubject
from authsvc.tokens.targets import RefreshTokenTarget, SessionTarget, TokenIdTarget
from authsvc.verify.claims import token_id_of
from tests.rows import Rows
from tests.tokens.revoking import KINDS, WHOLE, revoke, target_of
from tests.tokens.service import Service, a_principal
from tests.tokens.watched_store import WatchedStore

TOM = UserSubject("tom")
kinds = pytest.mark.parametrize("kind", KINDS)
# How each is answered after a revocation of sara's first token: her second session's, tom's, another app's sara's.
SPARED = {
    "user_id": ("REVOKED", "ACTIVE", "ACTIVE"),
    "all_users": ("REVOKED", "REVOKED", "ACTIVE"),
    "session_id": ("ACTIVE", "ACTIVE", "ACTIVE"),
    "refresh_token": ("ACTIVE", "ACTIVE", "ACTIVE"),
    "token": ("ACTIVE", "ACTIVE", "ACTIVE"),
    "token_id": ("ACTIVE", "ACTIVE", "ACTIVE"),
}


def refresh_outcome(service: Service, refresh_token: str) -> str:
    """ROTATED, or why not."""
    try:
        return "ROTATED" if service.refresh(refresh_token).rotated else "REPLAYED"
    except RefreshRefused as refused:
        return refused.reason


@kinds
def test_each_target_ends_its_own_and_nothing_else(service: Service, kind: str) -> None:
    """The token is dead at once; of others only those that the target covers."""
    app, other = service.app(), service.app()
    first, second = (service.issue(app, refreshable=True) for _ in range(2))
    toms, elsewhere = service.issue(app, TOM), service.issue(other)
    revoke(service, app, target_of(kind, first))
    ended = service.validate(app, first.minted.text).status
    assert ended == ("SESSION_REVOKED" if kind in ("session_id", "refresh_token") else "REVOKED")
    others = ((app, second), (app, toms), (other, elsewhere))
    assert tuple(service.validate(where, token.minted.text).status for where, token in others) == SPARED[kind]


@kinds
def test_sessions_end_with_their_user_and_app(service: Service, kind: str) -> None:
    """No refresh after any revocation that is of more than one access token; others' sessions go on."""
    app = service.app()
    ended, toms = service.issue(app, refreshable=True), service.session(app, TOM)
    revoke(service, app, target_of(kind, ended))
    assert refresh_outcome(service, ended.refresh_token) == ("SESSION_REVOKED" if kind in WHOLE else "ROTATED")
    assert refresh_outcome(service, toms) == ("SESSION_REVOKED" if kind == "all_users" else "ROTATED")


@kinds
def test_what_is_issued_afterwards_is_good(service: Service, kind: str) -> None:
    """A revocation is about what there was: the same user can sign in again in the same second."""
    app = service.app()
    revoke(service, app, target_of(kind, service.issue(app, refreshable=True)))
    again = service.issue(app, refreshable=True)
    assert service.validate(app, again.minted.text).active
    assert refresh_outcome(service, again.refresh_token) == "ROTATED"


@kinds
def test_twice_is_harmless(service: Service, kind: str) -> None:
    """The second time is answered like the first, and sooner or later than it by no revision that is missing."""
    app = service.app()
    target = target_of(kind, service.issue(app, refreshable=True))
    assert revoke(service, app, target) <= revoke(service, app, target) <= service.domain.view.revision


@kinds
def test_whoever_waits_for_the_revision_has_seen_the_end(service: Service, kind: str) -> None:
    """The revision is one of the store's, and not before the commit of the revocation."""
    app = service.app()
    target = target_of(kind, service.issue(app, refreshable=True))
    before = service.domain.view.revision
    revision = revoke(service, app, target)
    page = service.store.changes_since(before)
    assert page is not None
    assert page.commits[-1].revision == revision == page.head


def test_what_is_not_there_is_no_error(service: Service) -> None:
    """An unknown session, and a jti that nobody knows, are ended as they are: the second is remembered."""
    app = service.app()
    before = service.rows()
    assert revoke(service, app, SessionTarget(str(uuid.uuid4()))) == service.domain.view.revision
    assert service.rows() == before
    unknown = token_id_of(service.domain.view.revision, bytes(12))
    revoke(service, app, TokenIdTarget(unknown))
    assert service.domain.view.revoked(app).has_token(unknown)


@pytest.mark.parametrize("kind", ["session_id", "refresh_token"])
def test_a_session_of_another_app_is_as_if_unknown(service: Service, kind: str) -> None:
    """It goes on, and the store is as it was: an app's name is part of what is revoked."""
    home, other = service.app(), service.app()
    theirs = service.issue(other, refreshable=True)
    before = service.rows()
    assert revoke(service, home, target_of(kind, theirs)) == service.domain.view.revision
    assert service.rows() == before
    assert refresh_outcome(service, theirs.refresh_token) == "ROTATED"


def test_any_refresh_token_of_a_session_ends_it(service: Service) -> None:
    """Spent ones too: whoever signs out names the session, not a generation."""
    app = service.app()
    first = service.session(app)
    second = service.refresh(first).refresh_token
    revoke(service, app, RefreshTokenTarget(first))
    assert refresh_outcome(service, second) == "SESSION_REVOKED"


def test_a_forged_refresh_token_costs_no_look_at_the_store(service: Service) -> None:
    """Its MAC is checked first; with a good one the store is asked."""
    app = service.app()
    good, watched = service.session(app), WatchedStore(service.store)
    over = service.over(watched)
    for text in (good[:-1] + ("A" if good[-1] != "A" else "B"), "nonsense", service.issue(app).minted.text):
        watched.calls.clear()
        with pytest.raises(RefreshRefused) as refused:
            revoke(over, app, RefreshTokenTarget(text))
        assert (refused.value.reason, watched.calls) == (Reason.REFRESH_TOKEN_INVALID, [])
    revoke(over, app, RefreshTokenTarget(good))
    assert "revoke_session" in watched.calls


@kinds
def test_a_suspended_app_can_be_cleaned_up(service: Service, kind: str) -> None:
    """Suspending is often the first thing that is done after a leak, and revoking the second."""
    app = service.app()
    issued = service.issue(app, refreshable=True)
    service.set(app, suspended=True)
    revoke(service, app, target_of(kind, issued))
    service.set(app, suspended=False)
    assert not service.validate(app, issued.minted.text).active


@kinds
def test_a_caller_revokes_for_its_own_apps(service: Service, kind: str) -> None:
    """For another app nothing is done; its own only app need not be named."""
    app, other = service.app(), service.app()
    issued = service.issue(app, refreshable=True)
    before = service.rows()
    for principal in (a_principal(apps=frozenset({other})), a_principal(apps=frozenset({ApiKey("nobody's")}))):
        with pytest.raises(CallerForbidden):
            revoke(service, app, target_of(kind, issued), principal=principal)
    with pytest.raises(NotFound):
        revoke(service, "missing", target_of(kind, issued))
    assert service.rows() == before
    revoke(service, "", target_of(kind, issued), principal=a_principal(apps=frozenset({app})))
    assert not service.validate(app, issued.minted.text).active


def test_guests_are_users_too(service: Service) -> None:
    """The id that a guest was given ends all that it holds."""
    app = service.app(guests_enabled=True)
    guest = service.issue(app, GuestSubject(name="Sam"), refreshable=True)
    revoke(service, app, target_of("user_id", guest))
    assert not service.validate(app, guest.minted.text).active


@kinds
def test_each_is_audited_once_and_no_token_is(service: Service, state_dir: Path, kind: str) -> None:
    """One row in the transaction of the change, by whom and about what; a repetition of what is so adds none."""
    app, rows = service.app(), Rows(state_dir)
    issued = service.issue(app, refreshable=True)
    known = len(rows.audit())
    revoke(service, app, target_of(kind, issued))
    (row,) = rows.audit()[known:]
    claims = issued.minted.token.claims
    subjects = {"user_id": "sara", "all_users": "", "token": claims.token_id, "token_id": claims.token_id}
    assert (row.api_key, row.principal, row.outcome) == (app, service.principal.account_id, "revoked")
    assert row.subject == subjects.get(kind, str(uuid.UUID(bytes=claims.session_id or b"")))
    assert row.revision == rows.revision()
    assert issued.minted.text not in repr(rows.everything())
    assert issued.refresh_token not in repr(rows.everything())
    revoke(service, app, target_of(kind, issued))
    assert len(rows.audit()[known:]) == (2 if kind in ("user_id", "all_users") else 1)
