"""The use cases of tokens over a real store in a directory of its own, with a clock that is moved by hand."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from authsvc.app.composition import Domain, open_domain
from authsvc.clock import Monotonic, system_monotonic, system_randomness
from authsvc.config import Settings
from authsvc.errors import InvalidRequest, Violation
from authsvc.model import (
    AccountId,
    Algorithm,
    ApiKey,
    AppSettings,
    AuditEvent,
    Permission,
    Principal,
    Session,
    SessionId,
    UserId,
)
from authsvc.signing.sealing import Kek
from authsvc.storage.base import Store
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.derived_ids import DerivedIds
from authsvc.tokens.development import DevelopmentNotice
from authsvc.tokens.issue import Issue, IssuedToken
from authsvc.tokens.lines import TokenLines
from authsvc.tokens.mint import Mint
from authsvc.tokens.refresh import Refresh, RefreshedToken
from authsvc.tokens.refresh_token import RefreshTicket, RefreshTokens
from authsvc.tokens.requests import (
    IssueRequest,
    RefreshRequest,
    Subject,
    UserSubject,
    ValidateRequest,
)
from authsvc.tokens.validate import Validate
from authsvc.trust.catching_up import CatchingUp
from authsvc.trust.secrets import GUEST_KEY_PURPOSE, REFRESH_KEY_PURPOSE
from authsvc.verify.verdict import Verdict
from authsvc.verify.verifier import Verifier
from tests.conftest import HandClock

REQUEST_ID = "request-0000000000000001"
SARA = UserSubject("sara")


def a_principal(account_id: str = "svc-1", *, apps: frozenset[ApiKey] | None = None, **changes: Any) -> Principal:
    """A calling service; without ``apps`` it may act for all."""
    principal = Principal(
        account_id=AccountId(account_id),
        name=account_id,
        permissions=frozenset(Permission),
        all_apps=apps is None,
        apps=apps or frozenset(),
        audiences=(),
    )
    return replace(principal, **changes)


@dataclass
class Service:
    """All use cases of tokens as the server puts them together; ``log`` holds what was logged."""

    domain: Domain
    clock: HandClock
    store: Store
    log: list[tuple[str, str, Mapping[str, Any]]]
    refresh_tokens: RefreshTokens
    ids: DerivedIds
    principal: Principal = field(default_factory=a_principal)
    development_tokens: bool = True

    def __post_init__(self) -> None:
        view, audit = self.domain.view, TokenAudit(self.domain.logs.get_logger("audit"))
        catching_up = CatchingUp(view, self.domain.feed, self.domain.follower.looks, self.domain.freshness)
        self.mint = Mint(view, clock=self.clock, randomness=system_randomness, settle=catching_up.to_own)
        self.issuing = Issue(view, self.store, self.mint, self.refresh_tokens, self.ids, audit, self.lines, catching_up)
        self.refreshing = Refresh(view, self.store, self.mint, self.refresh_tokens, audit, self.lines)
        verifier = Verifier(view, clock=self.clock, development_tokens=self.development_tokens)
        notice = DevelopmentNotice(self.domain.logs.get_logger("tokens"), clock=self.clock)
        self.validating = Validate(view, verifier, notice, self.lines, catching_up)

    @property
    def lines(self) -> TokenLines:
        """What the use cases say of tokens and sessions."""
        return TokenLines(*map(self.domain.logs.get_logger, ("tokens", "sessions", "signing")))

    def over(self, store: object) -> Service:
        """The same service, its use cases over another store: one that counts or fails."""
        return replace(self, store=cast(Store, store))

    # -- apps -------------------------------------------------------------------------------------

    def app(self, *, secret: bytes = b"", **settings: Any) -> ApiKey:
        """A new app with those settings, made from a secret where one is given."""
        name = ApiKey(f"app-{uuid.uuid4().hex[:12]}")
        if secret:
            settings["algorithm"] = Algorithm.HS256
        self.domain.apps.create_as("test", name, AppSettings(**settings), secret=secret)
        return name

    def set(self, app: ApiKey, **settings: Any) -> None:
        """Change settings of an app."""
        event = AuditEvent(self.clock(), "app.updated", "test", app, app, "done")
        self.store.edit_app(app, lambda old: replace(old, settings=replace(old.settings, **settings)), event)

    # -- tokens -----------------------------------------------------------------------------------

    def issue(self, app: str, subject: Subject | None = SARA, **fields: Any) -> IssuedToken:
        return self.issuing.issue(self.principal, IssueRequest(api_key=app, subject=subject, **fields))

    def session(self, app: str, subject: Subject = SARA, **fields: Any) -> str:
        """The refresh token of a new session."""
        return self.issue(app, subject, refreshable=True, **fields).refresh_token

    def refresh(self, refresh_token: str, request_id: str = "", **fields: Any) -> RefreshedToken:
        return self.refreshing.refresh(self.principal, RefreshRequest(refresh_token, request_id, **fields))

    def validate(self, app: str, token: str, **questions: Any) -> Verdict:
        return self.validating.validate(self.principal, ValidateRequest(token=token, api_key=app, **questions))

    # -- what the store has -----------------------------------------------------------------------

    def ticket(self, refresh_token: str) -> RefreshTicket:
        return self.refresh_tokens.read(refresh_token)

    def kept(self, refresh_token: str) -> Session:
        """The session of a refresh token, as the real store has it."""
        state = self.domain.store.session_state(self.ticket(refresh_token).session_id)
        assert state is not None
        return state.session

    def revoke_session(self, refresh_token: str, reason: str = "logout") -> None:
        event = AuditEvent(self.clock(), "session.revoked", "test", "", "", "done")
        assert self.store.revoke_session(self.ticket(refresh_token).session_id, reason, event)

    def revoke_all(self, app: ApiKey, user_id: str | None, **options: Any) -> None:
        event = AuditEvent(self.clock(), "tokens.revoked", "test", app, user_id or "", "done")
        self.store.raise_watermark(app, None if user_id is None else UserId(user_id), event, **options)

    def rows(self) -> Mapping[str, int]:
        return dict(self.store.counts())

    def logged(self, scope: str = "audit") -> list[tuple[str, str, Mapping[str, Any]]]:
        """Level, message and event of what was logged under that scope."""
        return [line for line in self.log if line[2]["scope"] == scope]


@contextmanager
def open_service(
    directory: Path,
    clock: HandClock,
    store: str = "",
    *,
    kek: Kek | None = None,
    monotonic: Monotonic = system_monotonic,
) -> Iterator[Service]:
    """A service over a new store in that directory, or over the one at an address."""
    settings = Settings(state_dir=directory, listen="127.0.0.1:0", store=store)
    kek = kek or Kek(bytes(range(32)))
    with open_domain(settings, kek, clock=clock, monotonic=monotonic, randomness=system_randomness) as domain:
        log: list[tuple[str, str, Mapping[str, Any]]] = []
        domain.logs.configure_loggers(
            {"default": {"sink": lambda level, message, event: log.append((level.name.lower(), message, event))}}
        )
        domain.secrets.make_missing(domain.store)
        refresh_tokens = RefreshTokens(domain.secrets.ring(REFRESH_KEY_PURPOSE))
        ids = DerivedIds(domain.secrets.ring(GUEST_KEY_PURPOSE), system_randomness)
        yield Service(domain, clock, domain.store, log, refresh_tokens, ids)


def payload_of(token: str) -> dict[str, Any]:
    """What a token says, read by the standard library alone."""
    return cast("dict[str, Any]", json.loads(segment(token, 1)))


def segment(token: str, number: int) -> bytes:
    text = token.split(".")[number]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def violations(service: Service, app: str, subject: Subject | None = SARA, **fields: Any) -> dict[str, Violation]:
    """What an issue request is refused for, by field; empty when it is not."""
    try:
        service.issue(app, subject, **fields)
    except InvalidRequest as refused:
        return {violation.field: violation for violation in refused.violations}
    return {}


def session_id_of(issued: IssuedToken | RefreshedToken) -> SessionId | None:
    return issued.minted.token.claims.session_id
