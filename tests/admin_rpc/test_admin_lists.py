"""ListRevocations and ListAuditEvents: what stands on a page, and where the next one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

import pytest

from authsvc.model import ApiKey, AuditEvent, SessionId, TokenId, UserId
from authsvc.signing import base64url
from authsvc.v1 import admin_pb2 as pb
from authsvc.verify.claims import token_id_of
from tests.admin_rpc.asking import Scene
from tests.refusals import refusal_of
from tests.storage.records import a_session

METHODS = ("ListRevocations", "ListAuditEvents")
ACME = ApiKey("acme")


@dataclass(frozen=True)
class Listing:
    """A method that lists what stands in the store."""

    scene: Scene
    method: str

    def page(self, *, caller: str = "root", **fields: Any) -> tuple[list[str], str]:
        """What stands on a page, and the token of the next."""
        asked = {"api_key": "acme", **fields}
        answer = self.scene.ask(self.method, caller=caller, **asked)
        things: Any = answer.revocations if self.method == "ListRevocations" else answer.audit_events
        return [thing.SerializeToString().hex() for thing in things], answer.next_page_token

    def pages(self, size: int) -> Iterator[list[str]]:
        """All pages of that size."""
        token = ""
        while True:
            names, token = self.page(page_size=size, page_token=token)
            yield names
            if not token:
                return


def an_event(scene: Scene, subject: str = "sara") -> AuditEvent:
    return AuditEvent(scene.server.clock(), "tests.act", "test", "acme", subject, "done", "because")


@pytest.fixture
def busy(scene: Scene) -> Scene:
    """A scene in whose ``acme`` five users, two sessions and two tokens were revoked."""
    store = scene.server.domain.store
    for number in range(5):
        store.raise_watermark(ACME, UserId(f"user-{number}"), an_event(scene))
    for number in range(2):
        now = scene.server.clock()
        later = now + timedelta(days=1)
        session = a_session(
            id=SessionId(bytes([number]) * 16),
            created_at=now,
            rotated_at=now,
            idle_expires_at=later,
            absolute_expires_at=later,
        )
        store.open_session(session)
        store.revoke_session(session.id, "LOGOUT", an_event(scene))
        store.revoke_token(ACME, token_id_of(scene.server.domain.view.revision, bytes(12)), later, an_event(scene))
    return scene


@pytest.fixture(params=METHODS)
def listing(request: pytest.FixtureRequest, busy: Scene) -> Listing:
    """Each list."""
    return Listing(busy, request.param)


@pytest.mark.parametrize("size", [1, 2, 3, 9, 1000])
def test_pages_hold_everything_once(listing: Listing, size: int) -> None:
    """Page after page shows each thing once, every page but the last being full."""
    pages = list(listing.pages(size))
    (everything,) = listing.pages(1000)
    assert [name for page in pages for name in page] == everything
    assert len(set(everything)) == len(everything) >= 10
    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert 0 < len(pages[-1]) <= size


@pytest.mark.parametrize("size", [-1, 1001])
def test_a_page_size_out_of_range_is_refused(listing: Listing, size: int) -> None:
    """A page has 1 to 1000 things; 0 means 50."""
    assert refusal_of(lambda: listing.page(page_size=size)).fields == ("page_size",)
    assert listing.page(page_size=0)[0]


def test_a_page_token_is_for_its_question_and_its_caller(listing: Listing) -> None:
    """Another app, another filter, another caller: each begins anew; another page size goes on."""
    _, token = listing.page(page_size=1)
    other: dict[str, Any] = {"kind": 2} if listing.method == "ListRevocations" else {"action": "tests.act"}
    for changed in ({"api_key": "other"}, other, {"caller": "only admin.read"}):
        refusal = refusal_of(lambda changed=changed: listing.page(page_size=1, page_token=token, **changed))  # type: ignore[misc]
        assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("page_token",))
    assert listing.page(page_size=2, page_token=token)[0]


PLACES = (
    *(
        "",
        "x",
        "-1",
        "1e3",
        "9" * 20,
        str(2**63),
        "१",
        "watermark",
        "app/acme",
        "session/x",
        "token/x",
        "watermark/a b",
    ),
)


@pytest.mark.parametrize("place", PLACES)
def test_a_page_token_that_was_made_up_is_refused(listing: Listing, place: str) -> None:
    """Anybody can make the binding; where it goes on must be a place that there can be."""
    binding = base64url.decode(listing.page(page_size=1)[1])[:9]
    made_up = base64url.encode(binding + place.encode())
    refusal = refusal_of(lambda: listing.page(page_token=made_up))
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("page_token",))


def test_a_list_of_the_other_kind_does_not_go_on(busy: Scene) -> None:
    """The token of one list is refused by the other."""
    first, second = (Listing(busy, method) for method in METHODS)
    for asked, other in ((first, second), (second, first)):
        _, token = asked.page(page_size=1)
        assert refusal_of(lambda other=other, token=token: other.page(page_token=token)).fields == ("page_token",)  # type: ignore[misc]


def test_a_revocation_is_told_in_full(scene: Scene) -> None:
    """Each part of a user's, and until when a session and a token are remembered."""
    store, clock = scene.server.domain.store, scene.server.clock
    moment = clock() - timedelta(hours=1)
    jti = token_id_of(scene.server.domain.view.revision, b"twelve bytes")
    store.raise_watermark(ACME, None, an_event(scene), issued_before=moment)
    revision = store.revoke_token(ACME, TokenId(jti), None, an_event(scene))
    everyone, sara, token = scene.ask("ListRevocations", api_key="acme").revocations
    assert (everyone.kind, everyone.user_id) == (pb.REVOCATION_KIND_USERS, "")
    assert everyone.tokens_issued_before.ToDatetime(UTC) == moment
    assert everyone.sessions_created_before.ToDatetime(UTC) == moment
    assert not everyone.HasField("tokens_revoked_at")
    assert not everyone.HasField("sessions_revoked_at")
    assert (sara.kind, sara.user_id) == (pb.REVOCATION_KIND_USERS, "sara")
    assert sara.tokens_revoked_at.ToDatetime(UTC) == sara.sessions_revoked_at.ToDatetime(UTC) == clock()
    assert (token.kind, token.token_id, token.revision) == (pb.REVOCATION_KIND_TOKEN, jti, revision)
    assert not token.HasField("remembered_until"), "for ever"


