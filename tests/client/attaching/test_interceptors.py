"""The user's token on calls of every kind, to somebody else's service, by both kinds of channel."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from authsvc.client.attaching.details import CallDetails, Course, Placement
from authsvc.client.tokens import faults
from authsvc.logs import Level
from authsvc.model import TokenStatus
from tests.client.attaching.calling import KINDS_OF_CHANNEL, MESSAGES, NEW, OLD, Calling
from tests.client.attaching.peer import KINDS, Peer, refusal
from tests.client.tokens.made import Provider
from tests.logs.keeping import Keeping

ANSWERS = {
    "UnaryUnary": [b"one"],
    "UnaryStream": [b"hello", b"one", b"one"],
    "StreamUnary": [b"one two three"],
    "StreamStream": [b"hello", *MESSAGES],
}


@pytest.fixture(params=KINDS_OF_CHANNEL)
def calling(request: pytest.FixtureRequest, peer: Peer) -> Calling:
    """Makes calls to it."""
    return KINDS_OF_CHANNEL[request.param](peer.target)


@pytest.fixture
def provider() -> Provider:
    """A provider that gives the new token once."""
    return Provider([NEW])


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_goes_with_each_call(kind: str, calling: Calling, peer: Peer) -> None:
    """As `authorization: Bearer <token>`, once."""
    assert calling.make(kind, "sara", token=NEW) == ANSWERS[kind]
    assert peer.shown == [f"Bearer {NEW}"]


@pytest.mark.parametrize("reads_first", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_call_is_made_again(
    kind: str, reads_first: int, calling: Calling, peer: Peer, provider: Provider
) -> None:
    """With the next token, once; all the caller's messages arrive, also those that the first attempt had read."""
    peer.reads_first = reads_first
    assert calling.make(kind, "sara", provider, token=OLD) == ANSWERS[kind]
    assert (peer.shown, provider.count) == ([f"Bearer {OLD}", f"Bearer {NEW}"], 1)


def test_a_refused_token_is_told_at_debug(calling: Calling, provider: Provider) -> None:
    """By the scope of the interceptors: what the peer said of it, and whose it was; never the token."""
    sink = Keeping()
    options = {"client.interceptor": {"level": "debug", "sink": sink}}
    assert calling.make("UnaryUnary", "sara", provider, token=OLD, log_options=options) == ANSWERS["UnaryUnary"]
    ((level, message, event),) = sink.calls
    assert (level, message, event["scope"]) == (Level.DEBUG, "a call's token was refused", "client.interceptor")
    assert (event["reason"], event["user_id"]) == ("EXPIRED", "sara")
    assert OLD not in str(event)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_refusal_is_the_callers(kind: str, calling: Calling, peer: Peer, provider: Provider) -> None:
    """One renewal a call: whoever refuses every token would keep the client busy."""
    peer.accepted = set()
    with pytest.raises(grpc.RpcError) as raised:
        calling.make(kind, "sara", provider, token=OLD)
    assert code(raised.value) is grpc.StatusCode.UNAUTHENTICATED
    assert (len(peer.shown), provider.count) == (2, 1)


def code(error: grpc.RpcError) -> grpc.StatusCode:
    """The status of an error of either kind of channel."""
    found: grpc.StatusCode = error.code()
    return found


RENEWED = {
    "EXPIRED": refusal("EXPIRED"),
    "TOKEN_EXPIRED": refusal("TOKEN_EXPIRED"),
    "REVOKED": refusal("REVOKED"),
    "SESSION_REVOKED": refusal("SESSION_REVOKED"),
    "KEY_REVOKED": refusal("KEY_REVOKED"),
    "error code": refusal("SOMETHING", domain="example.com", error_code="40"),
}
NOT_RENEWED = {
    **{str(status): refusal(status) for status in TokenStatus if status not in RENEWED},
    "another error code": refusal("SOMETHING", domain="example.com", error_code="43"),
    "the word of another domain": refusal("EXPIRED", domain="example.com"),
    "a bad signature, whatever its number": refusal("SIGNATURE_INVALID", error_code="40"),
    "another status": refusal("EXPIRED", code=grpc.StatusCode.PERMISSION_DENIED),
    "a refresh token's end": refusal("SESSION_REVOKED", code=grpc.StatusCode.FAILED_PRECONDITION),
}


