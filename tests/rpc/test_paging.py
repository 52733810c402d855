"""Pages: bounded, in order, each item once, and a page token that is good for its caller and its list only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from authsvc.errors import InvalidRequest
from authsvc.model import AccountId, Principal
from authsvc.rpc.paging import Page, page_of
from authsvc.signing import base64url
from authsvc.v1 import admin_pb2 as pb
from tests.conftest import RunningServer
from tests.refusals import Refusal, refusal_of
from tests.rpc.surface import bearer

ITEMS = [f"item-{number:04}" for number in range(2_345)]


def principal(account_id: str = "me") -> Principal:
    """A caller."""
    return Principal(AccountId(account_id), account_id, frozenset(), True, frozenset(), ())


def page(items: Sequence[str] = ITEMS, **asked: Any) -> Page[str]:
    """A page of the items for a caller."""
    wanted: dict[str, Any] = {"question": "items", "principal": principal(), "size": 0, "token": "", **asked}
    return page_of(items, str, **wanted)


def walk(items: Sequence[str], size: int) -> list[str]:
    """All items, page by page."""
    found: list[str] = []
    token = ""
    while True:
        each = page(items, size=size, token=token)
        found += each.items
        token = each.next_token
        if not token:
            return found
        assert len(each.items) == (size or 50), "only the last page is short"


@pytest.mark.parametrize("size", [0, 1, 7, 999, 1_000])
@pytest.mark.parametrize("count", [0, 1, 7, 50, 51, 100, 1_000, 1_001])
def test_a_walk_finds_each_item_once(size: int, count: int) -> None:
    """Whatever the size of the pages, in order, none twice, none missing; 0 means 50."""
    assert walk(ITEMS[:count], size) == ITEMS[:count]


@pytest.mark.parametrize("size", [-1, -(2**31), 1_001, 2**31 - 1])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    """0 to 1000, and the fault names the field."""
    with pytest.raises(InvalidRequest) as refused:
        page(size=size)
    assert [violation.field for violation in refused.value.violations] == ["page_size"]


def other_tokens() -> dict[str, str]:
    """Page tokens that are not the caller's for this list."""
    good = page(size=10).next_token
    raw = base64url.decode(good)
    return {
        "another caller's": page(size=10, principal=principal("you")).next_token,
        "another list's": page(size=10, question="other").next_token,
        "cut": good[:8],
        "padded": f"{good}==",
        "not base64url": "+/+/",
        "a key alone": base64url.encode(b"item-0010"),
        "another binding": base64url.encode(bytes([raw[0] ^ 1]) + raw[1:]),
        "not UTF-8": base64url.encode(raw[:9] + b"\xff\xfe"),
        "not ASCII": "é",
        "long": "A" * 10_000,
    }


@pytest.mark.parametrize("kind", other_tokens())
def test_a_token_of_something_else_is_refused(kind: str) -> None:
    """A page token is bound to its caller and its question, and nothing else is one."""
    with pytest.raises(InvalidRequest) as refused:
        page(size=10, token=other_tokens()[kind])
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


def test_a_walk_goes_on_where_it_was_though_the_list_changed() -> None:
    """Items that came or went meanwhile move nothing: what was shown is not shown again, the rest is shown."""
    first = page(ITEMS[10:20], size=5)
    changed = [*ITEMS[:12], *ITEMS[14:30]]  # some before it came, two that were shown are gone
    assert list(page(changed, size=50, token=first.next_token).items) == ITEMS[15:30]


def list_refusal(server: RunningServer, credential: str, request: pb.ListAppsRequest) -> Refusal:
    """How listing apps is refused."""
    return refusal_of(lambda: server.admin().ListApps(request, metadata=bearer(credential)))


def test_pages_over_the_wire(server: RunningServer) -> None:
    """Apps and accounts are walked by their keys, and neither's token opens the other, nor another caller's."""
    for number in range(6):
        server.new_app(f"app{number}")
    admin, found, token = server.admin(), [], ""
    while True:
        request = pb.ListAppsRequest(page_size=3, page_token=token)
        answer = admin.ListApps(request, metadata=server.metadata)
        found += [app.api_key for app in answer.apps]
        token = answer.next_page_token or token
        if not answer.next_page_token:
            break
    assert found == [*(f"app{number}" for number in range(6)), "dev"]
    other = server.new_credential("other", permissions=("admin.read",), all_apps=True)
    assert list_refusal(server, other, pb.ListAppsRequest(page_token=token)).fields == ("page_token",)
    assert list_refusal(server, server.credential, pb.ListAppsRequest(page_size=1_001)).fields == ("page_size",)
    accounts = pb.ListServiceAccountsRequest(page_token=token)
    refusal = refusal_of(lambda: admin.ListServiceAccounts(accounts, metadata=server.metadata))
    assert refusal.fields == ("page_token",)
