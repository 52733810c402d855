"""Two revocations and a mint at about the same time, on two servers: what was minted before a revocation ends.

The order that counts is that of what callers saw: a token in a caller's hand before a revocation was asked for.
"""

from __future__ import annotations

import base64
import random
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from authsvc.v1 import auth_pb2
from tests.following.pair import DEV, Peer

ALIVE = "ACTIVE"
_STRONG = auth_pb2.CONSISTENCY_STRONG


@dataclass(frozen=True)
class Minted:
    """A token, when its caller asked for it and had it, and what both servers say of it in the end."""

    asked: float
    had: float
    revision: int
    statuses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Revoked:
    """A revocation: when it was asked for and acknowledged, and its revision."""

    asked: float
    acknowledged: float
    revision: int


@dataclass(frozen=True)
class Played:
    """One round: three tokens of one user (before, during, and after everything) and two revocations."""

    before: Minted
    during: Minted
    after: Minted
    revocations: tuple[Revoked, ...]


def play(peers: tuple[Peer, Peer], chance: random.Random) -> Played:
    """One round with a user of its own, both servers chosen anew for each step, all within a second."""
    user = f"user-{secrets.token_hex(8)}"
    before, old = _mint(chance.choice(peers), user)
    with ThreadPoolExecutor(3) as pool:
        delays = [chance.uniform(0, 0.02) for _ in range(3)]
        revoking = [pool.submit(_revoke, peer, user, delay) for peer, delay in zip(peers, delays, strict=False)]
        minting = pool.submit(_mint, chance.choice(peers), user, delays[2])
        revocations = tuple(done.result() for done in revoking)
        during, between = minting.result()
    last = max(revoked.revision for revoked in revocations)
    after, new = _mint(chance.choice(peers), user, after_revision=last)
    return Played(_judged(before, old, peers), _judged(during, between, peers), _judged(after, new, peers), revocations)


def faults_of(played: Played) -> list[str]:
    """What is wrong with a round."""
    faults = []
    last = max(revoked.revision for revoked in played.revocations)
    for name, minted in (("before", played.before), ("during", played.during), ("after", played.after)):
        if len(set(minted.statuses)) != 1:
            faults.append(f"the token minted {name} is {' and '.join(minted.statuses)}")
        alive = ALIVE in minted.statuses
        if alive and any(minted.had < revoked.asked for revoked in played.revocations):
            faults.append(f"the token minted {name} a revocation survives it")
        if alive != (minted.revision >= last):
            faults.append(f"the token minted {name} at revision {minted.revision} is {minted.statuses[0]} at {last}")
    if ALIVE not in played.after.statuses:
        faults.append("the token minted after the revocations is dead")
    return faults


def _mint(peer: Peer, user: str, delay: float = 0, *, after_revision: int = 0) -> tuple[Minted, str]:
    time.sleep(delay)
    asked = time.monotonic()
    issued = peer.issue(user, after_revision=after_revision)
    return Minted(asked, time.monotonic(), revision_of(issued.info.token_id)), issued.token


def _revoke(peer: Peer, user: str, delay: float) -> Revoked:
    time.sleep(delay)
    asked = time.monotonic()
    request = auth_pb2.RevokeTokensRequest(api_key=DEV, user_id=user)
    revision = peer.auth.RevokeTokens(request, metadata=peer.metadata, timeout=10).revision
    return Revoked(asked, time.monotonic(), revision)


def _judged(minted: Minted, token: str, peers: tuple[Peer, Peer]) -> Minted:
    statuses = tuple(peer.status(token, consistency=_STRONG) for peer in peers)
    return Minted(minted.asked, minted.had, minted.revision, statuses)


def revision_of(token_id: str) -> int:
    """The revision that a jti carries."""
    return int.from_bytes(base64.urlsafe_b64decode(token_id + "=")[:8])
