"""The RPCs about service accounts, as an operator uses them."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor

from authsvc.v1 import admin_pb2
from tests.admin_rpc.asking import METHODS, SERVICE, Scene
from tests.refusals import refusal_of
from tests.rows import Rows

CREDENTIAL_PREFIX = b"ask1_"


def _works(scene: Scene, credential: str) -> bool:
    try:
        scene.ask("GetApp", caller=credential, api_key="acme")
    except grpc.RpcError as refused:
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED  # noqa: PT017 - any other failure is one
        return False
    return True


def test_an_account_is_made_as_asked_for(scene: Scene) -> None:
    """A new account shows what it may do, its one credential by id, and when it was made; its credential works."""
    made = scene.ask(
        "CreateServiceAccount",
        name="new",
        permissions=["trust.read", "admin.read"],
        apps=["other", "acme"],
        audiences=["https://edge", "b"],
    )
    account = made.service_account
    moment = account.created_at
    assert account == admin_pb2.ServiceAccount(
        id=account.id,
        name="new",
        permissions=["admin.read", "trust.read"],
        apps=["acme", "other"],
        audiences=["https://edge", "b"],
        credentials=[admin_pb2.Credential(id=made.credential_id, created_at=moment)],
        etag=account.etag,
        created_at=moment,
        updated_at=moment,
    )
    assert moment.ToDatetime(scene.server.clock().tzinfo) == scene.server.clock()
    assert account.id
    assert account.etag
    assert made.credential.split("_")[1] == account.id
    assert _works(scene, made.credential)


def test_an_account_for_all_apps_lists_none(scene: Scene) -> None:
    """``all_apps`` stands for every app, also for those made later."""
    made = scene.ask("CreateServiceAccount", name="new", permissions=["admin.read"], all_apps=True)
    assert (made.service_account.all_apps, list(made.service_account.apps)) == (True, [])
    scene.ask("CreateApp", api_key="later")
    assert scene.ask("GetApp", caller=made.credential, api_key="later").app.api_key == "later"


def test_an_account_is_read_by_its_id(scene: Scene) -> None:
    """GetServiceAccount and the list show the account as it was made."""
    assert scene.ask("GetServiceAccount", id=scene.edge.id).service_account == scene.edge
    listed = scene.ask("ListServiceAccounts").service_accounts
    assert [account for account in listed if account.id == scene.edge.id] == [scene.edge]
    assert [account.id for account in listed] == sorted(account.id for account in listed)


@pytest.mark.parametrize(
    ("path", "value"),
    [("name", "renamed"), ("permissions", ["trust.read"]), ("apps", ["other"]), ("audiences", ["x"])],
)
def test_an_update_changes_what_its_mask_names(scene: Scene, path: str, value: Any) -> None:
    """The named field becomes as given, all others stay, whatever else the request says."""
    wanted: dict[str, Any] = {"name": "no", "permissions": ["tokens.issue"], "apps": ["dev"], "audiences": ["no"]}
    answer = scene.ask(
        "UpdateServiceAccount", id=scene.edge.id, update_mask={"paths": [path]}, **{**wanted, path: value}
    )
    expected = admin_pb2.ServiceAccount()
    expected.CopyFrom(scene.edge)
    expected.ClearField(path)  # type: ignore[arg-type]
    expected.MergeFrom(admin_pb2.ServiceAccount(**{path: value}))
    expected.etag = answer.service_account.etag
    assert answer.service_account == expected
    assert expected.etag != scene.edge.etag
    assert scene.ask("GetServiceAccount", id=scene.edge.id).service_account == expected


def test_a_disabled_account_is_kept_out_until_enabled(scene: Scene) -> None:
    """Disabling shuts every credential out from the next call on; enabling lets the same ones in again."""
    second = scene.ask("RotateCredential", id=scene.edge.id).credential
    for method, disabled in (("DisableServiceAccount", True), ("EnableServiceAccount", False)):
        account = scene.ask(method, id=scene.edge.id).service_account
        assert account.disabled is disabled
        assert scene.ask(method, id=scene.edge.id).service_account == account
        assert _works(scene, scene.edge_credential) is _works(scene, second) is not disabled


def test_a_credential_is_changed_over_without_a_pause(scene: Scene) -> None:
    """After a rotation both credentials work and are listed; after revoking the old one only the new one does."""
    rotated = scene.ask("RotateCredential", id=scene.edge.id)
    ids = [scene.edge.credentials[0].id, rotated.credential_id]
    assert [credential.id for credential in rotated.service_account.credentials] == ids
    assert _works(scene, scene.edge_credential)
    assert _works(scene, rotated.credential)
    answer = scene.ask("RevokeCredential", id=scene.edge.id, credential_id=ids[0])
    assert [credential.id for credential in answer.service_account.credentials] == ids[1:]
    assert not _works(scene, scene.edge_credential)
    assert _works(scene, rotated.credential)


def test_a_caller_can_end_its_own_credential(scene: Scene) -> None:
    """The call that revokes the caller's own credential is answered; the next one is refused."""
    answer = scene.ask("CreateServiceAccount", name="own", permissions=["admin.write"], all_apps=True)
    revoke = {"id": answer.service_account.id, "credential_id": answer.credential_id}
    assert not scene.ask("RevokeCredential", caller=answer.credential, **revoke).service_account.credentials
    refusal = refusal_of(lambda: scene.ask("RevokeCredential", caller=answer.credential, **revoke))
    assert refusal.reason == "CREDENTIAL_INVALID"


def test_a_credential_is_shown_in_two_answers_only(scene: Scene) -> None:
    """Of all answers only those of CreateServiceAccount and RotateCredential hold a credential, each a new one."""
    showing = {}
    for method in METHODS:
        answer = scene.ask(method, **scene.fine(method)).SerializeToString()
        if CREDENTIAL_PREFIX in answer:
            showing[method] = answer.partition(CREDENTIAL_PREFIX)[2][:66]
    assert sorted(showing) == ["CreateServiceAccount", "RotateCredential"]
    assert len(set(showing.values())) == 2
    for method in ("GetServiceAccount", "ListServiceAccounts"):
        answer = scene.ask(method, **scene.fine(method)).SerializeToString()
        assert [secret for secret in showing.values() if secret in answer] == []


def test_no_other_message_has_room_for_a_credential() -> None:
    """No field that could hold a credential is in any answer but the two, nor in what others are made of."""
    found = {
        f"{message.name}.{field.name}"
        for message in SERVICE.file.message_types_by_name.values()
        for field in message.fields
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
        and any(word in field.name for word in ("credential", "secret", "digest"))
    }
    # What is imported goes in and never comes out.
    assert found - {"CreateAppRequest.secret"} == {
        "CreateServiceAccountResponse.credential",
        "CreateServiceAccountResponse.credential_id",
        "RotateCredentialResponse.credential",
        "RotateCredentialResponse.credential_id",
        "RevokeCredentialRequest.credential_id",
    }


def test_a_credential_is_kept_nowhere(scene: Scene) -> None:
    """Neither the log nor the store's files hold a credential that was made and used; both hold its account."""
    made = scene.ask("RotateCredential", id=scene.edge.id)
    assert _works(scene, made.credential)
    log, raw = scene.server.log.getvalue().encode(), Rows(scene.server.state_dir).raw()
    assert {json.loads(line).get("principal") for line in log.splitlines()} >= {scene.edge.id}
    assert scene.edge.id.encode() in raw
    for kept in (log, raw):
        assert made.credential.encode() not in kept
        assert made.credential[22:65].encode() not in kept
