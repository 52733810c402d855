"""Revoking as a calling service does it, over the service of a test."""

from __future__ import annotations

from functools import partial

import pytest

from authsvc.errors import InvalidRequest
from authsvc.model import Principal, Revision, session_text
from authsvc.tokens.issue import IssuedToken
from authsvc.tokens.requests import Seconds
from authsvc.tokens.revoke import Revoke
from authsvc.tokens.targets import (
    AllUsersTarget,
    RefreshTokenTarget,
    RevokeRequest,
    SessionTarget,
    Target,
    TokenIdTarget,
    TokenTarget,
    UserTarget,
)
from authsvc.verify.verifier import Verifier
from tests.tokens.service import Service, session_id_of

KINDS = ("user_id", "session_id", "token", "token_id", "refresh_token", "all_users")
WHOLE = ("user_id", "session_id", "refresh_token", "all_users")
"""Those that end a session too."""


def revoke(
    service: Service,
    app: str,
    target: Target | None,
    *,
    issued_before: Seconds | None = None,
    principal: Principal | None = None,
) -> Revision:
    """Revoke, as the service's caller unless another is given."""
    verifier = Verifier(service.domain.view, clock=service.clock, development_tokens=service.development_tokens)
    use_case = Revoke(
        service.domain.view, service.store, verifier, service.refresh_tokens, service.lines, clock=service.clock
    )
    return use_case.revoke(principal or service.principal, RevokeRequest(app, target, issued_before))


def target_of(kind: str, issued: IssuedToken) -> Target:
    """What names a token that was issued, or what it belongs to, in that kind of target."""
    session_id, claims = session_id_of(issued), issued.minted.token.claims
    targets: dict[str, Target] = {
        "user_id": UserTarget(claims.user.id),
        "session_id": SessionTarget(session_text(session_id) if session_id is not None else ""),
        "token": TokenTarget(issued.minted.text),
        "token_id": TokenIdTarget(claims.token_id),
        "refresh_token": RefreshTokenTarget(issued.refresh_token),
        "all_users": AllUsersTarget(True),
    }
    return targets[kind]


def refused(service: Service, app: str, target: Target | None, issued_before: Seconds | None = None) -> dict[str, str]:
    """What the request is refused for, by field; fails the test when it is not."""
    with pytest.raises(InvalidRequest) as raised:
        partial(revoke, service, app, target, issued_before=issued_before)()
    return {violation.field: violation.description for violation in raised.value.violations}
