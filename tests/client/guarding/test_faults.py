"""What is wrong with a service's own rules: told when they are written, and to nobody who calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from authsvc.client import AsyncTokenAuthInterceptor, Rule, TokenAuthInterceptor, UserTokenInterceptor
from authsvc.client.attaching.interceptor_aio import user_token_interceptors
from authsvc.logs import Level
from tests.client.guarding.conftest import Tokens
from tests.client.guarding.shop import KINDS, Serve, Shopper
from tests.conftest import RunningServer
from tests.logs.keeping import Keeping
from tests.refusals import refusal_of

INTERNAL, UNAUTHENTICATED = grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAUTHENTICATED
CANARY = "canary-of-the-request"


class Asked:
    """A rule's function that knows what it was asked about, and then does what it is told."""

    def __init__(self, then: Callable[[], Any]) -> None:
        self.requests: list[Any] = []
        self._then = then

    def __call__(self, request: Any) -> Any:
        self.requests.append(request)
        return self._then()


def fail() -> Any:
    """As a request does that is not what a rule expects."""
    raise KeyError(CANARY)


@contextmanager
def shop_with(serve: Serve, server: RunningServer, rule: Rule, sink: Keeping | None = None) -> Iterator[Shopper]:
    """A shop whose methods have that rule."""
    options = {"default": {"sink": sink or Keeping(), "level": "error"}}
    with (
        serve(server, {"/shop.Calls/*": rule}, log_options=options) as target,
        grpc.insecure_channel(target) as channel,
    ):
        yield Shopper(channel)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["call_cid", "channel_cid"])
def test_the_token_comes_before_the_request(
    name: str, kind: str, serve: Serve, server: RunningServer, token: Tokens
) -> None:
    """Whoever shows none, or none that is good, is told so, and what it asks for is not even looked at."""
    asked = Asked(lambda: "stage:1")
    with shop_with(serve, server, Rule(**{name: asked})) as shop:  # type: ignore[arg-type]
        for shown, reason in ((None, "TOKEN_MISSING"), ("rubbish", "MALFORMED")):
            refusal = refusal_of(lambda sent=shown: shop("Calls", sent, kind=kind))  # type: ignore[misc]
            assert (refusal.code, refusal.reason) == (UNAUTHENTICATED, reason)
        assert asked.requests == []
        assert shop("Calls", token(), kind=kind)
        assert asked.requests == [b"one"], "the control"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", ["it raises", "it gives a number"])
def test_a_function_that_fails_lets_nobody_in(
    wrong: str, kind: str, serve: Serve, server: RunningServer, token: Tokens
) -> None:
    """The caller is told that, and nothing of why; the log has that once, with the method."""
    sink, asked = Keeping(), Asked(fail if wrong == "it raises" else lambda: 7)
    with shop_with(serve, server, Rule(call_cid=asked), sink) as shop:
        refusal = refusal_of(lambda: shop("Calls", token(), kind=kind))
    assert (refusal.code, refusal.reason) == (INTERNAL, "INTERNAL")
    assert refusal.text == "INTERNAL: the service could not find out whether the call is allowed"
    ((level, message, event),) = sink.calls
    assert (level, message) == (Level.ERROR, "a call could not be checked")
    assert (event["scope"], event["method"]) == ("client.interceptor", f"/shop.Calls/{kind}")
    assert event["exception"].startswith("KeyError" if wrong == "it raises" else "TypeError")
    assert CANARY not in repr(refusal)


async def _awaited(request: Any) -> str:
    return str(request)


