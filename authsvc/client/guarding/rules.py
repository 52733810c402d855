"""What a method of somebody's service demands of its caller's token."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from authsvc.errors import Faults, InvalidRequest
from authsvc.verify.questions import Questions, check_askable

CidOf: TypeAlias = Callable[[Any], str | None]
"""Takes a call's or channel's cid from a request; None: this request is about none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``Rule()`` demands a good token, and that it has no scope: one that is limited to a call is good for a method
    only if that says, by ``call_cid`` or ``channel_cid``, what its request is about.

    ``any_role_of``: the user has one of these roles. ``audience``: the token is meant for that service. ``call_cid``
    and ``channel_cid`` are functions of the request; where the caller sends a stream, of its first message: what later
    ones say the method compares itself with ``current_token().scope``. ``open``: anybody may call, and no token is
    looked at. Raises ``ValueError`` for a rule that nobody can fulfil, that is open and demands something, or whose
    parts are not what they should be.
    """

    open: bool = False
    any_role_of: Sequence[str] | None = None
    audience: str | None = None
    call_cid: CidOf | None = None
    channel_cid: CidOf | None = None

    def __post_init__(self) -> None:
        _check_open(self.open)
        if self.any_role_of is not None:
            object.__setattr__(self, "any_role_of", _roles(self.any_role_of))
        _check_audience(self.audience)
        _check_function("call_cid", self.call_cid)
        _check_function("channel_cid", self.channel_cid)
        demands = (self.any_role_of, self.audience, self.call_cid, self.channel_cid)
        if self.open and any(demand is not None for demand in demands):
            raise ValueError("a method is open, or demands something")

    @property
    def about_something(self) -> bool:
        """Whether the request is looked at."""
        return self.call_cid is not None or self.channel_cid is not None


def _check_open(value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"open is True or False, not {value!r}")


def _roles(roles: Any) -> tuple[str, ...]:
    """The roles as they are now: who changes the list later changes no rule."""
    if isinstance(roles, str):
        raise ValueError("any_role_of is a list of roles, not one")
    if not isinstance(roles, Collection) or isinstance(roles, Mapping | bytes):
        raise ValueError(f"any_role_of is a list of roles, not a {type(roles).__name__}")
    if not roles:
        raise ValueError("any_role_of lists roles, or is left out")
    if wrong := [role for role in roles if not isinstance(role, str)]:
        raise ValueError(f"any_role_of lists roles, which are text: {wrong[0]!r} is not")
    _check_askable("any_role_of", Questions(any_role_of=tuple(roles)))
    return tuple(roles)


def _check_audience(audience: Any) -> None:
    if audience is None:
        return
    if not isinstance(audience, str):
        raise ValueError(f"audience is the name of a service, not a {type(audience).__name__}")
    _check_askable("audience", Questions(audience=audience))


def _check_askable(name: str, questions: Questions) -> None:
    faults = Faults()
    check_askable(questions, faults)
    try:
        faults.refuse_any()
    except InvalidRequest as refused:
        raise ValueError(f"{name}: {'; '.join(each.description for each in refused.violations)}") from None


def _check_function(name: str, function: Any) -> None:
    if function is None:
        return
    if not callable(function):
        raise ValueError(f"{name} is a function of the request, not {function!r}")
    if inspect.iscoroutinefunction(function):
        raise ValueError(f"{name} is a plain function: nothing awaits it")


Rules: TypeAlias = Mapping[str, Rule]
"""By method (``/shop.v1.Orders/Get``), by service (``/shop.v1.Orders/*``), or for all others (``*``)."""


def check_rules(rules: Any) -> None:
    """Raise ``ValueError`` for what is no rule, and as ``check_names`` does: a call would be the first to notice."""
    if not isinstance(rules, Mapping):
        raise ValueError(f"rules are a mapping of methods to their Rule, not a {type(rules).__name__}")
    check_names(rules)
    for name, rule in rules.items():
        if not isinstance(rule, Rule):
            raise ValueError(f"the rule of {name!r} is a {type(rule).__name__}, not a Rule")


def check_names(rules: Mapping[Any, Any]) -> None:
    """Raise ``ValueError`` for a name that no method can have: its rule would be one that nobody notices."""
    for name in rules:
        parts = name.split("/") if isinstance(name, str) else []
        if name != "*" and not (len(parts) == 3 and parts[0] == "" and all(parts[1:]) and "*" not in parts[1]):
            raise ValueError(f"{name!r} is neither /package.Service/Method nor /package.Service/* nor *")


def rule_of(rules: Rules, method: str) -> Rule | None:
    """The rule of a method, the nearest that there is; None: it has none, and nobody may call it."""
    service = method.rpartition("/")[0]
    for name in (method, f"{service}/*", "*"):
        if name in rules:
            return rules[name]
    return None
