"""Refresh against others: a lost race is never shown, nothing succeeds after a revocation, a failure turns nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest

from authsvc.clock import Deadline
from authsvc.errors import AuthError, DeadlinePassed, InvalidRequest, KeyNotReady, Reason, RefreshRefused, Unavailable
from authsvc.model import KeyState
from authsvc.storage.base import Store
from authsvc.tokens.refresh import RefreshedToken
from authsvc.tokens.requests import RefreshRequest, UserSubject
from tests.tokens.service import REQUEST_ID, Service, a_principal
from tests.tokens.watched_store import InterruptedStore

OTHER_ID = "request-0000000000000002"


class FailingStore:
    """Passes everything on, but one method answers that the store cannot be reached."""

    def __init__(self, store: Store, method: str) -> None:
        self._store = store
        self._method = method

    def __getattr__(self, name: str) -> object:
        if name == self._method:
            raise Unavailable(Reason.STORE_UNAVAILABLE)
        return getattr(self._store, name)


def together(calls: Sequence[Callable[[], object]]) -> list[object]:
    """What the calls answer or raise, all begun at once."""
    start = Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        start.wait(20)
        try:
            return call()
        except AuthError as error:
            return error.reason

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def test_64_presentations_of_one_token(service: Service) -> None:
    """Of 64 that present one token together one rotates and 63 are replayed with the same child, round after round."""
    text = service.session(service.app())
    for generation in range(4):
        answers = together([partial(service.refresh, text)] * 64)
        refreshed = [answer for answer in answers if isinstance(answer, RefreshedToken)]
        assert Counter(answer.rotated for answer in refreshed) == {True: 1, False: 63}
        [text] = {answer.refresh_token for answer in refreshed}
        assert service.kept(text).generation == generation + 1
    assert service.refresh(text).rotated


def test_a_lost_race_is_a_replay(service: Service) -> None:
    """A caller that another one overtakes between reading and turning gets the other's child."""
    text, others = service.session(service.app()), []
    store = InterruptedStore(service.store, "turn_session", lambda: others.append(service.refresh(text, OTHER_ID)))
    answer = service.over(store).refresh(text, REQUEST_ID)
    assert (answer.rotated, answer.refresh_token) == (False, others[0].refresh_token)
    assert service.kept(text).generation == 1


def test_a_race_lost_long_ago_is_a_reuse(service: Service) -> None:
    """A caller that is overtaken, and decided again only after the grace, is judged by the table like any other."""
    text = service.session(service.app())

    def overtake() -> None:
        service.refresh(text)
        service.clock.move(seconds=31)

    with pytest.raises(RefreshRefused) as refused:
        service.over(InterruptedStore(service.store, "turn_session", overtake)).refresh(text)
    assert refused.value.reason is Reason.REFRESH_TOKEN_REUSED
    assert service.kept(text).revoked_at is not None


def test_a_race_against_two_turns_is_a_reuse(service: Service) -> None:
    """A caller that is overtaken by two turns holds a grandparent."""
    text = service.session(service.app())
    store = InterruptedStore(
        service.store, "turn_session", lambda: service.refresh(service.refresh(text).refresh_token)
    )
    with pytest.raises(RefreshRefused) as refused:
        service.over(store).refresh(text)
    assert refused.value.reason is Reason.REFRESH_TOKEN_REUSED


@pytest.mark.parametrize("how", ["session", "user", "app"])
def test_a_revocation_in_between_wins(service: Service, how: str) -> None:
    """A session that is revoked between reading and turning does not turn, whichever way it was revoked."""
    app = service.app()
    text = service.session(app)
    revoke: dict[str, Callable[[], object]] = {
        "session": lambda: service.revoke_session(text),
        "user": lambda: service.revoke_all(app, "sara"),
        "app": lambda: service.revoke_all(app, None),
    }
    with pytest.raises(RefreshRefused) as refused:
        service.over(InterruptedStore(service.store, "turn_session", revoke[how])).refresh(text)
    assert refused.value.reason is Reason.SESSION_REVOKED
    assert service.kept(text).generation == 0


def test_an_expiry_in_between_wins(service: Service) -> None:
    """A session that ends between reading and turning does not turn."""
    text = service.session(service.app())
    store = InterruptedStore(service.store, "turn_session", lambda: service.clock.move(days=15))
    with pytest.raises(RefreshRefused) as refused:
        service.over(store).refresh(text)
    assert refused.value.reason is Reason.REFRESH_TOKEN_EXPIRED
    assert service.kept(text).generation == 0


