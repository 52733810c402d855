"""Two workers with clocks of their own over one store, as the rules alone see them: no wire, no cryptography.

True time only goes forwards. A clock is *right* while it differs from it by 15 s at most, so that two right clocks are
30 s apart at most; it may be set to anything else, for any time. Each worker sees what the other wrote within the bound
of the feed, its own writes at once, and looks again when it meets a kid that it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from authsvc.keys.watched_clock import WatchedClock
from authsvc.model import Algorithm, App, KeyId, KeyRecord, KeyState, TokenStatus
from authsvc.signing.keyring import KeyRing, RingKey
from authsvc.signing.keys import VerificationKey
from authsvc.signing.lifecycle import Keys, LifeCycle, Move, Present, SuccessorNeeded, active
from authsvc.signing.rejected import Rejected
from tests.signing.key_records import NOW, a_key, a_pending_key, an_app

RIGHT = timedelta(seconds=15)
LAG = timedelta(seconds=4)
SECOND = timedelta(seconds=1)
Plan = Callable[[Keys, Present, KeyRecord | None], Move | None]


@dataclass(frozen=True)
class Token:
    """What of a token decides here. ``rightly``: minted by a clock that was right."""

    key_id: KeyId
    issued_at: datetime
    expires_at: datetime
    rightly: bool


@dataclass(eq=False)
class Node:
    """A worker: its clock, and the keys it knows."""

    world: World
    error: timedelta
    known: Keys = ()
    behind_since: timedelta | None = None
    ring: tuple[Keys, KeyRing] = ((), KeyRing())

    def __post_init__(self) -> None:
        self.watched = WatchedClock(self.now, lambda: self.world.passed // timedelta(microseconds=1) * 1_000)

    @property
    def right(self) -> bool:
        return abs(self.error) <= RIGHT

    def now(self) -> datetime:
        return NOW + self.world.passed + self.error

    def mint(self, ttl: timedelta) -> Token:
        signing = active(self.known)
        assert signing is not None, "no active key"
        now = self.now().replace(microsecond=0)
        backdate = self.world.app.settings.issued_at_backdate
        return Token(signing.key_id, now - backdate, now + ttl, self.right)

    def status(self, token: Token) -> TokenStatus:
        """What this worker answers: the key first, then the time."""
        status = self._key_status(token.key_id)
        if status is TokenStatus.KEY_UNKNOWN and all(key.key_id != token.key_id for key in self.known):
            self.known = self.world.keys
            status = self._key_status(token.key_id)
        if status is not TokenStatus.ACTIVE:
            return status
        now, skew = self.now(), self.world.app.settings.clock_skew
        if now >= token.expires_at + skew:
            return TokenStatus.EXPIRED
        return TokenStatus.ISSUED_IN_FUTURE if token.issued_at > now + skew else TokenStatus.ACTIVE

    def _key_status(self, key_id: KeyId) -> TokenStatus:
        if self.ring[0] is not self.known:
            self.ring = self.known, KeyRing().with_keys(_ring_key(key) for key in self.known)
        life = self.world.app.longest_ttl_ever + self.world.app.settings.clock_skew
        try:
            self.ring[1].verification_key(key_id, now=self.now(), retired_for=life)
        except Rejected as rejected:
            return rejected.status
        return TokenStatus.ACTIVE


class World:
    """The store, true time, and all that was ever minted. Each method is one thing that may happen."""

    def __init__(self, cycle: LifeCycle, *, ttl: timedelta, age: timedelta) -> None:
        self.cycle = cycle
        self.ttl = ttl
        self.app: App = an_app(default_ttl=ttl, max_ttl=ttl, key_rotation_age=age)
        self.passed = timedelta(0)
        self.keys: Keys = (a_key("key-0"),)
        self.history: list[Keys] = [self.keys]
        self.tokens: list[Token] = []
        self.made = 0
        self.nodes = (Node(self, -RIGHT, self.keys), Node(self, RIGHT, self.keys))

    def wait(self, span: timedelta) -> None:
        """Time passes; what was written ``LAG`` ago everybody has heard of."""
        self.passed += span
        for node in self.nodes:
            if node.behind_since is not None and self.passed >= node.behind_since + LAG:
                node.known, node.behind_since = self.keys, None

    def look(self, node: Node) -> None:
        """A worker does what is due, as the keeper does: nothing with a clock that was set lately."""
        if not node.watched.steady():
            return
        while self._carry_out(node, lambda keys, at, spare: self.cycle.due(keys, self.app, at, spare=spare), once=True):
            pass

    def rotate(self, node: Node, *, at_once: bool) -> None:
        def plan(keys: Keys, at: Present, spare: KeyRecord | None) -> Move | None:
            if at_once:
                return self.cycle.succeeded(keys, self.app, at, spare=spare, reason="")
            return self.cycle.published(keys, self.app, spare, "")

        self._carry_out(node, plan)

    def revoke(self, node: Node, index: int) -> None:
        key_id = self.keys[index % len(self.keys)].key_id
        self._carry_out(
            node, lambda keys, at, spare: self.cycle.revoked(keys, self.app, key_id, at, spare=spare, reason="")
        )

    def set_algorithm(self, algorithm: Algorithm) -> None:
        self.app = replace(self.app, settings=replace(self.app.settings, algorithm=algorithm))

    def mint(self, node: Node) -> None:
        self.tokens.append(node.mint(self.ttl))

    def revoked(self, key_id: KeyId) -> bool:
        return any(key.key_id == key_id and key.state is KeyState.REVOKED for key in self.keys)

    def _carry_out(self, node: Node, plan: Plan, *, once: bool = False) -> bool:
        """Plan on what the worker knows, write where that is what the store has; whether something was written."""
        keys = node.known
        while True:
            move = self._planned(node, keys, plan)
            if move is None:
                return False
            if keys == self.keys:
                break
            if once:
                return False
            keys = self.keys
        self.keys = tuple(sorted(move.keys, key=lambda key: (key.created_at, key.key_id)))
        self.history.append(self.keys)
        for other in self.nodes:
            if other is node:
                node.known, node.behind_since = self.keys, None
            elif other.behind_since is None:
                other.behind_since = self.passed
        return True

    def _planned(self, node: Node, keys: Keys, plan: Plan) -> Move | None:
        try:
            return plan(keys, node.watched.present(), None)
        except SuccessorNeeded as needed:
            self.made += 1
            spare = a_pending_key(f"key-{self.made}", algorithm=needed.algorithm, created_at=node.now())
            return plan(keys, node.watched.present(), spare)


def _ring_key(record: KeyRecord) -> RingKey:
    nothing = VerificationKey(record.key_id, record.algorithm, b"")
    return RingKey(nothing, record.state, "", retired_at=record.retired_at, record=record)
