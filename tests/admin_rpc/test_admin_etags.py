"""Read, change, send back: an etag keeps a change from being made on a state that nobody looked at."""

from __future__ import annotations

from functools import partial
from typing import Any

import grpc
import pytest

from tests.admin_rpc.asking import Scene
from tests.refusals import refusal_of
from tests.rows import Rows

APP: dict[str, dict[str, Any]] = {
    "UpdateApp": {"update_mask": {"paths": ["clock_skew"]}},
    "SuspendApp": {},
    "ResumeApp": {},
}
ACCOUNT: dict[str, dict[str, Any]] = {
    "UpdateServiceAccount": {"name": "renamed", "update_mask": {"paths": ["name"]}},
    "DisableServiceAccount": {},
    "EnableServiceAccount": {},
}
changing = pytest.mark.parametrize("method", [*APP, *ACCOUNT])


def _change(scene: Scene, method: str, etag: str) -> Any:
    """The app or account that the method answers with."""
    if method in APP:
        return scene.ask(method, api_key="acme", etag=etag, **APP[method]).app
    return scene.ask(method, id=scene.edge.id, etag=etag, **ACCOUNT[method]).service_account


def _read(scene: Scene, method: str) -> Any:
    if method in APP:
        return scene.ask("GetApp", api_key="acme").app
    return scene.ask("GetServiceAccount", id=scene.edge.id).service_account


def _someone_else_changes(scene: Scene, method: str) -> None:
    if method in APP:
        scene.ask("UpdateApp", api_key="acme", update_mask={"paths": ["refresh_grace"]})
    else:
        scene.ask("UpdateServiceAccount", id=scene.edge.id, update_mask={"paths": ["audiences"]})


@changing
def test_a_change_on_what_was_read_is_made(scene: Scene, method: str) -> None:
    """With the etag just read a call is served, and answers with the etag that a read shows from then on."""
    changed = _change(scene, method, _read(scene, method).etag)
    assert changed == _read(scene, method)
    assert _change(scene, method, changed.etag).etag


@changing
def test_a_change_on_an_older_state_is_a_conflict(scene: Scene, method: str) -> None:
    """When somebody was faster the call is ABORTED and nothing changes; with what is read again it is served."""
    stale = _read(scene, method).etag
    _someone_else_changes(scene, method)
    rows = Rows(scene.server.state_dir)
    before = rows.everything()
    refusal = refusal_of(lambda: _change(scene, method, stale))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "CONFLICT")
    assert rows.everything() == before
    assert _change(scene, method, _read(scene, method).etag)


@changing
def test_any_other_text_is_a_conflict(scene: Scene, method: str) -> None:
    """A text that names no state is never the present one."""
    for etag in ("v0", "v", "x", "v-1", "v99999999999999999999", "*", "v\uff11", " "):
        refusal = refusal_of(partial(_change, scene, method, etag))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "CONFLICT"), etag


@changing
def test_no_etag_means_no_check(scene: Scene, method: str) -> None:
    """Without an etag a change is made on whatever is there."""
    _someone_else_changes(scene, method)
    assert _change(scene, method, "") == _read(scene, method)


@changing
def test_each_state_has_an_etag_of_its_own(scene: Scene, method: str) -> None:
    """Every change makes a new etag, and what changes nothing keeps it."""
    seen = [_read(scene, method).etag]
    for _ in range(3):
        _someone_else_changes(scene, method)
        seen.append(_read(scene, method).etag)
    assert len(set(seen)) == 4
    assert _read(scene, method).etag == seen[-1]
