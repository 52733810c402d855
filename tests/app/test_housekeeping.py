"""What a server does by itself while nobody asks: it forgets what no longer matters, and looks after keys."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from authsvc.app.composition import open_domain
from authsvc.clock import system_clock
from authsvc.config import Settings
from authsvc.model import ApiKey, AppSettings, AuditEvent, TokenId
from authsvc.signing.sealing import Kek
from tests.accounts.people import a_principal
from tests.app.processes import serving
from tests.conftest import HandClock

APP = ApiKey("acme")
LONG_AGO = timedelta(days=3)
GONE = 7


def test_what_is_due_is_done_by_a_server_that_runs(state_dir: Path) -> None:
    """On a store of three days ago a server lets the successor of a key sign, and forgets revocations of a few hours:
    within its patience, without being asked."""
    state, kek = state_dir / "state", state_dir / "kek"
    kek.write_bytes(os.urandom(32))
    kek.chmod(0o600)
    then = HandClock(system_clock() - LONG_AGO)
    with open_domain(Settings(state_dir=state), Kek(kek.read_bytes()), clock=then) as domain:
        domain.apps.create_as("test", APP, AppSettings())
        successor = domain.keys.rotate(a_principal(), APP, at_once=False).key.key_id
        event = AuditEvent(then(), "token.revoked", "test", APP, "", "done")
        for number in range(GONE):
            domain.store.revoke_token(APP, TokenId(f"jti-{number}"), then() + timedelta(hours=1), event)
        assert domain.keeper.look() == domain.janitor.round() == 0, "nothing was due then"
    with serving(state, AUTHSVC_KEK_FILE=str(kek), AUTHSVC_LOG_LEVELS="default=info,storage=debug") as server:
        assert server.log("forgot what no longer matters")["count"] == GONE
        changed = server.log("key changed")
        assert (changed["kid"], changed["detail"]) == (successor, "key.activated: its time has come")
