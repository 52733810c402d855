"""IssueToken: a token for a user, a guest or an anonymous viewer, with a session where it shall be refreshable."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from authsvc.clock import Deadline
from authsvc.errors import CallerForbidden, Faults, Reason
from authsvc.model import NO_SCOPE, Algorithm, ApiKey, Principal, Session, TokenScope
from authsvc.storage.base import Store
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.derived_ids import DerivedIds
from authsvc.tokens.lifetimes import expiry
from authsvc.tokens.lines import TokenLines
from authsvc.tokens.mint import Grant, Mint, MintedToken
from authsvc.tokens.opening import open_session
from authsvc.tokens.refresh_token import RefreshTicket, RefreshTokens
from authsvc.tokens.requests import AnonymousSubject, ExpiresAt, IssueRequest, NeverExpires
from authsvc.tokens.rules import check_after_revision, check_request_id, check_scope, custom_claims
from authsvc.tokens.subjects import ResolvedSubject, resolve_subject
from authsvc.trust.access import app_for
from authsvc.trust.catching_up import CatchingUp
from authsvc.trust.view import AppTrust, TrustView
from authsvc.verify.identifiers import check_audience


class IssuedToken(NamedTuple):
    """The answer; ``refresh_token`` is empty without a session. Prints none of its tokens."""

    minted: MintedToken
    refresh_token: str = ""
    refresh_expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"IssuedToken({self.minted!r}, ***)"


class Issue:
    """The use case behind ``AuthService.IssueToken``."""

    def __init__(
        self,
        view: TrustView,
        store: Store,
        mint: Mint,
        refresh_tokens: RefreshTokens,
        ids: DerivedIds,
        audit: TokenAudit,
        lines: TokenLines,
        catching_up: CatchingUp,
    ) -> None:
        self._view = view
        self._store = store
        self._mint = mint
        self._refresh_tokens = refresh_tokens
        self._ids = ids
        self._audit = audit
        self._lines = lines
        self._catching_up = catching_up

    def issue(self, principal: Principal, request: IssueRequest, *, deadline: Deadline | None = None) -> IssuedToken:
        """Mint what the request asks for, and open the session it belongs to.

        A refreshable request repeated with its ``request_id`` answers with the session the first one opened. Raises
        ``InvalidRequest`` with every fault at once, ``CallerForbidden``, ``NotFound``, ``KeyNotReady``, for a repeated
        request whose session ended ``RefreshRefused``, ``Unavailable`` (STALE) for a revision that is not seen in
        time, and what the store raises.
        """
        if request.after_revision > 0:
            self._catching_up.to_revision(request.after_revision, deadline=deadline)
        trust, subject, grant = self.judge(principal, request, deadline=deadline)
        if not request.refreshable:
            issued = IssuedToken(self._mint.mint(trust, grant))
            self._lines.minted(principal, issued.minted.token)
        else:
            issued = self._issue_with_session(principal, trust, request, subject, grant, deadline)
        self._audit.issued(principal, issued.minted.token, request.request_id)
        return issued

    def signs_quickly(self, api_key: str) -> bool:
        """Whether a signature of that app's key takes so little that no thread is worth it; False for unknown apps."""
        trust = self._view.app(ApiKey(api_key))
        if trust is None or self._catching_up.behind:
            return False
        return trust.app.settings.algorithm is not Algorithm.RS256

    def judge(
        self, principal: Principal, request: IssueRequest, *, deadline: Deadline | None = None
    ) -> tuple[AppTrust, ResolvedSubject, Grant]:
        """What the request asks for, where the caller may have it and all rules are kept; raises as ``issue``."""
        trust = app_for(self._view, principal, request.api_key, deadline=deadline)
        if trust.app.settings.suspended:
            raise CallerForbidden(Reason.APP_SUSPENDED)
        faults, settings = Faults(), trust.app.settings
        check_request_id(request.request_id, faults)
        check_after_revision(request.after_revision, faults)
        if request.scope is not None:
            check_scope(request.scope, faults)
        if request.audience:
            check_audience(request.audience, faults)
        _check_combination(request, allow_unscoped_anonymous=settings.allow_unscoped_anonymous, faults=faults)
        claims = custom_claims(request.custom_claims, faults)
        subject = resolve_subject(request, principal, trust, self._ids, faults)
        expires_at = expiry(request.lifetime, settings, self._mint.now(), faults)
        faults.refuse_any()
        scope = TokenScope(request.scope.call_cids, request.scope.channel_cids) if request.scope else NO_SCOPE
        audience = request.audience or settings.default_audience
        return trust, subject, Grant(subject.kind, subject.user, scope, audience, claims, expires_at)

    def _issue_with_session(
        self,
        principal: Principal,
        trust: AppTrust,
        request: IssueRequest,
        subject: ResolvedSubject,
        grant: Grant,
        deadline: Deadline | None,
    ) -> IssuedToken:
        session_id = self._ids.session_id(
            principal,
            trust.app.api_key,
            kind=subject.kind,
            subject=subject.stable_name,
            request_id=request.request_id,
        )
        opened = open_session(
            self._store, self._mint, trust, principal, request, grant, session_id=session_id, deadline=deadline
        )
        self._lines.opened(principal, opened.session, now=opened.now)
        return IssuedToken(opened.minted, self._refresh_text(opened.session), opened.session.idle_expires_at)

    def _refresh_text(self, session: Session) -> str:
        return self._refresh_tokens.text_of(RefreshTicket(self._store.epoch, session.id, session.generation))


def _check_combination(request: IssueRequest, *, allow_unscoped_anonymous: bool, faults: Faults) -> None:
    anonymous = isinstance(request.subject, AnonymousSubject)
    if anonymous and request.scope is None and not allow_unscoped_anonymous:
        faults.add("scope", "is required for an anonymous viewer: name the calls or channels to watch")
    if not request.refreshable:
        return
    if anonymous:
        faults.add("refreshable", "is not possible for an anonymous viewer")
    if isinstance(request.lifetime, ExpiresAt | NeverExpires):
        faults.add("refreshable", "goes with ttl or no lifetime only: each refresh gives a new expiry")
