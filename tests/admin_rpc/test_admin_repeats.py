"""Switching on what is on, and off what is off: of calls made at once, one changes something and is audited."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from authsvc.accounts.admin import AccountsAdmin
from authsvc.apps.admin import AppsAdmin
from authsvc.clock import system_randomness
from authsvc.errors import Conflict
from authsvc.model import ApiKey
from authsvc.storage.base import Store
from tests.accounts.people import a_principal
from tests.admin_rpc.asking import Scene
from tests.rows import Rows
from tests.storage.crowd import all_at_once
from tests.tokens.watched_store import InterruptedStore

PAIRS = [
    ("SuspendApp", "app.suspended"),
    ("ResumeApp", "app.resumed"),
    ("DisableServiceAccount", "account.disabled"),
    ("EnableServiceAccount", "account.enabled"),
]
OPPOSITE = {"ResumeApp": "SuspendApp", "EnableServiceAccount": "DisableServiceAccount"}


@pytest.mark.parametrize(("method", "action"), PAIRS)
def test_of_many_at_once_one_is_audited(scene: Scene, method: str, action: str) -> None:
    """Sixteen equal calls all succeed and answer alike; the audit has one row of them, and the etag moved once."""
    if method in OPPOSITE:
        scene.ask(OPPOSITE[method], **scene.fine(method))
    answers = all_at_once([partial(scene.ask, method, **scene.fine(method))] * 16)
    assert all(answer == answers[0] for answer in answers)
    assert not isinstance(answers[0], BaseException)
    assert [row.action for row in Rows(scene.server.state_dir).audit()].count(action) == 1


def _suspend(scene: Scene, store: Store) -> Callable[[], Any]:
    domain = scene.server.domain
    log = domain.logs.get_logger("apps")
    apps = AppsAdmin(
        domain.view, store, domain.keys, log, issuer="authsvc", clock=scene.server.clock, randomness=system_randomness
    )
    return partial(apps.set_suspended, a_principal(), ApiKey("acme"), True, etag_version=None)


def _disable(scene: Scene, store: Store) -> Callable[[], Any]:
    domain = scene.server.domain
    log = domain.logs.get_logger("accounts")
    accounts = AccountsAdmin(domain.view, store, log, clock=scene.server.clock, randomness=system_randomness)
    return partial(accounts.set_disabled, a_principal(), scene.edge.id, True, etag_version=None)


@pytest.mark.parametrize("change", [_suspend, _disable])
def test_who_comes_second_writes_nothing(scene: Scene, change: Callable[[Scene, Any], Callable[[], Any]]) -> None:
    """When another call is faster between the look and the change, the second finds it done in the store."""
    store = scene.server.domain.store
    method = "edit_app" if change is _suspend else "edit_account"
    slower = change(scene, InterruptedStore(store, method, change(scene, store)))
    rows = Rows(scene.server.state_dir)
    before = rows.revision()
    assert slower() == change(scene, store)()
    assert rows.revision() == before + 1


def test_an_old_etag_is_a_conflict_even_where_nothing_would_change(scene: Scene) -> None:
    """Whoever looked at an older state is told so, whatever the present one is."""
    domain = scene.server.domain
    domain.apps.set_suspended(a_principal(), "acme", True, etag_version=None)
    with pytest.raises(Conflict):
        domain.apps.set_suspended(a_principal(), "acme", True, etag_version=1)
