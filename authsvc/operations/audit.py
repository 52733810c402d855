"""The use case for the audit: who changed what, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from authsvc.clock import Deadline, from_microseconds
from authsvc.errors import Faults
from authsvc.model import ApiKey, AuditRow, Principal
from authsvc.storage.base import AuditFilter, Store
from authsvc.trust.access import app_for
from authsvc.trust.view import TrustView

LONGEST_TEXT = 256
_TEXTS = ("principal", "action", "subject", "outcome")
_NANOS = 1_000_000_000
_END_OF_CALENDAR = 253_402_300_800  # seconds from 1970 to the year 10000


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment since 1970 UTC as the wire has it: judged by the rules, not by the decoder."""

    seconds: int
    nanos: int = 0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which rows to read; empty text and None: any. ``since`` is included, ``until`` is not."""

    api_key: str = ""
    principal: str = ""
    action: str = ""
    subject: str = ""
    outcome: str = ""
    since: Moment | None = None
    until: Moment | None = None


class AuditAdmin:
    """A caller sees what was done to its own apps; what is about no app, or all, needs a caller with all apps."""

    def __init__(self, view: TrustView, store: Store) -> None:
        self._view = view
        self._store = store

    def listed(
        self,
        principal: Principal,
        wanted: AuditQuery,
        *,
        before: int | None,
        limit: int,
        deadline: Deadline | None = None,
    ) -> tuple[AuditRow, ...]:
        """At most ``limit`` rows, those with an id smaller than ``before``.

        Raises ``InvalidRequest``, ``CallerForbidden`` and ``NotFound`` for an app that is named, and what the store
        raises.
        """
        if wanted.api_key:
            app_for(self._view, principal, wanted.api_key, deadline=deadline)
        visible = _judged(wanted, None if principal.all_apps else principal.apps)
        return self._store.list_audit(visible, before=before, limit=limit, deadline=deadline)


def _judged(wanted: AuditQuery, apps: frozenset[ApiKey] | None) -> AuditFilter:
    faults = Faults()
    since, until = (_moment(name, getattr(wanted, name), faults) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        faults.add("until", "must be after since")
    _check_texts(wanted, faults)
    faults.refuse_any()
    return AuditFilter(
        api_key=wanted.api_key,
        principal=wanted.principal,
        action=wanted.action,
        subject=wanted.subject,
        outcome=wanted.outcome,
        since=since,
        until=until,
        apps=apps,
    )


def _moment(field: str, moment: Moment | None, faults: Faults) -> datetime | None:
    if moment is None:
        return None
    if 0 <= moment.seconds < _END_OF_CALENDAR and 0 <= moment.nanos < _NANOS:
        return from_microseconds(moment.seconds * 1_000_000 + moment.nanos // 1_000)
    faults.add(field, "must be a moment between 1970 and 9999")
    return None


def _check_texts(wanted: AuditQuery, faults: Faults) -> None:
    for name in _TEXTS:
        text = getattr(wanted, name)
        if len(text) > LONGEST_TEXT or "\0" in text:
            faults.add(name, f"must be at most {LONGEST_TEXT} characters, none of them NUL")
