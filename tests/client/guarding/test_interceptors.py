"""Who may call a method behind the interceptor, and what the others are told."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from authsvc.client import (
    AsyncAuthClient,
    AsyncTokenAuthInterceptor,
    AsyncTokenVerifier,
    AuthClient,
    Rule,
    TokenAuthInterceptor,
    TokenVerifier,
    current_token,
)
from authsvc.client.guarding.rules import check_names, rule_of
from authsvc.model import ApiKey
from authsvc.v1 import auth_pb2 as pb
from tests.client.guarding.conftest import Tokens
from tests.client.guarding.shop import KINDS, Serve, Shopper
from tests.conftest import RunningServer
from tests.refusals import Refusal, refusal_of
from tests.rpc.surface import eventually

UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
ANSWERS = {
    "UnaryUnary": b"sara one",
    "UnaryStream": b"sara|sara one",
    "StreamUnary": b"sara one one",
    "StreamStream": b"sara one|sara one",
}
TOM, SARA = pb.TokenScope(call_cids=["stage:1"]), pb.TokenScope(channel_cids=["team:1"])


def refused(refusal: Refusal) -> tuple[grpc.StatusCode, str]:
    """What is compared of most refusals."""
    return refusal.code, refusal.reason


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_token_calls_and_is_known_to_the_method(kind: str, shop: Shopper, token: Tokens) -> None:
    """In methods of every kind, at each of their answers; the next call has its own."""
    assert shop("Orders", token(), kind=kind) == ANSWERS[kind]
    assert shop("Orders", token("tom"), kind=kind) == ANSWERS[kind].replace(b"sara", b"tom")


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_without_a_token_is_refused(kind: str, shop: Shopper, token: Tokens) -> None:
    """Nobody's, two, another scheme, nothing behind the scheme: all are told that it is missing."""
    good = token()
    for metadata in (
        [],
        [("authorization", f"Bearer {good}"), ("authorization", f"Bearer {good}")],
        [("authorization", f"Basic {good}")],
        [("authorization", good)],
        [("authorization", "Bearer ")],
    ):
        refusal = refusal_of(lambda sent=metadata: shop("Orders", kind=kind, metadata=sent))  # type: ignore[misc]
        assert refused(refusal) == (UNAUTHENTICATED, "TOKEN_MISSING")
    assert shop("Orders", kind=kind, metadata=[("authorization", f"bearer {good}")]) == ANSWERS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_method_without_a_rule_is_refused_to_everyone(kind: str, shop: Shopper, token: Tokens) -> None:
    """A method that was added in a hurry is nobody's; the control is the same method where it has a rule."""
    for shown in (None, token()):
        refusal = refusal_of(lambda sent=shown: shop("Forgotten", sent, kind=kind))  # type: ignore[misc]
        assert refused(refusal) == (DENIED, "METHOD_WITHOUT_RULE")
    assert shop("Orders", token(), kind=kind) == ANSWERS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_an_open_method_looks_at_no_token(kind: str, shop: Shopper, token: Tokens) -> None:
    """Anybody may call, and even with a good token nobody was verified."""
    for shown in (None, token(), "rubbish"):
        assert shop("Open", shown, kind=kind) == ANSWERS[kind].replace(b"sara", b"nobody")


def test_a_method_that_is_not_there_stays_so(shop: Shopper, token: Tokens) -> None:
    """Also where the service has a rule for all of its methods."""
    assert refusal_of(lambda: shop("Orders", token(), kind="Else")).code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("kind", KINDS)
def test_a_limited_token_needs_a_rule_for_its_cid(kind: str, shop: Shopper, token: Tokens) -> None:
    """It is good for what it names, where the method says what the request is about; nowhere else."""
    limited, said = token(scope=TOM), ANSWERS[kind].replace(b"one", b"stage:1")
    assert shop("Calls", limited, kind=kind, say=b"stage:1") == said
    for service, say in (("Calls", b"stage:2"), ("Channels", b"stage:1"), ("Orders", b"stage:1")):
        refusal = refusal_of(lambda to=service, what=say: shop(to, limited, kind=kind, say=what))  # type: ignore[misc]
        assert refused(refusal) == (DENIED, "SCOPE_DENIED")
    assert shop("Calls", token(), kind=kind, say=b"stage:2").endswith(b"stage:2"), "others may go anywhere"
    assert shop("Channels", token(scope=SARA), kind=kind, say=b"team:1").endswith(b"team:1")


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_about_what_is_no_cid_is_invalid(kind: str, shop: Shopper, token: Tokens) -> None:
    """It is the request's fault, not the token's, and no way round the question."""
    for shown in (token(), token(scope=TOM)):
        refusal = refusal_of(lambda sent=shown: shop("Calls", sent, kind=kind, say=b"stage"))  # type: ignore[misc]
        assert refused(refusal) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


