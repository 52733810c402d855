"""A real gRPC server that answers as it is told: for what a healthy service never does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2

from authsvc.v1 import admin_pb2, auth_pb2, guest_pb2, trust_pb2

Behaviour = Callable[[Any, grpc.ServicerContext], Any]
"""What to do with a request: give its answer, or the answers of a stream, or end the call through its context."""

_METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for module in (auth_pb2, guest_pb2, trust_pb2, admin_pb2, health_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


class ScriptedServer(grpc.GenericRpcHandler):
    """Takes the behaviours of ``script`` one by one, then gives empty answers; keeps what it was asked."""

    def __init__(self) -> None:
        self.script: list[Behaviour] = []
        self.requests: list[Any] = []
        self.metadata: list[tuple[tuple[str, str], ...]] = []
        self.times_left: list[float] = []
        self.target = ""

    def service(self, call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """Serve any method of the contract."""
        method = _METHODS[call_details.method]
        read, empty = GetMessageClass(method.input_type).FromString, GetMessageClass(method.output_type)()

        def behave(request: Any, context: grpc.ServicerContext, silent: Any) -> Any:
            self.requests.append(request)
            self.metadata.append(tuple((name, str(value)) for name, value in context.invocation_metadata()))
            self.times_left.append(context.time_remaining() or 0)
            return self.script.pop(0)(request, context) if self.script else silent

        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(lambda asked, call: behave(asked, call, ()), read, _written)
        return grpc.unary_unary_rpc_method_handler(lambda asked, call: behave(asked, call, empty), read, _written)


def _written(message: Message) -> bytes:
    return message.SerializeToString()


@contextmanager
def scripted_server(
    credentials: grpc.ServerCredentials | None = None, *, address: str = "127.0.0.1:0"
) -> Iterator[ScriptedServer]:
    """Run one on loopback, on a port of its own unless ``address`` says which."""
    scripted = ScriptedServer()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[scripted])
    port = server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
    scripted.target = f"127.0.0.1:{port}"
    server.start()
    try:
        yield scripted
    finally:
        server.stop(grace=0).wait()


def ends_with(status: grpc.Status) -> Behaviour:
    """End the call with that status and its details."""

    def end(_: object, context: grpc.ServicerContext) -> Message:
        context.abort_with_status(status)

    return end


def aborts(code: grpc.StatusCode, text: str = "no details") -> Behaviour:
    """End the call as a proxy does: a code and a text."""

    def end(_: object, context: grpc.ServicerContext) -> Message:
        context.abort(code, text)

    return end
