"""Making signing keys, sealed and ready to be kept. RSA keys are made by workers of their own, two at a time."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import replace
from typing import Final

from authsvc.clock import Clock, Deadline, seconds_left
from authsvc.errors import DeadlinePassed, Reason
from authsvc.model import Algorithm, ApiKey, KeyRecord, KeyState, Revision
from authsvc.signing.algorithms import FAMILIES
from authsvc.signing.keys import NewKey, generate, imported
from authsvc.signing.sealing import Sealer
from authsvc.trust.learning import signing_key_place

AT_ONCE: Final = 2
"""RSA keys that are made at the same time: each takes a processor for a tenth of a second, often for several."""

_LONGEST_WAIT: Final = 60.0


class KeyMaker:
    """Makes keys; owns the workers that make the slow ones."""

    def __init__(self, sealer: Sealer, *, clock: Clock) -> None:
        self._sealer = sealer
        self._clock = clock
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="authsvc-key-maker")

    def close(self) -> None:
        """Finish the keys that are being made, and make no more."""
        self._workers.shutdown(cancel_futures=True)

    def pending(self, api_key: ApiKey, algorithm: Algorithm, *, deadline: Deadline | None = None) -> KeyRecord:
        """A new key of the app that does not sign yet; raises ``DeadlinePassed`` where it could not be made in time."""
        return self._record(api_key, self._made(algorithm, deadline))

    def first(
        self, api_key: ApiKey, algorithm: Algorithm, *, secret: bytes = b"", deadline: Deadline | None = None
    ) -> KeyRecord:
        """The first key of a new app, which signs at once; with ``secret``, one that others hold too."""
        made = imported(secret, self._sealer.randomness) if secret else self._made(algorithm, deadline)
        key = self._record(api_key, made)
        return replace(key, state=KeyState.ACTIVE, activated_at=key.created_at, imported=bool(secret))

    def _made(self, algorithm: Algorithm, deadline: Deadline | None) -> NewKey:
        if FAMILIES[algorithm].key_type != "RSA":
            return generate(algorithm, self._sealer.randomness)
        making = self._workers.submit(generate, algorithm, self._sealer.randomness)
        return _awaited(making, deadline)

    def _record(self, api_key: ApiKey, made: NewKey) -> KeyRecord:
        return KeyRecord(
            api_key=api_key,
            key_id=made.key_id,
            algorithm=made.algorithm,
            state=KeyState.PENDING,
            sealed=self._sealer.seal(made.secret, signing_key_place(api_key, made.key_id)),
            public_jwk=made.public_jwk,
            created_at=self._clock(),
            activated_at=None,
            retired_at=None,
            revoked_at=None,
            imported=False,
            revision=Revision(0),
        )


def _awaited(making: Future[NewKey], deadline: Deadline | None) -> NewKey:
    try:
        return making.result(_LONGEST_WAIT if deadline is None else max(0.0, seconds_left(deadline)))
    except TookTooLong:
        making.cancel()  # where its turn has not come it is not made at all
        raise DeadlinePassed(Reason.DEADLINE_EXCEEDED, detail="an RSA key was not made in time") from None
