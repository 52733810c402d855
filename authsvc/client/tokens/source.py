"""What a manager asks for tokens: one turn after the other, for callers that wait and callers that await."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Protocol, TypeAlias

from authsvc.client.tokens.faults import TokenInvalid

Make: TypeAlias = Callable[[], Any]
"""Asks; returns an answer, or an awaitable of one."""

TokenFunction: TypeAlias = Callable[[str], str | Awaitable[str]]
"""A token provider of one's own: given the user's id, it returns a token."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question: ``make`` asks it, ``read`` takes the access token from the answer and remembers what else came.

    An answer that comes too late is read all the same: it may hold a refresh token that must not be lost. ``awaited``
    says that ``make`` returns at once, something to await.
    """

    make: Make = field(repr=False)
    read: Callable[[Any], object] = field(repr=False)
    awaited: bool = False


class Source(Protocol):
    """Where the tokens of one user come from; asked for one turn at a time."""

    def begin(self, user_id: str) -> Turn:
        """The next turn; the id is empty where it is not known yet."""
        ...


@dataclass(frozen=True, slots=True)
class FunctionSource:
    """A function of the program."""

    function: TokenFunction

    def begin(self, user_id: str) -> Turn:
        """Ask the function."""
        awaited = iscoroutinefunction(self.function)
        return Turn(lambda: self.function(user_id), lambda answer: answer, awaited=awaited)


def answer_at_once(turn: Turn) -> object:
    """The token of a turn, for callers that wait. Raises ``TokenInvalid`` for a function to be awaited."""
    answer = turn.make()
    if isawaitable(answer):
        close = getattr(answer, "close", None)
        if close is not None:
            close()  # a coroutine that is never awaited would complain
        raise TokenInvalid.saying("the token provider is asynchronous: give it to an AsyncTokenManager")
    return turn.read(answer)