@pytest.mark.parametrize("words", RENEWED)
def test_what_a_peer_says_of_an_expired_token(words: str, calling: Calling, peer: Peer, provider: Provider) -> None:
    """Our reasons, and the number that clients of the seed systems switch on."""
    peer.refusal = RENEWED[words]
    assert calling.make("UnaryUnary", "sara", provider, token=OLD) == [b"one"]


@pytest.mark.parametrize("words", NOT_RENEWED)
def test_what_another_token_does_not_change(words: str, calling: Calling, peer: Peer, provider: Provider) -> None:
    """On a bad signature, and all else, the provider is not asked."""
    peer.refusal = NOT_RENEWED[words]
    with pytest.raises(grpc.RpcError):
        calling.make("UnaryUnary", "sara", provider, token=OLD)
    assert (provider.count, len(peer.shown)) == (0, 1)


def test_trailers_may_say_it_too(calling: Calling, peer: Peer, provider: Provider) -> None:
    """A peer without our details puts the number into its trailers."""

    class Plain(grpc.Status):
        code = grpc.StatusCode.UNAUTHENTICATED
        details = "JWTAuth error: token is expired (exp)"
        trailing_metadata = (("error_code", "40"),)

    peer.refusal = Plain()
    assert calling.make("UnaryUnary", "sara", provider, token=OLD) == [b"one"]


def test_details_that_were_cut_say_nothing(calling: Calling, peer: Peer, provider: Provider) -> None:
    """Trailers that someone on the way has cut are no reason to ask the provider, nor to fail otherwise."""

    class Cut(grpc.Status):
        code = grpc.StatusCode.UNAUTHENTICATED
        details = "EXPIRED"
        trailing_metadata = (("grpc-status-details-bin", b"\x08\x10\x12\xff"),)

    peer.refusal = Cut()
    with pytest.raises(grpc.RpcError) as raised:
        calling.make("UnaryUnary", "sara", provider, token=OLD)
    assert code(raised.value) is grpc.StatusCode.UNAUTHENTICATED
    assert provider.count == 0


def test_a_stream_that_has_begun_is_not_made_again(calling: Calling, peer: Peer, provider: Provider) -> None:
    """What was delivered cannot be taken back: the refusal is the caller's, who has the first answers."""
    peer.refused_after = 1
    with pytest.raises(grpc.RpcError) as raised:
        calling.make("UnaryStream", "sara", provider, token=OLD)
    assert code(raised.value) is grpc.StatusCode.UNAUTHENTICATED
    assert (provider.count, len(peer.shown)) == (0, 1)


