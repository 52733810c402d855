"""The service and a verifier say the same of every token, whatever has happened meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from authsvc.model import TokenStatus
from authsvc.v1 import admin_pb2 as admin
from tests.client.agreeing import table
from tests.client.agreeing.generated import live_through
from tests.client.agreeing.pens import Pen
from tests.client.agreeing.stage import APPS, KINDS, Case, Stage, stage
from tests.conftest import HandClock

APPS_CHANGED = ("es", "ed", "at", "dv", "hs")
ONCE = ("es",)
STEPS: tuple[tuple[str, table.Step, tuple[str, ...]], ...] = (
    ("all sessions are revoked", table.end_sessions, APPS_CHANGED),
    ("a user is revoked", table.revoke(user_id="tom"), APPS_CHANGED),
    ("time goes on", table.move(seconds=40), ONCE),
    ("what a user was issued before is revoked", table.revoke_before(-30, user_id="sara"), APPS_CHANGED),
    ("that is taken back", table.clear(user_id="sara"), APPS_CHANGED),
    ("the app is suspended", table.suspend, APPS_CHANGED),
    ("and resumed", table.resume, APPS_CHANGED),
    ("its issuer changes", table.settings(issuer="authsvc-2"), APPS_CHANGED),
    ("and changes again", table.settings(issuer="authsvc-3"), APPS_CHANGED),
    ("its clock skew changes", table.settings(clock_skew=Duration(seconds=0)), APPS_CHANGED),
    ("a new key signs", table.rotate, APPS_CHANGED),
    ("the old key is revoked", table.revoke_key(0), ("ed", "at", "dv", "hs")),
    ("its tokens are signed otherwise", table.settings(algorithm=admin.ALGORITHM_EDDSA), ("es", "hs")),
    ("and its last secret is revoked", table.revoke_key(1), ("hs",)),
    ("development tokens are allowed", table.settings(allow_development_tokens=True), APPS_CHANGED),
    ("and no longer", table.settings(allow_development_tokens=False), ("dv",)),
    ("an hour passes", table.move(hours=1), ONCE),
    ("the clock is set back", table.move(minutes=-2), ONCE),
    ("all users are revoked", table.revoke(all_users=True), APPS_CHANGED),
    ("that is taken back too", table.clear(all_users=True), APPS_CHANGED),
    ("a day passes", table.move(hours=26), ONCE),
)


@pytest.fixture(params=KINDS)
def playing(state_dir: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with stage(state_dir, KINDS[request.param]) as playing:
        yield playing


@pytest.mark.timeout(240)
def test_they_agree_on_the_table_after_every_step(playing: Stage) -> None:
    """What was written before and what is written now, of all apps; and every verdict that there is was among them."""
    first = table.table(playing)
    assert playing.disagreements(first) == []
    sample = first[::7] + [Case(app, text, {}) for app in APPS for text in table.issued(playing, app)]
    for name, step, apps in STEPS:
        for api_key in apps:
            step(playing, api_key)
        pen = Pen(playing.domain.view, playing.clock)
        fresh = [Case(app, pen.token(app), {}, f"new {app}") for app in APPS]
        assert playing.disagreements([*sample, *fresh]) == [], name
    statuses = {status.value for status in TokenStatus}
    assert set(playing.seen) == statuses | {"INVALID"}


@pytest.mark.timeout(240)
def test_they_agree_on_generated_tokens(playing: Stage) -> None:
    """Tokens, questions and changes by chance; among them good ones and many kinds of bad ones."""
    assert live_through(playing, 400) == []
    assert playing.seen["ACTIVE"] >= 40
    assert len(playing.seen) >= 8


def test_a_verifier_that_does_not_follow_would_be_noticed(playing: Stage) -> None:
    """The control: one that has ended before a revocation still accepts, and the comparison says so."""
    token = table.issued(playing, "es")[0]
    case = Case("es", token, {}, "the token")
    assert playing.disagreements([case]) == []
    playing.verifiers["es"].close()
    table.revoke(user_id="sara")(playing, "es")
    (found,) = playing.disagreements([case], seconds=0)
    assert "the service says REVOKED, the verifier CheckedToken(" in found


@pytest.mark.parametrize("kind", KINDS)
def test_a_verifier_with_a_slow_clock_would_be_noticed(state_dir: Path, kind: str) -> None:
    """Another control: time is compared too."""
    behind = HandClock()
    with stage(state_dir, KINDS[kind], verifiers_clock=behind) as playing:
        case = Case("es", table.issued(playing, "es")[0], {})
        assert playing.disagreements([case]) == []
        playing.clock.move(hours=2)
        (found,) = playing.disagreements([case], seconds=0)
        assert "the service says EXPIRED" in found
