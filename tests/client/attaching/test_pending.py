"""Futures of calls that may be made again: what they say before, during and after that."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import grpc
import pytest

from authsvc.client.attaching.interceptor import UserTokenInterceptor
from authsvc.client.tokens.manager import TokenManager
from tests.client.attaching.calling import NEW, OLD, OWN_CHANNEL, SECONDS
from tests.client.attaching.peer import Peer


class Slow:
    """A provider that gives the new token when it is let go."""

    def __init__(self) -> None:
        self.asked, self.may_go = Event(), Event()

    def __call__(self, _: str) -> str:
        self.asked.set()
        self.may_go.wait(SECONDS)
        return NEW


@pytest.fixture
def slow() -> Iterator[Slow]:
    """Let go in the end, whatever a test did."""
    provider = Slow()
    yield provider
    provider.may_go.set()


@pytest.fixture
def plain(peer: Peer) -> Iterator[grpc.Channel]:
    """A channel to it."""
    with grpc.insecure_channel(peer.target, options=OWN_CHANNEL) as channel:
        yield channel


@pytest.fixture
def pending(plain: grpc.Channel, slow: Slow) -> Iterator[Any]:
    """A call that was refused, and whose next token is still being fetched."""
    with TokenManager("sara", slow, token=OLD) as tokens:
        channel: Any = grpc.intercept_channel(plain, UserTokenInterceptor(tokens))
        call = channel.unary_unary("/peer.Echo/UnaryUnary").future(b"one", timeout=SECONDS)
        assert slow.asked.wait(SECONDS)
        yield call


def test_it_is_not_done_while_it_may_be_made_again(pending: Any, slow: Slow) -> None:
    """Whoever asks for the outcome in a hurry is told that there is none; in time it is that of the second call."""
    assert (pending.done(), pending.running(), pending.is_active(), pending.cancelled()) == (False, True, True, False)
    for ask in (pending.result, pending.exception, pending.traceback):
        with pytest.raises(grpc.FutureTimeoutError):
            ask(timeout=0.001)
    slow.may_go.set()
    assert (pending.result(timeout=SECONDS), pending.exception(timeout=SECONDS)) == (b"one", None)
    assert (pending.details(), tuple(pending.initial_metadata()), tuple(pending.trailing_metadata())) == ("", (), ())
    assert (pending.done(), pending.is_active(), pending.code()) == (True, False, grpc.StatusCode.OK)


def test_who_cancels_it_meanwhile_has_no_answer(pending: Any, slow: Slow) -> None:
    """Whatever the token brings, the caller hears of nothing but the end."""
    over = Event()
    pending.add_done_callback(lambda _: over.set())
    assert pending.cancel()
    for ask in (pending.result, pending.exception, pending.traceback):
        with pytest.raises(grpc.FutureCancelledError):
            ask(timeout=SECONDS)
    slow.may_go.set()
    assert over.wait(SECONDS)
    assert (pending.cancelled(), pending.code()) == (True, grpc.StatusCode.CANCELLED)


def test_what_is_done_cannot_be_cancelled(pending: Any, slow: Slow) -> None:
    """Its answer stays."""
    slow.may_go.set()
    assert pending.result(timeout=SECONDS) == b"one"
    assert not pending.cancel()
    assert (pending.result(timeout=SECONDS), pending.cancelled()) == (b"one", False)


def test_a_channel_that_is_closed_meanwhile_is_told(pending: Any, slow: Slow, plain: grpc.Channel) -> None:
    """The second call cannot be made; the future says so instead of never being done."""
    plain.close()
    slow.may_go.set()
    with pytest.raises((ValueError, grpc.RpcError)):
        pending.result(timeout=SECONDS)
