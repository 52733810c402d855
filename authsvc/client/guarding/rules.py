"""What a method of somebody's service demands of its caller's token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

CidOf: TypeAlias = Callable[[Any], str | None]
"""Takes a call's or channel's cid from a request; None: this request is about none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``Rule()`` demands a good token, and that it has no scope: one that is limited to a call is good for a method
    only if that says, by ``call_cid`` or ``channel_cid``, what its request is about.

    ``any_role_of``: the user has one of these roles. ``audience``: the token is meant for that service. ``call_cid``
    and ``channel_cid`` are functions of the request; where the caller sends a stream, of its first message: what later
    ones say the method compares itself with ``current_token().scope``. ``open``: anybody may call, and no token is
    looked at. Raises ``ValueError`` for a rule that nobody can fulfil, or that is open and demands something.
    """

    open: bool = False
    any_role_of: Sequence[str] | None = None
    audience: str | None = None
    call_cid: CidOf | None = None
    channel_cid: CidOf | None = None

    def __post_init__(self) -> None:
        if isinstance(self.any_role_of, str):
            raise ValueError("any_role_of is a list of roles, not one")
        if self.any_role_of is not None and not self.any_role_of:
            raise ValueError("any_role_of lists roles, or is left out")
        demands = (self.any_role_of, self.audience, self.call_cid, self.channel_cid)
        if self.open and any(demand is not None for demand in demands):
            raise ValueError("a method is open, or demands something")

    @property
    def about_something(self) -> bool:
        """Whether the request is looked at."""
        return self.call_cid is not None or self.channel_cid is not None


Rules: TypeAlias = Mapping[str, Rule]
"""By method (``/shop.v1.Orders/Get``), by service (``/shop.v1.Orders/*``), or for all others (``*``)."""


def check_names(rules: Rules) -> None:
    """Raise ``ValueError`` for a name that no method can have: its rule would be one that nobody notices."""
    for name in rules:
        parts = name.split("/")
        if name != "*" and not (len(parts) == 3 and parts[0] == "" and all(parts[1:]) and "*" not in parts[1]):
            raise ValueError(f"{name!r} is neither /package.Service/Method nor /package.Service/* nor *")


def rule_of(rules: Rules, method: str) -> Rule | None:
    """The rule of a method, the nearest that there is; None: it has none, and nobody may call it."""
    service = method.rpartition("/")[0]
    for name in (method, f"{service}/*", "*"):
        if name in rules:
            return rules[name]
    return None
