"""Who may call AdminService, and for which apps."""

from __future__ import annotations

import grpc
import pytest

from tests.admin_rpc.asking import METHODS, READING, Scene
from tests.refusals import refusal_of
from tests.rows import Rows

methods = pytest.mark.parametrize("method", METHODS)
OF_ONE_APP = (
    *("GetApp", "UpdateApp", "SuspendApp", "ResumeApp", "ClearRevocation", "ListRevocations"),
    *("ListKeys", "RotateKey", "ActivateKey", "RevokeKey", "GetJwks"),
)
OF_ALL_APPS = tuple(name for name in METHODS if name not in (*OF_ONE_APP, "ListApps", "ListAuditEvents"))


def _permission(method: str) -> str:
    return "admin.read" if method in READING else "admin.write"


@methods
def test_a_caller_needs_a_credential(scene: Scene, method: str) -> None:
    """Without a credential, and with one that is not known, a call is UNAUTHENTICATED and changes nothing."""
    rows = Rows(scene.server.state_dir)
    before = rows.everything()
    for caller, reason in (("nobody", "CREDENTIAL_MISSING"), (f"{scene.edge_credential}x", "CREDENTIAL_INVALID")):
        refusal = refusal_of(lambda caller=caller: scene.ask(method, caller=caller, **scene.fine(method)))  # type: ignore[misc]
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)
    assert rows.everything() == before


@methods
def test_a_caller_needs_the_permission(scene: Scene, method: str) -> None:
    """With every permission but the method's own a call is refused and told which one is missing."""
    rows, permission = Rows(scene.server.state_dir), _permission(method)
    before = rows.everything()
    refusal = refusal_of(lambda: scene.ask(method, caller=f"all but {permission}", **scene.fine(method)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
    assert refusal.metadata == {"permission": permission}
    assert rows.everything() == before


@methods
def test_the_permission_is_enough(scene: Scene, method: str) -> None:
    """With the method's own permission and no other a call is served, where it grants no more than that."""
    permission = _permission(method)
    fields = scene.fine(method)
    if method == "CreateServiceAccount":
        fields["permissions"] = ["admin.write"]
    if method in ("UpdateServiceAccount", "EnableServiceAccount", "RotateCredential"):
        scene.ask(
            "UpdateServiceAccount",
            id=scene.edge.id,
            permissions=["admin.write"],
            update_mask={"paths": ["permissions"]},
        )
    assert scene.ask(method, caller=f"only {permission}", **fields).ByteSize() > 0


@pytest.mark.parametrize("method", OF_ONE_APP)
def test_an_app_of_others_looks_like_none(scene: Scene, method: str) -> None:
    """A caller for one app is told APP_NOT_ALLOWED for every other name, taken or free; for its own it is served."""
    rows = Rows(scene.server.state_dir)
    before = rows.everything()
    refusals = set()
    for api_key in ("other", "nowhere", "Acme"):
        fields = {**scene.fine(method), "api_key": api_key}
        refusal = refusal_of(lambda fields=fields: scene.ask(method, caller="tenant", **fields))  # type: ignore[misc]
        refusals.add((refusal.code, refusal.reason, refusal.text, tuple(refusal.metadata)))
    assert [each[:2] for each in refusals] == [(grpc.StatusCode.PERMISSION_DENIED, "APP_NOT_ALLOWED")]
    assert rows.everything() == before
    assert scene.ask(method, caller="tenant", **scene.fine(method)).ByteSize() > 0


@pytest.mark.parametrize("method", OF_ONE_APP)
def test_a_missing_app_is_told_to_who_may_see_all(scene: Scene, method: str) -> None:
    """A caller with all apps hears APP_NOT_FOUND, with the number 2 that existing clients know."""
    refusal = refusal_of(lambda: scene.ask(method, **{**scene.fine(method), "api_key": "nowhere"}))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "APP_NOT_FOUND")
    assert refusal.metadata == {"code": "2"}


@pytest.mark.parametrize("method", OF_ONE_APP)
def test_an_app_is_always_named(scene: Scene, method: str) -> None:
    """No app is meant by silence, not even the caller's only one."""
    refusal = refusal_of(lambda: scene.ask(method, caller="tenant", **{**scene.fine(method), "api_key": ""}))
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("api_key",))


@pytest.mark.parametrize("method", OF_ALL_APPS)
def test_accounts_and_new_apps_need_all_apps(scene: Scene, method: str) -> None:
    """A caller for some apps neither makes an app nor sees or changes an account."""
    rows = Rows(scene.server.state_dir)
    before = rows.everything()
    refusal = refusal_of(lambda: scene.ask(method, caller="tenant", **scene.fine(method)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "APP_NOT_ALLOWED")
    assert rows.everything() == before


def test_a_list_of_apps_shows_the_callers_own(scene: Scene) -> None:
    """Each caller's list holds the apps that it may act for and no others."""
    assert [app.api_key for app in scene.ask("ListApps").apps] == ["acme", "dev", "other"]
    assert [app.api_key for app in scene.ask("ListApps", caller="tenant").apps] == ["acme"]
    nobodys = scene.server.new_credential("nobodys", permissions=("admin.read",))
    assert not scene.ask("ListApps", caller=nobodys).apps
