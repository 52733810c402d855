"""Updates as the service sends them, made by hand, and a judge that learns from them by clocks moved by hand."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from itertools import count
from typing import Any

from authsvc.client.verifier.following import Following, make_judge
from authsvc.clock import system_randomness
from authsvc.logs import CLIENT_SCOPES, LoggerSystem
from authsvc.model import Algorithm, KeyState
from authsvc.signing.jwks import public_key_text
from authsvc.signing.jws import sign_compact
from authsvc.signing.keyring import RingKey
from authsvc.signing.keys import SigningKey, generate, signing_key, verification_key
from authsvc.signing.strict_json import write_object
from authsvc.v1 import trust_pb2 as v1
from tests.client.tokens.made import Machine
from tests.conftest import HandClock
from tests.signing.handmade import b64

APP = "acme"
_numbers = count()


@lru_cache
def key(number: int = 0) -> tuple[SigningKey, str]:
    """A signing key, the same for the same number, and its public half."""
    new = generate(Algorithm.EDDSA, system_randomness)
    signing = signing_key(new.key_id, new.algorithm, new.secret)
    return signing, public_key_text(RingKey(verification_key(signing), KeyState.ACTIVE, new.public_jwk))


def policy(revision: int = 1, *, keys: tuple[int, ...] = (0,), **fields: Any) -> v1.TrustPolicy:
    """The policy of the app, with those keys."""
    made = v1.TrustPolicy(api_key=APP, revision=revision, mode=v1.VERIFICATION_MODE_LOCAL, **fields)
    made.issuers.add(issuer="authsvc")
    made.clock_skew.FromTimedelta(timedelta(seconds=30))
    made.longest_life.FromTimedelta(timedelta(days=1))
    for number in keys:
        signing, public = key(number)
        made.keys.add(key_id=signing.key_id, algorithm="EdDSA", state=v1.TRUSTED_KEY_STATE_ACTIVE, public_jwk=public)
    return made


def token(now: HandClock, *, signed_by: int = 0, revision: int = 1, life: int = 3600, **claims: Any) -> str:
    """A token of sara that nobody else has, issued now."""
    seconds, number = int(now().timestamp()), next(_numbers)
    members = {
        "iss": "authsvc",
        "sub": "user/sara",
        "user_id": "sara",
        "iat": seconds,
        "exp": seconds + life,
        "jti": b64(revision.to_bytes(8, "big") + number.to_bytes(12, "big")),
        **claims,
    }
    return sign_compact(key(signed_by)[0], typ="JWT", payload=write_object(members))


class Heard:
    """A judge and what it follows; each method is an update that comes, ``as_of`` now unless told otherwise."""

    def __init__(self, max_staleness: timedelta = timedelta(seconds=10), **options: Any) -> None:
        self.machine = Machine()
        self.clock = self.machine.clock
        self.log: list[tuple[str, str]] = []
        logs = LoggerSystem(CLIENT_SCOPES)
        logs.configure_loggers({"default": {"level": "info", "sink": lambda level, text, _: self._write(level, text)}})
        parts: dict[str, Any] = {"audiences": (), "clock": self.clock, "monotonic": self.machine.monotonic, **options}
        self.judge = make_judge(APP, max_staleness=max_staleness, **parts)
        self.following = Following(
            self.judge,
            APP,
            monotonic=self.machine.monotonic,
            randomness=lambda size: b"\xff" * size,
            log=logs.get_logger("client.verifier"),
        )

    def update(self, cursor: str = "", *, held_back: float = 0, **event: Any) -> bool:
        """An update, ``as_of`` so many seconds ago."""
        made = v1.TrustUpdate(cursor=cursor, **event)
        made.as_of.FromDatetime(self.clock() - timedelta(seconds=held_back))
        return self.following.take(made)

    def snapshot(self, cursor: str = "1-1", *, revoked: tuple[str, ...] = (), **fields: Any) -> bool:
        """A whole one."""
        self.update(snapshot_start=v1.SnapshotStart())
        self.update(policy=policy(**fields))
        if revoked:
            self.update(revocations=revocations(*revoked))
        return self.update(cursor, snapshot_end=v1.SnapshotEnd())

    def heartbeat(self, cursor: str = "1-1", **how: Any) -> bool:
        """A sign of life."""
        return self.update(cursor, heartbeat=v1.Heartbeat(), **how)

    def _write(self, level: Any, text: str) -> None:
        self.log.append((level.name.lower(), text))


def revocations(*token_ids: str) -> v1.Revocations:
    """Single tokens that were revoked."""
    return v1.Revocations(revocations=[v1.TrustRevocation(token=v1.RevokedToken(token_id=name)) for name in token_ids])
