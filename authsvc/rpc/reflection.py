"""Server reflection that reads like a manual: the files with their comments, which Python's own descriptors drop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import ReflectionServicer

from authsvc.rpc.access import REFLECTION, AccessRule
from authsvc.rpc.call import Call
from authsvc.rpc.methods import Form, Method

# Imported so that the default pool holds them: tools look the details of errors up by reflection.
_ALSO_SERVED = (error_details_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)


class CommentedFile:
    """A file descriptor as the reflection servicer uses it: a name, its imports, a copy of its proto."""

    def __init__(self, proto: FileDescriptorProto, pool: CommentedPool) -> None:
        self.name = proto.name
        self._proto = proto
        self._pool = pool

    @property
    def dependencies(self) -> list[CommentedFile]:
        """The files this one imports."""
        return [self._pool.FindFileByName(name) for name in self._proto.dependency]

    def CopyToProto(self, proto: FileDescriptorProto) -> None:
        """Copy the file, comments included."""
        proto.CopyFrom(self._proto)


class CommentedPool:
    """Our files with comments, everything else from the library's pool. Names are the servicer's, hence their case."""

    def __init__(self) -> None:
        self._default = descriptor_pool.Default()
        shipped = FileDescriptorSet.FromString(files("authsvc.v1").joinpath("descriptors.binpb").read_bytes())
        self._protos = {proto.name: proto for proto in shipped.file}

    def FindFileByName(self, name: str) -> CommentedFile:
        """The file with that name; raises ``KeyError``."""
        proto = self._protos.get(name)
        if proto is None:
            proto = FileDescriptorProto()
            self._default.FindFileByName(name).CopyToProto(proto)
        return CommentedFile(proto, self)

    def FindFileContainingSymbol(self, symbol: str) -> CommentedFile:
        """The file that declares the symbol; raises ``KeyError``."""
        try:
            declaring = self._default.FindFileContainingSymbol(symbol)
        except KeyError:  # the library's pool finds methods by their own look-up only
            declaring = self._default.FindMethodByName(symbol).containing_service.file
        return self.FindFileByName(declaring.name)

    def __getattr__(self, name: str) -> object:
        # Extensions and messages by number or name: nothing about comments, so the library's own answer.
        return getattr(self._default, name)


def reflection_methods(services: Iterable[str], rules: Mapping[str, AccessRule]) -> Iterator[Method]:
    """Both names of the reflection service: version 1 and 1alpha have the same messages on the wire."""
    servicer = ReflectionServicer(services, pool=CommentedPool())

    def serve(requests: Iterator[reflection_pb2.ServerReflectionRequest], call: Call) -> Iterator[object]:
        yield from servicer.ServerReflectionInfo(requests, call.context)

    for name in REFLECTION:
        yield Method(name, rules[name], Form.DIALOG, reflection_pb2.ServerReflectionRequest, serve)
