"""The trust view: what is learnt, in which order, and that nothing goes back."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from authsvc.model import (
    Algorithm,
    ApiKey,
    KeyState,
    PastIssuer,
    Revision,
    SessionId,
    SessionRevoked,
    TokenId,
    TokenRevoked,
    UserId,
    Watermark,
)
from authsvc.trust.view import AppTrust, TrustView
from tests.signing.handmade import ES_SIGNING, HS_SIGNING
from tests.storage.records import an_account, an_app
from tests.verify.workshop import START, ring_key

ACME, OTHER = ApiKey("acme"), ApiKey("other")
SARA = UserId("sara")


@pytest.fixture
def view() -> TrustView:
    """An empty view."""
    return TrustView()


def test_an_empty_view_knows_nothing(view: TrustView) -> None:
    """Before anything is learnt nothing is there, and nothing is revoked."""
    assert view.app(ACME) is None
    assert (view.apps(), view.accounts(), view.revision) == ((), (), 0)
    assert view.account(an_account().id) is None
    assert not view.session_revoked(SessionId(bytes(16)))
    assert not view.token_revoked(ACME, TokenId("t"))
    assert view.watermark(ACME, None) is None


def test_apps_and_accounts_are_listed_by_their_names(view: TrustView) -> None:
    """Lists are in the order of the ids, however they were learnt."""
    for name in ("b", "c", "a"):
        view.put_app(an_app(name))
        view.put_account(an_account(f"svc-{name}"))
    assert [app.api_key for app in view.apps()] == ["a", "b", "c"]
    assert [account.id for account in view.accounts()] == ["svc-a", "svc-b", "svc-c"]


@pytest.mark.parametrize(("first", "second", "kept"), [(1, 2, 2), (2, 1, 2), (2, 2, 2)])
def test_an_app_never_goes_back(view: TrustView, first: int, second: int, kept: int) -> None:
    """Of two states of an app the newer is known, in whatever order they arrive."""
    for revision in (first, second):
        view.put_app(an_app(revision=Revision(revision), version=revision))
    trust = view.app(ACME)
    assert trust is not None
    assert trust.app.version == kept


@pytest.mark.parametrize(("first", "second", "kept"), [(1, 2, 2), (2, 1, 2), (2, 2, 2)])
def test_an_account_never_goes_back(view: TrustView, first: int, second: int, kept: int) -> None:
    """The same for an account: an old state must not enable it again."""
    for revision in (first, second):
        view.put_account(an_account(revision=Revision(revision), version=revision))
    account = view.account(an_account().id)
    assert account is not None
    assert account.version == kept


@pytest.mark.parametrize(("first", "second", "kept"), [(5, 9, 9), (9, 5, 9), (9, 9, 9)])
def test_a_watermark_never_goes_back(view: TrustView, first: int, second: int, kept: int) -> None:
    """The same for a watermark: an old one must not bring revoked tokens back."""
    for revision in (first, second):
        view.put_revocation(Watermark(ACME, SARA, tokens_revision=Revision(revision), revision=Revision(revision)))
    watermark = view.watermark(ACME, SARA)
    assert watermark is not None
    assert watermark.tokens_revision == kept


def test_the_revision_never_goes_back(view: TrustView) -> None:
    """What was reached stays reached."""
    reached = []
    for revision in (3, 7, 5, 7, 8):
        view.reached(Revision(revision))
        reached.append(view.revision)
    assert reached == [3, 7, 7, 7, 8]


def test_an_edit_of_an_app_keeps_its_keys(view: TrustView) -> None:
    """New settings do not lose the key ring, and new keys do not lose the settings."""
    view.put_app(an_app())
    view.put_keys(ACME, [ring_key(ES_SIGNING)])
    view.put_app(an_app(revision=Revision(2), version=2))
    view.put_keys(ACME, [ring_key(HS_SIGNING, state=KeyState.RETIRED)])
    trust = view.app(ACME)
    assert trust is not None
    assert trust.app.version == 2
    assert sorted(trust.ring.keys) == ["es-key", "hs-key"]
    assert trust.ring.signing_key() is ES_SIGNING


def test_what_a_reader_holds_does_not_change(view: TrustView) -> None:
    """A reader that took an app decides from one moment, whatever is learnt meanwhile."""
    view.put_app(an_app())
    view.put_keys(ACME, [ring_key(ES_SIGNING)])
    taken = view.app(ACME)
    assert taken is not None
    view.put_app(an_app(revision=Revision(2), version=2))
    view.put_keys(ACME, [ring_key(ES_SIGNING, state=KeyState.REVOKED)])
    assert taken.app.version == 1
    assert taken.ring.signing_key() is ES_SIGNING
    assert view.app(ACME) != taken


def test_revocations_are_known_by_what_they_are_of(view: TrustView) -> None:
    """A token's revocation is its app's, a watermark is its user's or the app's, a session is known by its id."""
    session = SessionId(bytes(range(16)))
    view.put_revocation(TokenRevoked(ACME, TokenId("t"), None, Revision(1)))
    view.put_revocation(SessionRevoked(ACME, session, START, Revision(1)))
    view.put_revocation(Watermark(ACME, SARA, revision=Revision(1)))
    assert view.token_revoked(ACME, TokenId("t"))
    assert not view.token_revoked(OTHER, TokenId("t"))
    assert not view.token_revoked(ACME, TokenId("T"))
    assert view.session_revoked(session)
    assert not view.session_revoked(SessionId(bytes(16)))
    assert view.watermark(ACME, SARA) is not None
    assert view.watermark(ACME, None) is None
    assert view.watermark(OTHER, SARA) is None


class TestAppTrust:
    """What can be told of an app at one moment."""

    def test_the_longest_life(self) -> None:
        """A token minted now can live for the longest lifetime ever allowed and the skew of today."""
        app = an_app(longest_ttl_ever=timedelta(hours=7))
        assert AppTrust(app).longest_life == timedelta(hours=7, seconds=30)
        assert AppTrust(replace(app, ever_non_expiring=True)).longest_life is None

    @pytest.mark.parametrize(
        ("issuer", "accepted"), [("", True), ("older", True), ("oldest", False), ("Older", False), ("older ", False)]
    )
    def test_issuers(self, issuer: str, accepted: bool) -> None:
        """Today's issuer and those past ones whose tokens can still live are accepted."""
        past = (PastIssuer("older", START), PastIssuer("oldest", START - timedelta(days=1)))
        trust = AppTrust(an_app(past_issuers=past, longest_ttl_ever=timedelta(hours=1)))
        assert trust.accepts_issuer(issuer, START) is accepted


def test_readers_and_movers_at_the_same_time(view: TrustView) -> None:
    """While apps are learnt, readers see whole states that never go back, and lists never fail."""
    done, seen, faults = threading.Event(), [0], []
    view.put_app(an_app())

    def read() -> None:
        try:
            while not done.is_set():
                trust = view.app(ACME)
                assert trust is not None
                assert trust.app.version >= seen[-1]
                seen.append(trust.app.version)
                assert all(app.algorithm is Algorithm.ES256 for app in (app.settings for app in view.apps()))
        except BaseException as fault:  # noqa: BLE001 - told in the main thread
            faults.append(fault)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 2_000):
        view.put_app(an_app(revision=Revision(number), version=number))
        view.put_app(an_app(f"app-{number}"))
    done.set()
    reader.join(20)
    assert faults == []
    assert len(view.apps()) == 2_000
