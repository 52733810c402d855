"""Answers to questions that were asked before: the same caller, the same bytes, and nothing changed since.

Most validations are of tokens that are shown again and again. Their answer is what it was as long as nothing changed
in the trust view and the token has not expired: two comparisons, for which no thread and no parsing is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from authsvc.clock import Clock
from authsvc.model import AccountId, Principal
from authsvc.rpc.call import Call
from authsvc.trust.freshness import Freshness

_CAPACITY = 8_192

_Question = tuple[AccountId, str, bytes]


class _Answer(NamedTuple):
    """``changes``: the state of the trust view it was given in. Time alone changes nothing from since to until.

    ``principal``: with whose rights it was found out. A call may have brought those from before a change; who comes
    after it is another object.
    """

    principal: Principal
    changes: int
    since: float
    until: float
    app: str
    encoded: bytes


class RememberedAnswers:
    """Keeps answers by the SHA-256 of their requests, and no request.

    ``changes`` counts the changes of everything that answers depend on but the time. Nothing is answered while memory
    is too old: then the whole way says so.
    """

    def __init__(
        self, changes: Callable[[], int], freshness: Freshness, clock: Clock, capacity: int = _CAPACITY
    ) -> None:
        self.changes = changes
        self._freshness = freshness
        self._clock = clock
        self._capacity = capacity
        self._answers: dict[_Question, _Answer] = {}
        self.hits = 0

    def find(self, call: Call) -> bytes | None:
        """The answer to the call's request, if it was given before and would be given again."""
        answer = self._answers.get(_key(call))
        if answer is None or answer.principal is not call.caller:
            return None
        if answer.changes != self.changes() or self._freshness.stale:
            return None
        if not answer.since <= self._clock().timestamp() < answer.until:
            return None
        self.hits += 1
        call.app = answer.app
        return answer.encoded

    def keep(self, call: Call, encoded: bytes, *, changes: int, until: float) -> None:
        """Remember what the call was answered, as of ``changes``."""
        if call.body is None:
            return
        if len(self._answers) >= self._capacity:
            self._answers.clear()  # those that are asked for again are soon back
        since = self._clock().timestamp()
        self._answers[_key(call)] = _Answer(call.caller, changes, since, until, call.app, encoded)

    def __len__(self) -> int:
        return len(self._answers)


def _key(call: Call) -> _Question:
    assert call.body is not None, "its message is there"
    return call.caller.account_id, call.caller.credential, hashlib.sha256(call.body).digest()
