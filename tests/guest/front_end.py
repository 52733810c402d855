"""Calls as a front end makes them, and the refusals it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from authsvc.errors import AuthError, Exhausted, InvalidRequest, Reason
from authsvc.model import ApiKey
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.guest import AnonymousWish, GuestTokens, GuestWish
from authsvc.tokens.issue import IssuedToken
from authsvc.tokens.refresh import RefreshedToken
from authsvc.tokens.requests import GuestSubject, ScopeRequest
from tests.tokens.service import Service

ADDRESS = "192.0.2.7"
REQUEST_ID = "front-end-000000000000001"
OPEN: dict[str, Any] = {"guests_enabled": True, "public_guests": True}
WATCHED: dict[str, Any] = {"anonymous_enabled": True, "public_anonymous_cids": ("livestream:*", "room:lobby")}


@dataclass
class FrontEnd:
    """A front end without a credential; ``admitted`` are the apps whose calls were counted, until they are ``full``."""

    service: Service
    admitted: list[ApiKey] = field(default_factory=list)
    full: bool = False

    def __post_init__(self) -> None:
        audit = TokenAudit(self.service.domain.logs.get_logger("audit"))
        view, issuing, refreshing = self.service.domain.view, self.service.issuing, self.service.refreshing
        self.guests = GuestTokens(view, issuing, refreshing, audit, self._admit)

    def _admit(self, api_key: ApiKey) -> None:
        if self.full:
            raise Exhausted(Reason.RATE_LIMITED, retry_after=timedelta(milliseconds=10))
        self.admitted.append(api_key)

    def guest(self, app: str, request_id: str = "", *, refreshable: bool = False, **guest: Any) -> IssuedToken:
        wish = GuestWish(app, GuestSubject(**guest), refreshable, request_id)
        return self.guests.issue(wish, ADDRESS)

    def refresh(self, refresh_token: str, request_id: str = "") -> RefreshedToken:
        return self.guests.refresh(refresh_token, request_id, ADDRESS)

    def watch(self, app: str, *call_cids: str, channel_cids: tuple[str, ...] = ()) -> IssuedToken:
        return self.guests.issue_anonymous(AnonymousWish(app, ScopeRequest(call_cids, channel_cids)), ADDRESS)


def reason_of(call: Callable[[], object]) -> str:
    """Why the call was refused; fails the test when it was not."""
    with pytest.raises(AuthError) as refused:
        call()
    return refused.value.reason


def fields_of(call: Callable[[], object]) -> list[str]:
    """The fields that the refusal names."""
    with pytest.raises(InvalidRequest) as refused:
        call()
    return [violation.field for violation in refused.value.violations]
