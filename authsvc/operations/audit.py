"""The use case for the audit: who changed what, newest first."""

from __future__ import annotations

from dataclasses import replace

from authsvc.clock import Deadline
from authsvc.errors import Faults
from authsvc.model import AuditRow, Principal
from authsvc.storage.base import AuditFilter, Store
from authsvc.trust.access import app_for
from authsvc.trust.view import TrustView

LONGEST_TEXT = 256
_TEXTS = ("principal", "action", "subject", "outcome")


class AuditAdmin:
    """A caller sees what was done to its own apps; what is about no app, or all, needs a caller with all apps."""

    def __init__(self, view: TrustView, store: Store) -> None:
        self._view = view
        self._store = store

    def listed(
        self,
        principal: Principal,
        wanted: AuditFilter,
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
        _check(wanted)
        visible = replace(wanted, apps=None if principal.all_apps else principal.apps)
        return self._store.list_audit(visible, before=before, limit=limit, deadline=deadline)


def _check(wanted: AuditFilter) -> None:
    faults = Faults()
    for name in _TEXTS:
        text = getattr(wanted, name)
        if len(text) > LONGEST_TEXT or "\0" in text:
            faults.add(name, f"must be at most {LONGEST_TEXT} characters, none of them NUL")
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        faults.add("until", "must be after since")
    faults.refuse_any()
