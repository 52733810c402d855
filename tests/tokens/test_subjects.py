"""Users, guests and anonymous viewers: who can be named, and how."""

from __future__ import annotations

import pytest

from authsvc.errors import CallerForbidden, Reason
from authsvc.model import Kind
from authsvc.tokens.requests import AnonymousSubject, GuestSubject, ScopeRequest, Subject, UserSubject
from tests.tokens.service import Service, payload_of, violations

SCOPE = ScopeRequest(("video:1",))


@pytest.fixture(scope="module")
def app(desk: Service) -> str:
    """An app with every kind switched on."""
    return desk.app(
        guests_enabled=True, anonymous_enabled=True, anonymous_role="viewer", anonymous_roles=("fan", "press")
    )


@pytest.mark.parametrize(
    "user_id", ["s", "S", "0", "sara@example.com", "a.b_c:d|e+f=g~h-i", "-", "=", "a" * 128, "anon", "guest", "Guest-1"]
)
def test_ids_of_users(desk: Service, app: str, user_id: str) -> None:
    """A user id is 1 to 128 of the alphabet of user ids, and arrives as it was given."""
    assert payload_of(desk.issue(app, UserSubject(user_id)).minted.text)["user_id"] == user_id


OTHER_CHARACTERS = ["sa ra", "sara\n", "sara\0", "sara/x", "sára", "ѕara", "!sara", "a!b", "a,b", " ", '"', "\\"]
OTHER_KINDS = ["!anon", "guest-", "guest-1", "guest-00010203-0405-4607-8809-0a0b0c0d0e0f-bob"]


@pytest.mark.parametrize("user_id", ["", "a" * 129, *OTHER_CHARACTERS, *OTHER_KINDS])
def test_no_ids_of_users(desk: Service, app: str, user_id: str) -> None:
    """What is empty, too long, of other characters, or looks like a guest or an anonymous viewer is refused."""
    assert list(violations(desk, app, UserSubject(user_id))) == ["user.id"]


@pytest.mark.parametrize("role", ["a", "host", "a0_-", "a" * 64, "guest"])
def test_roles_of_users(desk: Service, app: str, role: str) -> None:
    """A role is a lower-case letter and up to 63 more characters."""
    assert payload_of(desk.issue(app, UserSubject("sara", role)).minted.text)["role"] == role


@pytest.mark.parametrize("role", ["A", "Host", "0a", "_a", "-a", "a b", "a" * 65, "a.b", "ä", "аdmin", "a\n", " a"])
def test_no_roles_of_users(desk: Service, app: str, role: str) -> None:
    """Any other role is refused; leaving it out is not."""
    assert list(violations(desk, app, UserSubject("sara", role))) == ["user.role"]
    assert "role" not in payload_of(desk.issue(app, UserSubject("sara", "")).minted.text)


def test_a_subject_is_required(desk: Service, app: str) -> None:
    """A request without a subject is refused, in words that name the three."""
    refused = violations(desk, app, None)
    assert list(refused) == ["subject"]
    assert refused["subject"].description == "must be exactly one of user, guest, anonymous"


HINTS = ["", "bob", "B.o_b@x", "guest-x", "a" * 85]


@pytest.mark.parametrize("hint", HINTS, ids=["none", "a name", "other characters", "another prefix", "the longest"])
def test_hints_of_guests(desk: Service, app: str, hint: str) -> None:
    """A guest's id ends in the hint, begins with `guest-`, and is an id that a verifier accepts."""
    issued = desk.issue(app, GuestSubject(hint))
    user_id = payload_of(issued.minted.text)["user_id"]
    assert user_id.startswith("guest-")
    assert user_id.endswith(f"-{hint}" if hint else "")
    assert len(user_id) == 42 + (len(hint) + 1 if hint else 0) <= 128
    verdict = desk.validate(app, issued.minted.text)
    assert verdict.active
    assert verdict.token is not None
    assert verdict.token.claims.kind is Kind.GUEST


@pytest.mark.parametrize("hint", ["a" * 86, "!anon", "a b", "bö", "a/b", "a\n", "!"])
def test_no_hints_of_guests(desk: Service, app: str, hint: str) -> None:
    """A hint that would make no user id is refused."""
    assert list(violations(desk, app, GuestSubject(hint))) == ["guest.id_hint"]


def test_every_guest_is_another_one(desk: Service, app: str) -> None:
    """Without a request id each request makes a new guest, also with the same hint."""
    ids = {payload_of(desk.issue(app, GuestSubject("bob")).minted.text)["user_id"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize(("asked", "given"), [("", "viewer"), ("viewer", "viewer"), ("fan", "fan"), ("press", "press")])
def test_roles_of_anonymous_viewers(desk: Service, app: str, asked: str, given: str) -> None:
    """An anonymous viewer has the app's role, or one that the app lists."""
    issued = desk.issue(app, AnonymousSubject(asked), scope=SCOPE)
    assert payload_of(issued.minted.text)["role"] == given


@pytest.mark.parametrize("role", ["admin", "Fan", "fan ", "guest", "viewe"])
def test_no_roles_of_anonymous_viewers(desk: Service, app: str, role: str) -> None:
    """Any other role is refused."""
    assert list(violations(desk, app, AnonymousSubject(role), scope=SCOPE)) == ["anonymous.role"]


def test_an_anonymous_viewer_has_a_scope(desk: Service, app: str) -> None:
    """An anonymous token is limited, unless the app allows otherwise."""
    assert list(violations(desk, app, AnonymousSubject())) == ["scope"]
    lenient = desk.app(anonymous_enabled=True, allow_unscoped_anonymous=True)
    assert "call_cids" not in payload_of(desk.issue(lenient, AnonymousSubject()).minted.text)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [(GuestSubject(), Reason.GUESTS_DISABLED), (AnonymousSubject(), Reason.ANONYMOUS_DISABLED)],
    ids=["guest", "anonymous"],
)
def test_kinds_are_switched_on_by_the_app(desk: Service, app: str, subject: Subject, reason: Reason) -> None:
    """Guests and anonymous viewers exist only where the app wants them; users exist everywhere."""
    plain = desk.app()
    with pytest.raises(CallerForbidden) as refused:
        desk.issue(plain, subject, scope=SCOPE)
    assert refused.value.reason is reason
    assert desk.validate(app, desk.issue(app, subject, scope=SCOPE).minted.text, call_cid="video:1").active
    assert desk.validate(plain, desk.issue(plain).minted.text).active


@pytest.mark.parametrize(
    "subject", [UserSubject("sara"), GuestSubject(), AnonymousSubject()], ids=lambda one: type(one).__name__
)
def test_a_suspended_app_issues_nothing(service: Service, subject: Subject) -> None:
    """While an app is suspended no kind of token is made; afterwards it is as before."""
    app = service.app(guests_enabled=True, anonymous_enabled=True)
    service.set(app, suspended=True)
    with pytest.raises(CallerForbidden) as refused:
        service.issue(app, subject, scope=SCOPE)
    assert refused.value.reason is Reason.APP_SUSPENDED
    service.set(app, suspended=False)
    assert service.validate(app, service.issue(app, subject, scope=SCOPE).minted.text, call_cid="video:1").active
