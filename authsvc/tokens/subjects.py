"""Whom a token can speak for, and what each kind may ask."""

from __future__ import annotations

from typing import NamedTuple

from authsvc.errors import CallerForbidden, Faults, Reason
from authsvc.model import AppSettings, Kind, Principal, User, UserId
from authsvc.tokens.derived_ids import DerivedIds
from authsvc.tokens.requests import AnonymousSubject, GuestSubject, IssueRequest, UserSubject
from authsvc.tokens.rules import check_role, json_object
from authsvc.trust.view import AppTrust
from authsvc.verify.identifiers import ANONYMOUS_ID, GUEST_PREFIX, USER_ID_FORM, is_user_id

GUEST_ROLE = "guest"
_MAX_HINT = 128 - len(GUEST_PREFIX) - 36 - 1


class ResolvedSubject(NamedTuple):
    """A subject by its final id. ``stable_name`` is what a retry names again: the user's id, or the guest's hint."""

    kind: Kind
    user: User
    stable_name: str


def allow_kind(kind: Kind, settings: AppSettings) -> None:
    """Raise ``CallerForbidden`` when the app does not allow that kind: GUESTS_DISABLED or ANONYMOUS_DISABLED."""
    if kind is Kind.GUEST and not settings.guests_enabled:
        raise CallerForbidden(Reason.GUESTS_DISABLED)
    if kind is Kind.ANONYMOUS and not settings.anonymous_enabled:
        raise CallerForbidden(Reason.ANONYMOUS_DISABLED)


def resolve_subject(
    request: IssueRequest, principal: Principal, trust: AppTrust, ids: DerivedIds, faults: Faults
) -> ResolvedSubject:
    """The subject of a request; notes its faults, and raises ``CallerForbidden`` for a kind the app does not allow."""
    match request.subject:
        case UserSubject() as user:
            return _user(user, faults)
        case GuestSubject() as guest:
            allow_kind(Kind.GUEST, trust.app.settings)
            return _guest(guest, request.request_id, principal, trust, ids, faults)
        case AnonymousSubject() as anonymous:
            allow_kind(Kind.ANONYMOUS, trust.app.settings)
            return _anonymous(anonymous, trust.app.settings, faults)
        case None:
            faults.add("subject", "must be exactly one of user, guest, anonymous")
            return ResolvedSubject(Kind.USER, User(UserId("")), "")


def _user(subject: UserSubject, faults: Faults) -> ResolvedSubject:
    if not is_user_id(subject.id):
        faults.add("user.id", f"must be {USER_ID_FORM}")
    elif subject.id.startswith(GUEST_PREFIX):
        faults.add("user.id", f"must not begin with {GUEST_PREFIX!r}: such ids are made for guests; ask with guest")
    check_role(subject.role, "user.role", faults)
    custom = None if subject.custom is None else json_object(subject.custom, "user.custom", faults)
    user = User(UserId(subject.id), subject.role, subject.name, subject.image, custom)
    return ResolvedSubject(Kind.USER, user, subject.id)


def _guest(
    subject: GuestSubject, request_id: str, principal: Principal, trust: AppTrust, ids: DerivedIds, faults: Faults
) -> ResolvedSubject:
    hint = subject.id_hint
    if hint and (len(hint) > _MAX_HINT or not is_user_id(hint)):
        faults.add("guest.id_hint", f"must be empty or at most {_MAX_HINT} of the characters of a user id")
        hint = ""
    custom = None if subject.custom is None else json_object(subject.custom, "guest.custom", faults)
    guest_id = ids.guest_id(principal, trust.app.api_key, hint=hint, request_id=request_id)
    user = User(guest_id, GUEST_ROLE, subject.name, subject.image, custom)
    return ResolvedSubject(Kind.GUEST, user, hint)


def _anonymous(subject: AnonymousSubject, settings: AppSettings, faults: Faults) -> ResolvedSubject:
    role = subject.role or settings.anonymous_role
    if role not in (settings.anonymous_role, *settings.anonymous_roles):
        faults.add("anonymous.role", "must be empty, or a role that the app's setting anonymous_roles lists")
    return ResolvedSubject(Kind.ANONYMOUS, User(UserId(ANONYMOUS_ID), role), ANONYMOUS_ID)
