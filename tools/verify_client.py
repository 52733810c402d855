"""The long proofs of the client."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.client.day import live_through
from tools.proofs import Part, Result


def live_through_a_day(count: int) -> Result:
    """So many users share a client for a day on a clock of its own; a fifth of the replies is lost, the server restarts
    each hour. Nobody is logged out; a client that forgets its request ids is seen to log users out."""
    result = Result()
    with tempfile.TemporaryDirectory(prefix="authsvc-verify-") as state_dir:
        day = live_through(Path(state_dir), users=count)
    result.faults += [f"{user}: {why}" for user, why in day.logged_out.items()]
    if not day.counts["lost replies"] or not day.counts["calls while it was down"]:
        result.faults.append("no reply was lost, or nobody met the restarts: this proves nothing")
    if not day.counts["calls, once more"]:
        result.faults.append("no call heard that its token has expired: that the next one helps is not proved")
    with tempfile.TemporaryDirectory(prefix="authsvc-verify-") as state_dir:
        control = live_through(Path(state_dir), users=max(count // 5, 5), keeping_request_ids=False)
    if not control.logged_out:
        result.faults.append("the control, a new request id for each attempt, logged nobody out")
    result.numbers |= dict(sorted(day.counts.items()))
    result.numbers |= {"logged out": len(day.logged_out), "logged out in the control": len(control.logged_out)}
    return result


PARTS: Mapping[str, Part] = {"client-day": Part(50, "users", live_through_a_day)}
