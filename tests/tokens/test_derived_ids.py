"""Ids that a retry makes again: the same for the same request of the same caller, another for any other."""

from __future__ import annotations

import pickle
import uuid
from itertools import combinations
from typing import Any

import pytest

from authsvc.clock import system_randomness
from authsvc.model import ApiKey, Kind
from authsvc.tokens.derived_ids import DerivedIds
from authsvc.tokens.requests import GuestSubject, IssueRequest
from tests.tokens.service import REQUEST_ID, Service, a_principal, payload_of
from tests.trust.rings import a_ring

IDS = DerivedIds(a_ring({1: bytes(range(32))}), system_randomness)
SVC = a_principal("svc-1")

GUEST: dict[str, Any] = {"principal": SVC, "api_key": ApiKey("acme"), "hint": "bob", "request_id": REQUEST_ID}
SESSION: dict[str, Any] = {
    "principal": SVC,
    "api_key": ApiKey("acme"),
    "kind": Kind.USER,
    "subject": "sara",
    "request_id": REQUEST_ID,
}

OTHER_GUESTS: dict[str, dict[str, Any]] = {
    "the same": {},
    "another caller": {"principal": a_principal("svc-2")},
    "another app": {"api_key": ApiKey("acme2")},
    "an app in another case": {"api_key": ApiKey("Acme")},
    "another hint": {"hint": "bo"},
    "no hint": {"hint": ""},
    "another request": {"request_id": REQUEST_ID[:-1] + "2"},
    "a longer request": {"request_id": REQUEST_ID + "1"},
    "a border moved between caller and app": {"principal": a_principal("svc-1a"), "api_key": ApiKey("cme")},
    "a border moved between request and hint": {"request_id": REQUEST_ID + "b", "hint": "ob"},
}
OTHER_SESSIONS: dict[str, dict[str, Any]] = {
    "the same": {},
    "another caller": {"principal": a_principal("svc-2")},
    "another app": {"api_key": ApiKey("acme2")},
    "another kind": {"kind": Kind.GUEST},
    "another user": {"subject": "sar"},
    "a user in another case": {"subject": "Sara"},
    "another request": {"request_id": REQUEST_ID[:-1] + "2"},
    "a border moved between user and request": {"subject": "sarar", "request_id": REQUEST_ID[1:]},
    "a border moved between caller and app": {"principal": a_principal("svc-1a"), "api_key": ApiKey("cme")},
}


def guest(ids: DerivedIds, **other: Any) -> str:
    call = {**GUEST, **other}
    return ids.guest_id(call.pop("principal"), call.pop("api_key"), **call)


def session(ids: DerivedIds, **other: Any) -> bytes:
    call = {**SESSION, **other}
    return ids.session_id(call.pop("principal"), call.pop("api_key"), **call)


def test_a_retry_gives_the_same_guest_and_the_same_session() -> None:
    """The same call makes the same ids, in another process with the same key too."""
    again = DerivedIds(a_ring({1: bytes(range(32))}), system_randomness)
    assert guest(IDS) == guest(IDS) == guest(again)
    assert session(IDS) == session(IDS) == session(again)


@pytest.mark.parametrize(("first", "second"), list(combinations(OTHER_GUESTS, 2)))
def test_any_other_request_is_another_guest(first: str, second: str) -> None:
    """Whatever differs between two calls, they make two guests."""
    ids = [guest(IDS, **OTHER_GUESTS[name]) for name in (first, second)]
    assert ids[0][:42] != ids[1][:42]


@pytest.mark.parametrize(("first", "second"), list(combinations(OTHER_SESSIONS, 2)))
def test_any_other_request_is_another_session(first: str, second: str) -> None:
    """Whatever differs between two calls, they make two sessions."""
    assert session(IDS, **OTHER_SESSIONS[first]) != session(IDS, **OTHER_SESSIONS[second])


def test_a_guest_s_uuid_is_no_session_s() -> None:
    """The session of a guest does not have the guest's uuid: the one is shown to others."""
    uuid_of_guest = uuid.UUID(guest(IDS, hint="")[6:])
    assert uuid_of_guest.bytes != session(IDS, kind=Kind.GUEST, subject="")


def test_another_key_makes_other_ids() -> None:
    """Nobody without the key can foresee an id."""
    other = DerivedIds(a_ring({1: bytes(32)}), system_randomness)
    assert guest(other) != guest(IDS)
    assert session(other) != session(IDS)


@pytest.mark.parametrize("request_id", ["", REQUEST_ID])
def test_they_are_uuids(request_id: str) -> None:
    """Both ids are UUIDs of the standard's variant: random ones (version 4), or of our own making (version 8)."""
    for raw in (uuid.UUID(guest(IDS, request_id=request_id, hint="")[6:]).bytes, session(IDS, request_id=request_id)):
        assert raw[6] >> 4 == (8 if request_id else 4)
        assert raw[8] >> 6 == 0b10


def test_without_a_request_id_each_is_new() -> None:
    """Without a request id no two calls make the same, and the randomness passed in is what makes them."""
    assert len({guest(IDS, request_id="") for _ in range(20)}) == 20
    assert len({session(IDS, request_id="") for _ in range(20)}) == 20
    fixed = DerivedIds(a_ring({1: bytes(32)}), lambda size: b"\5" * size)
    assert guest(fixed, request_id="") == guest(fixed, request_id="")


def test_the_key_does_not_show() -> None:
    """Neither printing nor pickling shows the key."""
    assert repr(IDS) == str(IDS) == "DerivedIds(***)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(IDS)


def test_a_guest_survives_a_retry_of_the_request(desk: Service) -> None:
    """A repeated IssueToken names the same guest, and another caller's, app's or hint's does not."""
    app, other_app = desk.app(guests_enabled=True), desk.app(guests_enabled=True)

    def guest_of(account: str, api_key: str, hint: str, request_id: str) -> str:
        request = IssueRequest(api_key=api_key, subject=GuestSubject(hint), request_id=request_id)
        user_id = payload_of(desk.issuing.issue(a_principal(account), request).minted.text)["user_id"]
        return str(user_id)[:42]

    first = guest_of("svc-1", app, "bob", REQUEST_ID)
    assert guest_of("svc-1", app, "bob", REQUEST_ID) == first
    others = {
        guest_of("svc-2", app, "bob", REQUEST_ID),
        guest_of("svc-1", other_app, "bob", REQUEST_ID),
        guest_of("svc-1", app, "rob", REQUEST_ID),
        guest_of("svc-1", app, "bob", REQUEST_ID + "x"),
        guest_of("svc-1", app, "bob", ""),
    }
    assert len(others | {first}) == 6


def test_no_row_is_kept_for_a_guest(service: Service) -> None:
    """However many guests are made, nothing is written."""
    app, before = service.app(guests_enabled=True), None
    for number in range(5):
        before = before or service.rows()
        service.issue(app, GuestSubject("bob"), request_id=f"{REQUEST_ID}{number}")
    assert service.rows() == before
