"""Scopes, audiences and request ids as they are asked for."""

from __future__ import annotations

import pytest

from authsvc.tokens.requests import ScopeRequest
from tests.tokens.service import Service, payload_of, violations


@pytest.fixture(scope="module")
def app(desk: Service) -> str:
    """An app."""
    return desk.app()


def cids(count: int, kind: str = "video") -> tuple[str, ...]:
    return tuple(f"{kind}:{number}" for number in range(count))


@pytest.mark.parametrize(("calls", "channels"), [(1, 0), (0, 1), (100, 0), (0, 100), (50, 50), (99, 1)])
def test_up_to_a_hundred_cids(desk: Service, app: str, calls: int, channels: int) -> None:
    """A token lists 1 to 100 cids of both kinds together, in the order they were given."""
    scope = ScopeRequest(cids(calls), cids(channels, "chat"))
    said = payload_of(desk.issue(app, scope=scope).minted.text)
    assert said.get("call_cids", []) == list(scope.call_cids)
    assert said.get("channel_cids", []) == list(scope.channel_cids)


@pytest.mark.parametrize(("calls", "channels"), [(101, 0), (0, 101), (100, 1), (1, 100), (51, 50), (5000, 0)])
def test_no_more_than_a_hundred(desk: Service, app: str, calls: int, channels: int) -> None:
    """The hundred and first cid is refused, whichever list it is in, with one fault."""
    assert list(violations(desk, app, scope=ScopeRequest(cids(calls), cids(channels, "chat")))) == ["scope"]


def test_a_scope_that_is_there_is_not_empty(desk: Service, app: str) -> None:
    """An empty scope is a mistake; no scope is not."""
    assert list(violations(desk, app, scope=ScopeRequest())) == ["scope"]
    assert violations(desk, app, scope=None) == {}


@pytest.mark.parametrize("field", ["call_cids", "channel_cids"])
@pytest.mark.parametrize(
    "cid", ["", "video", "video:", ":1", "video:1:2", "vi deo:1", "video:1 ", "video:*", "vidéo:1", "v!deo:1", "a:1\n"]
)
def test_each_cid_is_one(desk: Service, app: str, field: str, cid: str) -> None:
    """A cid of a wrong form is refused by its place in the list."""
    assert list(violations(desk, app, scope=ScopeRequest(**{field: ("a:1", cid)}))) == [f"scope.{field}[1]"]
    assert violations(desk, app, scope=ScopeRequest(**{field: ("a:1", "a:!2")})) == {}


def test_no_cid_twice(desk: Service, app: str) -> None:
    """A cid that stands twice in a list is refused; as a call and as a channel it is two things."""
    assert list(violations(desk, app, scope=ScopeRequest(("a:1", "b:2", "a:1")))) == ["scope.call_cids"]
    assert list(violations(desk, app, scope=ScopeRequest((), ("a:1", "a:1")))) == ["scope.channel_cids"]
    assert violations(desk, app, scope=ScopeRequest(("a:1", "A:1"), ("a:1",))) == {}


@pytest.mark.parametrize("audience", [("a",), ("a" * 256,), tuple(map(str, range(20))), ("https://x/y?z", "é")])
def test_audiences(desk: Service, app: str, audience: tuple[str, ...]) -> None:
    """A request names up to twenty audiences of up to 256 characters."""
    said = payload_of(desk.issue(app, audience=audience).minted.text)["aud"]
    assert said == (list(audience) if len(audience) > 1 else audience[0])


@pytest.mark.parametrize("audience", [("",), ("a", ""), ("a" * 257,), tuple(map(str, range(21))), ("a", "b", "a")])
def test_no_audiences(desk: Service, app: str, audience: tuple[str, ...]) -> None:
    """An audience that is empty, too long, one too many or there twice is refused."""
    assert list(violations(desk, app, audience=audience)) == ["audience"]


@pytest.mark.parametrize("request_id", ["", "a" * 22, "Z" * 64, "0123456789-_abcdefghij"])
def test_request_ids(desk: Service, app: str, request_id: str) -> None:
    """A request id is empty, or 22 to 64 of its alphabet."""
    assert violations(desk, app, request_id=request_id) == {}


@pytest.mark.parametrize(
    "request_id", ["a", "a" * 21, "a" * 65, "a" * 21 + "=", "a" * 21 + " ", "a" * 22 + "\n", "é" * 22]
)
def test_no_request_ids(desk: Service, app: str, request_id: str) -> None:
    """A request id that cannot hold 128 bits, or has other characters, is refused."""
    assert list(violations(desk, app, request_id=request_id)) == ["request_id"]


def test_no_revision_to_wait_for(desk: Service, app: str) -> None:
    """A revision that no change can have is refused, one that there is is not."""
    assert list(violations(desk, app, after_revision=-1)) == ["after_revision"]
    assert violations(desk, app, after_revision=desk.domain.view.revision) == {}
