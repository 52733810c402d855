"""Several workers on one store, in one process: each with a view of its own, none of which moves by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authsvc.app.composition import Domain, open_domain
from authsvc.clock import Clock, Monotonic, system_monotonic
from authsvc.config import Settings
from authsvc.model import ApiKey, AppSettings, AuditEvent, Session, UserId
from authsvc.signing.sealing import Kek
from tests.storage.records import a_session, an_audit

KEK = Kek(bytes(range(32)))
ACME = ApiKey("acme")
SARA = UserId("sara")

Line = tuple[str, str, Mapping[str, Any]]


@dataclass
class Worker:
    """A worker as a server has it, with what it logged: level, message, event."""

    domain: Domain
    clock: Clock
    log: list[Line] = field(default_factory=list)

    def look(self) -> None:
        """Look at the store once; the look must succeed."""
        assert self.domain.follower.look()

    def make_app(self, name: str = ACME, **settings: Any) -> None:
        self.domain.apps.create_as("test", ApiKey(name), AppSettings(**settings))

    def revoke(self, user: str | None = SARA, app: str = ACME) -> int:
        """Revoke all that a user has, or with None all users; returns the revision."""
        whom = None if user is None else UserId(user)
        return self.domain.store.raise_watermark(ApiKey(app), whom, self.event())

    def open_session(self, **changes: Any) -> Session:
        """A session that lasts."""
        lasting = {"api_key": ACME, "absolute_expires_at": self.clock().replace(year=2040)}
        return self.domain.store.open_session(a_session(**{**lasting, **changes}))

    def event(self) -> AuditEvent:
        return an_audit(at=self.clock())

    def said(self, scope: str = "trust") -> list[tuple[str, str]]:
        """Level and message of what was logged under a scope."""
        return [(level, message) for level, message, event in self.log if event["scope"] == scope]


OpenWorker = Callable[..., Worker]


@contextmanager
def opening(directory: Path, clock: Clock, *, store: str = "") -> Iterator[OpenWorker]:
    """What opens workers on the store at an address, or in the directory; they are closed afterwards."""
    with ExitStack() as lifetimes:

        def open_worker(*, kek: Kek = KEK, monotonic: Monotonic = system_monotonic, **settings: Any) -> Worker:
            chosen = Settings(state_dir=directory, listen="127.0.0.1:0", store=store, **settings)
            opened = open_domain(chosen, kek, clock=clock, monotonic=monotonic)
            worker = Worker(lifetimes.enter_context(opened), clock)
            worker.domain.logs.configure_loggers(
                {"default": {"sink": lambda level, message, event: worker.log.append((level.name, message, event))}}
            )
            return worker

        yield open_worker
