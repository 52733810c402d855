"""What was found good, by the SHA-256 of its token: bounded, and no token is kept."""

from __future__ import annotations

from typing import Final, NamedTuple

from authsvc.client.verifier.checked import CheckedToken, kept
from authsvc.model import ApiKey
from authsvc.verify.bounded import Bounded
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


Memory = Bounded[bytes, Known]
"""By the SHA-256 of the token."""


class Signatures:
    """The same memory as a verifier sees it: of whom it knows that the signature fits."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, api_key: ApiKey, digest: bytes) -> VerifiedToken | None:
        """The token, if its signature was verified before; a memory holds those of one app."""
        known = self._memory.find(digest)
        if known is None:
            return None
        token = kept(known.token)
        return token if token is not None and token.api_key == api_key else None

    def keep(self, api_key: ApiKey, digest: bytes, token: VerifiedToken, size: int = 0) -> None:
        """Nothing: whoever has it judged keeps it, with the judgement."""
