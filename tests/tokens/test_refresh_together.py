"""Refreshing several sessions at once: only what turns without a question; all else is left as it was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from authsvc.clock import deadline_after
from authsvc.errors import Reason, RefreshRefused, Unavailable
from authsvc.model import AuditEvent, KeyState, Principal, session_text
from authsvc.storage.base import Store, Turn
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.refresh import Outcome, RefreshedToken
from authsvc.tokens.refresh_together import InDoubt, RefreshTogether, Wish
from authsvc.tokens.requests import GuestSubject, RefreshRequest, ScopeRequest, Seconds, UserSubject
from tests.tokens.service import REQUEST_ID, Service, a_principal, session_id_of
from tests.tokens.watched_store import InterruptedStore


def turn(service: Service, *texts: str | RefreshRequest, **who: Any) -> list[RefreshedToken | InDoubt | None]:
    """Refresh all of them at once, as ``principal`` and over ``store`` where these are given."""
    counted: list[Outcome] = []
    together = RefreshTogether(
        service.refreshing,
        service.domain.view,
        who.get("store", service.store),
        service.mint,
        service.refresh_tokens,
        TokenAudit(service.domain.logs.get_logger("audit")),
        service.lines,
        count=counted.append,
    )
    principal: Principal = who.get("principal", service.principal)
    wishes = [Wish(principal, RefreshRequest(text) if isinstance(text, str) else text) for text in texts]
    answers = together.turn(wishes, deadline=deadline_after(10))
    assert counted == [Outcome.TURNED] * sum(isinstance(answer, RefreshedToken) for answer in answers)
    return answers


def test_each_gets_what_it_would_get_alone(service: Service) -> None:
    """Every session is turned once, its child refreshes, its parent is replayed, and the audit has a line of it."""
    app = service.app()
    texts = [service.session(app, UserSubject(f"user-{n}")) for n in range(3)]
    lines = len(service.logged())
    answers = turn(service, *(RefreshRequest(text, REQUEST_ID) for text in texts))
    for text, answer in zip(texts, answers, strict=True):
        assert isinstance(answer, RefreshedToken)
        kept = service.kept(text)
        assert (answer.rotated, kept.generation, kept.id) == (True, 1, session_id_of(answer))
        assert answer.refresh_expires_at == kept.idle_expires_at
        assert service.validate(app, answer.minted.text).active
        replayed = service.refresh(text, REQUEST_ID)
        assert (replayed.rotated, replayed.refresh_token) == (False, answer.refresh_token)
        assert service.refresh(answer.refresh_token).rotated
    told = [event for _, message, event in service.logged()[lines:] if message == "token refreshed"]
    assert [(event["user_id"], event["outcome"]) for event in told[:3]] == [(f"user-{n}", "rotated") for n in range(3)]


def revoked(service: Service, text: str) -> dict[str, Any]:
    service.revoke_session(text)
    return {}


def covered(service: Service, text: str) -> dict[str, Any]:
    service.revoke_all(service.kept(text).api_key, service.kept(text).user.id)
    return {}


def suspended(service: Service, text: str) -> dict[str, Any]:
    service.set(service.kept(text).api_key, suspended=True)
    return {}


def turned_before(service: Service, text: str) -> dict[str, Any]:
    service.refresh(text)
    return {}


def turned_twice(service: Service, text: str) -> dict[str, Any]:
    service.refresh(service.refresh(text).refresh_token)
    return {}


def of_another(service: Service, text: str) -> dict[str, Any]:
    return {"principal": a_principal("stranger", apps=frozenset({service.app()}))}


def without_a_key(service: Service, text: str) -> dict[str, Any]:
    event = AuditEvent(service.clock(), "key.revoked", "test", "", "", "done")
    service.store.edit_keys(
        service.kept(text).api_key, lambda keys: tuple(replace(key, state=KeyState.RETIRED) for key in keys), event
    )
    return {}


@pytest.mark.parametrize(
    "change", [revoked, covered, suspended, turned_before, turned_twice, of_another, without_a_key]
)
def test_what_is_no_plain_turn_is_left_alone(
    service: Service, change: Callable[[Service, str], dict[str, Any]]
) -> None:
    """Nothing is changed, told or counted of it: ``Refresh`` decides; and beside it the others turn."""
    text, good = service.session(service.app()), service.session(service.app())
    who = change(service, text)
    kept, lines = service.kept(text), len(service.logged())
    answers = turn(service, text, good, **who)
    assert answers[0] is None
    assert service.kept(text) == kept
    assert (answers[1] is not None) == (change is not of_another)
    assert len(service.logged()) == lines + (change is not of_another)


def test_a_guest_of_an_app_without_guests_is_left_alone(service: Service) -> None:
    """A kind that was switched off does not turn; before, it did."""
    app = service.app(guests_enabled=True)
    text = service.session(app, GuestSubject("kim"))
    (answer,) = turn(service, text)
    assert isinstance(answer, RefreshedToken)
    service.set(app, guests_enabled=False)
    assert turn(service, answer.refresh_token) == [None]
    assert service.kept(text).generation == 1


@pytest.mark.parametrize(
    "changes",
    [{"ttl": Seconds(60)}, {"user": UserSubject("", name="S")}, {"scope": ScopeRequest(("default:a",))}],
    ids=["ttl", "user", "scope"],
)
def test_a_wish_for_changes_is_left_alone(service: Service, changes: dict[str, Any]) -> None:
    """What asks for more than a turn is judged where changes are; the same wish without them turns."""
    text = service.session(service.app())
    assert turn(service, RefreshRequest(text, **changes)) == [None]
    assert service.kept(text).generation == 0
    assert turn(service, RefreshRequest(text)) != [None]


def test_what_is_no_token_of_ours_is_left_alone(service: Service) -> None:
    """Texts that name no session, and a session named twice: the first of the two turns."""
    text = service.session(service.app())
    answers = turn(service, "", "art1_" + "A" * 52, RefreshRequest(text, "?"), text, text)
    assert [answer is not None for answer in answers] == [False, False, False, True, False]
    assert service.kept(text).generation == 1


def test_a_lost_race_is_left_alone(service: Service) -> None:
    """Who is overtaken between the look and the turn is given nothing here, and the child of the other by itself."""
    text, calm = service.session(service.app()), service.session(service.app())
    others: list[RefreshedToken] = []
    store = InterruptedStore(service.store, "turn_sessions", lambda: others.append(service.refresh(text)))
    answers = turn(service, text, calm, store=store)
    assert [answer is not None for answer in answers] == [False, True]
    assert service.refresh(text).refresh_token == others[0].refresh_token


class LosesTheAnswer:
    """Passes everything on to a store, but says of a change of several sessions that it does not know."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def turn_sessions(self, turns: Sequence[Turn], **options: Any) -> Sequence[datetime | None]:
        self._store.turn_sessions(turns, **options)
        raise Unavailable(Reason.STORE_UNAVAILABLE, detail="(outcome unknown)")


