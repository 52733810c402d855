"""What one call is asked for: its token, and the questions that its method's rule has for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypedDict

from authsvc.client.attaching.details import PLACEMENT, Placement
from authsvc.client.errors import AuthClientError
from authsvc.client.guarding.refusing import Refused, token_missing, without_rule
from authsvc.client.guarding.rules import Rule, Rules, check_names, rule_of
from authsvc.client.verifier.checked import CheckedToken, TokenNotActive
from authsvc.client.verifier.verifier import TokenVerifier
from authsvc.client.verifier.verifier_aio import AsyncTokenVerifier


class Questions(TypedDict):
    """What a verifier is asked."""

    call_cid: str | None
    channel_cid: str | None
    audience: str | None
    any_role_of: Sequence[str] | None


class Verifies(Protocol):
    """A ``TokenVerifier``."""

    @property
    def verify(self) -> Callable[..., CheckedToken]:
        """See ``TokenVerifier.verify``."""
        ...


class AwaitedVerifies(Protocol):
    """An ``AsyncTokenVerifier``."""

    @property
    def verify(self) -> Callable[..., Awaitable[CheckedToken]]:
        """See ``AsyncTokenVerifier.verify``."""
        ...


def check_kind(verifier: object, *, awaited: bool) -> None:
    """Raise ``TypeError`` for a verifier of the other kind: no call would ever get an answer by it."""
    wrong, right = (TokenVerifier, AsyncTokenVerifier) if awaited else (AsyncTokenVerifier, TokenVerifier)
    if isinstance(verifier, wrong):
        other = "TokenAuthInterceptor" if awaited else "AsyncTokenAuthInterceptor"
        raise TypeError(f"the verifier is an {right.__name__} here; {wrong.__name__} goes with {other}")


class Demand(NamedTuple):
    """What is demanded of one call; ``shown`` is what it shows where the token stands."""

    rule: Rule | None
    shown: Sequence[str]
    scheme: str

    @property
    def token(self) -> str:
        """The token that the call shows; raises ``Refused`` for none, for two, and where the method has no rule."""
        if self.rule is None:
            raise without_rule()
        if len(self.shown) != 1:
            raise token_missing()
        if not self.scheme:
            return self.shown[0]
        scheme, _, token = self.shown[0].partition(" ")
        if scheme.lower() != self.scheme.lower() or not token:  # RFC 9110, 11.1: a scheme has no case
            raise token_missing()
        return token.strip(" ")

    @property
    def about_something(self) -> bool:
        """Whether the request is looked at."""
        return self.rule is not None and self.rule.about_something

    def questions(self, request: Any) -> Questions:
        """What the rule asks about a token with that request."""
        rule = self.rule or Rule()
        return Questions(
            call_cid=None if rule.call_cid is None else rule.call_cid(request),
            channel_cid=None if rule.channel_cid is None else rule.channel_cid(request),
            audience=rule.audience,
            any_role_of=rule.any_role_of,
        )

    @property
    def first_questions(self) -> Questions:
        """What can be asked before the caller's first message is there."""
        rule = self.rule or Rule()
        return Questions(call_cid=None, channel_cid=None, audience=rule.audience, any_role_of=rule.any_role_of)


class Demands:
    """The rules of all methods, and where a call shows its token. Raises ``ValueError`` for names of no method."""

    def __init__(self, rules: Rules, placement: Placement = PLACEMENT) -> None:
        check_names(rules)
        self._rules = dict(rules)
        self._placement = placement

    def of(self, details: Any) -> Demand | None:
        """What is demanded of a call of that method with that metadata; None: nothing, the method is open."""
        rule = rule_of(self._rules, details.method)
        if rule is not None and rule.open:
            return None
        shown = [value for key, value in details.invocation_metadata or () if key == self._placement.header]
        return Demand(rule, shown, self._placement.scheme)


Outcome: TypeAlias = CheckedToken | Refused | AuthClientError


def is_settled(outcome: Outcome) -> bool:
    """Whether the caller's first message can change nothing: the call is refused, and not for a scope."""
    if isinstance(outcome, TokenNotActive):
        return outcome.status != "SCOPE_DENIED"
    return not isinstance(outcome, CheckedToken)
