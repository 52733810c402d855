"""ListSessions: who is signed in to an app, or what one user has open."""

from __future__ import annotations

from dataclasses import dataclass

from authsvc.clock import Deadline
from authsvc.errors import InvalidRequest, Violation
from authsvc.model import Principal, SessionId, UserId
from authsvc.storage.base import SessionState, Store
from authsvc.trust.access import app_for
from authsvc.trust.view import TrustView
from authsvc.verify.identifiers import USER_ID_FORM, is_user_id


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """Sessions of an app, of one user unless that is empty. ``include_ended``: also those that are over."""

    api_key: str = ""
    user_id: str = ""
    include_ended: bool = False


class Sessions:
    """The use case behind ``AuthService.ListSessions``."""

    def __init__(self, view: TrustView, store: Store) -> None:
        self._view = view
        self._store = store

    def listed(
        self,
        principal: Principal,
        query: SessionQuery,
        *,
        after: SessionId | None,
        limit: int,
        deadline: Deadline | None = None,
    ) -> tuple[SessionState, ...]:
        """At most ``limit`` sessions by id, those after ``after``.

        Raises ``InvalidRequest``, ``CallerForbidden`` and ``NotFound`` for the app, and what the store raises.
        """
        app = app_for(self._view, principal, query.api_key, deadline=deadline).app
        if query.user_id and not is_user_id(query.user_id):
            raise InvalidRequest([Violation("user_id", f"must be {USER_ID_FORM}, or empty for all users")])
        return self._store.list_sessions(
            app.api_key,
            user_id=UserId(query.user_id) if query.user_id else None,
            include_ended=query.include_ended,
            after=after,
            limit=limit,
            deadline=deadline,
        )
