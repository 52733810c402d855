"""Random schedules of two devices and a thief against a model of a few lines, on the real store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from authsvc.errors import Unavailable
from authsvc.storage.base import SessionState, Store
from tests.tokens.chain_model import Parties
from tests.tokens.service import Service

SCHEDULES = settings(
    max_examples=80,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# To see that a fault is found no shortest schedule is needed, and the schedules are the same each time.
HUNTS = settings(SCHEDULES, max_examples=200, phases=[Phase.generate], derandomize=True, database=None)


def play(service: Service, how: settings) -> None:
    class Played(Parties):
        def __init__(self) -> None:
            super().__init__(service)

    run_state_machine_as_test(Played, settings=how)


def test_every_schedule_goes_as_the_table_says(service: Service) -> None:
    """Whatever two devices and a thief present, lose and repeat, answers and store are those of the model."""
    play(service, SCHEDULES)


class FaultyStore:
    """The real store with one fault."""

    def __init__(self, store: Store, **faults: Callable[..., Any]) -> None:
        self._store = store
        self._faults = faults
        self._vain = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._store, name)
        fault = self._faults.get(name)
        return real if fault is None else lambda *args, **options: fault(real, *args, **options)

    def turn_session(self, *args: Any, **options: Any) -> Any:
        """A caller that is told again and again that it can turn, and cannot, would go round for ever."""
        turn: Callable[..., Any] = self._faults.get("turn_session", passed_on)
        turned = turn(self._store.turn_session, *args, **options)
        self._vain = self._vain + 1 if turned is None else 0
        assert self._vain < 100, "what is read and what is turned contradict each other"
        return turned


def passed_on(real: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return real(*args, **options)


def seen(change: Callable[[SessionState], SessionState]) -> Callable[..., SessionState | None]:
    """A reading that sees something else."""

    def session_state(real: Callable[..., SessionState | None], *args: Any, **options: Any) -> SessionState | None:
        state = real(*args, **options)
        return None if state is None else change(state)

    return session_state


def without_request_id(real: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return real(*args, **{**options, "request_id_hash": b""})


FAULTS: dict[str, dict[str, Callable[..., Any]]] = {
    "a revocation that is lost": {"revoke_session": lambda real, *args, **options: True},
    "a reading that does not see revocations": {
        "session_state": seen(
            lambda state: state._replace(covered=False, session=state.session._replace(revoked_at=None))
        )
    },
    "a grace that begins with each reading": {
        "session_state": seen(lambda state: state._replace(session=state.session._replace(rotated_at=state.now)))
    },
    "a request id that is not kept": {"turn_session": without_request_id},
    "an idle end that is not seen": {
        "session_state": seen(
            lambda state: state._replace(
                session=state.session._replace(idle_expires_at=state.session.absolute_expires_at)
            )
        )
    },
    "a present that goes back": {
        "session_state": seen(lambda state: state._replace(now=state.now - timedelta(seconds=1)))
    },
    "a grandparent taken for the parent": {
        "session_state": seen(
            lambda state: state._replace(
                session=state.session._replace(generation=max(state.session.generation - 1, 0))
            )
        )
    },
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.timeout(120)
def test_a_fault_of_the_store_is_found(service: Service, fault: str) -> None:
    """A store with a fault that stores have had does not go as the model says."""
    faulty = service.over(FaultyStore(service.store, **FAULTS[fault]))
    # Unavailable: a store that contradicts itself for good, which the use case tells from a lost race.
    with pytest.raises((AssertionError, Unavailable)):
        play(faulty, HUNTS)