def test_a_turn_in_doubt_is_not_tried_again(service: Service) -> None:
    """Where the store lost its answer the caller is told so: tried again here, the parent would end its own session."""
    text = service.session(service.app(refresh_grace=timedelta(0)))
    service.clock.move(seconds=1)
    doubt, other = turn(service, text, "nothing of ours", store=LosesTheAnswer(service.store))
    assert isinstance(doubt, InDoubt)
    assert (doubt.refusal().reason, other) == (Reason.STORE_UNAVAILABLE, None)
    assert (service.kept(text).generation, service.kept(text).revoked_at) == (1, None)
    service.clock.move(seconds=1)
    with pytest.raises(RefreshRefused):
        service.refresh(text)
    assert service.kept(text).revoked_at is not None


@pytest.mark.parametrize("level", ["debug", "info"])
def test_each_turn_is_told_to_who_looks_for_it(service: Service, level: str) -> None:
    """At debug the scope ``sessions`` names each session that was turned, and no other; at info it says nothing."""
    app = service.app()
    texts = [service.session(app, UserSubject(f"user-{n}")) for n in range(3)]
    service.domain.logs.configure_levels({"sessions": level})
    service.revoke_session(texts[1])
    turn(service, *texts)
    told = [(message, event["session_id"], event["generation"]) for _, message, event in service.logged("sessions")]
    turned = [("session turned", session_text(service.kept(texts[n]).id), 1) for n in (0, 2)]
    assert told == (turned if level == "debug" else [])