@pytest.mark.parametrize("kind", ["StreamUnary", "StreamStream"])
def test_a_stream_of_nothing_is_about_nothing(kind: str, target: str, token: Tokens) -> None:
    """A limited token is refused, another one is not."""
    with grpc.insecure_channel(target) as channel:
        make: Any = channel.stream_unary if kind == "StreamUnary" else channel.stream_stream

        def say_nothing(shown: str) -> object:
            outcome = make(f"/shop.Calls/{kind}")(iter(()), metadata=[("authorization", f"Bearer {shown}")], timeout=30)
            return outcome if kind == "StreamUnary" else list(outcome)

        assert say_nothing(token()) in (b"sara ", [])
        assert refused(refusal_of(lambda: say_nothing(token(scope=TOM)))) == (DENIED, "SCOPE_DENIED")


@pytest.mark.parametrize("kind", ["StreamUnary", "StreamStream"])
def test_a_bad_token_does_not_wait_for_the_first_message(kind: str, target: str) -> None:
    """Whoever shows none, or a forged one, is refused while it still says nothing."""
    import threading

    never = threading.Event()
    with grpc.insecure_channel(target) as channel:
        make: Any = channel.stream_unary if kind == "StreamUnary" else channel.stream_stream

        def messages() -> Any:
            never.wait(60)
            yield b"stage:1"

        def hold(shown: str) -> object:
            outcome = make(f"/shop.Calls/{kind}")(messages(), metadata=[("authorization", shown)], timeout=30)
            return outcome if kind == "StreamUnary" else list(outcome)

        assert refused(refusal_of(lambda: hold("Bearer rubbish"))) == (UNAUTHENTICATED, "MALFORMED")
        assert refused(refusal_of(lambda: hold("Basic rubbish"))) == (UNAUTHENTICATED, "TOKEN_MISSING")
        never.set()


def test_a_role_may_be_demanded(shop: Shopper, token: Tokens) -> None:
    """One of those listed; a token without a role has none of them."""
    assert shop("Staff", token(role="editor")) == b"sara one"
    for role in ("viewer", ""):
        refusal = refusal_of(lambda has=role: shop("Staff", token(role=has)))  # type: ignore[misc]
        assert (refusal.code, refusal.reason, refusal.metadata["error_code"]) == (DENIED, "ROLE_DENIED", "17")


def test_an_audience_may_be_demanded(shop: Shopper, token: Tokens) -> None:
    """A token that is meant for others, or for nobody in particular, is not meant for this service."""
    assert shop("Meant", token(audience=["shop", "stage"])) == b"sara one"
    assert refused(refusal_of(lambda: shop("Meant", token()))) == (DENIED, "AUDIENCE_MISMATCH")
    assert refused(refusal_of(lambda: shop("Orders", token(audience=["stage"])))) == (DENIED, "AUDIENCE_MISMATCH")


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_ended_is_refused_with_the_number_to_renew_on(
    kind: str, server: RunningServer, shop: Shopper, token: Tokens, client: AuthClient
) -> None:
    """Expired, revoked: UNAUTHENTICATED, the verdict as the reason, and 40 for clients of the seed systems."""
    old = token()
    assert shop("Orders", old, kind=kind) == ANSWERS[kind]
    client.revoke_tokens(pb.RevokeTokensRequest(api_key="dev", user_id="sara"))

    def look() -> Refusal | bytes:
        try:
            return shop("Orders", old, kind=kind)
        except grpc.RpcError:
            return refusal_of(lambda: shop("Orders", old, kind=kind))

    refusal = eventually(look, lambda seen: isinstance(seen, Refusal))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.reason, refusal.metadata) == (UNAUTHENTICATED, "REVOKED", {"error_code": "40"})
    late = token("tom")
    server.clock.move(hours=2)
    assert refused(refusal_of(lambda: shop("Orders", late, kind=kind))) == (UNAUTHENTICATED, "EXPIRED")


def test_a_suspended_app_is_denied(server: RunningServer, shop: Shopper, token: Tokens) -> None:
    """No other token helps against it."""
    from dataclasses import replace

    from tests.client.verifier.world import event

    shown = token()
    assert shop("Orders", shown) == b"sara one"
    store = server.domain.store
    store.edit_app(ApiKey("dev"), lambda app: replace(app, settings=replace(app.settings, suspended=True)), event())

    def seen() -> str:
        try:
            return shop("Orders", shown).decode()
        except grpc.RpcError:
            return refusal_of(lambda: shop("Orders", shown)).reason

    assert eventually(seen, "APP_SUSPENDED".__eq__) == "APP_SUSPENDED"
    assert refused(refusal_of(lambda: shop("Orders", shown))) == (DENIED, "APP_SUSPENDED")


