"""Sessions and guests: the refresh token that is turned, and the request id that recovers a lost reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeAlias

from authsvc.client.homes import HomeProcess
from authsvc.client.request_ids import new_request_id
from authsvc.client.tokens.baton import Baton
from authsvc.client.tokens.issuer import Issuer
from authsvc.client.tokens.source import Make, Turn, was_to_be_awaited
from authsvc.clock import Randomness
from authsvc.logs import SecretText
from authsvc.v1 import auth_pb2

if TYPE_CHECKING:
    from authsvc.logs import Logger


@dataclass(frozen=True, slots=True)
class SavedSession:
    """What to keep so that a session outlives the process: the newest refresh token, and the request id of its turn.

    The two belong together: with them a process that died between asking and hearing is answered again, for as long
    as the app's ``refresh_replay_ttl``. Both are secrets.
    """

    refresh_token: SecretText
    request_id: SecretText


OnSessionUpdated: TypeAlias = Callable[[SavedSession], Any]
"""Told of each new refresh token, before any call uses the access token that came with it."""


class Chain:
    """A session as all who share it have it: the newest refresh token, turned by one of them at a time.

    One request id a turn: a turn is repeated with it, by whomever, until its answer came. ``first`` is where the chain
    begins; for a guest, the wish that makes the guest.
    """

    def __init__(self, first: SecretText | SavedSession | auth_pb2.Guest, tell: OnSessionUpdated | None) -> None:
        self.turning = Baton()
        self.turns = 0
        self._next = first
        self._request_id = first.request_id if isinstance(first, SavedSession) else None
        self._token = SecretText("")
        self.in_doubt = False
        """Whether a refresh was asked for and not answered. Nobody knows then whether it was made: it can be told again
        for as long as the app's ``refresh_replay_ttl``, and once that is over asking would be taken for a theft."""
        self._tell = tell
        self._telling = Baton()
        self._told: object = first
        self._home = HomeProcess("the session")

    def check(self) -> None:
        """Raise ``OtherProcess`` in the child of a process that has turned it: two that turn one session are taken for
        a thief and a victim. Asked before each turn."""
        self._home.check()

    def came_since(self, turns: int) -> str | None:
        """The access token of the last turn, where there was one since there were so many."""
        return self._token.reveal() if self.turns > turns else None

    def question(self, issuer: Issuer, randomness: Randomness) -> Make:
        """The call that turns it. For the one who holds ``turning``, as ``turned``."""
        if self._request_id is None:
            self._request_id = SecretText(new_request_id(randomness))
        request_id, begun = self._request_id.reveal(), self._next
        if isinstance(begun, auth_pb2.Guest):
            return issuer.guest(begun, request_id)
        refresh_token = begun.refresh_token if isinstance(begun, SavedSession) else begun
        self.in_doubt = True
        return issuer.refresh(refresh_token.reveal(), request_id)

    def turned(self, answer: Any, randomness: Randomness) -> str:
        """Go on from an answer; the access token that came with it."""
        self._token = SecretText(answer.token)
        self._request_id = SecretText(new_request_id(randomness))
        self._next = SavedSession(SecretText(answer.refresh_token), self._request_id)
        self.turns += 1
        self.in_doubt = False
        return self._token.reveal()

    def tell(self, log: Logger, seconds: float) -> None:
        """Tell the program of the newest refresh token, unless it knows; in their order, whoever tells."""
        try:
            with self._telling.held(seconds):
                if was_to_be_awaited(self._told_newest()):
                    raise TypeError("on_session_updated is asynchronous, and was not awaited")
        except Exception as fault:  # noqa: BLE001 - the token is good, and the user should have it
            _not_kept(log, fault)

    async def tell_later(self, log: Logger) -> None:
        """The same where the program's function may be awaited."""
        try:
            async with self._telling.held_later():
                told = self._told_newest()
                if isawaitable(told):
                    await told
        except Exception as fault:  # noqa: BLE001 - the token is good, and the user should have it
            _not_kept(log, fault)

    def _told_newest(self) -> object:
        newest = self._next
        if self._tell is None or newest is self._told or not isinstance(newest, SavedSession):
            return None
        self._told = newest
        return self._tell(newest)


@dataclass(frozen=True, slots=True)
class SessionSource:
    """A chain, as one manager turns it: through its own client."""

    chain: Chain
    issuer: Issuer
    awaits: bool
    randomness: Randomness
    log: Logger

    @property
    def in_doubt(self) -> bool:
        """See ``Source``."""
        return self.chain.in_doubt

    def begin(self, user_id: str) -> Turn:  # noqa: ARG002 - the session knows whose it is
        """The turn of the newest refresh token; for a guest who has none yet, the call that makes the guest.

        Where another one turned it since this began, that turn's token is the answer.
        """
        make = partial(self._turn_later if self.issuer.awaited else self._turn, self.chain.turns)
        return Turn(make, self._read_later if self.awaits else self._read, awaited=self.issuer.awaited)

    def _turn(self, turns: int) -> str:
        self.chain.check()
        with self.chain.turning.held(self._patience):
            known = self.chain.came_since(turns)
            if known is not None:
                return known
            answer = self.chain.question(self.issuer, self.randomness)()
            return self.chain.turned(answer, self.randomness)

    async def _turn_later(self, turns: int) -> str:
        self.chain.check()
        async with self.chain.turning.held_later():
            known = self.chain.came_since(turns)
            if known is not None:
                return known
            answer = await self.chain.question(self.issuer, self.randomness)()
            return self.chain.turned(answer, self.randomness)

    def _read(self, token: str) -> str:
        self.chain.tell(self.log, self._patience)
        return token

    async def _read_later(self, token: str) -> str:
        await self.chain.tell_later(self.log)
        return token

    @property
    def _patience(self) -> float:
        return self.issuer.timeout.total_seconds()


def _not_kept(log: Logger, fault: Exception) -> None:
    log.error("a session could not be kept by the program", exception=fault)
