"""The feed: a view in step with a real store, from its start and at each change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from authsvc.app.composition import Domain, open_domain
from authsvc.config import Settings
from authsvc.errors import KeyNotReady
from authsvc.model import Algorithm, ApiKey, AppSettings, AuditEvent, UserId
from authsvc.signing import algorithms
from authsvc.signing.keys import verification_key
from authsvc.signing.sealing import Kek, Place, SealBroken, Sealer
from authsvc.storage.base import Store
from authsvc.trust.feed import Feed, signing_key_place
from authsvc.trust.view import TrustView
from tests.conftest import HandClock
from tests.storage.records import a_session

KEK = Kek(bytes(range(32)))
ACME = ApiKey("acme")


def numbered(size: int) -> bytes:
    return bytes(size)


@pytest.fixture
def domain(state_dir: Path, clock: HandClock) -> Iterator[Domain]:
    """A store with the view that follows it."""
    with open_domain(Settings(state_dir=state_dir, listen="127.0.0.1:0"), KEK, clock=clock) as domain:
        yield domain


def event(action: str = "test") -> AuditEvent:
    return AuditEvent(HandClock()(), action, "test", ACME, ACME, "done")


def loaded(store: Store, sealer: Sealer) -> TrustView:
    """A view as a worker has it that starts now."""
    view = TrustView()
    Feed(store, view, sealer)
    return view


def told(view: TrustView) -> object:
    """Everything a view can be asked, keys by what they are."""
    trusts = {app.api_key: view.app(app.api_key) for app in view.apps()}
    keys = {
        name: {key_id: (key.state, key.public_jwk, key.retired_at) for key_id, key in trust.ring.keys.items()}
        for name, trust in trusts.items()
        if trust is not None
    }
    marks = [view.watermark(app.api_key, user) for app in view.apps() for user in (None, UserId("sara"), UserId("eve"))]
    return view.apps(), view.accounts(), keys, marks, view.revision


def change_everything(domain: Domain) -> None:
    """Changes of every sort the store has."""
    for name, algorithm in (("acme", Algorithm.ES256), ("beta", Algorithm.HS256)):
        domain.apps.create_as("test", ApiKey(name), AppSettings(algorithm=algorithm))
    domain.store.edit_app(ACME, lambda app: replace(app, settings=replace(app.settings, suspended=True)), event())
    session = domain.store.open_session(a_session(absolute_expires_at=HandClock()().replace(year=2030)))
    domain.store.revoke_session(session.id, "logout", event())
    domain.store.raise_watermark(ACME, UserId("sara"), event())
    domain.store.raise_watermark(ACME, None, event())


def test_a_view_that_follows_is_a_view_that_starts(domain: Domain) -> None:
    """After any changes the view that followed them says what a view says that loads the store now."""
    change_everything(domain)
    assert told(domain.view) == told(loaded(domain.store, domain.sealer))
    assert domain.view.revision == domain.store.trust_state().revision > 0
    assert [app.api_key for app in domain.view.apps()] == ["acme", "beta"]


def test_own_changes_are_seen_at_once(domain: Domain) -> None:
    """When a call that changed something returns, the view has it."""
    domain.apps.create_as("test", ACME, AppSettings())
    trust = domain.view.app(ACME)
    assert trust is not None
    trust.ring.signing_key()
    before = domain.view.revision
    revision = domain.store.raise_watermark(ACME, UserId("sara"), event())
    assert domain.view.revision == revision > before
    mark = domain.view.watermark(ACME, UserId("sara"))
    assert mark is not None
    assert mark.tokens_revision == revision


def test_a_revoked_session_is_seen(domain: Domain) -> None:
    """A revoked session is known by the one that followed and by the one that starts later."""
    domain.apps.create_as("test", ACME, AppSettings())
    kept = [domain.store.open_session(a_session(absolute_expires_at=HandClock()().replace(year=2030))) for _ in "ab"]
    domain.store.revoke_session(kept[0].id, "logout", event())
    for view in (domain.view, loaded(domain.store, domain.sealer)):
        assert view.session_revoked(kept[0].id)
        assert not view.session_revoked(kept[1].id)


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.HS256])
def test_a_key_is_opened_as_it_was_sealed(domain: Domain, algorithm: Algorithm) -> None:
    """The key that follows the feed and the one a later start opens are the same key, with its other half."""
    domain.apps.create_as("test", ACME, AppSettings(algorithm=algorithm))
    signing = []
    for view in (domain.view, loaded(domain.store, domain.sealer)):
        trust = view.app(ACME)
        assert trust is not None
        signing.append(trust.ring.signing_key())
    assert signing[0].key_id == signing[1].key_id
    message = b"message"
    signature = algorithms.sign(algorithm, signing[0].handle, message)
    assert algorithms.verify(algorithm, verification_key(signing[1]).handle, message, signature)


def test_under_another_kek_nothing_starts(domain: Domain) -> None:
    """With another KEK the view is not loaded, and what would help is said."""
    domain.apps.create_as("test", ACME, AppSettings())
    with pytest.raises(SealBroken, match="another KEK"):
        loaded(domain.store, Sealer(Kek(bytes(32)), numbered))


def test_the_place_of_a_key_is_its_app_and_its_id() -> None:
    """A signing key is sealed for its purpose, its app and its id."""
    assert signing_key_place(ACME, "k") == Place("signing-key", "acme", "k")
    assert signing_key_place(ACME, "k") != signing_key_place(ApiKey("beta"), "k")


def test_an_app_without_keys_is_known_and_does_not_sign(domain: Domain) -> None:
    """An app may be learnt before its keys."""
    view = TrustView()
    domain.apps.create_as("test", ACME, AppSettings())
    trust = domain.view.app(ACME)
    assert trust is not None
    view.put_app(trust.app)
    bare = view.app(ACME)
    assert bare is not None
    with pytest.raises(KeyNotReady):
        bare.ring.signing_key()
