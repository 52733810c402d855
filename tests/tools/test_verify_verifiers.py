"""What the long proofs of verifiers make of what they saw."""

from __future__ import annotations

import pytest

from tools.verify_verifiers import MAX_STALENESS, stale_faults

BOUND = MAX_STALENESS.total_seconds()


@pytest.mark.parametrize("stale", [[BOUND], [BOUND - 4.9, BOUND - 2], [BOUND - 1, BOUND + 1.5]])
def test_stale_when_what_is_known_is_too_old_is_right(stale: list[float]) -> None:
    """What is known when the service goes is up to five seconds old; STALE follows when that is as old as it may be."""
    assert stale_faults(stale) == []


def test_stale_too_late_is_a_fault() -> None:
    """One verifier that answers on is enough."""
    (fault,) = stale_faults([BOUND - 2, BOUND + 3])
    assert fault == f"a verifier still answered {BOUND + 3} s after the service was gone"


def test_stale_too_early_is_a_fault() -> None:
    """One verifier that gives up with its stream is enough."""
    (fault,) = stale_faults([0.04, BOUND - 2])
    assert fault == "a verifier answered no more 0.0 s after the service was gone"


def test_both_are_told() -> None:
    """Some early and some late: two faults."""
    assert len(stale_faults([0.04, BOUND + 3])) == 2
