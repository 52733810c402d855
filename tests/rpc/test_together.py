"""Calls that come together: served one after the other, their lines written before any of them is answered."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from authsvc.logs import Logger, LoggerSystem, sink_for_format
from authsvc.rpc.call import Call
from authsvc.rpc.together import MOST, Prepare, Together
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer
from tests.rpc.surface import completed, eventually

METHOD: Any = SimpleNamespace(largest_request=1_000, request_class=pb.IssueTokenRequest)


class Desk:
    """Where calls are served: notes what was written when a caller was told, and on which thread."""

    def __init__(self) -> None:
        self.stream = io.TextIOWrapper(io.BytesIO())
        self.log = LoggerSystem(("audit",), built_in=sink_for_format("json", self.stream)).get_logger("audit")
        self.told: dict[str, tuple[bytes, int]] = {}
        self.threads: dict[str, str] = {}
        self.gate = threading.Event()
        self.begun = threading.Event()

    def written(self) -> bytes:
        self.stream.flush()
        buffer: Any = self.stream.buffer
        return bytes(buffer.getvalue())

    def call(self, user: str, body: bytes | None = None) -> ACall:
        request = pb.IssueTokenRequest(user=pb.User(id=user))
        return ACall(self, user, request.SerializeToString() if body is None else body)


class ACall:
    """A call that came, whose service writes a line."""

    def __init__(self, desk: Desk, user: str, body: bytes) -> None:
        self.call = Call("issue", METHOD, ())
        self.call.body = body
        self._desk = desk
        self._user = user

    def serve(self) -> bytes | None:
        self._desk.threads[self._user] = threading.current_thread().name
        self._desk.log.info("token issued", user_id=self._user)
        return self._user.encode() if self._user != "refused" else None

    def end(self, encoded: bytes) -> None:
        self._desk.told[self._user] = encoded, self._desk.written().count(b"token issued")

    def __call__(self) -> None:
        encoded = self.serve()
        assert encoded is not None
        self.end(encoded)


@contextmanager
def together(desk: Desk, prepare: Prepare, lines: Logger | None = None) -> Iterator[Together]:
    with ThreadPoolExecutor(1, thread_name_prefix="alone") as pool:
        thread = Together(prepare, pool, lines or desk.log, name="together")
        try:
            yield thread
        finally:
            desk.gate.set()
            thread.close()


def all_at_once(calls: Sequence[Call]) -> None:
    for call in calls:
        call.at_once = True


def test_lines_are_written_before_the_first_answer_and_in_one_go() -> None:
    """Of calls that came together the first one told finds all lines written; a refusal is not told twice."""
    desk = Desk()
    users = [f"user-{n}" for n in range(MOST - 2)]

    def prepare(calls: Sequence[Call]) -> None:
        all_at_once(calls)
        desk.begun.set()
        desk.gate.wait()  # the first call's; meanwhile the others come

    with together(desk, prepare) as thread:
        thread.add(desk.call("first"))
        desk.begun.wait()
        for user in [*users, "refused"]:
            thread.add(desk.call(user))
    assert desk.told.pop("first") == (b"first", 1)
    assert desk.told == {user: (user.encode(), 2 + len(users)) for user in users}
    assert set(desk.threads.values()) == {"together"}


def test_what_cannot_be_served_at_once_is_served_alone() -> None:
    """A call that was not said to wait for nothing goes to the pool, with its request parsed; the others do not."""
    desk = Desk()

    def prepare(calls: Sequence[Call]) -> None:
        for call in calls:
            request: Any = call.request
            call.at_once = request.user.id != "slow"

    with together(desk, prepare) as thread:
        for user in ("slow", "quick"):
            thread.add(desk.call(user))
    assert desk.threads == {"slow": "alone_0", "quick": "together"}
    assert [desk.told[user][0] for user in ("slow", "quick")] == [b"slow", b"quick"]


def test_a_message_that_does_not_parse_is_refused_alone() -> None:
    """What is prepared has its request; a call whose message is none is not shown to who prepares."""
    desk, seen = Desk(), list[Call]()

    def prepare(calls: Sequence[Call]) -> None:
        seen.extend(calls)
        all_at_once(calls)

    with together(desk, prepare) as thread:
        thread.add(broken := desk.call("broken", b"\xff"))
        thread.add(whole := desk.call("whole"))
    assert seen == [whole.call]
    assert (broken.call.request, desk.threads["broken"]) == (None, "alone_0")


def test_a_fault_of_who_prepares_leaves_every_call_to_the_pool() -> None:
    """The thread lives on, and even calls that were said to be ready are served by themselves."""
    desk, faults = Desk(), [RuntimeError("unforeseen")]

    def prepare(calls: Sequence[Call]) -> None:
        all_at_once(calls)
        if faults:
            raise faults.pop()

    with together(desk, prepare) as thread:
        thread.add(desk.call("unlucky"))
        assert eventually(lambda: "unlucky" in desk.told, bool)
        thread.add(desk.call("next"))
    assert desk.threads == {"unlucky": "alone_0", "next": "together"}


@pytest.mark.parametrize("calls", [2 * MOST])
def test_each_caller_gets_its_own_token(server: RunningServer, calls: int) -> None:
    """So many issues in flight at once: every answer is its caller's, and so is every line."""
    users = [f"user-{n}" for n in range(calls)]
    asked = [
        server.auth().IssueToken.future(
            pb.IssueTokenRequest(api_key="dev", user=pb.User(id=user)), metadata=server.metadata
        )
        for user in users
    ]
    assert [one.result().info.user.id for one in asked] == users
    assert len({one.result().token for one in asked}) == calls
    lines = [line for line in completed(server) if line["method"].endswith("IssueToken")]
    assert [line["code"] for line in lines] == [grpc.StatusCode.OK.name] * calls


def test_a_call_that_cannot_be_told_takes_no_later_one_with_it() -> None:
    """Whatever ends a call outside of what answers for it, the thread lives on for those that come after."""
    desk = Desk()

    class Unspeakable(ACall):
        """A call whose end raises."""

        def end(self, encoded: bytes) -> None:
            raise RuntimeError("nobody to tell")

    with together(desk, all_at_once) as thread:
        thread.add(Unspeakable(desk, "lost", b""))
        assert eventually(lambda: "lost" in desk.threads, bool)
        thread.add(desk.call("next"))
    assert desk.told == {"next": (b"next", 2)}