WRONG_PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "text for roles": ({"any_role_of": "admin"}, "any_role_of is a list of roles, not one"),
    "a number for roles": ({"any_role_of": 7}, "any_role_of is a list of roles, not a int"),
    "a mapping of roles": ({"any_role_of": {"admin": True}}, "any_role_of is a list of roles, not a dict"),
    "what is used up at once": ({"any_role_of": iter(["admin"])}, "any_role_of is a list of roles"),
    "a role that is no text": ({"any_role_of": ["admin", None]}, "None is not"),
    "a role that nobody has": ({"any_role_of": ["two words"]}, "any_role_of: must be"),
    "an audience that is no text": ({"audience": ["shop"]}, "audience is the name of a service, not a list"),
    "an audience without a name": ({"audience": ""}, "audience: must be"),
    "a cid for its function": ({"call_cid": "livestream:1"}, "call_cid is a function of the request"),
    "a function that is awaited": ({"channel_cid": _awaited}, "channel_cid is a plain function"),
    "text for open": ({"open": "no"}, "open is True or False, not 'no'"),
}


@pytest.mark.parametrize("wrong", WRONG_PARTS)
def test_a_rule_of_wrong_parts_is_refused(wrong: str) -> None:
    """When it is written, with what it should be: not by its first call."""
    parts, text = WRONG_PARTS[wrong]
    with pytest.raises(ValueError, match=text):
        Rule(**parts)


def test_a_rule_stays_as_it_was_written() -> None:
    """Who changes the list later changes no rule; sets are lists of roles too."""
    roles = ["editor"]
    rule = Rule(any_role_of=roles)
    roles.append("viewer")
    assert (rule.any_role_of, Rule(any_role_of={"editor"})) == (("editor",), rule)  # type: ignore[arg-type]


class Nobody:
    """A verifier that is never asked."""

    def verify(self, _: str, **questions: Any) -> Any:
        raise AssertionError("it is not asked")


class NobodyAwaited:
    """The same for callers that await."""

    async def verify(self, _: str, **questions: Any) -> Any:
        raise AssertionError("it is not asked")


WRONG_RULES: dict[str, tuple[Any, str]] = {
    "a dict for a rule": ({"/shop.Orders/Get": {"open": True}}, "the rule of '/shop.Orders/Get' is a dict, not a Rule"),
    "None for a rule": ({"*": None}, r"the rule of '\*' is a NoneType, not a Rule"),
    "the class for a rule": ({"*": Rule}, "is a type, not a Rule"),
    "a method without a slash": ({"Get": Rule()}, "'Get' is neither"),
    "a name that is no text": ({7: Rule()}, "7 is neither"),
    "a list of rules": ([Rule()], "rules are a mapping of methods to their Rule, not a list"),
    "nothing": (None, "rules are a mapping of methods to their Rule, not a NoneType"),
}


@pytest.mark.parametrize("wrong", WRONG_RULES)
def test_rules_that_are_none_are_refused(wrong: str) -> None:
    """By interceptors of both kinds, when they are made."""
    rules, text = WRONG_RULES[wrong]
    with pytest.raises(ValueError, match=text):
        TokenAuthInterceptor(Nobody(), rules)
    with pytest.raises(ValueError, match=text):
        AsyncTokenAuthInterceptor(NobodyAwaited(), rules)


def test_a_placement_is_one() -> None:
    """A header by itself says nothing of the scheme: all interceptors refuse it when they are made."""
    header: Any = "authorization"
    tokens: Any = object()
    made: tuple[Callable[[], object], ...] = (
        lambda: TokenAuthInterceptor(Nobody(), {}, placement=header),
        lambda: AsyncTokenAuthInterceptor(NobodyAwaited(), {}, placement=header),
        lambda: UserTokenInterceptor(tokens, placement=header),
        lambda: user_token_interceptors(tokens, placement=header),
    )
    for make in made:
        with pytest.raises(ValueError, match="placement is a Placement"):
            make()


def test_a_verifier_that_is_awaited_needs_the_other_interceptor() -> None:
    """Its word would be nobody's: a coroutine is no token."""
    verifier: Any = NobodyAwaited()
    with pytest.raises(TypeError, match="AsyncTokenAuthInterceptor"):
        TokenAuthInterceptor(verifier, {"*": Rule()})
