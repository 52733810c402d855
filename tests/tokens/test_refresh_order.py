"""The rows of the table have an order: of two that apply the upper decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest

from authsvc.errors import AuthError, Reason
from authsvc.model import ApiKey, SessionId
from authsvc.tokens.requests import GuestSubject, RefreshRequest
from tests.tokens.service import Service, a_principal


@dataclass
class Presentation:
    """A refresh in the making: a guest's session that was turned twice, its live token, and a caller."""

    service: Service
    app: ApiKey
    live: str
    ticket: dict[str, Any] = field(default_factory=dict)
    forged: bool = False
    foreign: bool = False
    world: list[Callable[[Presentation], object]] = field(default_factory=list)

    def reason(self) -> Reason:
        for change in self.world:
            change(self)
        text = self.service.refresh_tokens.text_of(self.service.ticket(self.live)._replace(**self.ticket))
        if self.forged:
            text = text[:-1] + ("A" if text[-1] != "A" else "B")
        caller = a_principal(apps=frozenset({ApiKey("elsewhere")})) if self.foreign else a_principal()
        with pytest.raises(AuthError) as refused:
            self.service.refreshing.refresh(caller, RefreshRequest(text))
        return refused.value.reason


Fault = Callable[[Presentation], object]


def name(**changes: Any) -> Fault:
    return lambda presented: presented.ticket.update(changes)


def before(change: Callable[[Presentation], object]) -> Fault:
    return lambda presented: presented.world.append(change)


ROWS: dict[str, tuple[Reason, Fault]] = {
    "forged": (Reason.REFRESH_TOKEN_INVALID, lambda presented: setattr(presented, "forged", True)),
    "older epoch": (Reason.SESSION_REVOKED, name(epoch=0)),
    "no row": (Reason.REFRESH_TOKEN_INVALID, name(session_id=SessionId(bytes(16)))),
    "foreign caller": (Reason.APP_NOT_ALLOWED, lambda presented: setattr(presented, "foreign", True)),
    "suspended": (Reason.APP_SUSPENDED, before(lambda one: one.service.set(one.app, suspended=True))),
    "guests off": (Reason.GUESTS_DISABLED, before(lambda one: one.service.set(one.app, guests_enabled=False))),
    "revoked": (Reason.SESSION_REVOKED, before(lambda one: one.service.revoke_session(one.live))),
    "app revoked": (Reason.SESSION_REVOKED, before(lambda one: one.service.revoke_all(one.app, None))),
    "expired": (Reason.REFRESH_TOKEN_EXPIRED, before(lambda one: one.service.clock.move(days=15))),
    "reused": (Reason.REFRESH_TOKEN_REUSED, name(generation=0)),
    "ahead": (Reason.REFRESH_TOKEN_INVALID, name(generation=3)),
}
# A token names one generation.
PAIRS = [pair for pair in combinations(ROWS, 2) if pair != ("reused", "ahead")]


@pytest.fixture
def presentation(service: Service) -> Presentation:
    """What nothing is wrong with."""
    app = service.app(guests_enabled=True)
    text = service.session(app, GuestSubject("bob"))
    for _ in range(2):
        text = service.refresh(text).refresh_token
    return Presentation(service, app, text)


def test_with_nothing_wrong_it_turns(presentation: Presentation) -> None:
    """The presentation of all these tests is a good one."""
    assert presentation.service.refresh(presentation.live).rotated


@pytest.mark.parametrize("row", ROWS)
def test_each_row(presentation: Presentation, row: str) -> None:
    """Each row alone has its answer."""
    ROWS[row][1](presentation)
    assert presentation.reason() is ROWS[row][0]


@pytest.mark.parametrize(("upper", "lower"), PAIRS)
def test_the_upper_row_decides(presentation: Presentation, upper: str, lower: str) -> None:
    """Where two rows apply the answer is that of the upper, and the lower did nothing."""
    for row in (lower, upper):
        ROWS[row][1](presentation)
    assert presentation.reason() is ROWS[upper][0]
    kept = presentation.service.kept(presentation.live)
    assert kept.generation == 2
    assert kept.revoke_reason == ("logout" if "revoked" in (upper, lower) else "")
