"""The methods of the contract, each written once, for callers that wait and for callers that await.

A table of them is a class whose attributes are ``Unary``, ``Stream`` or ``Pages``. Beside ``Waiting`` they are methods
that return; beside ``Awaiting`` methods that are awaited.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, overload

from google.protobuf.message import Message

from authsvc.clock import Randomness

if TYPE_CHECKING:
    from authsvc.client.awaited import AsyncUpdates, AwaitedCalls
    from authsvc.client.calls import Calls, Updates

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
Item = TypeVar("Item")
Asked_contra = TypeVar("Asked_contra", contravariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)

Stub = Callable[[Any], Any]
"""A generated stub: given a channel of either kind, it holds what makes the calls, by the names of the methods."""


class Waiting:
    """What holds methods that return their answer."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls


class Awaiting:
    """What holds methods that are awaited."""

    def __init__(self, calls: AwaitedCalls) -> None:
        self._calls = calls


class Call(Protocol[Asked_contra, Answer_co]):
    """Make the call within ``timeout``, repeats included; the client's own where none is given."""

    def __call__(self, request: Asked_contra, /, *, timeout: timedelta | None = None) -> Answer_co: ...


class AwaitedCall(Protocol[Asked_contra, Answer_co]):
    """As ``Call``, awaited."""

    async def __call__(self, request: Asked_contra, /, *, timeout: timedelta | None = None) -> Answer_co: ...


class Walk(Protocol[Asked_contra, Answer_co]):
    """Make as many calls as there are pages; ``timeout`` is for each. Without a request: everything."""

    def __call__(self, request: Asked_contra | None = None, /, *, timeout: timedelta | None = None) -> Answer_co: ...


class Unary(Generic[Request, Answer]):
    """A method with one answer.

    ``repeats``: two calls do what one does, so it is made again while the service is unavailable. ``named`` gives a
    request its name first, which is what makes two calls of some methods do what one does.
    """

    def __init__(
        self, stub: Stub, name: str, *, repeats: bool, named: Callable[[Request, Randomness], Request] | None = None
    ) -> None:
        self.stub = stub
        self.name = name
        self.repeats = repeats
        self.named = named

    @overload
    def __get__(self, holder: Waiting, owner: type) -> Call[Request, Answer]: ...
    @overload
    def __get__(self, holder: Awaiting, owner: type) -> AwaitedCall[Request, Answer]: ...
    @overload
    def __get__(self, holder: None, owner: type) -> Self: ...
    def __get__(self, holder: Waiting | Awaiting | None, owner: type) -> object:
        return self if holder is None else partial(holder._calls.make, self)


class Stream(Generic[Request, Answer]):
    """A method that goes on answering. It has no deadline unless the caller gives one, and is not repeated."""

    def __init__(self, stub: Stub, name: str) -> None:
        self.stub = stub
        self.name = name

    @overload
    def __get__(self, holder: Waiting, owner: type) -> Call[Request, Updates[Answer]]: ...
    @overload
    def __get__(self, holder: Awaiting, owner: type) -> Call[Request, AsyncUpdates[Answer]]: ...
    @overload
    def __get__(self, holder: None, owner: type) -> Self: ...
    def __get__(self, holder: Waiting | Awaiting | None, owner: type) -> object:
        return self if holder is None else partial(holder._calls.open, self)


class Pages(Generic[Request, Item]):
    """Everything that a paged method lists, read page by page while it is asked for."""

    def __init__(self, page: Unary[Request, Any], request: type[Request], items: str) -> None:
        self.page = page
        self._request = request
        self._items = items

    def first(self, request: Request | None) -> Request:
        """The request for the first page: a copy, as it is changed from page to page."""
        asked = self._request()
        if request is not None:
            asked.CopyFrom(request)
        return asked

    def items(self, page: Message) -> Iterator[Item]:
        """What stands on a page."""
        return iter(getattr(page, self._items))

    @overload
    def __get__(self, holder: Waiting, owner: type) -> Walk[Request, Iterator[Item]]: ...
    @overload
    def __get__(self, holder: Awaiting, owner: type) -> Walk[Request, AsyncIterator[Item]]: ...
    @overload
    def __get__(self, holder: None, owner: type) -> Self: ...
    def __get__(self, holder: Waiting | Awaiting | None, owner: type) -> object:
        return self if holder is None else partial(holder._calls.pages, self)
