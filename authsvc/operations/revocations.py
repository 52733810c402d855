"""The use cases for what was revoked: to see it, and to take back what was revoked by mistake."""

from __future__ import annotations

from dataclasses import dataclass

from authsvc.clock import Clock, Deadline
from authsvc.errors import Faults, InvalidRequest, Violation
from authsvc.model import App, AuditEvent, Principal, Revision, Subject, TokenId, UserId
from authsvc.storage.base import Revocation, Store
from authsvc.trust.access import app_for
from authsvc.trust.view import TrustView
from authsvc.verify.claims import is_token_id
from authsvc.verify.identifiers import ANONYMOUS_ID, USER_ID_FORM, is_user_id

KINDS = (Subject.WATERMARK, Subject.SESSION, Subject.TOKEN)
"""What can be revoked, in the order in which it is listed: users and the app, then sessions, then single tokens."""


@dataclass(frozen=True, slots=True)
class ClearRequest:
    """Whose revocation to take back; exactly one is not None."""

    api_key: str = ""
    user_id: str | None = None
    token_id: str | None = None
    all_users: bool | None = None


@dataclass(frozen=True, slots=True)
class RevocationQuery:
    """What is revoked in an app. ``user_id`` empty: for everybody; ``kind`` None: of every kind."""

    api_key: str = ""
    kind: Subject | None = None
    user_id: str = ""

    @property
    def kinds(self) -> tuple[Subject, ...]:
        """The kinds to look at, in their order."""
        return KINDS if self.kind is None else (self.kind,)


@dataclass(frozen=True, slots=True)
class RevocationPlace:
    """Where a list has got to: the kind of the last one and what the feed calls it."""

    kind: Subject
    name: str


class RevocationsAdmin:
    """Every method raises ``CallerForbidden`` and ``NotFound`` for the app, and what the store raises."""

    def __init__(self, view: TrustView, store: Store, *, clock: Clock) -> None:
        self._view = view
        self._store = store
        self._clock = clock

    def clear(
        self, principal: Principal, request: ClearRequest, *, deadline: Deadline | None = None
    ) -> Revision | None:
        """Let the tokens be good again that were revoked and have not expired; returns the revision of that, None when
        there was nothing to clear.

        Sessions that ended stay ended, and what a restore revoked stays revoked. Raises ``InvalidRequest``.
        """
        app = self._named(principal, request.api_key, deadline)
        _check_clear(request)
        if request.token_id is not None:
            event = self._event(principal, app, "token.cleared", request.token_id)
            return self._store.clear_token(app.api_key, TokenId(request.token_id), event, deadline=deadline)
        user_id = None if request.user_id is None else UserId(request.user_id)
        action = "all_users.cleared" if user_id is None else "user.cleared"
        event = self._event(principal, app, action, user_id or "")
        return self._store.clear_watermark(app.api_key, user_id, event, deadline=deadline)

    def listed(
        self,
        principal: Principal,
        query: RevocationQuery,
        *,
        after: RevocationPlace | None,
        limit: int,
        deadline: Deadline | None = None,
    ) -> tuple[Revocation, ...]:
        """At most ``limit`` revocations that still matter, those after ``after``. Raises ``InvalidRequest``."""
        app = self._named(principal, query.api_key, deadline)
        _check_query(query)
        found: list[Revocation] = []
        for kind in query.kinds:
            if after is not None and KINDS.index(kind) < KINDS.index(after.kind):
                continue
            found += self._store.list_revocations(
                app.api_key,
                kind=kind,
                user_id=UserId(query.user_id) if query.user_id else None,
                after=after.name if after is not None and kind is after.kind else None,
                limit=limit - len(found),
                deadline=deadline,
            )
            if len(found) >= limit:
                break
        return tuple(found)

    def _named(self, principal: Principal, api_key: str, deadline: Deadline | None) -> App:
        """An empty name is a fault, as for all that operators do: no app is met because its name was left out."""
        if not api_key:
            raise InvalidRequest([Violation("api_key", "must name the app")])
        return app_for(self._view, principal, api_key, deadline=deadline).app

    def _event(self, principal: Principal, app: App, action: str, subject: str) -> AuditEvent:
        return AuditEvent(self._clock(), action, principal.account_id, app.api_key, subject, "cleared")


def _check_clear(request: ClearRequest) -> None:
    faults = Faults()
    if request.user_id is None and request.token_id is None and request.all_users is None:
        faults.add("target", "must be set: one of user_id, token_id, all_users")
    if request.user_id is not None:
        _check_user(request.user_id, faults)
    if request.token_id is not None and not is_token_id(request.token_id):
        faults.add("token_id", "must be the token_id (jti) of a token of this service")
    if request.all_users is False:
        faults.add("all_users", "is present but false: set it, or name another target")
    faults.refuse_any()


def _check_query(query: RevocationQuery) -> None:
    faults = Faults()
    if query.kind is not None and query.kind not in KINDS:
        faults.add("kind", "must be one that this version knows, or unset for all")
    if query.user_id:
        _check_user(query.user_id, faults)
        if query.kind is Subject.TOKEN:
            faults.add("user_id", "does not go with single tokens: they are known by their jti alone")
    faults.refuse_any()


def _check_user(user_id: str, faults: Faults) -> None:
    if not (is_user_id(user_id) or user_id == ANONYMOUS_ID):
        faults.add("user_id", f"must be {USER_ID_FORM}, or {ANONYMOUS_ID} for all anonymous visitors")
