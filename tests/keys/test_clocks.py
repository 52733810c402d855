"""The life of keys under clocks that jump: two workers 30 s apart, 200 jumps of either by up to four hundred days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.model import Algorithm, App, KeyId, KeyRecord, KeyState, TokenStatus
from authsvc.signing.lifecycle import Keys, LifeCycle, Move, Present
from tests.keys.two_nodes import LAG, RIGHT, SECOND, Node, Token, World
from tests.signing.key_records import DAY, a_key, a_pending_key

JUMPS = 200
TTL = timedelta(hours=2)
AGE = timedelta(hours=6)
ORDER = {state: place for place, state in enumerate(KeyState)}

# Where a clock is set to, compared with true time: half the times it is put right.
ERRORS = [
    *[timedelta(0), RIGHT, -RIGHT] * 3,
    *(sign * span for sign in (1, -1) for span in (timedelta(minutes=2), TTL, DAY, 30 * DAY, 400 * DAY)),
]
WAITS = [SECOND, LAG, 10 * SECOND, timedelta(minutes=11), TTL / 2, TTL, AGE, 10 * DAY]
DEEDS = ["look", "look", "look", "mint", "mint", "rotate", "rotate at once", "revoke", "algorithm"]


@dataclass(frozen=True)
class Step:
    """A jump of one worker's clock, a while, and what somebody does then."""

    jumper: int
    error: timedelta
    wait: timedelta
    actor: int
    deed: str


steps = st.builds(
    Step, st.integers(0, 1), st.sampled_from(ERRORS), st.sampled_from(WAITS), st.integers(0, 1), st.sampled_from(DEEDS)
)
MANY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def act(world: World, node: Node, step: Step) -> None:
    match step.deed:
        case "look":
            world.look(node)
        case "mint":
            world.mint(node)
        case "rotate" | "rotate at once":
            world.rotate(node, at_once=step.deed.endswith("once"))
        case "revoke":
            world.revoke(node, world.made)
        case "algorithm":
            other = {Algorithm.ES256: Algorithm.HS256, Algorithm.HS256: Algorithm.ES256}
            world.set_algorithm(other[world.app.settings.algorithm])


def lived(world: World, story: Sequence[Step]) -> Iterator[None]:
    """Let it happen, step by step. Workers look at their clocks every few seconds; in each step both mint."""
    for step in story:
        world.nodes[step.jumper].error = step.error
        for node in world.nodes:
            node.watched.present()
        world.wait(step.wait)
        act(world, world.nodes[step.actor], step)
        for node in world.nodes:
            world.mint(node)
        yield


def faults_of_tokens(world: World) -> list[str]:
    """What is wrong with the answers about all tokens now: a good one refused, or one accepted that has ended."""
    faults = []
    for node in world.nodes:
        for token in world.tokens:
            status = node.status(token)
            if status is TokenStatus.ACTIVE and node.now() >= token.expires_at + world.app.settings.clock_skew:
                faults.append(f"accepted after its end: {token}")
            if status is TokenStatus.ACTIVE and world.revoked(token.key_id) and node.known == world.keys:
                faults.append(f"accepted though its key is revoked: {token}")
            if status is not TokenStatus.ACTIVE and is_good(token, node, world):
                faults.append(f"refused as {status}: {token}")
    return faults


def is_good(token: Token, node: Node, world: World) -> bool:
    """Minted and judged by clocks that are right, not over, its key not revoked."""
    return token.rightly and node.right and node.now() < token.expires_at and not world.revoked(token.key_id)


def forget_what_is_over(world: World) -> None:
    world.tokens = [token for token in world.tokens if any(node.now() < token.expires_at + DAY for node in world.nodes)]


def faults_of_history(history: Sequence[Keys]) -> list[str]:
    """What is wrong with the keys the store ever had: not exactly one active, or a state that went backwards."""
    faults, reached, gone = [], dict[str, KeyState](), set[str]()
    for keys in history:
        if sum(key.state is KeyState.ACTIVE for key in keys) != 1:
            faults.append(f"not one active: {[(key.key_id, key.state) for key in keys]}")
        for key in keys:
            if key.key_id in gone or ORDER[key.state] < ORDER[reached.get(key.key_id, KeyState.PENDING)]:
                faults.append(f"revived: {key.key_id}")
            reached[key.key_id] = key.state
        gone |= reached.keys() - {key.key_id for key in keys}
    return faults


def faults_of(world: World, story: Sequence[Step]) -> list[str]:
    """Everything that goes wrong while a story is lived."""
    faults: list[str] = []
    for _ in lived(world, story):
        faults += faults_of_tokens(world)
        forget_what_is_over(world)
    return faults + faults_of_history(world.history)


@MANY
@given(st.lists(steps, min_size=JUMPS, max_size=JUMPS))
def test_no_jump_of_a_clock_revives_or_ends_what_it_should_not(story: list[Step]) -> None:
    """Whatever clocks are set to: one key is active, no key goes back to an earlier state, no token is accepted past
    its end or after its key was revoked, and none is refused that right clocks call good."""
    assert faults_of(World(LifeCycle(), ttl=TTL, age=AGE), story) == []


