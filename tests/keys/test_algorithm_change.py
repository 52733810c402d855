"""An app that changes its algorithm signs by the old one until a key of the new one may sign."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from authsvc.model import Algorithm, AuditEvent, KeyState, TokenStatus
from authsvc.signing.lifecycle import FEED_BOUND, LEAD_TIME
from tests.keys.scene import ACME, Worker

ACTIVE, PENDING, RETIRED = KeyState.ACTIVE, KeyState.PENDING, KeyState.RETIRED


def algorithm_of(token: str) -> str:
    header = token.partition(".")[0]
    name = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["alg"]
    assert isinstance(name, str)
    return name


@pytest.mark.parametrize("algorithm", [Algorithm.EDDSA, Algorithm.RS256, Algorithm.HS256])
def test_another_algorithm_begins_with_the_next_key(worker: Worker, algorithm: Algorithm) -> None:
    """The update publishes a key of the new algorithm; it signs after its lead time, and old tokens stay good."""
    first, before = worker.active(), worker.token()
    assert worker.set(algorithm=algorithm.value).settings.algorithm is algorithm
    (successor,) = worker.states().keys() - {first}
    assert worker.states() == {first: ACTIVE, successor: PENDING}
    assert algorithm_of(worker.token()) == Algorithm.ES256
    lead = FEED_BOUND if algorithm is Algorithm.HS256 else LEAD_TIME
    worker.clock.move(seconds=lead.total_seconds())
    assert worker.domain.keeper.look() == 1
    assert worker.active() == successor
    after = worker.token()
    assert algorithm_of(after) == algorithm
    assert [worker.status(token) for token in (before, after)] == [TokenStatus.ACTIVE] * 2
    assert [entry[0] for entry in worker.audited()] == ["key.published", "key.activated"]


def test_a_pending_key_of_the_former_algorithm_never_signs(worker: Worker) -> None:
    """A successor that was published before the change is dropped, and one of the new algorithm takes its turn."""
    first, stale = worker.active(), worker.rotate()
    worker.set(algorithm="EdDSA")
    assert worker.domain.keeper.look() == 1
    assert stale not in worker.states()
    worker.clock.move(seconds=LEAD_TIME.total_seconds())
    assert worker.domain.keeper.look() == 1
    assert worker.states()[first] is RETIRED
    assert algorithm_of(worker.token()) == "EdDSA"


def test_a_change_that_is_taken_back_leaves_no_key(worker: Worker) -> None:
    """Back at the first algorithm the key of the other one is dropped before it signs."""
    first = worker.active()
    worker.set(algorithm="HS256")
    worker.set(algorithm="ES256")
    worker.clock.move(hours=1)
    assert worker.domain.keeper.look() == 1
    assert worker.states() == {first: ACTIVE}
    assert worker.audited()[-1][0] == "key.removed"


def test_the_key_set_has_both_while_both_verify(worker: Worker) -> None:
    """Verifiers elsewhere find the pending key of the new algorithm beside the one that signs."""
    worker.set(algorithm="EdDSA")
    document = json.loads(worker.keys.key_set(worker.operator, ACME))
    assert sorted(key["alg"] for key in document["keys"]) == ["ES256", "EdDSA"]


def test_what_the_update_could_not_do_is_done_later(worker: Worker) -> None:
    """Settings that were changed without a key being published get one from whoever looks after keys."""
    first = worker.active()
    event = AuditEvent(worker.clock(), "app.updated", "test", ACME, ACME, "done")
    eddsa = replace(worker.domain.apps.get(worker.operator, ACME).settings, algorithm=Algorithm.EDDSA)
    worker.domain.store.edit_app(ACME, lambda app: replace(app, settings=eddsa), event)
    assert worker.states() == {first: ACTIVE}
    assert worker.domain.keeper.look() == 1
    assert sorted(worker.states().values()) == [ACTIVE, PENDING]
    assert worker.audited()[-1][3] == "another algorithm is set"
