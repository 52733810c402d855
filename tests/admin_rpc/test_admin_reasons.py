"""Every reason that AdminService's comments promise can be met, and no other is answered."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf import message_factory

from authsvc.model import ApiKey, App, AuditEvent
from tests.admin_rpc.asking import IN_MEMORY, METHODS, SERVICE, STORING, Scene
from tests.contract.test_protos import promised_reasons
from tests.refusals import refusal_of
from tests.rows import Rows
from tests.storage.crowd import Background, Held

# Reasons of every call alike, whatever it asks for: proven once for all methods, with the interceptors.
OF_ANY_CALL = {"RATE_LIMITED", "OVERLOADED", "DEADLINE_TOO_SHORT", "STALE", "DRAINING", "INTERNAL"}
# Reasons that the methods below meet in tests of their own.
OF_BODY_OR_STORE = {"REQUEST_TOO_LARGE", "STORE_UNAVAILABLE", "DEADLINE_EXCEEDED"}
ABOUT_ONE_KEY = ("ActivateKey", "RevokeKey")
ABOUT_ONE_APP = (
    *("GetApp", "UpdateApp", "SuspendApp", "ResumeApp", "ClearRevocation", "ListRevocations"),
    *("ListKeys", "RotateKey", "GetJwks", *ABOUT_ONE_KEY),
)
WITH_AN_APP = (*ABOUT_ONE_APP, "ListAuditEvents")  # which may also be about all
ABOUT_ONE_ACCOUNT = (
    "GetServiceAccount",
    "UpdateServiceAccount",
    "DisableServiceAccount",
    "EnableServiceAccount",
    "RotateCredential",
    "RevokeCredential",
)
OF_ALL_APPS = ("CreateServiceAccount", "ListServiceAccounts", "GetLogging", "ConfigureLogging")
RENAME = {"name": "n", "update_mask": {"paths": ["name"]}}
RESET = {"update_mask": {"paths": ["clock_skew"]}}
REVOKE = {"credential_id": "no"}


class Case(NamedTuple):
    """A request that is refused; ``EDGE`` and ``ADMIN`` stand for ids, the latter of an account that may all, and
    ``KEY`` for that of a pending key."""

    method: str
    reason: str
    fields: dict[str, Any]
    caller: str = "root"


CASES = [
    *(Case(method, "CREDENTIAL_MISSING", {}, "nobody") for method in METHODS),
    *(Case(method, "CREDENTIAL_INVALID", {}, "ask1_nonsense") for method in METHODS),
    *(Case(method, "PERMISSION_MISSING", {}, "only tokens.issue") for method in METHODS),
    *(Case(method, "APP_NOT_ALLOWED", {"api_key": "other"}, "tenant") for method in ("CreateApp", *WITH_AN_APP)),
    *(Case(method, "APP_NOT_ALLOWED", {"id": "EDGE"}, "tenant") for method in ABOUT_ONE_ACCOUNT),
    *(Case(method, "APP_NOT_ALLOWED", {}, "tenant") for method in OF_ALL_APPS),
    *(Case(method, "APP_NOT_FOUND", {"api_key": "no"}) for method in WITH_AN_APP),
    *(Case(method, "SERVICE_ACCOUNT_NOT_FOUND", {"id": "no", **RENAME, **REVOKE}) for method in ABOUT_ONE_ACCOUNT),
    *(Case(method, "INVALID_REQUEST", {"api_key": ""}) for method in ABOUT_ONE_APP),
    *(Case(method, "INVALID_REQUEST", {"id": ""}) for method in ABOUT_ONE_ACCOUNT),
    *(Case(method, "INVALID_REQUEST", {"api_key": "acme", "key_id": ""}) for method in ABOUT_ONE_KEY),
    *(Case(method, "KEY_NOT_FOUND", {"api_key": "acme", "key_id": "no"}) for method in ABOUT_ONE_KEY),
    *(Case(method, "CONFLICT", {"api_key": "acme", "key_id": "KEY", "etag": "no"}) for method in ABOUT_ONE_KEY),
    Case("ActivateKey", "KEY_NOT_READY", {"api_key": "acme", "key_id": "KEY"}),
    Case("CreateApp", "INVALID_REQUEST", {"api_key": " "}),
    Case("CreateServiceAccount", "INVALID_REQUEST", {"name": ""}),
    Case("ListApps", "INVALID_REQUEST", {"page_size": -1}),
    Case("ListAuditEvents", "INVALID_REQUEST", {"since": {"seconds": -1}}),
    Case("ListRevocations", "INVALID_REQUEST", {"api_key": "acme", "kind": 9}),
    Case("ListServiceAccounts", "INVALID_REQUEST", {"page_token": "no"}),
    Case("ConfigureLogging", "INVALID_REQUEST", {"levels": [{"scope": "no", "level": "debug"}]}),
    Case("UpdateApp", "CONFLICT", {"api_key": "acme", "etag": "no", **RESET}),
    *(Case(method, "CONFLICT", {"api_key": "acme", "etag": "no"}) for method in ("SuspendApp", "ResumeApp")),
    Case("UpdateServiceAccount", "CONFLICT", {"id": "EDGE", "etag": "no", **RENAME}),
    Case("DisableServiceAccount", "CONFLICT", {"id": "EDGE", "etag": "no"}),
    Case("EnableServiceAccount", "CONFLICT", {"id": "EDGE", "etag": "no"}),
    Case("CreateApp", "APP_EXISTS", {"api_key": "acme"}),
    Case("CreateServiceAccount", "SERVICE_ACCOUNT_EXISTS", {"name": "edge", "permissions": ["admin.read"]}),
    Case("UpdateServiceAccount", "SERVICE_ACCOUNT_EXISTS", {"id": "EDGE", **RENAME, "name": "tenant"}),
    Case("CreateServiceAccount", "APP_NOT_FOUND", {"name": "n", "permissions": ["admin.read"], "apps": ["no"]}),
    Case("UpdateServiceAccount", "APP_NOT_FOUND", {"id": "EDGE", "apps": ["no"], "update_mask": {"paths": ["apps"]}}),
    Case("CreateServiceAccount", "GRANT_EXCEEDS_OWN", {"name": "n", "permissions": ["trust.read"]}, "only admin.write"),
    Case("UpdateServiceAccount", "GRANT_EXCEEDS_OWN", {"id": "ADMIN", **RENAME}, "only admin.write"),
    Case("EnableServiceAccount", "GRANT_EXCEEDS_OWN", {"id": "ADMIN"}, "only admin.write"),
    Case("RotateCredential", "GRANT_EXCEEDS_OWN", {"id": "ADMIN"}, "only admin.write"),
    Case("RotateCredential", "CREDENTIAL_LIMIT", {"id": "EDGE"}),
    Case("RevokeCredential", "CREDENTIAL_NOT_FOUND", {"id": "EDGE", "credential_id": "no"}),
]


@pytest.mark.parametrize("method", METHODS)
def test_a_promised_reason_is_met(scene: Scene, method: str) -> None:
    """A faulty call is answered with the reason its method's comment promises, under the status promised with it."""
    ids = {"EDGE": scene.edge.id, "ADMIN": scene.server.account_id, "KEY": scene.pending}
    scene.ask("RotateCredential", id=scene.edge.id)
    known = SERVICE.methods_by_name[method].input_type.fields_by_name
    promised = promised_reasons(f"AdminService.{method}")
    rows = Rows(scene.server.state_dir)
    before = rows.everything()
    for case in (case for case in CASES if case.method == method):
        fields = {name: ids.get(str(value), value) for name, value in case.fields.items() if name in known}
        refusal = refusal_of(partial(scene.ask, method, caller=case.caller, **fields))
        assert refusal.reason == case.reason
        assert refusal.reason in promised.get(refusal.code.name, set())
        assert refusal.text.startswith(f"{case.reason}: ")
    assert rows.everything() == before