# -- controls: rules with a mistake on purpose ---------------------------------------------------------


class RetiresByItsClock(LifeCycle):
    """Dates a retirement by what the clock shows, whatever it showed before."""

    def _retired(self, key: KeyRecord, present: Present) -> KeyRecord:
        retired = super()._retired(key, present)
        return retired if retired is key else replace(retired, retired_at=present.now)


class ForgetsByItsClock(LifeCycle):
    """Forgets keys by what the clock shows, however far it was set forwards."""

    def due(self, keys: Keys, app: App, present: Present, *, spare: KeyRecord | None) -> Move | None:
        return super().due(keys, app, replace(present, earliest=present.now), spare=spare)


class RevokesByItsClock(LifeCycle):
    """Dates a revocation by what the clock shows: the key is forgotten at once, and its tokens are of no known key."""

    def revoked(
        self, keys: Keys, app: App, key_id: KeyId, present: Present, *, spare: KeyRecord | None, reason: str
    ) -> Move | None:
        move = super().revoked(keys, app, key_id, present, spare=spare, reason=reason)
        return move and replace(
            move, keys=tuple(replace(key, revoked_at=key.revoked_at and present.now) for key in move.keys)
        )


class RetiresWithoutSuccessor(LifeCycle):
    """Retires whatever signs when a successor's time has come, the successor too."""

    def activated(self, keys: Keys, key_id: KeyId, present: Present, reason: str) -> Move:
        move = super().activated(keys, key_id, present, reason)
        return replace(move, keys=tuple(self._retired(key, present) for key in move.keys))


def happens(error: timedelta, wait: timedelta = SECOND, deed: str = "mint") -> Step:
    """The first worker's clock is set, time passes, and then that worker does something."""
    return Step(0, error, wait, 0, deed)


NOTHING = timedelta(0)
QUARTER = timedelta(minutes=15)
BACKWARDS = [happens(NOTHING), happens(-DAY, QUARTER, "rotate at once"), happens(NOTHING, QUARTER)]
FORWARDS = [
    happens(NOTHING),
    happens(NOTHING, SECOND, "rotate at once"),
    happens(400 * DAY, QUARTER, "look"),
    happens(NOTHING, QUARTER),
]


REVOKED_LONG_AGO = [
    happens(NOTHING),
    Step(1, -400 * DAY, QUARTER, 1, "revoke"),
    happens(NOTHING, QUARTER, "look"),
]


@pytest.mark.parametrize(
    ("mistake", "story"),
    [(RetiresByItsClock, BACKWARDS), (ForgetsByItsClock, FORWARDS), (RevokesByItsClock, REVOKED_LONG_AGO)],
)
def test_a_rule_that_believes_a_clock_that_was_set_is_noticed(mistake: type[LifeCycle], story: list[Step]) -> None:
    """Control: good tokens are refused by rules that take the time as it is shown, and the checker says so."""
    assert faults_of(World(LifeCycle(), ttl=TTL, age=AGE), story) == []
    faults = faults_of(World(mistake(), ttl=TTL, age=AGE), story)
    assert any("refused as KEY_UNKNOWN" in fault for fault in faults), faults


def test_an_app_without_an_active_key_is_noticed() -> None:
    """Control: rules that leave no key active are found in the history of keys."""
    world = World(RetiresWithoutSuccessor(), ttl=TTL, age=AGE)
    world.rotate(world.nodes[0], at_once=True)
    assert [fault for fault in faults_of_history(world.history) if "not one active" in fault]


@pytest.mark.parametrize(
    "history",
    [
        [(a_key(state=KeyState.RETIRED), a_key("b")), (a_key(), a_key("b", state=KeyState.RETIRED))],
        [(a_key(), a_key("b", state=KeyState.REVOKED)), (a_key(), a_key("b", state=KeyState.RETIRED))],
        [(a_key(), a_pending_key()), (a_key(),), (a_key(), a_pending_key())],
    ],
)
def test_a_revived_key_is_noticed(history: list[Keys]) -> None:
    """Control: a key that goes back to an earlier state, or comes back after it was gone, is found."""
    assert faults_of_history(history[:1]) == []
    assert any("revived" in fault for fault in faults_of_history(history))


def test_a_token_accepted_too_long_is_noticed() -> None:
    """Control: a token past its end, and one of a revoked key, are found where they are accepted."""
    world = World(LifeCycle(), ttl=TTL, age=AGE)
    world.mint(world.nodes[0])
    assert faults_of_tokens(world) == []
    world.keys = tuple(replace(key, state=KeyState.REVOKED) for key in world.keys)
    for node in world.nodes:
        node.known = world.keys
    assert faults_of_tokens(world) == []
    world.revoked = lambda key_id: False  # type: ignore[method-assign]
    assert [fault for fault in faults_of_tokens(world) if "refused as KEY_REVOKED" in fault]
