"""Keys rotated and revoked under load: what each answer about a token may be, given what was known when it was asked.

One operator publishes the next key, waits until every worker knows it, as lead times are for, and lets it sign; every
so often by revoking the one that signs. Meanwhile tokens are issued and validated through several workers. A token of a
key that was not revoked must be good whenever it is asked about; one whose key was revoked must not be from ``bound``
after the acknowledgement on, and before it may be either.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import grpc

from authsvc.v1 import admin_pb2, admin_pb2_grpc, auth_pb2, auth_pb2_grpc

ACTIVE, KEY_REVOKED = "ACTIVE", "KEY_REVOKED"
NEVER = float("inf")
_LOADERS = 3  # threads that issue, and as many that validate
_KEPT = 20_000  # tokens that are asked about again
_PATIENCE = 30.0


@dataclass(frozen=True)
class Issued:
    """A token and the key that signed it."""

    text: str = field(repr=False)
    key_id: str


@dataclass(frozen=True)
class Asked:
    """A validation: from when to when, by the monotonic clock, of a token of which key, and the answer."""

    begun: float
    ended: float
    key_id: str
    status: str


@dataclass
class Revocation:
    """When the revocation of a key was asked for, and when it was acknowledged."""

    begun: float
    acknowledged: float = NEVER


@dataclass(frozen=True)
class Worker:
    """How one worker is asked; each raises ``grpc.RpcError``."""

    issue: Callable[[], Issued]
    status: Callable[[str], str]
    publish: Callable[[], str]
    knows: Callable[[str], bool]
    activate: Callable[[str], None]
    revoke: Callable[[str], None]


def worker_of(channel: grpc.Channel, credential: str, *, api_key: str = "dev", timeout: float = 30.0) -> Worker:
    """A server behind a channel."""
    auth, admin = auth_pb2_grpc.AuthServiceStub(channel), admin_pb2_grpc.AdminServiceStub(channel)
    metadata = (("authorization", f"Bearer {credential}"),)
    wanted = auth_pb2.IssueTokenRequest(api_key=api_key, user=auth_pb2.User(id="sara"))

    def issue() -> Issued:
        answer = auth.IssueToken(wanted, metadata=metadata, timeout=timeout)
        return Issued(answer.token, answer.info.key_id)

    def status(token: str) -> str:
        request = auth_pb2.ValidateTokenRequest(api_key=api_key, token=token)
        answer = auth.ValidateToken(request, metadata=metadata, timeout=timeout)
        return auth_pb2.TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_")

    def publish() -> str:
        request = admin_pb2.RotateKeyRequest(api_key=api_key)
        return admin.RotateKey(request, metadata=metadata, timeout=timeout).key.key_id

    def knows(key_id: str) -> bool:
        answer = admin.GetJwks(admin_pb2.GetJwksRequest(api_key=api_key), metadata=metadata, timeout=timeout)
        return key_id in answer.jwks

    def activate(key_id: str) -> None:
        request = admin_pb2.ActivateKeyRequest(api_key=api_key, key_id=key_id, now=True)
        admin.ActivateKey(request, metadata=metadata, timeout=timeout)

    def revoke(key_id: str) -> None:
        admin.RevokeKey(admin_pb2.RevokeKeyRequest(api_key=api_key, key_id=key_id), metadata=metadata, timeout=timeout)

    return Worker(issue, status, publish, knows, activate, revoke)


@dataclass
class Story:
    """What happened; ``failures`` are calls that were refused though nothing was wrong with them."""

    rotations: int = 0
    issued: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    revocations: dict[str, Revocation] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    """How long after its acknowledgement a revocation was last unknown to a worker."""


class Load:
    """Issues and validates through all workers until it is stopped."""

    def __init__(self, workers: Sequence[Worker], story: Story, *, bound: float) -> None:
        self._workers = workers
        self._story = story
        self._bound = bound
        self._tokens: list[Issued] = []
        self._asked: list[Asked] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._answered = threading.Semaphore(0)
        jobs = [self._issue, self._validate] * _LOADERS
        self._threads = [threading.Thread(target=self._loop, args=(job, seed)) for seed, job in enumerate(jobs)]

    def __enter__(self) -> Load:
        self._remember(self._workers[0].issue())
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.judge()

    def wait_for_answers(self, count: int) -> None:
        """Return once so many more questions were answered."""
        while self._answered.acquire(blocking=False):
            pass
        for _ in range(count):
            if not self._answered.acquire(timeout=_PATIENCE):
                raise RuntimeError("no answers")

    def judge(self) -> None:
        """Look at the answers since the last time: which of them must not be."""
        with self._lock:
            asked, self._asked = self._asked, []
        for each in asked:
            self._story.answers[each.status] += 1
            fault = fault_of(each, self._story.revocations.get(each.key_id), self._bound)
            if fault:
                self._story.wrong.append(fault)
            self._story.longest_s = max(self._story.longest_s, late_by(each, self._story.revocations))

    def _loop(self, job: Callable[[random.Random], None], seed: int) -> None:
        chance = random.Random(seed)
        while not self._stopping.is_set():
            try:
                job(chance)
            except grpc.RpcError as refused:
                self._story.failures.append(f"{refused.code()}: {refused.details()}")

    def _issue(self, chance: random.Random) -> None:
        self._remember(chance.choice(self._workers).issue())
        self._stopping.wait(0.002)

    def _validate(self, chance: random.Random) -> None:
        with self._lock:
            newest = self._tokens[-50:]
            token = chance.choice(newest if chance.random() < 0.5 else self._tokens)
        begun = time.monotonic()
        status = chance.choice(self._workers).status(token.text)
        asked = Asked(begun, time.monotonic(), token.key_id, status)
        with self._lock:
            self._asked.append(asked)
        self._answered.release()

    def _remember(self, token: Issued) -> None:
        with self._lock:
            self._story.issued += 1
            if len(self._tokens) == _KEPT:
                self._tokens[random.randrange(_KEPT)] = token
            else:
                self._tokens.append(token)


def rotate(workers: Sequence[Worker], story: Story, *, revoke: bool) -> None:
    """Let the next key sign, through the first of the workers; with ``revoke`` by revoking the one that signs."""
    signing, successor = workers[0].issue().key_id, workers[0].publish()
    ends = time.monotonic() + _PATIENCE
    while not all(worker.knows(successor) for worker in workers):
        if time.monotonic() > ends:
            raise RuntimeError("a worker does not hear of a key")
        time.sleep(0.002)
    if revoke:
        story.revocations[signing] = revocation = Revocation(time.monotonic())
        workers[0].revoke(signing)
        revocation.acknowledged = time.monotonic()
    else:
        workers[0].activate(successor)
    story.rotations += 1


def fault_of(asked: Asked, revocation: Revocation | None, bound: float) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if revocation is None or asked.ended < revocation.begun:
        return "" if asked.status == ACTIVE else f"a good token of {asked.key_id} was refused as {asked.status}"
    if asked.status == KEY_REVOKED:
        return ""
    if asked.status != ACTIVE:
        return f"a token of the revoked {asked.key_id} was called {asked.status}"
    late = asked.begun - revocation.acknowledged
    return f"a token of {asked.key_id} was accepted {late:.2f} s after its revocation" if late > bound else ""


def late_by(asked: Asked, revocations: dict[str, Revocation]) -> float:
    """How long after the acknowledgement an answer did not know of it yet; 0 where it did."""
    revocation = revocations.get(asked.key_id)
    if revocation is None or asked.status != ACTIVE:
        return 0.0
    return max(0.0, asked.begun - revocation.acknowledged)


def faults_of(story: Story) -> list[str]:
    """Everything that is wrong with a story, and that too little happened to say."""
    faults = [f"refused: {failure}" for failure in story.failures] + story.wrong
    if not story.answers[ACTIVE]:
        faults.append("no token was good")
    if story.revocations and not story.answers[KEY_REVOKED]:
        faults.append("no token of a revoked key was asked about")
    return faults
