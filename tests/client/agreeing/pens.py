"""Tokens signed with an app's own keys, whatever they say: what the service itself would never mint."""

from __future__ import annotations

from typing import Any

from authsvc.clock import Clock
from authsvc.model import ApiKey, Profile
from authsvc.signing import algorithms
from authsvc.signing.keys import SigningKey
from authsvc.trust.view import TrustView
from tests.signing.handmade import b64, compact, hs256, json_bytes
from tests.verify.workshop import SESSION_TEXT, without_removed


class Pen:
    """Writes tokens of the apps of a service, now by its clock."""

    def __init__(self, view: TrustView, clock: Clock) -> None:
        self._view = view
        self._clock = clock

    @property
    def now(self) -> int:
        """The present, in seconds since 1970."""
        return int(self._clock().timestamp())

    def claims(self, api_key: str, **changes: object) -> dict[str, Any]:
        """Those of a good token of sara as the app's profile has them, changed."""
        trust = self._view.app(ApiKey(api_key))
        assert trust is not None
        good: dict[str, Any] = {
            "iss": trust.app.settings.issuer,
            "user_id": "sara",
            "iat": self.now - 5,
            "exp": self.now + 3600,
            "jti": b64(self._view.revision.to_bytes(8, "big") + b"twelve bytes"),
            "sid": SESSION_TEXT,
            "role": "host",
        }
        if trust.app.settings.profile is Profile.AT_JWT:
            good |= {"aud": [api_key], "client_id": api_key}
        user = changes.get("user_id", "sara")
        good["sub"] = user if trust.app.settings.profile is Profile.AT_JWT else f"user/{user}"
        return without_removed({**good, **changes})

    def token(self, api_key: str, head: dict[str, object] | None = None, **changes: object) -> str:
        """A token with those claims, signed by the app's key of now."""
        return self.sealed(api_key, json_bytes(self.claims(api_key, **changes)), head)

    def sealed(self, api_key: str, payload: bytes, head: dict[str, object] | None = None) -> str:
        """A token of any payload and header, signed by the app's key of now."""
        trust, key = self._view.app(ApiKey(api_key)), self.key(api_key)
        assert trust is not None
        typ = "at+jwt" if trust.app.settings.profile is Profile.AT_JWT else "JWT"
        header = without_removed({"alg": key.algorithm.value, "kid": key.key_id, "typ": typ, **(head or {})})
        return compact(header, payload, lambda message: algorithms.sign(key.algorithm, key.handle, message))

    def unmanaged(self, secret: bytes, **claims: object) -> str:
        """What the holder of an imported secret mints without the service."""
        return compact({"alg": "HS256", "typ": "JWT"}, json_bytes(claims), lambda message: hs256(message, secret))

    def key(self, api_key: str) -> SigningKey:
        """The app's key of now."""
        trust = self._view.app(ApiKey(api_key))
        assert trust is not None
        return trust.ring.signing_key()
