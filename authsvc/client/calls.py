"""Calls for those who wait: each attempt on the line of now, and the error that a call may end with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Semaphore
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from authsvc.client.course import PLACES, Course, Rules, no_turn
from authsvc.client.errors import AuthClientError
from authsvc.client.lines import Lease, Lines
from authsvc.client.methods import Pages, Stream, Unary
from authsvc.client.spans import positive
from authsvc.client.status import error_of

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
Item = TypeVar("Item")

Pause = Callable[[float], None]
"""Waits for that many seconds."""


class Calls:
    """Makes calls with a deadline and the credential each; raises ``AuthClientError`` for those that fail."""

    def __init__(self, lines: Lines[grpc.Channel], rules: Rules, pause: Pause, places: Semaphore | None = None) -> None:
        self._lines = lines
        self._rules = rules
        self._pause = pause
        self._places = places or Semaphore(PLACES)

    def without_credential(self) -> Calls:
        """Calls on the same lines that show no credential."""
        return Calls(self._lines, self._rules.without_credential(), self._pause, self._places)

    def make(self, method: Unary[Request, Answer], request: Request, /, *, timeout: timedelta | None = None) -> Answer:
        """Make a call, and repeat it where the method allows while the service is unavailable and time is left."""
        self._lines.check()
        asked = request if method.named is None else method.named(request, self._rules.randomness)
        course = self._rules.course(method.name, timeout, repeats=method.repeats)
        while True:
            outcome = self._attempt(method, asked, course)
            if not isinstance(outcome, AuthClientError):
                course.succeeded()
                return outcome
            self._pause(course.seconds_until_repeat(outcome))

    def pages(
        self, pages: Pages[Request, Item], request: Request | None = None, /, *, timeout: timedelta | None = None
    ) -> Iterator[Item]:
        """Read page by page, as far as it is asked for."""
        asked = pages.first(request)
        while True:
            page = self.make(pages.page, asked, timeout=timeout)
            yield from pages.items(page)
            if not page.next_page_token:
                return
            asked.page_token = page.next_page_token  # type: ignore[attr-defined]  # as every paged request has

    def open(
        self, method: Stream[Request, Answer], request: Request, /, *, timeout: timedelta | None = None
    ) -> Updates[Answer]:
        """Begin a call that goes on answering."""
        seconds = None if timeout is None else positive("timeout", timeout).total_seconds()
        lease = self._lines.take()
        try:
            begin = lease.method(method.stub, method.name)
            return Updates(begin(request, timeout=seconds, metadata=self._rules.metadata()), lease)
        except BaseException:
            lease.end()
            raise

    def close(self) -> None:
        """End all calls with CANCELLED; whoever makes another one gets a ``ValueError``."""
        for channel in self._lines.close():
            channel.close()

    def _attempt(self, method: Unary[Request, Answer], request: Request, course: Course) -> Answer | AuthClientError:
        if not self._places.acquire(timeout=course.seconds_left()):
            return no_turn()
        try:
            return self._attempted(method, request, course)
        finally:
            self._places.release()

    def _attempted(self, method: Unary[Request, Answer], request: Request, course: Course) -> Answer | AuthClientError:
        # The error is returned, not raised: raised from here it would carry gRPC's frames as its context, and
        # reporters that print the variables of frames would print the credential among the metadata.
        lease = self._lines.take()
        try:
            call: Callable[..., Answer] = lease.method(method.stub, method.name)
            return call(request, timeout=course.seconds_left(), metadata=course.metadata())
        except grpc.RpcError as fault:
            return error_of(fault)
        finally:
            lease.end()
            self._close_unused()

    def _close_unused(self) -> None:
        for channel in self._lines.unused():
            channel.close()


class Updates(Generic[Answer]):
    """The answers of a call that goes on, each when it comes; leave it by ``cancel``, or as a context manager.

    ``StopIteration`` where the service ends it, ``AuthClientError`` where it fails; after ``cancel``: CANCELLED.
    """

    def __init__(self, call: Any, lease: Lease[grpc.Channel]) -> None:
        self._call = call
        self._lease = lease

    def __iter__(self) -> Iterator[Answer]:
        return self

    def __next__(self) -> Answer:
        outcome = self._next()
        if not isinstance(outcome, Exception):
            return outcome
        self._lease.end()
        raise outcome

    def cancel(self) -> None:
        """End it, from any thread."""
        self._call.cancel()
        self._lease.end()

    def __enter__(self) -> Updates[Answer]:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def _next(self) -> Answer | AuthClientError | StopIteration:
        try:
            answer: Answer = next(self._call)
        except StopIteration as end:
            return end
        except grpc.RpcError as fault:
            return error_of(fault)
        return answer
