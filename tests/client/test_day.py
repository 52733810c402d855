"""Nobody is logged out by lost replies and restarts; ``make verify PART=client-day`` has more users for a whole day."""

from __future__ import annotations

from pathlib import Path

from tests.client.day import live_through


def test_nobody_is_logged_out(state_dir: Path) -> None:
    """Users who share a client refresh for hours, a fifth of the replies is lost, the server restarts."""
    day = live_through(state_dir, users=6, hours=4, restarts=12)
    assert day.logged_out == {}
    assert day.counts["rotated"] > 6 * 4 * 5
    assert day.counts["lost replies"] > 6 * 4
    assert day.counts["replayed"] > 0
    assert day.counts["calls, ACTIVE"] > 100
    assert 0 < day.counts["calls, once more"] <= day.counts["calls, EXPIRED"]


def test_a_client_that_forgets_its_request_ids_would_be_noticed(state_dir: Path) -> None:
    """The control: with a new request id for each attempt, the same hours log users out."""
    day = live_through(state_dir, users=6, hours=4, restarts=12, keeping_request_ids=False)
    assert "SESSION_REVOKED: the session was revoked; the user signs in again" in day.logged_out.values()
