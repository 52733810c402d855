"""STRONG, after_revision and own changes: what a caller may rely on beyond memory, with another worker beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from authsvc.clock import system_randomness
from authsvc.errors import AuthError, CallerUnauthenticated, Reason, Unavailable
from authsvc.model import Algorithm, ApiKey, KeyRecord, KeyState, Principal, TokenStatus
from authsvc.signing.keys import generate
from authsvc.tokens.requests import ValidateRequest
from authsvc.trust.access import principal_of
from authsvc.trust.learning import signing_key_place
from tests.conftest import HandClock
from tests.tokens.service import Service, a_principal, open_service
from tests.trust.workers import Worker, opening


@pytest.fixture
def service(tmp_path: Path, clock: HandClock) -> Iterator[Service]:
    """The worker that is asked: its view moves only when it looks."""
    with open_service(tmp_path, clock) as service:
        account = service.domain.accounts.recover("edge", "test").account
        service.principal = principal_of(account, account.credentials[0].id)
        yield service


@pytest.fixture
def app(service: Service) -> ApiKey:
    """An app of that worker."""
    return service.app()


@pytest.fixture
def other(service: Service, app: ApiKey, tmp_path: Path, clock: HandClock) -> Iterator[Worker]:
    """Another worker on the same store."""
    del service, app
    with opening(tmp_path, clock) as open_worker:
        yield open_worker()


def status(service: Service, app: str, token: str, **asked: object) -> TokenStatus:
    return service.validate(app, token, **asked).status


def test_cached_is_what_memory_says_and_strong_what_the_store_says(
    service: Service, app: ApiKey, other: Worker
) -> None:
    """Until the worker has looked, only STRONG knows what another one revoked; then CACHED does too."""
    token = service.issue(app).minted.text
    other.revoke("sara", app)
    assert status(service, app, token) is TokenStatus.ACTIVE
    assert status(service, app, token, strong=True) is TokenStatus.REVOKED
    assert status(service, app, token) is TokenStatus.REVOKED


def test_after_a_revision_both_answer_with_it(service: Service, app: ApiKey, other: Worker) -> None:
    """Validation knows what was revoked, and a token that is issued then outlives it."""
    old = service.issue(app).minted.text
    revision = other.revoke("sara", app)
    assert status(service, app, old, after_revision=revision) is TokenStatus.REVOKED
    second = other.revoke("sara", app)
    born_dead, new = service.issue(app).minted.text, service.issue(app, after_revision=second).minted.text
    assert status(service, app, born_dead, strong=True) is TokenStatus.REVOKED
    assert status(service, app, new, strong=True) is TokenStatus.ACTIVE


@pytest.mark.parametrize("strong", [False, True])
def test_a_revision_that_is_not_there(service: Service, app: ApiKey, strong: bool) -> None:
    """It is STALE, whatever else is asked, and for both use cases."""
    ahead = service.domain.view.revision + 1
    with pytest.raises(Unavailable) as raised:
        service.validate(app, "x", after_revision=ahead, strong=strong)
    assert raised.value.reason is Reason.STALE
    with pytest.raises(Unavailable) as raised:
        service.issue(app, after_revision=ahead)
    assert raised.value.reason is Reason.STALE


def test_who_revokes_and_issues_at_one_worker_gets_a_token_that_lives(
    service: Service, app: ApiKey, other: Worker
) -> None:
    """Also where another worker has committed in between; it carries the revision of its own revocation."""
    other.revoke("eve", app)
    service.revoke_all(app, "sara")
    issued = service.issue(app)
    assert issued.minted.token.claims.token_revision == service.domain.view.revision
    assert status(service, app, issued.minted.text, strong=True) is TokenStatus.ACTIVE


def test_strong_asks_about_the_caller_too(service: Service, app: ApiKey, other: Worker) -> None:
    """A caller whose account another worker has ended gets no answer from STRONG, and from memory for a moment yet."""
    token = service.issue(app).minted.text
    other.domain.accounts.recover("edge", "test")  # which ends the credential that this caller came with
    assert status(service, app, token) is TokenStatus.ACTIVE
    with pytest.raises(CallerUnauthenticated) as raised:
        service.validate(app, token, strong=True)
    assert raised.value.reason is Reason.CREDENTIAL_INVALID


def test_a_public_caller_has_no_account_to_end(service: Service, app: ApiKey) -> None:
    """STRONG for a caller that nobody knows is about the token alone."""
    public = a_principal("public", apps=frozenset({app}))
    verdict = service.validating.validate(public, ValidateRequest(token="x", strong=True))
    assert verdict.status is TokenStatus.MALFORMED


def test_a_store_that_does_not_answer(service: Service, app: ApiKey) -> None:
    """STRONG says so; CACHED goes on from memory, for as long as that is fresh."""
    token = service.issue(app).minted.text
    service.domain.store.close()
    with pytest.raises(Unavailable) as raised:
        service.validate(app, token, strong=True)
    assert raised.value.reason is Reason.STORE_UNAVAILABLE
    assert status(service, app, token) is TokenStatus.ACTIVE


class TestWhatIsNotKnown:
    """An app or a key that another worker has just made is found by a second look."""

    def test_an_app(self, service: Service, other: Worker) -> None:
        """Issuing and validating find it; a name that nobody has is refused as ever."""
        other.make_app("beta")
        issued = service.issue("beta")
        assert status(service, "beta", issued.minted.text) is TokenStatus.ACTIVE
        with pytest.raises(AuthError) as raised:
            service.issue("gone")
        assert raised.value.reason is Reason.APP_NOT_FOUND

    def test_an_app_that_the_caller_may_not_act_for(self, service: Service, other: Worker) -> None:
        """Nobody looks for it: the answer is the same whether it is there or not."""
        other.make_app("beta")
        begun = service.domain.follower.looks.begun
        limited: Principal = a_principal(apps=frozenset({ApiKey("mine")}))
        with pytest.raises(AuthError) as raised:
            service.validating.validate(limited, ValidateRequest("x", "beta"))
        assert (raised.value.reason, service.domain.follower.looks.begun) == (Reason.APP_NOT_ALLOWED, begun)

    def test_a_key(self, service: Service, app: ApiKey, other: Worker) -> None:
        """A token that another worker signed with a key made just now; one of no key at all is answered as ever."""
        old = service.issue(app).minted.text
        other.look()
        replace_key(other, app)
        token = beside(service, other).issue(app).minted.text
        assert status(service, app, token) is TokenStatus.ACTIVE
        assert status(service, app, old) is TokenStatus.ACTIVE
        foreign = service.issue(service.app()).minted.text
        assert status(service, app, foreign) is TokenStatus.KEY_UNKNOWN

    def test_a_session_of_an_app(self, service: Service, other: Worker) -> None:
        """A refresh at the worker that does not know the app yet goes on, and is not taken for a foreign one."""
        other.make_app("beta")
        token = beside(service, other).session("beta")
        assert service.domain.view.app(ApiKey("beta")) is None
        assert service.refresh(token).rotated


def beside(service: Service, other: Worker) -> Service:
    """The use cases of the other worker."""
    return replace(service, domain=other.domain, store=other.domain.store)


def replace_key(worker: Worker, app: ApiKey) -> None:
    """Retire the app's key and make another one active, at once."""
    made, sealer = generate(Algorithm.ES256, system_randomness), worker.domain.sealer

    def edit(keys: tuple[KeyRecord, ...]) -> tuple[KeyRecord, ...]:
        sealed = sealer.seal(made.secret, signing_key_place(app, made.key_id))
        new = replace(keys[0], key_id=made.key_id, sealed=sealed, public_jwk=made.public_jwk)
        return replace(keys[0], state=KeyState.RETIRED, retired_at=worker.clock()), new

    worker.domain.store.edit_keys(app, edit, worker.event())