@pytest.mark.parametrize("method", METHODS)
def test_every_promised_reason_has_a_case(method: str) -> None:
    """A comment promises nothing that no test meets, and the cases name nothing that is not promised."""
    promised = set().union(*promised_reasons(f"AdminService.{method}").values())
    met = {case.reason for case in CASES if case.method == method}
    if not SERVICE.methods_by_name[method].input_type.fields:
        met.add("INVALID_REQUEST")  # nothing can be wrong with it but its bytes: below
    assert met == promised - OF_ANY_CALL - OF_BODY_OR_STORE
    assert promised >= OF_ANY_CALL | OF_BODY_OR_STORE


def _padded(request: bytes, size: int) -> bytes:
    """The request with a field that nobody knows, as long as it takes to be ``size`` bytes."""
    body = bytes(size - len(request) - 5)
    length = len(body)
    return request + b"\xa2\x06" + bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14]) + body


@pytest.mark.parametrize("method", METHODS)
def test_a_large_request_is_refused(scene: Scene, method: str) -> None:
    """A message of 64 KiB is served, one byte more is not."""
    request = SERVICE.methods_by_name[method].input_type
    fine = message_factory.GetMessageClass(request)(**scene.fine(method)).SerializeToString()
    refusal = refusal_of(lambda: scene.send(method, _padded(fine, 64 * 1024 + 1)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
    assert scene.send(method, _padded(fine, 64 * 1024)).ByteSize() > 0


@pytest.mark.parametrize("method", METHODS)
def test_bytes_that_do_not_parse_are_refused(scene: Scene, method: str) -> None:
    """Malformed bytes are the caller's fault, never an internal error, and change nothing."""
    rows = Rows(scene.server.state_dir)
    before = rows.everything()
    fields = SERVICE.methods_by_name[method].input_type.fields
    not_utf8 = [bytes([field.number << 3 | 2, 1, 0xFF]) for field in fields if field.type == field.TYPE_STRING]
    for malformed in (b"\xff", b"\x12", b"\x12\x05abc", *not_utf8):
        refusal = refusal_of(partial(scene.send, method, malformed))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"), malformed
    assert rows.everything() == before


@pytest.mark.parametrize("method", STORING)
def test_a_store_that_is_gone_is_said_so(scene: Scene, method: str) -> None:
    """Where the store cannot be written a change is UNAVAILABLE, and the server knows nothing of it afterwards."""
    domain, fields = scene.server.domain, scene.fine(method)
    opposite = {"ResumeApp": "SuspendApp", "EnableServiceAccount": "DisableServiceAccount"}.get(method)
    if opposite is not None:  # what is the case already needs no store
        scene.ask(opposite, **fields)
    known = (domain.view.apps(), domain.view.accounts())
    domain.store.close()
    refusal = refusal_of(lambda: scene.ask(method, **fields))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert (domain.view.apps(), domain.view.accounts()) == known


@pytest.mark.parametrize("method", IN_MEMORY)
def test_what_is_in_memory_needs_no_store(scene: Scene, method: str) -> None:
    """What a worker knows it can tell, and what it logs it can change, while the store is gone."""
    scene.server.domain.store.close()
    assert scene.ask(method, **scene.fine(method)).ByteSize() > 0


def test_a_change_that_comes_too_late_is_not_made(scene: Scene) -> None:
    """A change whose deadline passes while others hold the store is never made; one that waits long enough is."""
    store, held = scene.server.domain.store, Held()
    event = AuditEvent(scene.server.clock(), "test.held", "test", "acme", "acme", "done")
    holder = Background(lambda: store.edit_app(ApiKey("acme"), held, event))
    held.wait_until_reached()
    refusal = refusal_of(lambda: scene.ask("CreateApp", api_key="late", timeout=0.2))
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
    patient = Background(lambda: scene.ask("CreateApp", api_key="patient").app.api_key)
    held.release()
    assert patient.outcome() == "patient"
    assert isinstance(holder.outcome(), App)
    assert [app.api_key for app in scene.ask("ListApps").apps] == ["acme", "dev", "other", "patient"]
