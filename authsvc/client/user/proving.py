"""How a connection is proved, written once for callers that wait and callers that await: a course of wishes.

Each wish is something to do with the ``Hands`` of a client; its outcome is sent back in, its error thrown in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from authsvc.client.tokens import faults
from authsvc.client.tokens.renewal import Moment
from authsvc.client.user.connecting import Attempts, check_locally, question, refusal
from authsvc.clock import Clock
from authsvc.model import TokenStatus

if TYPE_CHECKING:
    from authsvc.logs import Logger


class Hands(Protocol):
    """What a client can do for the proof; with the awaited client each of it is awaited."""

    @property
    def tokens(self) -> Any:
        """The manager of the user's tokens."""
        ...

    def validate(self, request: Any) -> Any:
        """Ask the service about a token."""
        ...

    def pause(self, seconds: float) -> Any:
        """Wait; raises ``UserChanged`` when the user is disconnected meanwhile."""
        ...

    def tell(self, attempts: Attempts) -> Any:
        """Say that connecting was given up."""
        ...


Wish: TypeAlias = Callable[[Hands], Any]
Course: TypeAlias = Generator[Wish, Any, None]


@dataclass(frozen=True, slots=True)
class Proof:
    """Of a user's token: by what it says, and by the service's word where ``asks`` says that it can be asked."""

    api_key: str
    asks: bool
    clock: Clock
    log: Logger

    def course(self, attempts: Attempts) -> Course:
        """Try until it is proved, or there is no attempt left; raises what the last one ended with."""
        while True:
            try:
                yield from self._attempt()
            except faults.UserChanged:
                raise
            except Exception as error:
                pause = attempts.failed(error)
                if pause is None:
                    self.log.debug("a user could not be connected", exception=error, count=len(attempts.errors))
                    yield lambda hands: hands.tell(attempts)
                    raise
                self.log.info("connecting a user is tried again", exception=error, count=len(attempts.errors))
            else:
                return
            yield _pause(pause)

    def _attempt(self) -> Course:
        text: str = yield lambda hands: hands.tokens.token(once=True)
        status = yield from self._judged(text)
        if status is None:
            return
        verdict = status
        text = yield lambda hands: hands.tokens.renewed(text, verdict)
        if (yield from self._judged(text)) is not None:
            raise faults.TokenRefused.saying(f"the service answers {status}, also to the next token")

    def _judged(self, text: str) -> Generator[Wish, Any, TokenStatus | None]:
        user_id = yield _user_id
        token = check_locally(text, user_id, Moment(self.clock(), 0))
        if not self.asks:
            return None
        answer = yield lambda hands: hands.validate(question(self.api_key, token))
        return refusal(answer)


def _pause(seconds: float) -> Wish:
    return lambda hands: hands.pause(seconds)


def _user_id(hands: Hands) -> Any:
    return hands.tokens.user_id


async def run_later(course: Course, hands: Hands) -> None:
    """Do what is wished, for callers that await."""
    try:
        wish = next(course)
        while True:
            try:
                outcome = wish(hands)
                outcome = await outcome if isawaitable(outcome) else outcome
            except Exception as error:  # noqa: BLE001 - the course knows which of them it can use
                wish = course.throw(error)
            else:
                wish = course.send(outcome)
    except StopIteration:
        return


def run(course: Course, hands: Hands) -> None:
    """Do what is wished, for callers that wait."""
    try:
        wish = next(course)
        while True:
            try:
                outcome = wish(hands)
            except Exception as error:  # noqa: BLE001 - the course knows which of them it can use
                wish = course.throw(error)
            else:
                wish = course.send(outcome)
    except StopIteration:
        return