def test_refresh_against_revoke(service: Service) -> None:
    """Whatever the order, once the revocation is acknowledged nothing turns and nothing is replayed."""
    app = service.app()
    for _ in range(15):
        text = service.session(app)
        together([partial(service.refresh, text), partial(service.revoke_session, text)])
        generation = service.kept(text).generation
        for presented in (0, 1):
            live = service.refresh_tokens.text_of(service.ticket(text)._replace(generation=presented))
            with pytest.raises(RefreshRefused) as refused:
                service.refresh(live)
            assert refused.value.reason is Reason.SESSION_REVOKED
        assert service.kept(text).generation == generation


def test_what_cannot_be_minted_turns_nothing(service: Service) -> None:
    """When the new access token would be too large the refresh is refused and the same token turns later."""
    app = service.app()
    size = 2000
    while True:
        try:
            text = service.session(app, UserSubject("sara", custom={"x": "x" * (size + 100)}))
        except InvalidRequest:
            break
        size += 100
    service.set(app, issuer="i" * 256)
    with pytest.raises(InvalidRequest) as refused:
        service.refresh(text)
    assert refused.value.reason is Reason.TOKEN_TOO_LARGE
    assert service.kept(text).generation == 0
    service.set(app, issuer="authsvc")
    assert service.refresh(text).rotated


def test_without_a_key_nothing_turns(service: Service) -> None:
    """While no key may sign a refresh is refused, rotation and replay alike, and nothing has moved."""
    app = service.app()
    text = service.session(app)
    child = service.refresh(text).refresh_token
    trust = service.domain.view.app(app)
    assert trust is not None
    [key] = trust.ring.keys.values()
    service.domain.view.put_keys(app, [replace(key, state=KeyState.RETIRED)])
    for presented in (text, child):
        with pytest.raises(KeyNotReady):
            service.refresh(presented)
    assert service.kept(text).generation == 1
    service.domain.view.put_keys(app, [key])
    assert service.refresh(child).rotated


def test_a_store_that_cannot_be_reached_is_said(service: Service) -> None:
    """When the store fails the caller hears that, and the same token turns once it is back."""
    text = service.session(service.app())
    for method in ("session_state", "turn_session"):
        with pytest.raises(Unavailable):
            service.over(FailingStore(service.store, method)).refresh(text)
    assert service.refresh(text).rotated


def test_a_reuse_is_told_only_when_it_was_committed(service: Service) -> None:
    """When the revocation of a reuse fails the caller hears of the store, not of the reuse; the next one does."""
    text = service.session(service.app())
    live = service.refresh(text).refresh_token
    service.clock.move(minutes=1)
    with pytest.raises(Unavailable):
        service.over(FailingStore(service.store, "revoke_session")).refresh(text)
    assert service.kept(live).revoked_at is None
    with pytest.raises(RefreshRefused) as refused:
        service.refresh(text)
    assert refused.value.reason is Reason.REFRESH_TOKEN_REUSED
    assert service.kept(live).revoked_at is not None


def test_a_call_that_comes_too_late_turns_nothing(service: Service) -> None:
    """With its deadline passed a refresh changes nothing, and the same token turns afterwards."""
    text = service.session(service.app())
    with pytest.raises(DeadlinePassed):
        service.refreshing.refresh(a_principal(), RefreshRequest(text), deadline=Deadline(time.monotonic() - 1))
    assert service.kept(text).generation == 0
    assert service.refresh(text).rotated


def test_the_app_s_settings_of_today_hold(service: Service) -> None:
    """A session follows its app: a shorter maximum shortens new access tokens, a shorter idle time the session."""
    app = service.app(default_ttl=timedelta(hours=2))
    issued = service.issue(app, refreshable=True)
    service.set(
        app, max_ttl=timedelta(minutes=5), default_ttl=timedelta(minutes=5), session_idle_ttl=timedelta(hours=1)
    )
    answer = service.refresh(issued.refresh_token)
    now = service.clock()
    assert issued.minted.token.claims.expires_at == int(now.timestamp()) + 7200
    assert answer.minted.token.claims.expires_at == int(now.timestamp()) + 300
    assert answer.refresh_expires_at == now + timedelta(hours=1)
