"""Verdicts that wait for nothing: what is answered so, and that it is what the whole way answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from authsvc.model import ApiKey, AuditEvent, KeyState, TokenStatus
from authsvc.tokens.development import DevelopmentNotice
from authsvc.tokens.requests import ValidateRequest
from authsvc.tokens.validate import Validate
from authsvc.trust.catching_up import CatchingUp
from authsvc.trust.freshness import Freshness
from authsvc.verify.verdict import Verdict
from authsvc.verify.verifier import Verifier
from tests.tokens.service import Service, a_principal

Change = Callable[[Service, ApiKey, str], str]


def at_once(service: Service, app: ApiKey, token: str, **asked: Any) -> Verdict | None:
    """What is said of the token at once."""
    return service.validating.at_once(service.principal, ValidateRequest(token, app, **asked))


def broken(service: Service, app: ApiKey, text: str) -> str:
    return text[:-4] + ("AAAA" if not text.endswith("AAAA") else "BBBB")


def expired(service: Service, app: ApiKey, text: str) -> str:
    service.clock.move(hours=2)
    return text


def revoked(service: Service, app: ApiKey, text: str) -> str:
    service.revoke_all(app, "sara")
    return text


def key_revoked(service: Service, app: ApiKey, text: str) -> str:
    event = AuditEvent(service.clock(), "key.revoked", "test", "", "", "done")
    service.store.edit_keys(
        app,
        lambda keys: tuple(replace(key, state=KeyState.REVOKED, revoked_at=service.clock()) for key in keys),
        event,
    )
    return text


def suspended(service: Service, app: ApiKey, text: str) -> str:
    service.set(app, suspended=True)
    return text


def untouched(service: Service, app: ApiKey, text: str) -> str:
    return text


CHANGES: dict[Change, TokenStatus] = {
    untouched: TokenStatus.ACTIVE,
    broken: TokenStatus.SIGNATURE_INVALID,
    expired: TokenStatus.EXPIRED,
    revoked: TokenStatus.REVOKED,
    key_revoked: TokenStatus.KEY_REVOKED,
    suspended: TokenStatus.APP_SUSPENDED,
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_says_what_the_whole_way_says(service: Service, change: Change) -> None:
    """Of a good token and of a bad one, seen for the first time and again."""
    app = service.app()
    text = change(service, app, service.issue(app).minted.text)
    for _ in range(2):
        verdict = at_once(service, app, text)
        assert verdict is not None
        assert verdict.status is CHANGES[change]
        assert verdict == service.validate(app, text)


@pytest.mark.parametrize(
    "asked",
    [{"call_cid": "video:1"}, {"audience": "shop"}, {"any_role_of": ("x",)}, {"strong": True}, {"after_revision": 1}],
)
def test_a_question_is_left_to_the_whole_way(service: Service, asked: dict[str, Any]) -> None:
    """What asks for more than the token is not answered at once."""
    app = service.app()
    assert at_once(service, app, service.issue(app).minted.text, **asked) is None


def test_what_the_store_may_know_is_left_to_the_whole_way(service: Service) -> None:
    """A key or an app that is not known may have been made just now by another worker."""
    app, other = service.app(), service.app()
    assert at_once(service, other, service.issue(app).minted.text) is None
    assert at_once(service, ApiKey("nobody"), service.issue(app).minted.text) is None
    assert at_once(service, ApiKey(""), service.issue(app).minted.text) is None


def test_who_may_not_ask_is_left_to_the_whole_way(service: Service) -> None:
    """Which refuses, and says why."""
    app = service.app()
    stranger = a_principal("stranger", apps=frozenset({service.app()}))
    request = ValidateRequest(service.issue(app).minted.text, app)
    assert service.validating.at_once(stranger, request) is None
    assert service.validating.at_once(service.principal, request) is not None


def test_what_is_too_old_to_answer_by_is_left_to_the_whole_way(service: Service) -> None:
    """Which says STALE; before that the same token is answered at once."""
    ticks, view = [0], service.domain.view
    freshness = Freshness(timedelta(seconds=5), clock=service.clock, monotonic=lambda: ticks[0])
    freshness.follow()
    catching_up = CatchingUp(view, service.domain.feed, service.domain.follower.looks, freshness)
    notice = DevelopmentNotice(service.domain.logs.get_logger("tokens"), clock=service.clock)
    validating = Validate(view, Verifier(view, clock=service.clock), notice, service.lines, catching_up)
    app = service.app()
    request = ValidateRequest(service.issue(app).minted.text, app)
    assert validating.at_once(service.principal, request) is not None
    ticks[0] = 6 * 10**9
    assert validating.at_once(service.principal, request) is None
