"""Stores with a mistake on purpose: the controls, which the checkers must notice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from authsvc.app.composition import build_server
from authsvc.model import ApiKey, AuditEvent, Revision, Session, SessionId, TokenId, UserId
from authsvc.storage.base import Store, Turn
from tests.conftest import RunningServer

_BOUND = 10.0  # seconds: no wait is without an end


class _Around:
    """Passes everything on to a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class ChecksThenUpdates(_Around):
    """Looks whether the generation fits and writes afterwards, as if nothing could come between.

    The first two lookers wait for each other before they write, so that what could come between does.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._lookers = 0
        self._two_looked = threading.Event()
        self._lock = threading.Lock()

    def turn_session(self, session_id: SessionId, generation: int, **options: Any) -> Session | None:
        state = self._store.session_state(session_id)
        if state is None or state.session.generation != generation:
            return None
        self._look()
        turned = None
        while turned is None and state is not None and state.session.revoked_at is None:
            # An update without a condition on the generation: it turns whatever is there.
            turned = self._store.turn_session(session_id, state.session.generation, **options)
            state = self._store.session_state(session_id)
        return turned

    def turn_sessions(self, turns: Sequence[Turn], **options: Any) -> Sequence[datetime | None]:
        """Cannot: so that all come alone, and meet."""
        raise NotImplementedError

    def _look(self) -> None:
        with self._lock:
            self._lookers += 1
            if self._lookers == 2:
                self._two_looked.set()
        self._two_looked.wait(_BOUND)


class AcknowledgesTooEarly(_Around):
    """Says that something is revoked, and revokes it when it finds the time: never."""

    def revoke_session(self, session_id: SessionId, reason: str, audit: AuditEvent, **options: Any) -> bool:
        return True

    def raise_watermark(self, api_key: ApiKey, user_id: UserId | None, audit: AuditEvent, **options: Any) -> Revision:
        return Revision(1)

    def revoke_token(
        self, api_key: ApiKey, token_id: TokenId, until: datetime | None, audit: AuditEvent, **options: Any
    ) -> Revision:
        return Revision(1)


@contextmanager
def served_with(server: RunningServer, mistake: Callable[[Store], _Around]) -> Iterator[str]:
    """A second server over the same domain, its store seen through the mistake; yields where it listens."""
    store = cast(Store, mistake(server.domain.store))
    rpc = build_server(replace(server.domain, store=store), dev=True, reflection=False, clock=server.clock)
    try:
        yield f"127.0.0.1:{rpc.listen('127.0.0.1:0')}"
    finally:
        rpc.stop(lame_duck=timedelta(0), grace=timedelta(seconds=2))
