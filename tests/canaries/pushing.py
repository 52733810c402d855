"""Every secret through every call: right ones where they belong, and each of them where it does not."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TypeAlias, cast

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct

from authsvc.model import APP_ALGORITHMS, Algorithm
from authsvc.v1 import admin_pb2, admin_pb2_grpc, auth_pb2, auth_pb2_grpc
from tests.canaries.kinds import Kinds

Call: TypeAlias = Callable[[], object]

ALGORITHMS = {
    Algorithm.ES256: admin_pb2.ALGORITHM_ES256,
    Algorithm.EDDSA: admin_pb2.ALGORITHM_EDDSA,
    Algorithm.RS256: admin_pb2.ALGORITHM_RS256,
    Algorithm.HS256: admin_pb2.ALGORITHM_HS256,
}
assert ALGORITHMS.keys() == set(APP_ALGORITHMS)

IMPORTED = "imported"
APP_KINDS = {algorithm.lower(): f"signing key {algorithm}" for algorithm in ALGORITHMS} | {IMPORTED: "imported secret"}


class Pusher:
    """Calls a server as its callers do, and keeps what they are told when they are refused.

    ``texts`` has one of each kind of credential and token. ``marker`` is a text that is no secret and is sent wherever
    it is written down by design: the control of each place.
    """

    def __init__(self, channel: grpc.Channel, credential: str, kinds: Kinds, marker: str) -> None:
        self._auth = auth_pb2_grpc.AuthServiceStub(channel)
        self._admin = admin_pb2_grpc.AdminServiceStub(channel)
        self._channel = channel
        self._credential = credential
        self._metadata = (("authorization", f"Bearer {credential}"),)
        self._kinds = kinds
        self._marker = marker
        self.texts = {"credential in use": credential}
        self.told = b""

    def push(self) -> None:
        """Every secret where it belongs."""
        self._kinds.add_credential("credential in use", self._credential)
        self._make_apps()
        self._make_accounts()
        for api_key in APP_KINDS:
            self._token_life(api_key)
        self._other_kinds_of_tokens()
        self._mark()

    def misplace(self) -> None:
        """One of each kind where it does not."""
        for text in self.texts.values():
            for call in self._misplaced(text):
                self._try(call)

    def _make_apps(self) -> None:
        for algorithm, number in ALGORITHMS.items():
            settings = admin_pb2.AppSettings(algorithm=number, guests_enabled=True, anonymous_enabled=True)
            self._admin.CreateApp(
                admin_pb2.CreateAppRequest(api_key=algorithm.lower(), settings=settings), metadata=self._metadata
            )
        request = admin_pb2.CreateAppRequest(api_key=IMPORTED, secret=secrets.token_bytes(48))
        self._admin.CreateApp(request, metadata=self._metadata)

    def _make_accounts(self) -> None:
        made = self._admin.CreateServiceAccount(
            admin_pb2.CreateServiceAccountRequest(name="other", permissions=["tokens.issue"], all_apps=True),
            metadata=self._metadata,
        )
        account = made.service_account.id
        rotated = self._admin.RotateCredential(admin_pb2.RotateCredentialRequest(id=account), metadata=self._metadata)
        self._admin.RevokeCredential(
            admin_pb2.RevokeCredentialRequest(id=account, credential_id=made.credential_id), metadata=self._metadata
        )
        unknown = f"ask1_{account}_{secrets.token_urlsafe(48)[:49]}"
        for kind, credential in (("revoked", made.credential), ("rotated", rotated.credential), ("unknown", unknown)):
            self._kinds.add_credential(f"credential {kind}", credential)
            self.texts[f"credential {kind}"] = credential

    def _token_life(self, api_key: str) -> None:
        first, second = (secrets.token_urlsafe(16) for _ in range(2))
        self._kinds.add_text("request id of an issue", first)
        self._kinds.add_text("request id of a refresh", second)
        user = auth_pb2.User(id="sara", name="Sara")
        request = auth_pb2.IssueTokenRequest(api_key=api_key, user=user, refreshable=True, request_id=first)
        issued = self._auth.IssueToken(request, metadata=self._metadata)
        turn = auth_pb2.RefreshTokenRequest(refresh_token=issued.refresh_token, request_id=second)
        turned = self._auth.RefreshToken(turn, metadata=self._metadata)
        self._auth.RefreshToken(turn, metadata=self._metadata)
        self._note(f"access token by {api_key}", issued.token)
        self._note("access token after a refresh", turned.token)
        self._note_refresh("refresh token spent", issued.refresh_token)
        self._note_refresh("refresh token in use", turned.refresh_token)

    def _other_kinds_of_tokens(self) -> None:
        for kind, subject in (
            ("guest", auth_pb2.IssueTokenRequest(guest=auth_pb2.Guest(id_hint="g"))),
            ("anonymous", auth_pb2.IssueTokenRequest(anonymous=auth_pb2.Anonymous())),
        ):
            subject.api_key = "es256"
            subject.scope.call_cids.append("default:1")
            self._note(
                f"access token of {kind} visitors", self._auth.IssueToken(subject, metadata=self._metadata).token
            )
        good = self.texts["access token by es256"]
        forged = good[:-43] + secrets.token_urlsafe(64)[:43]
        self._note("access token forged", forged)
        self._note_refresh("refresh token forged", f"art1_{secrets.token_urlsafe(64)[:52]}")

    def _note(self, kind: str, token: str) -> None:
        self._kinds.add_access_token(kind, token)
        self.texts[kind] = token

    def _note_refresh(self, kind: str, token: str) -> None:
        self._kinds.add_refresh_token(kind, token)
        self.texts[kind] = token

    def _misplaced(self, text: str) -> Iterator[Call]:
        """Calls with a secret where something else belongs, or where it belongs but is wrong; none stores it."""
        for place in (self._in_issues, self._in_refreshes_and_checks, self._in_administration, self._in_revocations):
            yield from place(text)
        validate = auth_pb2.ValidateTokenRequest(api_key="es256", token="x")
        for metadata in self._in_metadata(text):
            yield partial(self._auth.ValidateToken, validate, metadata=metadata)
        for path in (f"/authsvc.v1.AuthService/{text}", f"/{text}/IssueToken", f"/{text}"):
            for body in (b"", text.encode()):
                yield partial(self._bytes_to(path), body, metadata=self._metadata)
        for body in (text.encode(), b"\x0a\xff" + text.encode(), text.encode() * 2_000):
            yield partial(self._bytes_to("/authsvc.v1.AuthService/ValidateToken"), body, metadata=self._metadata)

    def _in_issues(self, text: str) -> Iterator[Call]:
        user, scope = auth_pb2.User(id="sara"), auth_pb2.TokenScope(call_cids=[text], channel_cids=[text])
        for request in (
            auth_pb2.IssueTokenRequest(api_key=text, user=user),
            auth_pb2.IssueTokenRequest(api_key="es256", user=auth_pb2.User(id=text)),
            auth_pb2.IssueTokenRequest(api_key="es256", user=auth_pb2.User(id="sara", role=text)),
            auth_pb2.IssueTokenRequest(api_key="es256", user=user, request_id=text),
            auth_pb2.IssueTokenRequest(api_key="es256", user=user, audience=[text, text]),
            auth_pb2.IssueTokenRequest(api_key="es256", user=user, scope=scope),
            auth_pb2.IssueTokenRequest(api_key="es256", guest=auth_pb2.Guest(id_hint=text)),
        ):
            yield partial(self._auth.IssueToken, request, metadata=self._metadata)

    def _in_refreshes_and_checks(self, text: str) -> Iterator[Call]:
        for refresh in (
            auth_pb2.RefreshTokenRequest(refresh_token=text),
            auth_pb2.RefreshTokenRequest(refresh_token=text, request_id=text),
        ):
            yield partial(self._auth.RefreshToken, refresh, metadata=self._metadata)
        for validate in (
            auth_pb2.ValidateTokenRequest(api_key="es256", token=text),
            auth_pb2.ValidateTokenRequest(api_key=text, token=text),
            auth_pb2.ValidateTokenRequest(api_key="es256", token=text, call_cid=text, audience=text),
        ):
            yield partial(self._auth.ValidateToken, validate, metadata=self._metadata)

    def _in_revocations(self, text: str) -> Iterator[Call]:
        for field in ("user_id", "session_id", "token_id", "token", "refresh_token"):
            revoke = auth_pb2.RevokeTokensRequest(**{"api_key": "es256", field: text})  # type: ignore[arg-type]
            yield partial(self._auth.RevokeTokens, revoke, metadata=self._metadata)
        revoke = auth_pb2.RevokeTokensRequest(api_key=text, user_id=text)
        yield partial(self._auth.RevokeTokens, revoke, metadata=self._metadata)
        for request in (
            auth_pb2.ListSessionsRequest(api_key="es256", user_id=text),
            auth_pb2.ListSessionsRequest(api_key="es256", page_token=text),
        ):
            yield partial(self._auth.ListSessions, request, metadata=self._metadata)
        clear = admin_pb2.ClearRevocationRequest(api_key="es256", user_id=text)
        yield partial(self._admin.ClearRevocation, clear, metadata=self._metadata)
        audit = admin_pb2.ListAuditEventsRequest(principal=text, subject=text)
        yield partial(self._admin.ListAuditEvents, audit, metadata=self._metadata)

    def _in_administration(self, text: str) -> Iterator[Call]:
        admin, metadata = self._admin, self._metadata
        yield partial(admin.GetApp, admin_pb2.GetAppRequest(api_key=text), metadata=metadata)
        yield partial(admin.ListApps, admin_pb2.ListAppsRequest(page_token=text), metadata=metadata)
        yield partial(admin.GetServiceAccount, admin_pb2.GetServiceAccountRequest(id=text), metadata=metadata)
        yield partial(admin.SuspendApp, admin_pb2.SuspendAppRequest(api_key="es256", etag=text), metadata=metadata)
        update = admin_pb2.UpdateAppRequest(api_key="es256", update_mask=FieldMask(paths=[text]))
        yield partial(admin.UpdateApp, update, metadata=metadata)
        account = admin_pb2.CreateServiceAccountRequest(name="x", permissions=[text], apps=[text])
        yield partial(admin.CreateServiceAccount, account, metadata=metadata)
        levels = admin_pb2.ConfigureLoggingRequest(levels=[admin_pb2.ScopeLevel(scope=text, level=text)])
        yield partial(admin.ConfigureLogging, levels, metadata=metadata)

    def _in_metadata(self, text: str) -> Iterator[tuple[tuple[str, str], ...]]:
        for value in (text, f"Bearer {text}", f"Basic {text}"):
            yield (("authorization", value),)
        yield (*self._metadata, ("authorization", f"Bearer {text}"))
        yield (*self._metadata, ("traceparent", text))
        yield (*self._metadata, ("x-forwarded-for", text), ("x-anything", text))

    def _bytes_to(self, path: str) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
        return self._channel.unary_unary(path)

    def _mark(self) -> None:
        """The marker as an app, as a user with a session, and in the details of a refusal."""
        self._admin.CreateApp(admin_pb2.CreateAppRequest(api_key=self._marker), metadata=self._metadata)
        request = auth_pb2.IssueTokenRequest(
            api_key=self._marker, user=auth_pb2.User(id=self._marker), refreshable=True
        )
        self._auth.IssueToken(request, metadata=self._metadata)
        claims = Struct()
        claims[self._marker] = float("inf")
        request = auth_pb2.IssueTokenRequest(api_key="es256", user=auth_pb2.User(id="x"), custom_claims=claims)
        self._try(partial(self._auth.IssueToken, request, metadata=self._metadata))

    def _try(self, call: Call) -> None:
        with suppress(ValueError):  # what gRPC itself does not let out as metadata
            try:
                call()
            except grpc.RpcError as refused:
                self.told += everything_told(refused)


def everything_told(refused: grpc.RpcError) -> bytes:
    """All that a caller can read from a refusal."""
    trailing = cast(grpc.Call, refused).trailing_metadata() or ()  # what a stub raises is both
    trailers = [value if isinstance(value, bytes) else value.encode() for _, value in trailing]
    return b"\n".join([repr(refused).encode(), str(refused).encode(), *trailers])
