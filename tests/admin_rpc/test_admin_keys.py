"""Keys over the wire: what is told of them, page by page, and the key set."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from authsvc.signing.lifecycle import FEED_BOUND, LEAD_TIME
from authsvc.v1 import admin_pb2
from tests.admin_rpc.asking import Scene
from tests.refusals import refusal_of


def moment(scene: Scene, timestamp: Any) -> timedelta:
    """How far ahead of now."""
    now = scene.server.clock()
    ahead: timedelta = timestamp.ToDatetime(now.tzinfo) - now
    return ahead


def keys_by_state(scene: Scene) -> dict[int, admin_pb2.Key]:
    return {key.state: key for key in scene.ask("ListKeys", api_key="acme").keys}


def test_a_pending_key_says_when_it_signs(scene: Scene) -> None:
    """A key shows its algorithm, its public part, since when it is there, and from when it may sign."""
    key = keys_by_state(scene)[admin_pb2.KEY_STATE_PENDING]
    assert (key.key_id, key.algorithm, key.imported, key.weak) == (
        scene.pending,
        admin_pb2.ALGORITHM_ES256,
        False,
        False,
    )
    assert (moment(scene, key.created_at), moment(scene, key.signs_from)) == (timedelta(0), LEAD_TIME)
    assert json.loads(key.public_jwk).keys() == {"crv", "kty", "x", "y"}
    unset = ("activated_at", "retired_at", "revoked_at", "verifies_until")
    assert [name for name in unset if key.HasField(name)] == []  # type: ignore[arg-type]


def test_a_retired_key_says_until_when_it_verifies(scene: Scene) -> None:
    """A retired key shows from when nobody signs with it, and verifies for the longest life of the app from there."""
    scene.ask("RotateKey", api_key="acme", now=True)
    key = keys_by_state(scene)[admin_pb2.KEY_STATE_RETIRED]
    retired = moment(scene, key.retired_at)
    assert FEED_BOUND <= retired < FEED_BOUND + timedelta(minutes=1)
    assert moment(scene, key.verifies_until) == retired + timedelta(hours=24, seconds=30)
    assert not key.HasField("signs_from")


def test_an_etag_names_a_state_of_a_key(scene: Scene) -> None:
    """Each change of a key changes its etag; the one that was read lets a change through, an older one does not."""
    before = keys_by_state(scene)[admin_pb2.KEY_STATE_PENDING]
    fields: dict[str, Any] = {"api_key": "acme", "key_id": before.key_id}
    after = scene.ask("ActivateKey", **fields, now=True, etag=before.etag).key
    assert after.etag != before.etag
    assert refusal_of(lambda: scene.ask("RevokeKey", **fields, etag=before.etag)).reason == "CONFLICT"
    revoked = scene.ask("RevokeKey", **fields, etag=after.etag).key
    assert (revoked.state, moment(scene, revoked.revoked_at)) == (admin_pb2.KEY_STATE_REVOKED, timedelta(0))


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_keys_are_listed_page_by_page(scene: Scene, size: int) -> None:
    """However long a page is, the list has every key once, oldest first; a page token is of no use for another app."""
    for _ in range(4):
        scene.server.clock.move(seconds=1)
        scene.ask("RotateKey", api_key="acme", now=True)
    found: list[admin_pb2.Key] = []
    token = ""
    while True:
        page = scene.ask("ListKeys", api_key="acme", page_size=size, page_token=token)
        found += page.keys
        token = page.next_page_token
        if not token:
            break
        assert refusal_of(
            lambda token=token: scene.ask("ListKeys", api_key="other", page_token=token)  # type: ignore[misc]
        ).fields == ("page_token",)
    assert len({key.key_id for key in found}) == len(found) == 5
    assert [key.created_at.ToNanoseconds() for key in found] == sorted(key.created_at.ToNanoseconds() for key in found)


def test_the_key_set_is_for_verifiers(scene: Scene) -> None:
    """The set has what verifies and nothing secret, the same text each time, and nothing for an app of HMAC."""
    text = scene.ask("GetJwks", api_key="acme").jwks
    assert sorted(key["kid"] for key in json.loads(text)["keys"]) == sorted(
        key.key_id for key in keys_by_state(scene).values()
    )
    assert scene.ask("GetJwks", api_key="acme").jwks == text
    scene.ask("CreateApp", api_key="secret", settings={"algorithm": admin_pb2.ALGORITHM_HS256})
    assert scene.ask("GetJwks", api_key="secret").jwks == '{"keys":[]}'
    assert [key.public_jwk for key in scene.ask("ListKeys", api_key="secret").keys] == [""]