def test_who_cannot_say_says_so(server: RunningServer, serve: Serve) -> None:
    """A shop that hears nothing of its app answers UNAVAILABLE, not that the token is bad."""
    from dataclasses import replace

    unknown = replace(server, credential=server.new_credential("no rights"))
    with serve(unknown) as target, grpc.insecure_channel(target) as channel:
        refusal = refusal_of(lambda: Shopper(channel)("Orders", "a.b.c"))
        assert refused(refusal) == (grpc.StatusCode.UNAVAILABLE, "STALE")
        own = replace(server)
    with serve(unknown, when_stale="ask_service") as target, grpc.insecure_channel(target) as channel:
        refusal = refusal_of(lambda: Shopper(channel)("Orders", "a.b.c"))
        assert refused(refusal) == (grpc.StatusCode.UNAVAILABLE, "VERIFIER_UNAVAILABLE"), "its credential is its own"
    with serve(own) as target, grpc.insecure_channel(target) as channel:
        assert refused(refusal_of(lambda: Shopper(channel)("Orders", "a.b.c"))) == (UNAUTHENTICATED, "MALFORMED")


def test_no_refusal_repeats_what_was_shown(shop: Shopper) -> None:
    """Texts are constant: the canary is in none of them."""
    refusal = refusal_of(lambda: shop("Orders", "canary.canary.canary"))
    assert refusal.text == f"{refusal.reason}: not a compact signed token of this service"
    assert "canary" not in str(refusal)


def test_a_rule_is_open_or_demands_something() -> None:
    """What nobody can fulfil, and what would be open by mistake, is refused when it is written."""
    wrong: tuple[dict[str, Any], ...] = (
        {"open": True, "any_role_of": ["admin"]},
        {"open": True, "call_cid": bytes.decode},
        {"any_role_of": []},
        {"any_role_of": "admin"},
    )
    for fields in wrong:
        with pytest.raises(ValueError, match=r"open|any_role_of"):
            Rule(**fields)


def test_the_nearest_rule_counts() -> None:
    """The method's before the service's before that of all others; without any there is none."""
    method, service, rest = Rule(any_role_of=["a"]), Rule(any_role_of=["b"]), Rule(any_role_of=["c"])
    rules = {"/s.A/Get": method, "/s.A/*": service, "*": rest}
    assert [rule_of(rules, name) for name in ("/s.A/Get", "/s.A/Put", "/s.B/Get")] == [method, service, rest]
    assert rule_of({"/s.A/*": service}, "/s.B/Get") is None
    assert rule_of({"/s.A/*": service}, "/s.A.B/Get") is None


@pytest.mark.parametrize("name", ["Get", "/s.A", "s.A/Get", "/s.*/Get", "/s.A/", "//Get", "/s.A/Get/", "**"])
def test_a_rule_for_no_method_is_refused(name: str) -> None:
    """A misspelt name would leave its method without a rule."""
    with pytest.raises(ValueError, match="neither"):
        check_names({name: Rule()})
    check_names({"*": Rule(), "/s.A/*": Rule(), "/s.A/Get": Rule()})


def test_a_verifier_of_the_other_kind_is_refused(server: RunningServer, client: AuthClient) -> None:
    """When the interceptor is made, and not by errors at each call; what it goes with is said."""

    async def make() -> None:
        async with (
            AsyncAuthClient(server.target, server.credential) as awaited,
            AsyncTokenVerifier(awaited, "dev") as verifier,
        ):
            AsyncTokenAuthInterceptor(verifier, {})
            with pytest.raises(
                TypeError, match="is awaited: it goes with AsyncTokenAuthInterceptor; TokenVerifier here"
            ):
                TokenAuthInterceptor(verifier, {})  # type: ignore[arg-type]

    asyncio.run(make())
    with TokenVerifier(client, "dev") as verifier:
        TokenAuthInterceptor(verifier, {})
        with pytest.raises(TypeError, match="not awaited: it goes with TokenAuthInterceptor; AsyncTokenVerifier here"):
            AsyncTokenAuthInterceptor(verifier, {})  # type: ignore[arg-type]


def test_outside_of_a_call_there_is_no_token() -> None:
    """A program that asks where nobody was verified is told so, and never gets an empty user."""
    with pytest.raises(LookupError, match="no token was verified"):
        current_token()
