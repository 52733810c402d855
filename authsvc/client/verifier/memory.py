"""What was found good, by the SHA-256 of its token: bounded, without a lock, and no token is kept."""

from __future__ import annotations

from typing import Final, NamedTuple

from authsvc.client.verifier.checked import CheckedToken
from authsvc.model import ApiKey
from authsvc.verify.verdict import VerifiedToken

NEVER: Final = float("-inf")
"""``until`` of what has to be judged each time; only its signature need not be verified again."""


class Known(NamedTuple):
    """A token whose signature fits, judged in the state ``changes``: good until then, in seconds since 1970, and from
    ``since`` on, unless something is learnt."""

    changes: int
    since: float
    until: float
    token: CheckedToken


class Memory:
    """At most ``capacity`` tokens of ``budget`` bytes of text; those that were kept first leave first, many at once.

    Two halves: what is new goes into the younger, and when that is full it becomes the older and that one is forgotten.
    So an entry costs one access to a dictionary, and any number of threads may read and keep at the same time: at
    worst something is forgotten early.
    """

    __slots__ = ("_budget", "_held", "_most", "_old", "_young")

    def __init__(self, capacity: int, *, budget: int = 32 * 2**20) -> None:
        self._most = max(capacity // 2, 1)
        self._budget = budget // 2
        self._young: dict[bytes, Known] = {}
        self._old: dict[bytes, Known] = {}
        self._held = 0

    def find(self, digest: bytes) -> Known | None:
        """What is known of the token with that digest."""
        return self._young.get(digest) or self._old.get(digest)

    def keep(self, digest: bytes, known: Known, size: int) -> None:
        """Remember it, in the place of what was known; ``size`` is that of its text."""
        young = self._young
        if len(young) >= self._most or self._held > self._budget:
            self._old, self._young, self._held = young, {}, 0
            young = self._young
        young[digest] = known
        self._held += size

    def __len__(self) -> int:
        """How many are remembered; one that was kept twice may count twice."""
        return len(self._young) + len(self._old)


class Signatures:
    """The same memory as a verifier sees it: of whom it knows that the signature fits."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, api_key: ApiKey, digest: bytes) -> VerifiedToken | None:
        """The token, if its signature was verified before; a memory holds those of one app."""
        known = self._memory.find(digest)
        if known is None:
            return None
        token = known.token.verified
        return token if token is not None and token.api_key == api_key else None

    def keep(self, api_key: ApiKey, digest: bytes, token: VerifiedToken, size: int = 0) -> None:
        """Nothing: whoever has it judged keeps it, with the judgement."""
