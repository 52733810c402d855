"""What one call is asked for: its token, and the questions that its method's rule has for it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypedDict

from authsvc.client.attaching.details import PLACEMENT, Placement, checked_placement
from authsvc.client.errors import AuthClientError
from authsvc.client.guarding.refusing import Refused, token_missing, undecided, without_rule
from authsvc.client.guarding.rules import CidOf, Rule, Rules, check_rules, rule_of
from authsvc.client.logs import LogOptions, make_client_logs
from authsvc.client.verifier.checked import CheckedToken, TokenNotActive
from authsvc.client.verifier.verifier import TokenVerifier
from authsvc.logs import LoggerSystem

if TYPE_CHECKING:
    from authsvc.logs import Logger


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


def check_kind(verifier: Verifies | AwaitedVerifies, *, awaited: bool) -> None:
    """Raise ``TypeError`` for a verifier of the other kind: no call would ever get an answer by it."""
    if awaited and isinstance(verifier, TokenVerifier):
        raise TypeError("a TokenVerifier is not awaited: it goes with TokenAuthInterceptor; AsyncTokenVerifier here")
    if not awaited and inspect.iscoroutinefunction(verifier.verify):
        raise TypeError("this verifier is awaited: it goes with AsyncTokenAuthInterceptor; TokenVerifier here")


class Demand(NamedTuple):
    """What is demanded of one call; ``shown`` is what it shows where the token stands."""

    rule: Rule | None
    shown: Sequence[str]
    scheme: str
    method: str
    log: Logger

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

    def questions(self, *said: Any) -> Questions:
        """What the rule asks about a token with that request; without one, what can be asked before it is there.

        Raises what the rule's functions do.
        """
        rule = self.rule or Rule()
        return Questions(
            call_cid=_cid(rule.call_cid, *said),
            channel_cid=_cid(rule.channel_cid, *said),
            audience=rule.audience,
            any_role_of=rule.any_role_of,
        )

    def failed(self, fault: Exception) -> Refused:
        """The call is refused for a fault of the service's own, which the log has and the caller has not."""
        self.log.error("a call could not be checked", method=self.method, exception=fault)
        return undecided()


def _cid(function: CidOf | None, *said: Any) -> str | None:
    cid = function(*said) if function is not None and said else None
    if cid is not None and not isinstance(cid, str):
        raise TypeError(f"the function of a rule gives text or None, not a {type(cid).__name__}")
    return cid


class Demands:
    """The rules of all methods, and where a call shows its token. Raises ``ValueError`` for what is no rule or name."""

    def __init__(self, rules: Rules, placement: Placement = PLACEMENT, *, log: Logger) -> None:
        check_rules(rules)
        self._rules = dict(rules)
        self._placement = checked_placement(placement)
        self._log = log

    def of(self, details: Any) -> Demand | None:
        """What is demanded of a call of that method with that metadata; None: nothing, the method is open."""
        rule = rule_of(self._rules, details.method)
        if rule is not None and rule.open:
            return None
        shown = [value for key, value in details.invocation_metadata or () if key == self._placement.header]
        return Demand(rule, shown, self._placement.scheme, details.method, self._log)


def log_of(verifier: object, log_options: LogOptions | LoggerSystem | None) -> Logger:
    """Where an interceptor tells what failed: through the verifier's loggers, where that has some."""
    options = getattr(verifier, "logs", None) if log_options is None else log_options
    return make_client_logs(options).get_logger("client.interceptor")


Outcome: TypeAlias = CheckedToken | Refused | AuthClientError


def is_settled(outcome: Outcome) -> bool:
    """Whether the caller's first message can change nothing: the call is refused, and not for a scope."""
    if isinstance(outcome, TokenNotActive):
        return outcome.status != "SCOPE_DENIED"
    return not isinstance(outcome, CheckedToken)
