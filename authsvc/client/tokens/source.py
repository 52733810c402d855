"""What a manager asks for tokens: one turn after the other, for callers that wait and callers that await."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction, signature
from typing import Any, ClassVar, Protocol, TypeAlias

from authsvc.client.tokens.faults import TokenInvalid

Make: TypeAlias = Callable[[], Any]
"""Asks; returns an answer, or an awaitable of one."""

TokenFunction: TypeAlias = Callable[[str], str | Awaitable[str]]
"""A token provider of one's own: given the user's id, it returns a token."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question: ``make`` asks it, ``read`` takes the access token from the answer, or an awaitable of it, and
    tells the program what else came.

    ``awaited`` says that ``make`` returns at once, something to await.
    """

    make: Make = field(repr=False)
    read: Callable[[Any], object] = field(repr=False)
    awaited: bool = False


class Source(Protocol):
    """Where the tokens of one user come from."""

    @property
    def in_doubt(self) -> bool:
        """Whether a turn was begun whose answer has to be had, in an hour or so: else the session is lost."""
        ...

    def begin(self, user_id: str) -> Turn:
        """The next turn; the id is empty where it is not known yet."""
        ...


@dataclass(frozen=True, slots=True)
class FunctionSource:
    """A function of the program."""

    function: TokenFunction
    in_doubt: ClassVar[bool] = False

    def begin(self, user_id: str) -> Turn:
        """Ask the function."""
        return Turn(lambda: self.function(user_id), lambda answer: answer, awaited=is_asynchronous(self.function))


def answer_at_once(turn: Turn) -> object:
    """The token of a turn, for callers that wait. Raises ``TokenInvalid`` for a function to be awaited."""
    answer = turn.make()
    if was_to_be_awaited(answer):
        raise TokenInvalid.saying("the token provider is asynchronous: give it to an AsyncTokenManager")
    return turn.read(answer)


def is_asynchronous(function: object) -> bool:
    """Whether what the function returns has to be awaited, as far as it can be seen before it is called."""
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - it is not asked whether it can be called


def refuse_without_id(function: Callable[..., object]) -> None:
    """Raise ``TypeError`` for a token provider that cannot be given the user's id, as far as that can be seen."""
    try:
        parameters = signature(function)
    except (TypeError, ValueError):  # written in C, say: nobody can look
        return
    try:
        parameters.bind("")
    except TypeError:
        raise TypeError(
            "a token provider is given the user's id: write def fetch(user_id), even where it needs none"
        ) from None


def refuse_asynchronous(name: str, function: object) -> None:
    """Raise ``TypeError`` for a function whose outcome nobody here would await."""
    if is_asynchronous(function):
        raise TypeError(f"{name} is asynchronous: give it to the client or manager whose name begins with Async")


def was_to_be_awaited(answer: object) -> bool:
    """Whether a function that was called turned out to be asynchronous; what it began is given up."""
    if not isawaitable(answer):
        return False
    close = getattr(answer, "close", None)
    if close is not None:
        close()  # a coroutine that is never awaited would complain
    return True
