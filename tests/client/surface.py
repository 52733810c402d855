"""The methods of the contract as the client has them: each by its full name."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from authsvc.client.admin import AdminMethods
from authsvc.client.auth import AuthMethods
from authsvc.client.guest import GuestMethods
from authsvc.client.methods import Pages, Stream, Unary
from authsvc.client.trust import TrustMethods
from authsvc.v1 import admin_pb2, auth_pb2, guest_pb2, trust_pb2

SERVICES: dict[str, tuple[Any, type, Callable[[Any], Any]]] = {
    "AuthService": (auth_pb2, AuthMethods, lambda client: client),
    "GuestService": (guest_pb2, GuestMethods, lambda client: client.guests),
    "TrustService": (trust_pb2, TrustMethods, lambda client: client.trust),
    "AdminService": (admin_pb2, AdminMethods, lambda client: client.admin),
}
"""Of each service: its messages, the table of its methods, and where a client has them."""


@dataclass(frozen=True)
class Entry:
    """A method in a table of the client."""

    service: str
    attribute: str
    method: Unary[Any, Any] | Stream[Any, Any]

    @property
    def name(self) -> str:
        return f"{self.service}/{self.method.name}"

    @property
    def types(self) -> tuple[type, type]:
        """Of its request and its answer."""
        request, answer = typing.get_args(self.method.__orig_class__)  # type: ignore[union-attr]
        return request, answer

    def __call__(self, client: Any) -> Any:
        """Make the call, with an empty request."""
        holder = SERVICES[self.service][2](client)
        return getattr(holder, self.attribute)(self.types[0]())


def entries() -> Iterator[Entry]:
    """Every method that a client has."""
    for service, (_, table, _) in SERVICES.items():
        for attribute in dir(table):
            found = getattr(table, attribute)
            if isinstance(found, Unary | Stream):
                yield Entry(service, attribute, found)


def listings() -> Iterator[tuple[str, Pages[Any, Any]]]:
    """Everything that a client reads page by page."""
    for _, table, _ in SERVICES.values():
        for attribute in dir(table):
            found = getattr(table, attribute)
            if isinstance(found, Pages):
                yield attribute, found


def contract() -> dict[str, MethodDescriptor]:
    """Every method of the contract."""
    return {
        f"{service}/{method.name}": method
        for service, (messages, _, _) in SERVICES.items()
        for method in messages.DESCRIPTOR.services_by_name[service].methods
    }


CALLS = {entry.name: entry for entry in entries()}