@pytest.mark.parametrize("kind", ["StreamUnary", "StreamStream"])
def test_a_long_stream_of_the_callers_is_not_kept(kind: str, calling: Calling, peer: Peer, provider: Provider) -> None:
    """After 64 messages the call is not made again; with that many it is."""
    peer.reads_first = 64
    many = [str(number).encode() for number in range(64)]
    assert calling.make(kind, "sara", provider, token=OLD, messages=many)[-1].endswith(b"63")
    provider.answers, peer.reads_first = [NEW], 65
    with pytest.raises(grpc.RpcError):
        calling.make(kind, "sara", provider, token=OLD, messages=[*many, b"64"])
    assert provider.count == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_with_a_header_of_its_own_is_left_alone(
    kind: str, calling: Calling, peer: Peer, provider: Provider
) -> None:
    """Whoever puts something there knows why; the peer's refusal is theirs."""
    metadata = [("authorization", "Bearer mine")]
    peer.accepted = {"mine"}
    assert calling.make(kind, "sara", provider, token=OLD, metadata=metadata) == ANSWERS[kind]
    peer.accepted = set()
    with pytest.raises(grpc.RpcError):
        calling.make(kind, "sara", provider, token=OLD, metadata=metadata)
    assert (peer.shown, provider.count) == (["Bearer mine"] * 2, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_without_a_token_is_not_made(kind: str, calling: Calling, peer: Peer) -> None:
    """It ends as calls do, with a status that says whose turn it is, and the reason behind it."""
    provider = Provider([faults.SignInRequired.saying("sign in")])
    with pytest.raises(grpc.RpcError) as raised:
        calling.make(kind, "sara", provider)
    assert code(raised.value) is grpc.StatusCode.UNAUTHENTICATED
    assert isinstance(raised.value.__cause__, faults.SignInRequired)
    assert peer.shown == []


def test_a_token_that_cannot_be_renewed_leaves_the_peers_answer(calling: Calling, peer: Peer) -> None:
    """Static tokens, and providers that fail: the caller is told what the peer said."""
    with pytest.raises(grpc.RpcError) as raised:
        calling.make("UnaryUnary", "sara", token=OLD)
    assert code(raised.value) is grpc.StatusCode.UNAUTHENTICATED
    assert len(peer.shown) == 1


def test_all_attempts_have_the_time_of_one_call() -> None:
    """The second has what the first left of the caller's deadline; a call without one has none."""
    details = CallDetails("/peer.Echo/UnaryUnary", 15.0, None, None, True, None)
    course = Course(details, Placement())
    first, second = course.with_token(OLD), course.with_token(NEW)
    assert 0 < (second.timeout or 0) < (first.timeout or 0) < 15
    assert first.wait_for_ready
    assert not course.is_over
    assert Course(details._replace(timeout=0.0), Placement()).is_over
    assert Course(details._replace(timeout=None), Placement()).with_token(NEW).timeout is None


def test_a_peer_may_want_it_elsewhere(calling: Calling, peer: Peer) -> None:
    """Under another name, and without a scheme, as the vendor's own service wants it."""
    peer.header = "stream-token"
    options = {"placement": Placement("stream-token", "")}
    assert calling.make("UnaryUnary", "sara", token=NEW, options=options) == [b"one"]
    assert peer.shown == [NEW]


@pytest.mark.parametrize("header", ["", "Authorization", "token-bin"])
def test_a_header_that_cannot_be_sent_is_refused(header: str) -> None:
    """gRPC sends names in lower case, and binary values otherwise."""
    with pytest.raises(ValueError, match="lower case"):
        Placement(header)


def test_many_calls_at_once_cause_one_renewal(calling: Calling, peer: Peer, provider: Provider) -> None:
    """All that were refused go on with the token that one of them asked for; none waits for another's answer."""
    assert calling.together(50, "sara", provider, token=OLD) == [[str(number).encode()] for number in range(50)]
    assert provider.count == 1
    assert peer.shown.count(f"Bearer {OLD}") <= 50


def test_the_caller_of_a_future_does_not_wait(peer: Peer) -> None:
    """A future that is refused is renewed behind its caller's back, and is not done before that."""
    from authsvc.client.attaching.interceptor import UserTokenInterceptor
    from authsvc.client.tokens.manager import TokenManager

    done: list[Any] = []
    with TokenManager("sara", lambda _: NEW, token=OLD) as manager, grpc.insecure_channel(peer.target) as plain:
        channel: Any = grpc.intercept_channel(plain, UserTokenInterceptor(manager))
        pending = channel.unary_unary("/peer.Echo/UnaryUnary").future(b"one", timeout=20)
        pending.add_done_callback(done.append)
        assert (pending.result(20), pending.exception(20), pending.code()) == (b"one", None, grpc.StatusCode.OK)
        assert (pending.done(), pending.running(), pending.cancelled(), pending.traceback()) == (
            True,
            False,
            False,
            None,
        )
        peer.accepted = set()
        refused = channel.stream_unary("/peer.Echo/StreamUnary").future(iter(MESSAGES), timeout=20)
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
        assert refused.exception(20) is not None
        cancelled = channel.unary_unary("/peer.Echo/UnaryUnary").future(b"one", timeout=20)
        cancelled.cancel()
        with pytest.raises((grpc.FutureCancelledError, grpc.RpcError)):
            cancelled.result(20)
    assert done == [pending]