def test_an_event_is_told_in_full(scene: Scene) -> None:
    """Every column of its row, with the revision of the change."""
    event = an_event(scene, "tom")
    revision = scene.server.domain.store.raise_watermark(ACME, UserId("tom"), event)
    (told,) = scene.ask("ListAuditEvents", page_size=1).audit_events
    assert told.at.ToDatetime(UTC) == event.at
    texts = (told.action, told.principal, told.api_key, told.subject, told.outcome, told.reason)
    assert texts == ("tests.act", "test", "acme", "tom", "done", "because")
    assert (told.revision, told.id > 0) == (revision, True)


def test_a_tenant_sees_its_own_events(scene: Scene) -> None:
    """Whoever may act for one app is not told what was done to accounts and to other apps."""
    assert {event.api_key for event in scene.ask("ListAuditEvents").audit_events} > {"acme"}
    assert {event.api_key for event in scene.ask("ListAuditEvents", caller="tenant").audit_events} == {"acme"}


@pytest.mark.parametrize("target", [{}, {"user_id": ""}, {"token_id": ""}, {"all_users": False}])
def test_nothing_is_taken_back_by_leaving_something_out(scene: Scene, target: dict[str, Any]) -> None:
    """Absent and present-but-empty are refused with the field, and what was revoked stays so."""
    before = scene.ask("ListRevocations", api_key="acme")
    refusal = refusal_of(lambda: scene.ask("ClearRevocation", api_key="acme", **target))
    assert refusal.fields == tuple(target or ("target",))
    assert scene.ask("ListRevocations", api_key="acme") == before
    assert scene.ask("ClearRevocation", api_key="acme", user_id="sara").cleared
