"""Workers over one store, each with a clock that is moved by hand and is never found to have been set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from authsvc.app.composition import Domain, open_domain
from authsvc.clock import Monotonic, system_randomness, to_microseconds
from authsvc.config import Settings
from authsvc.keys.admin import KeyDescription
from authsvc.model import ApiKey, App, AppSettings, KeyState, Principal, TokenScope, TokenStatus, User, UserId
from authsvc.model import Kind as SubjectKind
from authsvc.signing.sealing import Kek
from authsvc.storage.base import AuditFilter
from authsvc.tokens.mint import Grant, Mint, seconds_after
from authsvc.verify.questions import Questions
from authsvc.verify.verdict import Verdict
from authsvc.verify.verifier import Verifier
from tests.accounts.people import a_principal
from tests.conftest import HandClock
from tests.rows import Rows

ACME = ApiKey("acme")


def in_step_with(clock: HandClock) -> Monotonic:
    """A monotonic clock that goes by as much as the other is moved."""
    return lambda: to_microseconds(clock()) * 1_000


@dataclass
class Worker:
    """One process's view of a store, with the app ``acme`` in it, and an operator who may do everything."""

    domain: Domain
    clock: HandClock
    state_dir: Path
    operator: Principal = field(default_factory=a_principal)

    def __post_init__(self) -> None:
        self.keys = self.domain.keys
        self.mint = Mint(self.domain.view, clock=self.clock, randomness=system_randomness)
        self.verifier = Verifier(self.domain.view, clock=self.clock)

    @property
    def rows(self) -> Rows:
        return Rows(self.state_dir)

    def new_app(self, *, secret: bytes = b"", **settings: Any) -> App:
        return self.domain.apps.create_as("test", ACME, AppSettings(**settings), secret=secret)

    def set(self, **wished: Any) -> App:
        """Update settings of the app, as an operator does."""
        from tests.apps.wishing import wishes

        return self.domain.apps.update(self.operator, ACME, wishes(**wished), tuple(wished), etag_version=None)

    def all(self) -> list[KeyDescription]:
        return list(self.keys.all(self.operator, ACME))

    def states(self) -> dict[str, KeyState]:
        """The states of the app's keys by kid, oldest key first."""
        return {one.key.key_id: one.key.state for one in self.all()}

    def active(self) -> str:
        """The kid of the one key that signs."""
        (key_id,) = [kid for kid, state in self.states().items() if state is KeyState.ACTIVE]
        return key_id

    def rotate(self, *, at_once: bool = False) -> str:
        """The kid of the successor."""
        return self.keys.rotate(self.operator, ACME, at_once=at_once).key.key_id

    def revoke(self, key_id: str) -> KeyDescription:
        return self.keys.revoke(self.operator, ACME, key_id, etag_version=None)

    def token(self, ttl: timedelta = timedelta(hours=1)) -> str:
        """A token of the app's active key for sara."""
        trust = self.domain.view.app(ACME)
        assert trust is not None
        grant = Grant(SubjectKind.USER, User(UserId("sara")), TokenScope(), (), {}, seconds_after(self.clock(), ttl))
        return self.mint.mint(trust, grant).text

    def verdict(self, token: str) -> Verdict:
        return self.verifier.verify(token, api_key=ACME, questions=Questions())

    def status(self, token: str) -> TokenStatus:
        return self.verdict(token).status

    def audited(self) -> list[tuple[str, str, str, str]]:
        """Action, who, which key and why, of what was done to keys."""
        events = [row.event for row in reversed(self.domain.store.list_audit(AuditFilter(api_key=ACME), limit=1_000))]
        done = [event for event in events if event.action.startswith("key.")]
        return [(event.action, event.principal, event.subject, event.reason) for event in done]


@contextmanager
def a_worker(
    state_dir: Path, clock: HandClock, *, store: str = "", monotonic: Monotonic | None = None, **settings: Any
) -> Iterator[Worker]:
    """A worker over the store in that directory, made where it is not there, or at that address."""
    with open_domain(
        Settings(state_dir=state_dir, store=store, **settings),
        Kek(bytes(range(32))),
        clock=clock,
        monotonic=monotonic or in_step_with(clock),
        randomness=system_randomness,
        migrate=True,
    ) as domain:
        yield Worker(domain, clock, state_dir)
