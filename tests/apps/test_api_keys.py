"""How apps are called: forms, generated names, and who may know them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from authsvc.apps.admin import AppsAdmin
from authsvc.errors import AlreadyExists, CallerForbidden, NotFound, Reason
from authsvc.model import App, Principal
from tests.accounts.people import a_principal
from tests.apps.wishing import faults_of, wishes
from tests.rows import Rows
from tests.storage.crowd import all_at_once


@pytest.mark.parametrize("api_key", ["a", "Z", "0", "my-app_2", "a" * 64])
def test_a_key_within_the_form_is_taken(apps: AppsAdmin, root: Principal, api_key: str) -> None:
    """An api_key has 1 to 64 letters, digits, underscores and hyphens, a letter or digit first."""
    assert apps.create(root, api_key, wishes()).api_key == api_key


@pytest.mark.parametrize("api_key", ["a" * 65, "-a", "_a", "a.b", "a b", "ä", "a\n", "a\0", "a/b", "a:b", "*", " "])
def test_a_key_outside_the_form_is_refused(apps: AppsAdmin, root: Principal, rows: Rows, api_key: str) -> None:
    """Any other api_key is a fault, and makes nothing."""
    before = rows.everything()
    assert faults_of(partial(apps.create, root, api_key, wishes())) == ["api_key"]
    assert rows.everything() == before


def test_a_key_is_made_where_none_is_given(apps: AppsAdmin, root: Principal) -> None:
    """A generated api_key has twelve characters that are not mistaken for each other, different each time."""
    made = [apps.create(root, "", wishes()).api_key for _ in range(20)]
    assert [key for key in made if not re.fullmatch(r"[a-km-np-z2-9]{12}", key)] == []
    assert len(set(made)) == 20


def test_a_taken_key_makes_no_second_app(apps: AppsAdmin, root: Principal, rows: Rows) -> None:
    """An api_key that is taken is refused and its app stays as it is."""
    first = apps.create(root, "acme", wishes(issuer="https://first"))
    before = rows.everything()
    with pytest.raises(AlreadyExists) as refused:
        apps.create(root, "acme", wishes(issuer="https://second"))
    assert refused.value.reason is Reason.APP_EXISTS
    assert rows.everything() == before
    assert apps.get(root, "acme") == first


def test_of_many_apps_with_one_key_one_is_made(apps: AppsAdmin, root: Principal, rows: Rows) -> None:
    """Callers that make the same app together end with one app and one key."""
    outcomes = all_at_once([partial(apps.create, root, "acme", wishes(clock_skew=None)) for _ in range(8)])
    made = [outcome for outcome in outcomes if isinstance(outcome, App)]
    assert len(made) == 1
    assert [type(outcome) for outcome in outcomes].count(AlreadyExists) == 7
    assert rows.read("SELECT count(*) FROM keys") == [(1,)]


def test_keys_that_differ_in_case_are_different_apps(apps: AppsAdmin, root: Principal) -> None:
    """``acme`` and ``Acme`` are two apps, with settings and signing keys of their own."""
    for api_key in ("acme", "Acme", "ACME"):
        apps.create(root, api_key, wishes(issuer=f"https://{api_key}"))
    assert [app.api_key for app in apps.all(root)] == ["ACME", "Acme", "acme"]
    assert apps.get(root, "Acme").settings.issuer == "https://Acme"
    with pytest.raises(NotFound):
        apps.get(root, "aCME")


def test_only_a_caller_with_all_apps_makes_one(apps: AppsAdmin, rows: Rows) -> None:
    """A caller for some apps makes no app, not even one that it may act for."""
    before = rows.everything()
    with pytest.raises(CallerForbidden) as refused:
        apps.create(a_principal(apps=["acme"]), "acme", wishes())
    assert refused.value.reason is Reason.APP_NOT_ALLOWED
    assert rows.everything() == before


Act = Callable[[AppsAdmin, Principal, str], object]
ACTS: dict[str, Act] = {
    "get": lambda apps, caller, api_key: apps.get(caller, api_key),
    "update": lambda apps, caller, api_key: apps.update(caller, api_key, wishes(), ("clock_skew",), etag_version=None),
    "suspend": lambda apps, caller, api_key: apps.set_suspended(caller, api_key, True, etag_version=None),
    "resume": lambda apps, caller, api_key: apps.set_suspended(caller, api_key, False, etag_version=None),
}
acts = pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())


@acts
def test_an_app_of_others_looks_like_none(apps: AppsAdmin, root: Principal, rows: Rows, act: Act) -> None:
    """A caller for some apps is refused the others the same way, whether they exist or not; its own are served."""
    for api_key in ("acme", "other"):
        apps.create(root, api_key, wishes())
    caller = a_principal(apps=["acme", "gone"])
    before = rows.everything()
    for api_key in ("other", "nowhere", "gone", "Acme"):
        with pytest.raises(CallerForbidden) as refused:
            act(apps, caller, api_key)
        assert refused.value.reason is Reason.APP_NOT_ALLOWED
        assert dict(refused.value.metadata) == {}
    assert rows.everything() == before
    act(apps, caller, "acme")


@acts
def test_a_missing_app_is_told_to_who_may_see_all(apps: AppsAdmin, root: Principal, act: Act) -> None:
    """A caller with all apps is told that there is no such app, with the number that existing clients know."""
    with pytest.raises(NotFound) as refused:
        act(apps, root, "nowhere")
    assert (refused.value.reason, refused.value.metadata) == (Reason.APP_NOT_FOUND, {"code": "2"})


@acts
def test_administration_names_its_app(apps: AppsAdmin, root: Principal, rows: Rows, act: Act) -> None:
    """An empty api_key is a fault, also from a caller with one app only: no setting is changed by omission."""
    apps.create(root, "acme", wishes())
    before = rows.everything()
    for caller in (root, a_principal(apps=["acme"]), a_principal(apps=[])):
        assert faults_of(partial(act, apps, caller, "")) == ["api_key"]
    assert rows.everything() == before


def test_a_list_holds_the_apps_of_the_caller(apps: AppsAdmin, root: Principal) -> None:
    """Each caller sees the apps it may act for, in the order of their keys."""
    made = {api_key: apps.create(root, api_key, wishes()) for api_key in ("b", "a", "C")}
    assert apps.all(root) == (made["C"], made["a"], made["b"])
    assert apps.all(a_principal(apps=["b", "C", "gone"])) == (made["C"], made["b"])
    assert apps.all(replace(root, all_apps=False)) == ()
