"""Who may call which method: our own rules stand in the protos, those of other services in one literal table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from authsvc.model import Permission
from authsvc.v1 import access_pb2


class AccessUndeclared(RuntimeError):
    """A method has no access rule: the server does not start."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """``open``: anyone. Otherwise a valid credential, and with ``permission`` one that holds it."""

    open: bool = False
    permission: Permission | None = None


HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = (
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
)


def foreign_rules(*, reflection_open: bool) -> Mapping[str, AccessRule]:
    """The rules of services that are not ours, by full method name."""
    return {
        HEALTH_CHECK: AccessRule(open=True),
        HEALTH_WATCH: AccessRule(open=True),
        **{name: AccessRule(open=reflection_open) for name in REFLECTION},
    }


def declared_rules(service: ServiceDescriptor) -> Mapping[str, AccessRule]:
    """The rules of a service of ours, by full method name; raises ``AccessUndeclared`` for a method without one."""
    return {full_name(method): _declared(method) for method in methods_of(service)}


def methods_of(service: ServiceDescriptor) -> Iterator[MethodDescriptor]:
    """The methods of a service, in the order of the proto."""
    yield from service.methods


def full_name(method: MethodDescriptor) -> str:
    """The name of a method on the wire."""
    return f"/{method.containing_service.full_name}/{method.name}"


def _declared(method: MethodDescriptor) -> AccessRule:
    access = method.GetOptions().Extensions[access_pb2.access]
    match access.WhichOneof("rule"):
        case "open":
            if access.open:
                return AccessRule(open=True)
        case "permission":
            if access.permission in set(Permission):
                return AccessRule(permission=Permission(access.permission))
    raise AccessUndeclared(f"{full_name(method)} has no access rule that this server knows")
