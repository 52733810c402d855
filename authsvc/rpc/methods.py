"""The methods this server has: name, rule, form and what serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from authsvc.rpc import batch_limits
from authsvc.rpc.access import AccessRule, declared_rules, full_name, methods_of

LARGEST_REQUEST = 64 * 1024
REVOKING = frozenset(("/authsvc.v1.AuthService/RevokeTokens",))
"""Methods that end something: an overload must not keep anybody from it."""


class Form(Enum):
    """How many messages go each way, and whether the call holds a thread while it lasts."""

    UNARY = "one message each way"
    WATCH = "one message in, answers from another thread: holds none"
    DIALOG = "messages both ways: holds a thread"


Send = Callable[[Message | None], None]
"""Sends one answer of a watch; None ends it."""


def one_place(request: Message) -> int:
    """How many calls a request counts as where it is one."""
    del request
    return 1


# Any: each method has its own message type, and the three forms their own shapes; the registry below pairs them.
Behavior = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Method:
    """``serve`` gets ``(request, call)`` and gives a message; ``(request, call, send)``; or ``(requests, call)`` and
    gives messages: by its form.

    ``remembered`` gives the encoded answer to a call that has its message, where that is known without any work; it
    runs on the serving thread. ``together``: the method has a thread for calls that come together, and this is what
    that does for them first (``Prepare``).
    """

    name: str
    rule: AccessRule
    form: Form
    request_class: Callable[[], Message]
    serve: Behavior
    reserved: bool = False
    largest_request: int = LARGEST_REQUEST
    places_of: Callable[[Any], int] = one_place
    revoking: bool = False
    remembered: Callable[[Any], bytes | None] | None = None
    together: Callable[[Any], object] | None = None


class MethodMissing(RuntimeError):
    """The contract has a method that nothing serves: the server does not start."""


def methods_of_service(service: ServiceDescriptor, servicer: object) -> Iterator[Method]:
    """The methods of a service of ours.

    Raises ``MethodMissing`` for one that the servicer lacks and ``AccessUndeclared`` for one without a rule.
    """
    rules = declared_rules(service)
    for method in methods_of(service):
        serve = getattr(servicer, method.name, None)
        if serve is None:
            raise MethodMissing(f"{full_name(method)} is declared and not served")
        request_class = message_factory.GetMessageClass(method.input_type)
        batch = method.name.startswith(batch_limits.PREFIX)
        yield Method(
            full_name(method),
            rules[full_name(method)],
            Form.WATCH if method.server_streaming else Form.UNARY,
            request_class,
            serve,
            largest_request=batch_limits.LARGEST_BATCH if batch else LARGEST_REQUEST,
            places_of=batch_limits.places_of if batch else one_place,
            revoking=full_name(method) in REVOKING,
            remembered=getattr(servicer, "remembered", {}).get(method.name),
            together=getattr(servicer, "together", {}).get(method.name),
        )


def by_name(methods: Iterable[Method]) -> Mapping[str, Method]:
    """The methods by name; names are compared by equality and nothing else."""
    return {method.name: method for method in methods}
