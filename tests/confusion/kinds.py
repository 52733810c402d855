"""One text of every kind that looks like a token, made for an app of a running server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric import ec

from authsvc.model import Algorithm, ApiKey, AuditEvent, Profile
from authsvc.signing import algorithms
from authsvc.signing.jws import sign_compact
from authsvc.signing.keys import SigningKey
from authsvc.v1 import auth_pb2, guest_pb2, guest_pb2_grpc
from authsvc.verify.development import make_development_token
from tests.conftest import RunningServer
from tests.signing.handmade import b64
from tests.tokens.service import segment

SECRET = b"an imported secret of more than 32 bytes"
CALL = "livestream:1"
OPENED = {
    "guests_enabled": True,
    "public_guests": True,
    "anonymous_enabled": True,
    "public_anonymous_cids": ("livestream:*",),
}


@dataclass(frozen=True)
class App:
    """An app of a running server, and the algorithm of its key."""

    server: RunningServer
    api_key: str
    algorithm: Algorithm

    def issue(self, *, refreshable: bool = False, **subject: object) -> auth_pb2.IssueTokenResponse:
        """A token of this app's, limited to no call unless the subject is anonymous."""
        scope = auth_pb2.TokenScope(call_cids=[CALL]) if "anonymous" in subject else None
        request = auth_pb2.IssueTokenRequest(
            api_key=self.api_key,
            refreshable=refreshable,
            scope=scope,
            **subject,  # type: ignore[arg-type]
        )
        return self.server.auth().IssueToken(request, metadata=self.server.metadata)

    def key(self) -> SigningKey:
        """The key that signs for it."""
        trust = self.server.domain.view.app(ApiKey(self.api_key))
        assert trust is not None
        return trust.ring.signing_key()

    def sibling(self) -> App:
        """Another app of the same server with a key of its own, of the same algorithm."""
        api_key = f"{self.api_key}-sibling"
        if self.server.domain.view.app(ApiKey(api_key)) is None:
            self.server.new_app(api_key, algorithm=self.algorithm)
        return replace(self, api_key=api_key)


def _sara(app: App, *, refreshable: bool = False) -> auth_pb2.IssueTokenResponse:
    return app.issue(refreshable=refreshable, user=auth_pb2.User(id="sara"))


def _signed_by(app: App, key: SigningKey) -> str:
    """What the app says of sara, under its own kid, signed by another key."""
    payload = segment(_sara(app).token, 1)
    return sign_compact(SigningKey(app.key().key_id, key.algorithm, key.handle), typ="JWT", payload=payload)


def _another_algorithm(app: App) -> str:
    if app.algorithm is Algorithm.HS256:
        return _signed_by(app, SigningKey(app.key().key_id, Algorithm.ES256, ec.generate_private_key(ec.SECP256R1())))
    return _signed_by(app, SigningKey(app.key().key_id, Algorithm.HS256, SECRET))


def _in_profile(app: App) -> str:
    """Minted while the app minted in the other profile."""
    _set_profile(app, Profile.AT_JWT)
    try:
        return _sara(app).token
    finally:
        _set_profile(app, Profile.CLASSIC)


def _set_profile(app: App, profile: Profile) -> None:
    event = AuditEvent(app.server.clock(), "app.updated", "test", app.api_key, app.api_key, "done")
    app.server.domain.store.edit_app(
        ApiKey(app.api_key), lambda old: replace(old, settings=replace(old.settings, profile=profile)), event
    )


def _of_the_vendor(**claims: object) -> str:
    """As the vendor's SDKs mint it with the imported secret."""
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    message = ".".join(b64(json.dumps(part).encode()) for part in parts)
    return f"{message}.{b64(algorithms.sign(Algorithm.HS256, SECRET, message.encode()))}"


def _public_guest_session(app: App) -> str:
    request = guest_pb2.IssueGuestTokenRequest(api_key=app.api_key, guest=auth_pb2.Guest(name="Sam"), refreshable=True)
    return guest_pb2_grpc.GuestServiceStub(app.server.channel()).IssueGuestToken(request).refresh_token


MAKERS: Mapping[str, Callable[[App], str]] = {
    "user": lambda app: _sara(app).token,
    "guest": lambda app: app.issue(guest=auth_pb2.Guest(name="Sam")).token,
    "anonymous": lambda app: app.issue(anonymous=auth_pb2.Anonymous()).token,
    "at+jwt": _in_profile,
    "development": lambda app: make_development_token("sara"),
    "unmanaged": lambda app: _of_the_vendor(user_id="sara"),
    "server": lambda app: _of_the_vendor(server=True),
    "refresh": lambda app: _sara(app, refreshable=True).refresh_token,
    "public guest's refresh": _public_guest_session,
    "service JWT": lambda app: sign_compact(app.key(), typ="svc+jwt", payload=segment(_sara(app).token, 1)),
    "credential": lambda app: app.server.credential,
    "another app's, same user": lambda app: _sara(app.sibling()).token,
    "another app's, same kid": lambda app: _signed_by(app, app.sibling().key()),
    "another algorithm, same kid": _another_algorithm,
    "five parts": lambda app: ".".join(map(b64, (b'{"alg":"dir","enc":"A256GCM"}', b"", b"iv", b"text", b"tag"))),
    "empty": lambda app: "",
}
