"""Reflection that reads like a manual: our files with their comments, and errors' details, under both of its names."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, ServiceDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ExtensionRequest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest as Question
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse as Answer

from authsvc.rpc.reflection import CommentedPool
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import Connection, connected
from tests.rpc.surface import REFLECTION, completed, eventually

NOT_FOUND = 5


@pytest.fixture(params=REFLECTION, ids=["v1", "v1alpha"])
def path(request: pytest.FixtureRequest) -> str:
    """Each name of the service; their messages are the same on the wire."""
    return str(request.param)


def ask(connection: Connection, path: str, question: Question) -> Answer:
    """One question on a stream of its own, as `grpcurl` asks."""
    stream = connection.call(path)
    connection.send(stream, question.SerializeToString())
    answer = connection.answer(stream)
    assert answer.status == 0, answer
    (raw,) = answer.messages
    return Answer.FromString(raw)


def files(answer: Answer) -> dict[str, FileDescriptorProto]:
    """The files of an answer by name."""
    found = map(FileDescriptorProto.FromString, answer.file_descriptor_response.file_descriptor_proto)
    return {file.name: file for file in found}


def comment_on(file: FileDescriptorProto, place: Iterable[int]) -> str:
    """What is written before a thing in a file."""
    (found,) = [each for each in file.source_code_info.location if list(each.path) == list(place)]
    return found.leading_comments


def method_place(service: ServiceDescriptorProto, name: str) -> list[int]:
    """Where the comment of a method of the file's only service is kept."""
    return [6, 0, 2, [method.name for method in service.method].index(name)]


def test_it_lists_what_is_served(server: RunningServer, path: str) -> None:
    """Our services, health and reflection itself, and nothing else."""
    with connected(server.target) as connection:
        answer = ask(connection, path, Question(list_services=""))
    assert {service.name for service in answer.list_services_response.service} == {
        "authsvc.v1.AuthService",
        "authsvc.v1.GuestService",
        "authsvc.v1.AdminService",
        "authsvc.v1.TrustService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


def test_a_method_is_described_with_its_comment(server: RunningServer, path: str) -> None:
    """The file of a symbol comes with its comments, so that `describe` explains who may call and what goes wrong."""
    with connected(server.target) as connection:
        answer = ask(connection, path, Question(file_containing_symbol="authsvc.v1.AuthService.IssueToken"))
    file = files(answer)["authsvc/v1/auth.proto"]
    comment = comment_on(file, method_place(file.service[0], "IssueToken"))
    assert "Permission: tokens.issue" in comment
    assert "UNAUTHENTICATED: CREDENTIAL_MISSING, CREDENTIAL_INVALID" in comment


@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("authsvc.v1.AuthService", "authsvc/v1/auth.proto"),
        ("authsvc.v1.TokenInfo", "authsvc/v1/auth.proto"),
        ("authsvc.v1.GuestService.IssueGuestToken", "authsvc/v1/guest.proto"),
        ("authsvc.v1.AdminService.CreateApp", "authsvc/v1/admin.proto"),
        ("authsvc.v1.TrustService.WatchTrustBundle", "authsvc/v1/trust.proto"),
        ("authsvc.v1.access", "authsvc/v1/access.proto"),
        ("google.rpc.ErrorInfo", "google/rpc/error_details.proto"),
        ("google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"),
        ("google.rpc.RetryInfo", "google/rpc/error_details.proto"),
        ("google.protobuf.Struct", "google/protobuf/struct.proto"),
        ("grpc.health.v1.Health", "grpc_health/v1/health.proto"),
    ],
)
def test_what_a_tool_needs_can_be_resolved(server: RunningServer, path: str, symbol: str, file: str) -> None:
    """Every type that a request, an answer or the details of an error can hold is found, with all that it imports."""
    with connected(server.target) as connection:
        known = files(ask(connection, path, Question(file_containing_symbol=symbol)))
        assert file in known
        missing = {name for each in known.values() for name in each.dependency} - known.keys()
        for name in missing:
            assert name in files(ask(connection, path, Question(file_by_filename=name)))


@pytest.mark.parametrize(
    "question",
    [
        Question(file_by_filename="authsvc/v1/secret.proto"),
        Question(file_by_filename="/etc/passwd"),
        Question(file_containing_symbol="authsvc.v1.Nothing"),
        Question(file_containing_symbol=""),
    ],
    ids=["no such file", "a file of the machine", "no such symbol", "no symbol"],
)
def test_what_is_not_there_is_answered(server: RunningServer, path: str, question: Question) -> None:
    """A name that is unknown is an answer of the protocol, and the stream goes on."""
    with connected(server.target) as connection:
        assert ask(connection, path, question).error_response.error_code == NOT_FOUND


def test_the_access_rule_is_an_extension_that_tools_find(server: RunningServer, path: str) -> None:
    """By the number of the option a tool gets the file that explains it."""
    extension = ExtensionRequest(containing_type="google.protobuf.MethodOptions", extension_number=50601)
    with connected(server.target) as connection:
        answer = ask(connection, path, Question(file_containing_extension=extension))
        numbers = ask(connection, path, Question(all_extension_numbers_of_type="google.protobuf.MethodOptions"))
    assert "authsvc/v1/access.proto" in files(answer)
    assert 50601 in numbers.all_extension_numbers_response.extension_number


def test_each_of_our_files_is_served_with_comments() -> None:
    """Comments reach the pool that reflection asks; files of others come without, as the library has them."""
    pool = CommentedPool()
    for name, commented in {
        "authsvc/v1/access.proto": True,
        "authsvc/v1/admin.proto": True,
        "authsvc/v1/auth.proto": True,
        "authsvc/v1/guest.proto": True,
        "authsvc/v1/trust.proto": True,
        "grpc_health/v1/health.proto": False,
    }.items():
        file = FileDescriptorProto()
        pool.FindFileByName(name).CopyToProto(file)
        assert any(each.leading_comments for each in file.source_code_info.location) is commented


def test_a_question_that_does_not_parse_ends_the_stream(server: RunningServer, path: str) -> None:
    """INVALID_REQUEST, as for any other method."""
    with connected(server.target) as connection:
        stream = connection.call(path)
        connection.send(stream, b"\xff\xff\xff")
        answer = connection.answer(stream)
    assert (answer.status, answer.reason) == (3, "INVALID_REQUEST")


def test_a_stream_that_ends_well_is_logged_so(server: RunningServer, path: str) -> None:
    """One line, OK, for a caller who said that no more questions come."""
    with connected(server.target) as connection:
        ask(connection, path, Question(list_services=""))
    (line,) = eventually(lambda: completed(server), bool)
    assert (line["method"], line["code"], line["reason"]) == (path, "OK", "")


def test_outside_development_it_is_off(start_server: StartServer, path: str) -> None:
    """Nobody is shown the contract unless the operator asked for it."""
    server = start_server(dev=False)
    with connected(server.target) as connection:
        stream = connection.call(path, server.metadata)
        connection.send(stream, Question(list_services="").SerializeToString())
        assert connection.answer(stream).reason == "METHOD_UNKNOWN"
