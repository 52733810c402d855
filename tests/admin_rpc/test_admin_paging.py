"""Lists come in pages, for both kinds of things that are listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from authsvc.model import Algorithm
from tests.admin_rpc.asking import Scene
from tests.refusals import refusal_of


@dataclass(frozen=True)
class Listing:
    """A method that lists, how its things are named, and how one more is made."""

    scene: Scene
    method: str

    def add(self, name: str) -> None:
        if self.method == "ListApps":
            self.scene.server.new_app(name, algorithm=Algorithm.HS256)
        else:
            self.scene.server.new_credential(name, permissions=("trust.read",))

    def page(self, size: int = 0, token: str = "", caller: str = "root") -> tuple[list[str], str]:
        """The names on a page, and the token of the next."""
        answer = self.scene.ask(self.method, caller=caller, page_size=size, page_token=token)
        things: Any = answer.apps if self.method == "ListApps" else answer.service_accounts
        return [self._key(thing) for thing in things], answer.next_page_token

    def pages(self, size: int) -> Iterator[list[str]]:
        """All pages of that size."""
        token = ""
        while True:
            names, token = self.page(size, token)
            yield names
            if not token:
                return

    def _key(self, thing: Any) -> str:
        key: str = thing.api_key if self.method == "ListApps" else thing.id
        return key


@pytest.fixture(params=["ListApps", "ListServiceAccounts"])
def listing(request: pytest.FixtureRequest, scene: Scene) -> Listing:
    """Each list."""
    return Listing(scene, request.param)


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
def test_pages_hold_everything_once_and_in_order(listing: Listing, size: int) -> None:
    """Page after page shows each thing once, ordered by its key, every page but the last being full."""
    for number in range(4):
        listing.add(f"more-{number}")
    pages = list(listing.pages(size))
    names = [name for page in pages for name in page]
    (everything,) = listing.pages(1000)
    assert names == everything == sorted(set(everything))
    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert 0 < len(pages[-1]) <= size


def test_a_page_holds_fifty_unless_told_otherwise(listing: Listing) -> None:
    """A page size of 0 means 50."""
    for number in range(60):
        listing.add(f"more-{number}")
    names, token = listing.page()
    assert len(names) == 50
    assert token
    assert len(listing.page(51)[0]) == 51


@pytest.mark.parametrize("size", [-1, 1001, 2**31 - 1, -(2**31)])
def test_a_page_size_out_of_range_is_refused(listing: Listing, size: int) -> None:
    """A page has 1 to 1000 things."""
    refusal = refusal_of(lambda: listing.page(size))
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("page_size",))
    assert listing.page(1000)[0]


def test_a_page_goes_on_where_the_last_one_ended(listing: Listing) -> None:
    """What is made between two pages is neither a gap nor a repetition, and shows when its place is still to come."""
    before, token = listing.page(2)
    for number in range(5):
        listing.add(f"between-{number}")
    rest, _ = listing.page(1000, token)
    everything, _ = listing.page(1000)
    assert rest == [name for name in everything if name > before[-1]]
    assert set(before).isdisjoint(rest)


def test_a_page_token_is_for_the_caller_that_got_it(listing: Listing) -> None:
    """Another caller with the same rights cannot go on with it; the caller itself can, with another page size too."""
    _, token = listing.page(1)
    refusal = refusal_of(lambda: listing.page(1, token, caller="only admin.read"))
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("page_token",))
    assert listing.page(2, token)[0]


def test_a_page_token_is_for_its_list(scene: Scene) -> None:
    """The token of one list is refused by the other."""
    apps, accounts = Listing(scene, "ListApps"), Listing(scene, "ListServiceAccounts")
    for asked, other in ((apps, accounts), (accounts, apps)):
        _, token = asked.page(1)
        refusal = refusal_of(lambda other=other, token=token: other.page(1, token))  # type: ignore[misc]
        assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("page_token",))
        assert asked.page(1, token)[0]


@pytest.mark.parametrize("place", ["before", "behind", "cut", "other", "not ASCII"])
def test_a_damaged_page_token_is_refused(listing: Listing, place: str) -> None:
    """Any other text than a token that was given out is a fault, not a first page."""
    _, token = listing.page(1)
    damaged = {"before": f"x{token}", "behind": f"{token}=", "cut": token[:8], "other": "a", "not ASCII": "ä"}[place]
    refusal = refusal_of(lambda: listing.page(1, damaged))
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("page_token",))
