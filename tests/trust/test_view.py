"""The trust view: what is learnt, in which order, and that nothing goes back."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from authsvc.model import (
    Algorithm,
    ApiKey,
    Gone,
    KeyState,
    PastIssuer,
    Revision,
    SessionId,
    SessionRevoked,
    Subject,
    TokenId,
    TokenRevoked,
    UserId,
    Watermark,
)
from authsvc.signing.keyring import RingKey
from authsvc.trust.view import AppTrust, TrustView
from tests.signing.handmade import ES_SIGNING, HS_SIGNING
from tests.storage.records import a_key, an_account, an_app
from tests.verify.workshop import START, ring_key

ACME, OTHER = ApiKey("acme"), ApiKey("other")
SARA = UserId("sara")


def a_ring_key(revision: int) -> RingKey:
    """A key as it was at a revision."""
    return ring_key(ES_SIGNING, record=a_key(ACME, key_id=ES_SIGNING.key_id, revision=Revision(revision)))


def revision_of_key(view: TrustView) -> int | None:
    """At which revision the view knows the key; None when it does not."""
    trust = view.app(ACME)
    assert trust is not None
    key = trust.ring.keys.get(ES_SIGNING.key_id)
    return None if key is None or key.record is None else key.record.revision


@pytest.fixture
def view() -> TrustView:
    """An empty view."""
    return TrustView()


def test_an_empty_view_knows_nothing(view: TrustView) -> None:
    """Before anything is learnt nothing is there, and nothing is revoked."""
    assert view.app(ACME) is None
    assert (view.apps(), view.accounts(), view.revision) == ((), (), 0)
    assert view.account(an_account().id) is None
    revoked = view.revoked(ACME)
    assert not revoked.has_session(SessionId(bytes(16)))
    assert not revoked.has_token(TokenId("t"))
    assert (revoked.mark, revoked.mark_of(SARA), list(view.revocations(ACME)), view.count_revoked()) == (
        None,
        None,
        [],
        0,
    )


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
    mark = view.revoked(ACME).mark_of(SARA)
    assert mark is not None
    assert mark.tokens_revision == kept


def test_the_revision_never_goes_back(view: TrustView) -> None:
    """What was reached stays reached."""
    reached = []
    for revision in (3, 7, 5, 7, 8):
        view.reached(Revision(revision))
        reached.append(view.revision)
    assert reached == [3, 7, 7, 7, 8]


@pytest.mark.parametrize(("first", "second", "kept"), [(1, 2, 2), (2, 1, 2), (2, 2, 2)])
def test_a_key_never_goes_back(view: TrustView, first: int, second: int, kept: int) -> None:
    """The same for a key: an old state must not make a revoked one verify again."""
    view.put_app(an_app())
    for revision in (first, second):
        view.put_keys(ACME, [a_ring_key(revision)])
    assert revision_of_key(view) == kept


@pytest.mark.parametrize(("put", "gone", "there"), [(1, 2, False), (3, 2, True)])
@pytest.mark.parametrize("gone_first", [False, True])
def test_a_key_that_is_gone_stays_gone(view: TrustView, put: int, gone: int, there: bool, gone_first: bool) -> None:
    """Of a key and the news that it is no more the newer counts, in whatever order they arrive."""
    view.put_app(an_app())
    news = Gone(Subject.KEY, ACME, "es-key", Revision(gone))
    if gone_first:
        view.put_keys(ACME, [], [news])
    view.put_keys(ACME, [a_ring_key(put)])
    if not gone_first:
        view.put_keys(ACME, [], [news])
    assert (revision_of_key(view) is not None) is there


def test_keys_change_together(view: TrustView) -> None:
    """What one change does to several keys is seen at once: a reader's ring has one active key or the other."""
    view.put_app(an_app())
    view.put_keys(ACME, [ring_key(ES_SIGNING)])
    before = view.app(ACME)
    view.put_keys(ACME, [ring_key(ES_SIGNING, state=KeyState.RETIRED), ring_key(HS_SIGNING)])
    after = view.app(ACME)
    assert before is not None
    assert after is not None
    assert [trust.ring.signing_key() for trust in (before, after)] == [ES_SIGNING, HS_SIGNING]


def test_keys_may_come_before_their_app(view: TrustView) -> None:
    """An app that another worker made, and whose keys this one changed first, is seen with them."""
    view.put_keys(ACME, [ring_key(ES_SIGNING)])
    assert view.app(ACME) is None
    view.put_app(an_app())
    trust = view.app(ACME)
    assert trust is not None
    assert trust.ring.signing_key() is ES_SIGNING


@pytest.mark.parametrize(("put", "gone", "there"), [(1, 2, False), (3, 2, True)])
@pytest.mark.parametrize("gone_first", [False, True])
def test_a_cleared_token_stays_cleared(view: TrustView, put: int, gone: int, there: bool, gone_first: bool) -> None:
    """The same for the revocation of a single token."""
    cleared = Gone(Subject.TOKEN, ACME, "t", Revision(gone))
    if gone_first:
        view.clear_token(cleared)
    view.put_revocation(TokenRevoked(ACME, TokenId("t"), None, Revision(put)))
    if not gone_first:
        view.clear_token(cleared)
    assert view.revoked(ACME).has_token(TokenId("t")) is there


def test_what_is_gone_is_remembered_only_while_older_news_may_come(view: TrustView) -> None:
    """Once everything up to a revision is in, nothing is kept of what was gone by then."""
    view.clear_token(Gone(Subject.TOKEN, ACME, "t", Revision(5)))
    view.reached(Revision(4))
    view.put_revocation(TokenRevoked(ACME, TokenId("t"), None, Revision(3)))
    assert not view.revoked(ACME).has_token(TokenId("t"))
    view.reached(Revision(5))
    assert view._held.recent == {}


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
    """A token's revocation is its app's, and so is a session's; a watermark is its user's or the app's."""
    session = SessionId(bytes(range(16)))
    view.put_revocation(TokenRevoked(ACME, TokenId("t"), None, Revision(1)))
    view.put_revocation(SessionRevoked(ACME, session, START, Revision(1)))
    view.put_revocation(Watermark(ACME, SARA, revision=Revision(1)))
    acme, other = view.revoked(ACME), view.revoked(OTHER)
    assert acme.has_token(TokenId("t"))
    assert (other.has_token(TokenId("t")), acme.has_token(TokenId("T"))) == (False, False)
    assert acme.has_session(session)
    assert (other.has_session(session), acme.has_session(SessionId(bytes(16)))) == (False, False)
    assert acme.mark_of(SARA) is not None
    assert (acme.mark, other.mark_of(SARA)) == (None, None)
    assert view.count_revoked() == 3


def test_another_state_takes_the_place_in_one_step(view: TrustView) -> None:
    """A view becomes another one: what that knows is there, and what it does not know is not."""
    view.put_app(an_app("old"))
    view.put_revocation(TokenRevoked(ApiKey("old"), TokenId("t"), None, Revision(1)))
    other = TrustView(Revision(7))
    other.put_app(an_app())
    view.become(other)
    assert ([app.api_key for app in view.apps()], view.revision, view.count_revoked()) == ([ACME], 7, 0)


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
