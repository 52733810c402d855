"""A service and a verifier for each of its apps, asked the same questions about the same tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from authsvc.accounts.requests import AccountProfile
from authsvc.app.composition import Domain, build_server, open_domain
from authsvc.client import AuthClient, CheckedToken, InvalidRequest, TokenNotActive
from authsvc.client.verifier.checked import checked_by_service
from authsvc.clock import Clock, system_monotonic, system_randomness
from authsvc.config import Settings
from authsvc.model import Algorithm, ApiKey, AppSettings, Permission, Profile
from authsvc.signing.sealing import Kek
from authsvc.v1 import auth_pb2 as pb
from tests.alarms import HandAlarms
from tests.client.tokens.made import Machine
from tests.client.verifier.peer import Held, Hold, tasks, threads
from tests.conftest import HandClock
from tests.quiet import hush
from tests.rpc.surface import eventually

AUDIENCE = "shop"
_OPEN: Mapping[str, Any] = {"guests_enabled": True, "anonymous_enabled": True, "allow_unscoped_anonymous": True}
APPS: Mapping[str, Mapping[str, Any]] = {
    "es": {"algorithm": Algorithm.ES256},
    "ed": {"algorithm": Algorithm.EDDSA, "profile": Profile.AT_JWT},
    "rs": {"algorithm": Algorithm.RS256, "allow_never_expires": True},
    "at": {"algorithm": Algorithm.ES256, "profile": Profile.AT_JWT, "clock_skew": timedelta(0)},
    "dv": {"algorithm": Algorithm.ES256, "allow_development_tokens": True},
    "hs": {"algorithm": Algorithm.HS256},
    "un": {"algorithm": Algorithm.HS256, "accept_unmanaged_tokens": True},
}
IMPORTED = b"the secret of an app elsewhere, 32 bytes"
KINDS: Mapping[str, Hold] = {"waiting": threads, "awaiting": tasks}
"""How to make a verifier of either kind."""

Outcome = CheckedToken | str
"""What a good token says, or the verdict; ``INVALID`` for a question that cannot be asked."""


class Case(NamedTuple):
    """A question about a token of an app."""

    api_key: str
    token: str
    questions: Mapping[str, Any]
    name: str = ""


@dataclass
class Stage:
    """``seen`` counts the outcomes that both gave."""

    domain: Domain
    clock: HandClock
    client: AuthClient
    verifiers: Mapping[str, Held]
    seen: dict[str, int] = field(default_factory=dict)

    def disagreements(self, cases: Sequence[Case], *, seconds: float = 10) -> list[str]:
        """Where service and verifier differ, once the verifier has had the time to hear of what was changed.

        Each verifier is asked twice: what it says again is what it said.
        """
        differing = eventually(lambda: self._differing(cases), lambda found: not found, seconds=seconds)
        return [f"{case.name or case.token!r} {dict(case.questions)}: {what}" for case, what in differing]

    def _differing(self, cases: Sequence[Case]) -> list[tuple[Case, str]]:
        differing, seen = [], dict[str, int]()
        for case, service in zip(cases, self._service(cases), strict=True):
            here, again = self._here(case), self._here(case)
            if not service == here == again:
                differing.append((case, f"the service says {service}, the verifier {here}, then {again}"))
            name = service if isinstance(service, str) else "ACTIVE"
            seen[name] = seen.get(name, 0) + 1
        if not differing:
            for name, count in seen.items():
                self.seen[name] = self.seen.get(name, 0) + count
        return differing

    def _service(self, cases: Sequence[Case]) -> Iterator[Outcome]:
        for start in range(0, len(cases), 128):
            items = [_request(case) for case in cases[start : start + 128]]
            answer = self.client.batch_validate_tokens(
                pb.BatchValidateTokensRequest(requests=items), timeout=timedelta(seconds=30)
            )
            yield from map(_outcome, answer.results)

    def _here(self, case: Case) -> Outcome:
        try:
            checked: CheckedToken = self.verifiers[case.api_key].verify(case.token, **case.questions)
        except TokenNotActive as refused:
            return refused.status
        except InvalidRequest:
            return "INVALID"
        return checked


def _request(case: Case) -> pb.ValidateTokenRequest:
    questions = dict(case.questions)
    roles = questions.pop("any_role_of", None)
    request = pb.ValidateTokenRequest(api_key=case.api_key, token=case.token, **questions)
    if roles is not None:
        request.roles.CopyFrom(pb.RoleCheck(any_of=roles))
    return request


def _outcome(result: Any) -> Outcome:
    if not result.HasField("response"):
        return "INVALID"
    try:
        return checked_by_service(result.response)
    except TokenNotActive as refused:
        return refused.status


@contextmanager
def stage(state_dir: Path, hold: Hold = threads, *, verifiers_clock: Clock | None = None) -> Iterator[Stage]:
    """Everything on loopback, over a store in that directory, by a clock that is moved by hand.

    ``hold`` makes the verifiers, of one kind or the other.
    """
    clock, kek = HandClock(), Kek(bytes(range(32)))
    with ExitStack() as lifetimes:
        settings = Settings(state_dir=state_dir, listen="127.0.0.1:0")
        domain = lifetimes.enter_context(
            open_domain(settings, kek, clock=clock, randomness=system_randomness, alarm=HandAlarms())
        )
        hush(domain.logs)
        rpc = build_server(domain, dev=True, reflection=False, clock=clock)
        target = f"127.0.0.1:{rpc.listen('127.0.0.1:0')}"
        rpc.health.set_serving(True)
        lifetimes.callback(rpc.stop, lame_duck=timedelta(0), grace=timedelta(seconds=2))
        for name, own in APPS.items():
            secret = IMPORTED if name == "un" else b""
            domain.apps.create_as("test", ApiKey(name), AppSettings(**{**_OPEN, **own}), secret=secret)
        profile = AccountProfile("all", tuple(Permission), all_apps=True, audiences=(AUDIENCE,))
        credential = domain.accounts.create_as("test", profile).credential.text
        own_line = [("grpc.use_local_subchannel_pool", 1)]
        client = lifetimes.enter_context(AuthClient(target, credential, options=own_line))
        parts: dict[str, Any] = {
            "clock": verifiers_clock or clock,
            "monotonic": system_monotonic,
            "credential": credential,
            "audiences": [AUDIENCE],
            "max_staleness": timedelta(hours=1),  # the clock that the service's moments come from stands still
        }
        verifiers = {name: lifetimes.enter_context(hold(target, Machine(), name, **parts)) for name in APPS}
        yield Stage(domain, clock, client, verifiers)
