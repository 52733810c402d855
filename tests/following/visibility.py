"""How long after a revocation was acknowledged by one server another one says so from memory."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc

from authsvc.v1 import admin_pb2, auth_pb2
from tests.following.pair import Peer, reason_of

LANES = 8
BOUND = 1.0
"""Seconds in which a revocation is seen everywhere."""

_GIVEN_UP = 10.0


@dataclass
class Seen:
    """Seconds from the acknowledgement to the first answer that knows it, how often each server was the one that was
    asked, and what was wrong."""

    seconds: list[float] = field(default_factory=list, repr=False)
    asked: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def numbers(self) -> dict[str, object]:
        """For people and for the record, in milliseconds."""
        ordered = sorted(self.seconds)
        at = {"p50_ms": 0.5, "p99.9_ms": 0.999, "longest_ms": 1.0}
        shown = {name: _milliseconds(ordered, share) for name, share in at.items()}
        return {"seen": len(ordered), "by each": [self.asked[number] for number in sorted(self.asked)], **shown}


def _milliseconds(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000, 1) if ordered else None


Target = Callable[[auth_pb2.IssueTokenResponse], Mapping[str, Any]]
TARGETS: Mapping[str, Target] = {
    "user": lambda issued: {"user_id": issued.info.user.id},
    "session": lambda issued: {"session_id": issued.info.session_id},
    "token": lambda issued: {"token": issued.token},
    "token id": lambda issued: {"token_id": issued.info.token_id},
    "refresh token": lambda issued: {"refresh_token": issued.refresh_token},
    "app": lambda _: {"all_users": True},
}
"""What of an issued token is revoked, by kind."""


def revoke_and_watch(peers: Sequence[Peer], kind: str, count: int) -> Seen:
    """Revoke so many times at one of two servers, and ask the other one until it knows; several at once.

    They change places after half of the rounds. Each lane has an app of its own: an app's revocation ends what it has.
    """
    seen, lock, left = Seen(), threading.Lock(), iter(range(count))

    def lane(number: int) -> None:
        api_key, after = _an_app(peers, f"{kind.replace(' ', '-')}-{number}"), 0
        while True:
            with lock:
                round_number = next(left, None)
            if round_number is None:
                return
            here, there = _places(peers, round_number, count)
            issued = here.issue(f"user-{round_number}", api_key=api_key, refreshable=True, after_revision=after)
            _known_to(there, issued.token, api_key)
            request = auth_pb2.RevokeTokensRequest(api_key=api_key, **TARGETS[kind](issued))
            after = here.auth.RevokeTokens(request, metadata=here.metadata, timeout=10).revision
            seconds = _until_inactive(there, issued.token, api_key)
            with lock:
                seen.seconds.append(seconds)
                seen.asked[peers.index(there)] += 1
                if seconds > BOUND:
                    seen.faults.append(f"{kind}: seen after {seconds:.2f} s")

    with ThreadPoolExecutor(LANES) as pool:
        for done in [pool.submit(lane, number) for number in range(LANES)]:
            try:
                done.result()
            except grpc.RpcError as refused:
                seen.faults.append(f"{kind}: {refused.code().name} {reason_of(refused)}")
    return seen


def disable_and_watch(peers: Sequence[Peer], count: int) -> Seen:
    """Disable service accounts at one of two servers, and call the other one as each of them until it refuses."""
    seen = Seen()
    for number in range(count):
        here, there = _places(peers, number, count)
        request = admin_pb2.CreateServiceAccountRequest(
            name=f"account-{time.monotonic_ns()}", permissions=["tokens.validate"], all_apps=True
        )
        made = here.admin.CreateServiceAccount(request, metadata=here.metadata, timeout=10)
        metadata = (("authorization", f"Bearer {made.credential}"),)
        _wait_for_refusal(there, metadata, "")
        disable = admin_pb2.DisableServiceAccountRequest(id=made.service_account.id)
        here.admin.DisableServiceAccount(disable, metadata=here.metadata, timeout=10)
        began = time.monotonic()
        if _refusal(here, metadata) != "CREDENTIAL_INVALID":
            seen.faults.append("a disabled account is let in where it was disabled")
        _wait_for_refusal(there, metadata, "CREDENTIAL_INVALID")
        seen.seconds.append(time.monotonic() - began)
        seen.asked[peers.index(there)] += 1
    seen.faults += [f"refused after {seconds:.2f} s" for seconds in seen.seconds if seconds > BOUND]
    return seen


def _places(peers: Sequence[Peer], round_number: int, count: int) -> tuple[Peer, Peer]:
    """Where something is done in that round, and where it is to be seen.

    Not by turns: a server that changes something itself reads what came before it, and would not need to be told.
    """
    here, there = peers if 2 * round_number < count else reversed(peers)
    return here, there


def _an_app(peers: Sequence[Peer], name: str) -> str:
    """A new app that both know: one that was made a moment ago at the other is not looked for at every call."""
    request = admin_pb2.CreateAppRequest(api_key=f"{name}-{time.monotonic_ns()}")
    api_key = peers[0].admin.CreateApp(request, metadata=peers[0].metadata, timeout=10).app.api_key
    for peer in peers:
        _wait_for_refusal(peer, peer.metadata, "", api_key=api_key)
    return api_key


def _known_to(peer: Peer, token: str, api_key: str) -> None:
    """Have the token's signature known, and see that it is alive before it is revoked."""
    _wait(lambda: peer.status(token, api_key=api_key) == "ACTIVE", "a token is alive")


def _until_inactive(peer: Peer, token: str, api_key: str) -> float:
    began = time.monotonic()
    _wait(lambda: peer.status(token, api_key=api_key) != "ACTIVE", "a token is dead")
    return time.monotonic() - began


def _wait_for_refusal(peer: Peer, metadata: object, reason: str, **fields: str) -> None:
    ends = time.monotonic() + _GIVEN_UP
    while (said := _refusal(peer, metadata, **fields)) != reason:
        if time.monotonic() > ends:
            raise RuntimeError(f"a caller is told {said or 'nothing'} instead of {reason or 'nothing'}")


def _wait(seen: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + _GIVEN_UP
    while not seen():
        if time.monotonic() > ends:
            raise RuntimeError(f"{what}: not within {_GIVEN_UP:.0f} s")


def _refusal(peer: Peer, metadata: object, **fields: str) -> str:
    try:
        peer.status("x", metadata=metadata, **fields)
    except grpc.RpcError as refused:
        return reason_of(refused)
    return ""
