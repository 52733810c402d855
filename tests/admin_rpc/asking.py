"""AdminService as its callers see it: asked over the wire, by the names of its methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc

from authsvc.model import ApiKey, AuditEvent, Permission, UserId
from authsvc.v1 import admin_pb2
from tests.conftest import RunningServer

SERVICE = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
METHODS = tuple(method.name for method in SERVICE.methods)
IN_MEMORY = ("GetApp", "ListApps", "ListKeys", "GetJwks", "GetServiceAccount", "ListServiceAccounts", "GetLogging")
READING_THE_STORE = ("ListRevocations", "ListAuditEvents")
READING = (*IN_MEMORY, *READING_THE_STORE)
STORING = tuple(name for name in METHODS if name not in READING)
ALL = tuple(permission.value for permission in Permission)


@dataclass
class Scene:
    """A server with the apps ``acme``, ``dev`` and ``other``, an account to act on, and callers of several rights.

    ``pending`` is the kid of a pending key of ``acme``.
    """

    server: RunningServer
    channel: grpc.Channel
    edge: admin_pb2.ServiceAccount
    edge_credential: str
    pending: str = ""
    callers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, *, caller: str = "root", timeout: float = 10, **fields: Any) -> Any:
        """Call a method with a request of those fields, as one of ``callers``; "nobody" sends no credential."""
        request = getattr(admin_pb2, f"{method}Request")(**fields)
        return self.send(method, request.SerializeToString(), caller=caller, timeout=timeout)

    def send(self, method: str, request: bytes, *, caller: str = "root", timeout: float = 10) -> Any:
        """Call a method with the bytes of a request."""
        answer = getattr(admin_pb2, f"{method}Response").FromString
        call: Any = self.channel.unary_unary(f"/{SERVICE.full_name}/{method}", None, answer)
        credential = self.callers.get(caller, caller)
        metadata = () if caller == "nobody" else (("authorization", f"Bearer {credential}"),)
        return call(request, metadata=metadata, timeout=timeout)

    def fine(self, method: str) -> dict[str, Any]:
        """The fields of a request that this scene answers well."""
        account, key = {"id": self.edge.id}, {"api_key": "acme", "key_id": self.pending}
        requests: dict[str, dict[str, Any]] = {
            "CreateApp": {"api_key": "new"},
            "GetApp": {"api_key": "acme"},
            "UpdateApp": {"api_key": "acme", "update_mask": {"paths": ["clock_skew"]}},
            "SuspendApp": {"api_key": "acme"},
            "ResumeApp": {"api_key": "acme"},
            "ListKeys": {"api_key": "acme"},
            "RotateKey": {"api_key": "acme"},
            "ActivateKey": {**key, "now": True},
            "RevokeKey": key,
            "GetJwks": {"api_key": "acme"},
            "CreateServiceAccount": {"name": "new", "permissions": ["admin.read"], "apps": ["acme"]},
            "UpdateServiceAccount": {**account, "name": "renamed", "update_mask": {"paths": ["name"]}},
            "RevokeCredential": {**account, "credential_id": self.edge.credentials[0].id},
            "ListApps": {},
            "ListServiceAccounts": {},
            "GetLogging": {},
            "ConfigureLogging": {"levels": [{"scope": "storage", "level": "debug"}]},
            "ClearRevocation": {"api_key": "acme", "user_id": "sara"},
            "ListRevocations": {"api_key": "acme"},
            "ListAuditEvents": {},
        }
        return requests.get(method, account)


def a_scene(server: RunningServer) -> Scene:
    """Set it and name its callers by what they may; ``tenant`` may all, on ``acme`` alone. ``sara`` of ``acme`` is
    revoked.
    """
    for api_key in ("acme", "other"):
        server.new_app(api_key)
    scene = Scene(server, server.channel(), admin_pb2.ServiceAccount(), "", callers={"root": server.credential})
    made = scene.ask("CreateServiceAccount", name="edge", permissions=["admin.read"], apps=["acme"])
    scene.edge, scene.edge_credential = made.service_account, made.credential
    for name in ("admin.read", "admin.write", "tokens.issue"):
        others = tuple(other for other in ALL if other != name)
        for caller, permissions in ((f"only {name}", (name,)), (f"all but {name}", others)):
            scene.callers[caller] = server.new_credential(
                caller.replace(" ", "-"), permissions=permissions, all_apps=True
            )
    event = AuditEvent(server.clock(), "user.revoked", "test", "acme", "sara", "revoked")
    server.domain.store.raise_watermark(ApiKey("acme"), UserId("sara"), event)
    scene.pending = scene.ask("RotateKey", api_key="acme").key.key_id
    scene.callers["tenant"] = server.new_credential("tenant", permissions=ALL, apps=("acme",))
    return scene
