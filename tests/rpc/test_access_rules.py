"""Who may call which method: declared for each, known for each, compared by equality."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from authsvc.clock import system_randomness
from authsvc.model import Permission
from authsvc.rpc.access import AccessRule, AccessUndeclared, declared_rules, foreign_rules
from authsvc.rpc.limits import Limits
from authsvc.rpc.methods import MethodMissing, methods_of_service
from authsvc.rpc.server import RpcServer
from authsvc.v1 import access_pb2, admin_pb2, auth_pb2, guest_pb2, trust_pb2
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import connected
from tests.rpc.surface import (
    HEALTH_CHECK,
    HEALTH_WATCH,
    OPEN,
    OURS,
    REFLECTION,
    STREAMS,
    VALIDATE,
    answered,
    auth_of,
    surface_of,
)

UNAUTHENTICATED, UNIMPLEMENTED = 16, 12


def service_with(rule: access_pb2.Access | None) -> ServiceDescriptor:
    """A service of one method with that rule, or with none."""
    file = FileDescriptorProto(name="made_up.proto", package="made.up", syntax="proto3")
    file.message_type.add(name="Question")
    method = file.service.add(name="Service").method.add(
        name="Ask", input_type=".made.up.Question", output_type=".made.up.Question"
    )
    if rule is not None:
        method.options.Extensions[access_pb2.access].CopyFrom(rule)
    pool = DescriptorPool()
    pool.Add(file)
    return pool.FindServiceByName("made.up.Service")


def test_each_method_of_ours_has_its_published_rule() -> None:
    """The rules read from the descriptors are the literal table, and no method is missing from it."""
    services = (
        auth_pb2.DESCRIPTOR.services_by_name["AuthService"],
        guest_pb2.DESCRIPTOR.services_by_name["GuestService"],
        trust_pb2.DESCRIPTOR.services_by_name["TrustService"],
        admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    )
    found = {name: rule for service in services for name, rule in declared_rules(service).items()}
    needed = {**OURS, **STREAMS}
    guarded = {name: AccessRule(permission=Permission(permission)) for name, permission in needed.items()}
    assert found == {**guarded, **dict.fromkeys(OPEN, AccessRule(open=True))}


@pytest.mark.parametrize(
    "rule",
    [
        None,
        access_pb2.Access(),
        access_pb2.Access(open=False),
        access_pb2.Access(permission=""),
        access_pb2.Access(permission="tokens.mint"),
        access_pb2.Access(permission="TOKENS.ISSUE"),
    ],
    ids=["none", "empty", "not open", "no permission", "unknown permission", "case"],
)
def test_a_method_without_a_rule_stops_the_start(rule: access_pb2.Access | None) -> None:
    """A rule that is missing, empty or unknown is no rule, and the error names the method."""
    with pytest.raises(AccessUndeclared, match=r"/made\.up\.Service/Ask"):
        declared_rules(service_with(rule))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (access_pb2.Access(open=True), AccessRule(open=True)),
        (access_pb2.Access(permission="tokens.issue"), AccessRule(permission=Permission.TOKENS_ISSUE)),
    ],
)
def test_a_declared_rule_is_read(rule: access_pb2.Access, expected: AccessRule) -> None:
    """The same method with a rule is served under it."""
    assert declared_rules(service_with(rule)) == {"/made.up.Service/Ask": expected}


def test_a_method_without_a_servicer_is_found() -> None:
    """A method that is declared and not served is an error that names it."""
    with pytest.raises(MethodMissing, match=r"/made\.up\.Service/Ask"):
        list(methods_of_service(service_with(access_pb2.Access(open=True)), object()))


def test_a_server_that_does_not_serve_its_contract_does_not_start(server: RunningServer) -> None:
    """The server cannot even be built with a servicer that lacks a method."""
    without_refresh = auth_of(print, without="RefreshToken")
    with pytest.raises(MethodMissing, match="RefreshToken"):
        RpcServer(
            surface_of(server.domain, without_refresh),
            server.domain.logs,
            system_randomness,
            Limits(),
            server.domain.metrics,
        )


@pytest.mark.parametrize("reflection_open", [True, False])
def test_the_rules_of_foreign_services_are_literal(reflection_open: bool) -> None:
    """Health is open; reflection is open in development and needs any credential elsewhere; nothing else is there."""
    reflection = AccessRule(open=reflection_open)
    assert foreign_rules(reflection_open=reflection_open) == {
        HEALTH_CHECK: AccessRule(open=True),
        HEALTH_WATCH: AccessRule(open=True),
        REFLECTION[0]: reflection,
        REFLECTION[1]: reflection,
    }


def other_spellings(name: str) -> list[str]:
    """Names that a sloppy comparison would take for the method's."""
    service, method = name[1:].split("/")
    return [
        f"{name}/",
        f"/{name}",
        name[1:],
        name.lower(),
        name.upper(),
        f"/{service}/{method.lower()}",
        f"/{service.lower()}/{method}",
        f"/{service}//{method}",
        f"/{service}/./{method}",
        f"/{service}/{method}?",
        f"/{service}/{method}%20",
        f"/{service}%2F{method}",
        f"/{service}/{method}\N{ZERO WIDTH SPACE}",
        f"/{service}/{method}ⓣ",
        f"/x.{service}/{method}",
        f"/{method}",
        "/",
    ]


def test_names_are_compared_by_equality(server: RunningServer) -> None:
    """Another spelling of a method is no method: unknown callers are asked for a credential, known ones are told."""
    with connected(server.target) as connection:
        strangers = {name: connection.answer(connection.call(name)) for name in other_spellings(VALIDATE)}
        known = {name: connection.answer(connection.call(name, server.metadata)) for name in other_spellings(VALIDATE)}
        right = answered(connection, VALIDATE, server.metadata)
    assert {(each.status, each.reason) for each in strangers.values()} == {(UNAUTHENTICATED, "CREDENTIAL_MISSING")}
    assert {(each.status, each.reason) for each in known.values()} == {(UNIMPLEMENTED, "METHOD_UNKNOWN")}
    assert right.reason == "INVALID_REQUEST", "the right name reaches its method"


@pytest.mark.parametrize("name", REFLECTION)
def test_reflection_is_not_served_unless_asked_for(start_server: StartServer, name: str) -> None:
    """Outside development reflection is an unknown method until it is switched on."""
    server = start_server(dev=False)
    with connected(server.target) as connection:
        assert connection.answer(connection.call(name)).reason == "CREDENTIAL_MISSING"
        assert connection.answer(connection.call(name, server.metadata)).reason == "METHOD_UNKNOWN"
