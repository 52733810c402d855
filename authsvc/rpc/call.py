"""One call on its way through the interceptors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import grpc
from google.protobuf.message import Message

from authsvc.clock import Deadline
from authsvc.model import Principal
from authsvc.rpc.library import status_code
from authsvc.rpc.methods import Method
from authsvc.rpc.tickets import Ticket

Metadata = Sequence[tuple[str, str | bytes]]


class Call:
    """What is known of a call; interceptors fill it in as they learn more.

    Until ``context`` is set the call is on the serving thread and nothing but metadata is known of it. Its text form
    has nothing that the caller chose: people put credentials into paths and names too.
    """

    # Defaults of the class: a call sets what it learns, and most calls learn little.
    refusal: Exception | None = None
    principal: Principal | None = None
    undecided: bool = False  # nobody is known to have the credential; the store shall be asked on the call's thread
    address: str = ""
    app: str = ""
    reason: str = ""
    error_id: str = ""
    trace_id: str = ""
    answered: bool = False
    deadline: Deadline | None = None
    body: bytes | None = None  # where it came before the call had a thread
    request: Message | None = None
    hurried: bool = False  # there is little time left
    at_once: bool = False  # serving it waits for nothing
    prepared: object = None  # what was done for it, together with others
    _context: grpc.ServicerContext | None = None
    _messages: Iterator[bytes] | None = None

    def __init__(
        self, name: str, method: Method | None, metadata: Metadata, *, deadline: Deadline | None = None
    ) -> None:
        self.name = name
        self.method = method
        self.metadata = metadata
        self.started = time.perf_counter()
        self.tickets: list[Ticket] = []
        if deadline is not None:
            self.deadline = deadline

    def __repr__(self) -> str:
        return f"<Call of {self.principal.account_id if self.principal is not None else 'nobody known'}>"

    def begin(self, context: grpc.ServicerContext, messages: Iterator[bytes]) -> None:
        """The call has reached a thread of its own."""
        self._context = context
        self._messages = messages

    @property
    def context(self) -> grpc.ServicerContext:
        """The library's view of the call; there only once it has a thread."""
        assert self._context is not None, "the call has no thread yet"
        return self._context

    @property
    def code(self) -> grpc.StatusCode:
        """How the call ended; of use once it has."""
        code = status_code(self.context) or grpc.StatusCode.OK
        if code is grpc.StatusCode.OK and not (self.answered or self.context.is_active()):
            return grpc.StatusCode.CANCELLED  # the caller left before the answer
        return code

    @property
    def messages(self) -> Iterator[bytes]:
        """The request messages as they come; waiting for one holds the thread."""
        assert self._messages is not None, "the call has no thread yet"
        return self._messages

    @property
    def known_method(self) -> Method:
        """The method; the credentials interceptor has refused calls of unknown ones."""
        assert self.method is not None, "an unknown method gets no further than its refusal"
        return self.method

    @property
    def caller(self) -> Principal:
        """The principal of a method that is not open; the credentials interceptor has seen to it."""
        assert self.principal is not None, "an open method has no caller"
        return self.principal

    def values(self, name: str) -> list[str | bytes]:
        """All values of one metadata entry."""
        return [value for key, value in self.metadata if key == name]

    def about(self, api_key: str) -> None:
        """Say which app the call is about, for its log line; what a caller wrote is cut to a bounded length."""
        self.app = api_key[:64]

    def leave(self) -> None:
        """Give back what the call was admitted with."""
        for ticket in self.tickets:
            ticket.give_back()
