"""A verifier over a trust view that tests change as they like, and tokens made by hand for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from authsvc.model import (
    APP_ALGORITHMS,
    Algorithm,
    ApiKey,
    App,
    AppSettings,
    KeyId,
    KeyState,
    Revision,
    SessionId,
    SessionRevoked,
    TokenId,
    TokenRevoked,
    TokenStatus,
    UserId,
    Watermark,
)
from authsvc.signing.keyring import RingKey
from authsvc.signing.keys import SigningKey, verification_key
from authsvc.trust.view import TrustView
from authsvc.verify.questions import Questions
from authsvc.verify.verdict import Verdict
from authsvc.verify.verifier import Verifier
from tests.signing.families import KEYS
from tests.signing.handmade import ES_SIGNING, HS_SIGNING, Sign, b64, compact, es256, hs256, json_bytes

APP = ApiKey("acme")
ES_APP = ApiKey("elliptic")
FAMILY_APPS = {algorithm: ApiKey(f"app-{algorithm.value}") for algorithm in APP_ALGORITHMS}
"""An app for each algorithm that apps can choose, with the key of ``tests.signing.families``."""
SARA = UserId("sara")
SESSION = SessionId(bytes(range(16)))
SESSION_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOW = int(START.timestamp())
HOUR = 3600
REVISION = 7

Claims = dict[str, Any]
Remove = object()
"""As a claim's or a parameter's value: leave it out."""


def jti(revision: int = REVISION) -> str:
    """The id of a token that was minted at that revision."""
    return b64(revision.to_bytes(8, "big") + b"twelve bytes")


def claims(**changes: object) -> Claims:
    """The claims of a good token of sara with a session, changed."""
    good: Claims = {
        "iss": "authsvc",
        "sub": "user/sara",
        "user_id": "sara",
        "iat": NOW - 5,
        "exp": NOW + HOUR,
        "jti": jti(),
        "sid": SESSION_TEXT,
        "role": "host",
    }
    return without_removed({**good, **changes})


def header(**changes: object) -> Claims:
    """The header of a good token of the app, changed."""
    return without_removed({"alg": "HS256", "kid": "hs-key", "typ": "JWT", **changes})


def without_removed(members: Mapping[str, object]) -> Claims:
    return {name: value for name, value in members.items() if value is not Remove}


def token(payload: object = None, head: object = None, sign: Sign = hs256) -> str:
    """A token of the app: bytes as they are, everything else as JSON."""
    payload = claims() if payload is None else payload
    raw = payload if isinstance(payload, bytes) else json_bytes(payload)
    return compact(header() if head is None else head, raw, sign)


def elliptic_token(payload: object = None, sign: Sign = es256) -> str:
    """A token of the app with the elliptic key."""
    return token(payload, header(alg="ES256", kid="es-key"), sign)


class Clock:
    """Shows ``now`` and nothing else."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def an_app(api_key: ApiKey, algorithm: Algorithm) -> App:
    return App(
        api_key=api_key,
        settings=AppSettings(issuer="authsvc", algorithm=algorithm),
        longest_ttl_ever=timedelta(hours=24),
        longest_session_ever=timedelta(days=90),
        ever_non_expiring=False,
        past_issuers=(),
        version=1,
        revision=Revision(1),
        created_at=START,
        updated_at=START,
    )


def ring_key(signing: SigningKey, **changes: Any) -> RingKey:
    return replace(RingKey(verification_key(signing), KeyState.ACTIVE, "", signing=signing), **changes)


@dataclass
class World:
    """What a verdict depends on besides the token; each method changes one thing, as the feed would."""

    view: TrustView = field(default_factory=TrustView)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.view.put_app(an_app(APP, Algorithm.HS256))
        self.view.put_keys(APP, [ring_key(HS_SIGNING)])
        self.view.put_app(an_app(ES_APP, Algorithm.ES256))
        self.view.put_keys(ES_APP, [ring_key(ES_SIGNING)])
        for algorithm, api_key in FAMILY_APPS.items():
            self.view.put_app(an_app(api_key, algorithm))
            self.view.put_keys(api_key, [ring_key(KEYS[algorithm])])
        self.view.reached(Revision(REVISION))

    def verifier(self, **options: Any) -> Verifier:
        return Verifier(self.view, clock=self.clock, **options)

    def verdict(self, text: str, *, api_key: ApiKey = APP, **questions: Any) -> Verdict:
        """What a verifier says that has never seen the token."""
        return self.verifier().verify(text, api_key=api_key, questions=Questions(**questions))

    def status(self, text: str, *, api_key: ApiKey = APP, **questions: Any) -> TokenStatus:
        return self.verdict(text, api_key=api_key, **questions).status

    def app(self, api_key: ApiKey = APP) -> App:
        trust = self.view.app(api_key)
        assert trust is not None
        return trust.app

    def edit(self, **changes: Any) -> None:
        """Change the app."""
        self.view.put_app(replace(self.app(), **changes))

    def settings(self, **changes: Any) -> None:
        """Change the app's settings."""
        self.edit(settings=replace(self.app().settings, **changes))

    def key(self, **changes: Any) -> None:
        """Change the app's key."""
        self.view.put_keys(APP, [ring_key(HS_SIGNING, **changes)])

    def another_key(self, key_id: str, secret: bytes, **changes: Any) -> None:
        """Give the app one key more."""
        self.view.put_keys(APP, [ring_key(SigningKey(KeyId(key_id), Algorithm.HS256, secret), **changes)])

    def revoke_token(self, token_id: str, *, api_key: ApiKey = APP) -> None:
        self.view.put_revocation(TokenRevoked(api_key, TokenId(token_id), None, Revision(REVISION + 1)))

    def revoke_session(self, session_id: SessionId = SESSION) -> None:
        ended = SessionRevoked(APP, session_id, START + timedelta(days=1), Revision(REVISION + 1))
        self.view.put_revocation(ended)

    def revoke_all(self, user_id: UserId | None, **changes: Any) -> None:
        """Raise the watermark of a user, or with None of the app; by default over everything there is."""
        changes = changes or {"tokens_revision": Revision(REVISION + 1)}
        self.view.put_revocation(Watermark(APP, user_id, revision=Revision(REVISION + 1), **changes))


Change = Callable[[World], object]


class FirstLook:
    """Judges a token with a verifier that has never seen it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def verdict(self, text: str, *, api_key: ApiKey = APP, **questions: Any) -> Verdict:
        return self.world.verdict(text, api_key=api_key, **questions)

    def status(self, text: str, **options: Any) -> TokenStatus:
        return self.verdict(text, **options).status


class Remembered(FirstLook):
    """Judges a token with a verifier that has seen it before, and nearly as often in between."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._verifier = world.verifier()

    def verdict(self, text: str, *, api_key: ApiKey = APP, **questions: Any) -> Verdict:
        self._verifier.verify(text, api_key=api_key, questions=Questions())
        return self._verifier.verify(text, api_key=api_key, questions=Questions(**questions))
