"""Sessions and guests: the refresh token that is turned, and the request id that recovers a lost reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeAlias

from authsvc.client.request_ids import new_request_id
from authsvc.client.tokens.issuer import Issuer
from authsvc.client.tokens.source import Make, Turn
from authsvc.clock import Randomness
from authsvc.logs import Logger, SecretText
from authsvc.v1 import auth_pb2


@dataclass(frozen=True, slots=True)
class SavedSession:
    """What to keep so that a session outlives the process: the newest refresh token, and the request id of its turn.

    The two belong together: with them a process that died between asking and hearing is answered again, for as long
    as the app's ``refresh_replay_ttl``. Both are secrets.
    """

    refresh_token: SecretText
    request_id: SecretText


OnSessionUpdated: TypeAlias = Callable[[SavedSession], object]
"""Told of each new refresh token, before any call uses the access token that came with it."""


class SessionSource:
    """A chain of refresh tokens. One request id a turn: a turn is repeated with it until its answer was read."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        first: SavedSession | auth_pb2.Guest,
        on_session_updated: OnSessionUpdated | None,
        randomness: Randomness,
        log: Logger,
    ) -> None:
        self._issuer = issuer
        self._next = first
        self._tell = on_session_updated
        self._randomness = randomness
        self._log = log
        self._lock = Lock()
        self._request_id = (
            first.request_id if isinstance(first, SavedSession) else SecretText(new_request_id(randomness))
        )

    def begin(self, user_id: str) -> Turn:  # noqa: ARG002 - the session knows whose it is
        """The turn of the newest refresh token; for a guest who has none yet, the call that makes the guest."""
        with self._lock:
            request_id = self._request_id
            make = self._make(request_id.reveal())
            return Turn(make, lambda answer: self._read(request_id, answer), awaited=self._issuer.awaited)

    def _make(self, request_id: str) -> Make:
        if isinstance(self._next, SavedSession):
            return self._issuer.refresh(self._next.refresh_token.reveal(), request_id)
        return self._issuer.guest(self._next, request_id)

    def _read(self, request_id: SecretText, answer: Any) -> str:
        token: str = answer.token
        with self._lock:
            if request_id != self._request_id:  # an earlier turn was answered again: its child is known
                return token
            self._request_id = SecretText(new_request_id(self._randomness))
            self._next = SavedSession(SecretText(answer.refresh_token), self._request_id)
            self._save(self._next)
        return token

    def _save(self, session: SavedSession) -> None:
        if self._tell is None:
            return
        try:
            self._tell(session)
        except Exception as fault:  # noqa: BLE001 - the token is good, and the user should have it
            self._log.error("a session could not be kept by the program", exception=fault)
