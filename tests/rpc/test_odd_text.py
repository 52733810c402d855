"""Text that nobody should send, in every field that takes text: answered or refused with a reason, never INTERNAL."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from authsvc.v1 import admin_pb2, auth_pb2, guest_pb2, trust_pb2
from tests.conftest import RunningServer
from tests.rpc.http2 import connected
from tests.rpc.surface import answered, completed, eventually

ODD = {
    "NUL": "a\0b",
    "newline": "a\nb",
    "escape": "\x1b[31m",
    "quote": "'; DROP TABLE apps; --",
    "not ASCII": "é€😀",
    "right to left": "\u202egnp",
    "full width": "ａｄｍｉｎ",
    "path": "../../etc/passwd",
    "long": "x" * 20_000,
    "blank": " ",
}
UNFORESEEN = (grpc.StatusCode.INTERNAL.value[0], grpc.StatusCode.UNKNOWN.value[0], None)


def methods() -> Iterator[MethodDescriptor]:
    """Every method of ours."""
    for module in (auth_pb2, guest_pb2, admin_pb2, trust_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def paths(message: Descriptor, depth: int = 0) -> Iterator[tuple[FieldDescriptor, ...]]:
    """Each way down to a text field."""
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield (field,)
        elif field.message_type is not None and depth < 3 and not field.message_type.GetOptions().map_entry:
            yield from ((field, *rest) for rest in paths(field.message_type, depth + 1))


def with_text(request: Message, path: tuple[FieldDescriptor, ...], text: str) -> bytes:
    """The request with that text in that field; its app is one that exists."""
    if "api_key" in request.DESCRIPTOR.fields_by_name:
        setattr(request, "api_key", "dev")  # noqa: B010 - not every request has one
    here = request
    for field in path[:-1]:
        inside = getattr(here, field.name)
        here = inside.add() if field.is_repeated else inside
    last = path[-1]
    if last.is_repeated:
        getattr(here, last.name).append(text)
    else:
        setattr(here, last.name, text)
    return request.SerializeToString()


@pytest.mark.parametrize("kind", ODD)
def test_odd_text_is_never_unforeseen(server: RunningServer, kind: str) -> None:
    """Each text field of each request, alone: whatever comes back has a reason, and none is INTERNAL."""
    unforeseen = {}
    calls = 0
    with connected(server.target) as connection:
        for method in methods():
            request_class = message_factory.GetMessageClass(method.input_type)
            name = f"/{method.containing_service.full_name}/{method.name}"
            for path in paths(method.input_type):
                body = with_text(request_class(), path, ODD[kind])
                answer = answered(connection, name, server.metadata, body)
                calls += 1
                if answer.status in UNFORESEEN:
                    unforeseen[name, ".".join(field.name for field in path)] = answer.headers
    assert unforeseen == {}
    assert calls > 40
    # The line of a stream is written when its end is noticed, which may be after the caller was told.
    assert eventually(lambda: len(completed(server)), lambda lines: lines >= calls) == calls
