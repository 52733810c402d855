"""GuestService: tokens for front ends without a service credential. Whatever an app did not open to them is refused.

A wish has no field for a user id, a role, a lifetime, an audience or a claim, so nothing else can be minted here; what
is wished is issued and refreshed by the use cases that serve callers with a credential.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authsvc.clock import Deadline
from authsvc.errors import CallerForbidden, Faults, InvalidRequest, Reason, RefreshRefused, Violation
from authsvc.model import PUBLIC_ID, ApiKey, AppSettings, Principal
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.issue import Issue, IssuedToken
from authsvc.tokens.refresh import Refresh, RefreshedToken
from authsvc.tokens.requests import AnonymousSubject, GuestSubject, IssueRequest, RefreshRequest, ScopeRequest
from authsvc.tokens.rules import check_scope
from authsvc.trust.access import known_app
from authsvc.trust.view import TrustView
from authsvc.verify.cid_patterns import is_open

Admit = Callable[[ApiKey], None]
"""Counts one more call of an app; raises ``Exhausted`` when there are too many."""


@dataclass(frozen=True, slots=True)
class GuestWish:
    """A wish to be a guest."""

    api_key: str
    guest: GuestSubject
    refreshable: bool = False
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class AnonymousWish:
    """A wish to watch. ``scope`` None: not present."""

    api_key: str
    scope: ScopeRequest | None = None


class GuestTokens:
    """The use case behind ``GuestService``. Each method raises what those of ``Issue`` and ``Refresh`` raise.

    ``admit`` is asked after the app's switches: it hears of no app that has nothing for strangers.
    """

    def __init__(self, view: TrustView, issue: Issue, refresh: Refresh, audit: TokenAudit, admit: Admit) -> None:
        self._view = view
        self._issue = issue
        self._refresh = refresh
        self._audit = audit
        self._admit = admit

    def issue(self, wish: GuestWish, address: str, *, deadline: Deadline | None = None) -> IssuedToken:
        """A token for a guest of an app; raises ``CallerForbidden`` (PUBLIC_GUESTS_DISABLED) too."""
        caller = self._guest_of(_named(wish.api_key), address, deadline)
        request = IssueRequest(
            api_key=wish.api_key,
            subject=wish.guest,
            refreshable=wish.refreshable,
            request_id=wish.request_id,
        )
        return self._issue.issue(caller, request, deadline=deadline)

    def refresh(
        self, refresh_token: str, request_id: str, address: str, *, deadline: Deadline | None = None
    ) -> RefreshedToken:
        """Go on with a session that ``issue`` opened; any other is refused here and left as it is."""
        request = RefreshRequest(refresh_token, request_id)
        found = self._refresh.find(request, deadline=deadline)
        session = found.state.session
        if not session.opened_public:
            self._audit.opened_by_a_service(the_public(session.api_key, address), session)
            raise RefreshRefused(Reason.REFRESH_TOKEN_INVALID, detail="a service opened the session")
        caller = self._guest_of(session.api_key, address, deadline)
        return self._refresh.go_on(caller, request, found, deadline=deadline)

    def issue_anonymous(self, wish: AnonymousWish, address: str, *, deadline: Deadline | None = None) -> IssuedToken:
        """A token for an anonymous visitor of what an app opens to all; raises SCOPE_NOT_PUBLIC for anything else."""
        api_key = _named(wish.api_key)
        settings = self._settings(api_key, deadline)
        if settings is None or not (settings.anonymous_enabled and settings.public_anonymous_cids):
            raise CallerForbidden(Reason.SCOPE_NOT_PUBLIC)
        self._admit(api_key)
        scope = _checked(wish.scope)
        if not all(is_open(cid, settings.public_anonymous_cids) for cid in (*scope.call_cids, *scope.channel_cids)):
            raise CallerForbidden(Reason.SCOPE_NOT_PUBLIC)
        request = IssueRequest(api_key=wish.api_key, subject=AnonymousSubject(), scope=scope)
        return self._issue.issue(the_public(api_key, address), request, deadline=deadline)

    def _guest_of(self, api_key: ApiKey, address: str, deadline: Deadline | None) -> Principal:
        """The caller of an app that lets strangers be its guests."""
        settings = self._settings(api_key, deadline)
        if settings is None or not (settings.guests_enabled and settings.public_guests):
            raise CallerForbidden(Reason.PUBLIC_GUESTS_DISABLED)
        self._admit(api_key)
        return the_public(api_key, address)

    def _settings(self, api_key: ApiKey, deadline: Deadline | None) -> AppSettings | None:
        """None for an app that does not exist, which is answered as one that is switched off: no name is told."""
        trust = known_app(self._view, api_key, deadline=deadline)
        return trust.app.settings if trust is not None else None


def the_public(api_key: ApiKey, address: str) -> Principal:
    """Anybody, for one app. Under an id of its own, so that what is derived from it is nothing a service is given."""
    return Principal(
        account_id=PUBLIC_ID,
        name=PUBLIC_ID,
        permissions=frozenset(),
        all_apps=False,
        apps=frozenset({api_key}),
        audiences=(),
        address=address,
    )


def _named(api_key: str) -> ApiKey:
    if not api_key:
        raise InvalidRequest([Violation("api_key", "must name the app")])
    return ApiKey(api_key)


def _checked(scope: ScopeRequest | None) -> ScopeRequest:
    faults = Faults()
    if scope is None:
        faults.add("scope", "is required: name the calls or channels to watch")
    else:
        check_scope(scope, faults)
    faults.refuse_any()
    return scope or ScopeRequest()
