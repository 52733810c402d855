"""What a scrape says of forgetting: what went, for how long the oldest that is left has waited, what is remembered."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from authsvc.app.composition import Domain
from authsvc.model import ApiKey, AuditEvent, TokenId
from authsvc.operations.janitor import ROWS
from tests.conftest import HandClock
from tests.metrics.reading import scrape
from tests.trust.workers import opening

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
DUE = ROWS + 50


def test_what_was_forgotten_and_what_waits(state_dir: Path, clock: HandClock) -> None:
    """Each row that goes counts under its table; the lag is that of the oldest that is left, and grows with the time;
    when all has gone there is none."""
    began = clock()
    with opening(state_dir, clock) as open_worker:
        # Time passes by both clocks: what was only set forwards lets nothing be forgotten.
        worker = open_worker(monotonic=lambda: (clock() - began) // MICROSECOND * 1_000)
        worker.make_app("dev")
        check(worker.domain, clock)


def check(domain: Domain, clock: HandClock) -> None:
    """Revoke, and let hours pass."""
    event = AuditEvent(clock(), "token.revoked", "test", "dev", "", "done")
    for number in range(DUE):
        domain.store.revoke_token(ApiKey("dev"), TokenId(f"jti-{number}"), clock() + HOUR, event)

    def told() -> tuple[float, float, float]:
        seen = scrape(domain.metrics)
        assert seen.labels("authsvc_purged_rows_total", "table") >= {"sessions", "revoked_tokens", "watermarks", "feed"}
        gone = seen("authsvc_purged_rows_total", table="revoked_tokens")
        return gone, seen("authsvc_purge_lag_seconds"), seen("authsvc_revocations")

    domain.janitor.round()
    assert told() == (0, 0, DUE)
    clock.move(hours=5)  # an hour they count, and one more they are kept
    domain.janitor.round(budget=ROWS)
    assert told() == (ROWS, 3 * 3_600, DUE)
    clock.move(minutes=1)
    assert told() == (ROWS, 3 * 3_600 + 60, DUE)
    domain.janitor.round()
    assert told()[:2] == (DUE, 0)
    assert scrape(domain.metrics).positive("authsvc_purged_rows_total", "table") == {"revoked_tokens": DUE}
