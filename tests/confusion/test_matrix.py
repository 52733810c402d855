"""Every kind of token in every field that takes one, for apps of every algorithm: one table of what is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

import authsvc.v1
from authsvc.model import APP_ALGORITHMS, Algorithm, ApiKey, AppSettings
from authsvc.rpc.limits import Limits
from authsvc.v1 import auth_pb2, guest_pb2, guest_pb2_grpc
from tests.conftest import RunningServer, StartServer
from tests.confusion.kinds import CALL, MAKERS, OPENED, SECRET, App
from tests.refusals import read_refusal
from tests.rpc.http2 import connected
from tests.rpc.surface import OURS, VALIDATE, bearer


class Row(NamedTuple):
    """What a kind of token is answered with: a status where tokens are validated, elsewhere a reason or what is done.

    ``strict``: an app with the defaults. ``liberal``: an app that accepts development tokens. ``imported``: one that
    also signs with a secret that others hold, and accepts what they mint: HS256 only.
    """

    strict: str
    liberal: str
    imported: str
    refresh: str
    guest_refresh: str
    authorization: str
    revoke: str = "INVALID_REQUEST"
    revoke_session: str = "REFRESH_TOKEN_INVALID"


NO_SESSION, NO_CREDENTIAL = "REFRESH_TOKEN_INVALID", "CREDENTIAL_INVALID"
REFUSED = (NO_SESSION, NO_SESSION, NO_CREDENTIAL)
REVOKED, WRONG = "revoked", ("WRONG_TYPE", "WRONG_TYPE", "WRONG_TYPE")
DISABLED, UNKNOWN = "DEVELOPMENT_TOKENS_DISABLED", "KEY_UNKNOWN"

TABLE: Mapping[str, Row] = {
    "user": Row("ACTIVE", "ACTIVE", "ACTIVE", *REFUSED, REVOKED),
    "guest": Row("ACTIVE", "ACTIVE", "ACTIVE", *REFUSED, REVOKED),
    "anonymous": Row("ACTIVE", "ACTIVE", "ACTIVE", *REFUSED, REVOKED),
    "at+jwt": Row("ACTIVE", "ACTIVE", "ACTIVE", *REFUSED, REVOKED),
    "development": Row(DISABLED, "ACTIVE", "ACTIVE", *REFUSED),
    "unmanaged": Row(UNKNOWN, UNKNOWN, "ACTIVE", *REFUSED),
    "server": Row(UNKNOWN, UNKNOWN, "WRONG_TYPE", *REFUSED),
    "refresh": Row(*WRONG, "ROTATED", NO_SESSION, NO_CREDENTIAL, revoke_session=REVOKED),
    "public guest's refresh": Row(*WRONG, "ROTATED", "ROTATED", NO_CREDENTIAL, revoke_session=REVOKED),
    "service JWT": Row("WRONG_TYPE", "WRONG_TYPE", "WRONG_TYPE", *REFUSED),
    "credential": Row("WRONG_TYPE", "WRONG_TYPE", "WRONG_TYPE", NO_SESSION, NO_SESSION, "served"),
    "another app's, same user": Row(UNKNOWN, UNKNOWN, UNKNOWN, *REFUSED),
    "another app's, same kid": Row("SIGNATURE_INVALID", "SIGNATURE_INVALID", "SIGNATURE_INVALID", *REFUSED),
    "another algorithm, same kid": Row("ALGORITHM_MISMATCH", "ALGORITHM_MISMATCH", "ALGORITHM_MISMATCH", *REFUSED),
    "five parts": Row("MALFORMED", "MALFORMED", "MALFORMED", *REFUSED),
    "empty": Row(
        *("MALFORMED", "MALFORMED", "MALFORMED"),
        *("INVALID_REQUEST", "INVALID_REQUEST", NO_CREDENTIAL, "INVALID_REQUEST", "INVALID_REQUEST"),
    ),
}

# Each method of ours, and the fields of its request that take a token. Every one also takes the credential.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "AuthService.IssueToken": (),
    "AuthService.RefreshToken": ("refresh_token",),
    "AuthService.ValidateToken": ("token",),
    "AuthService.RevokeTokens": ("token", "refresh_token"),
    "AuthService.ListSessions": (),
    "AuthService.BatchIssueTokens": (),
    "AuthService.BatchValidateTokens": ("requests.token",),
    "GuestService.IssueGuestToken": (),
    "GuestService.RefreshGuestToken": ("refresh_token",),
    "GuestService.IssueAnonymousToken": (),
    "AdminService.CreateApp": (),
    "AdminService.GetApp": (),
    "AdminService.ListApps": (),
    "AdminService.UpdateApp": (),
    "AdminService.SuspendApp": (),
    "AdminService.ResumeApp": (),
    "AdminService.ListKeys": (),
    "AdminService.RotateKey": (),
    "AdminService.ActivateKey": (),
    "AdminService.RevokeKey": (),
    "AdminService.GetJwks": (),
    "AdminService.CreateServiceAccount": (),
    "AdminService.GetServiceAccount": (),
    "AdminService.ListServiceAccounts": (),
    "AdminService.UpdateServiceAccount": (),
    "AdminService.DisableServiceAccount": (),
    "AdminService.EnableServiceAccount": (),
    "AdminService.RotateCredential": (),
    "AdminService.RevokeCredential": (),
    "AdminService.GetLogging": (),
    "AdminService.ConfigureLogging": (),
    "AdminService.ClearRevocation": (),
    "AdminService.ListRevocations": (),
    "AdminService.ListAuditEvents": (),
    "TrustService.GetTrustBundle": (),
    "TrustService.WatchTrustBundle": (),
}
TEXTS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
NOT_TOKENS = {"page_token"}  # opaque places in a listing


def reason_of(call: Callable[[], str]) -> str:
    """What a call answers, or why it was refused."""
    try:
        return call()
    except grpc.RpcError as error:
        return read_refusal(error).reason


def question(app: App, kind: str, token: str) -> auth_pb2.ValidateTokenRequest:
    """Is that token good? A limited one is asked about with its call."""
    call_cid = CALL if kind == "anonymous" else None
    return auth_pb2.ValidateTokenRequest(api_key=app.api_key, token=token, call_cid=call_cid)


def status_name(response: auth_pb2.ValidateTokenResponse) -> str:
    return auth_pb2.TokenStatus.Name(response.status).removeprefix("TOKEN_STATUS_")


def validate(app: App, tokens: Mapping[str, str]) -> dict[str, str]:
    """ValidateToken, one call for each."""
    auth, metadata = app.server.auth(), app.server.metadata
    return {
        kind: reason_of(lambda: status_name(auth.ValidateToken(question(app, kind, token), metadata=metadata)))  # noqa: B023 - called at once
        for kind, token in tokens.items()
    }


def validate_in_a_batch(app: App, tokens: Mapping[str, str]) -> dict[str, str]:
    """BatchValidateTokens, all in one."""
    requests = [question(app, kind, token) for kind, token in tokens.items()]
    batch = auth_pb2.BatchValidateTokensRequest(api_key=app.api_key, requests=requests)
    results = app.server.auth().BatchValidateTokens(batch, metadata=app.server.metadata).results
    return {kind: status_name(result.response) for kind, result in zip(tokens, results, strict=True)}


def refresh(app: App, tokens: Mapping[str, str]) -> dict[str, str]:
    """RefreshToken."""
    auth, metadata = app.server.auth(), app.server.metadata

    def one(token: str) -> str:
        answer = auth.RefreshToken(auth_pb2.RefreshTokenRequest(refresh_token=token), metadata=metadata)
        return outcome_name(answer)

    return {kind: reason_of(lambda: one(token)) for kind, token in tokens.items()}  # noqa: B023 - called at once


def refresh_as_guest(app: App, tokens: Mapping[str, str]) -> dict[str, str]:
    """RefreshGuestToken."""
    guests = guest_pb2_grpc.GuestServiceStub(app.server.channel())

    def one(token: str) -> str:
        answer = guests.RefreshGuestToken(guest_pb2.RefreshGuestTokenRequest(refresh_token=token))
        return outcome_name(answer)

    return {kind: reason_of(lambda: one(token)) for kind, token in tokens.items()}  # noqa: B023 - called at once


def revoke(app: App, tokens: Mapping[str, str]) -> dict[str, str]:
    """RevokeTokens, as an access token; what was revoked is seen to be."""
    return {kind: _revoked(app, kind, token=token) for kind, token in tokens.items()}


def revoke_session(app: App, tokens: Mapping[str, str]) -> dict[str, str]:
    """RevokeTokens, as a refresh token; what was revoked is seen to be."""
    return {kind: _revoked(app, kind, refresh_token=token) for kind, token in tokens.items()}


def _revoked(app: App, kind: str, **target: str) -> str:
    request = auth_pb2.RevokeTokensRequest(api_key=app.api_key, **target)  # type: ignore[arg-type]
    reason = reason_of(lambda: str(app.server.auth().RevokeTokens(request, metadata=app.server.metadata).revision > 0))
    if reason != "True":
        return reason
    ended = {"REVOKED", "SESSION_REVOKED"}
    left = (
        refresh(app, {kind: target["refresh_token"]})
        if "refresh_token" in target
        else validate(app, {kind: target["token"]})
    )
    return REVOKED if set(left.values()) <= ended else f"still {left}"


def outcome_name(answer: auth_pb2.RefreshTokenResponse | guest_pb2.RefreshGuestTokenResponse) -> str:
    return auth_pb2.RefreshOutcome.Name(answer.outcome).removeprefix("REFRESH_OUTCOME_")


def authorize(app: App, tokens: Mapping[str, str]) -> dict[str, str]:
    """As the credential of each guarded method, which all answer alike."""
    return {kind: _authorized(app.server, token) for kind, token in tokens.items()}


def _authorized(server: RunningServer, token: str) -> str:
    body = auth_pb2.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()
    with connected(server.target) as connection:
        asked = connection.call(VALIDATE, bearer(token))
        connection.send(asked, body)
        answer = connection.answer(asked)
        if answer.status == 0:
            return "served"
        streams = [connection.call(name, bearer(token)) for name in OURS]
        (reason,) = {connection.answer(stream).reason for stream in streams} | {answer.reason}
    return reason


def an_app(server: RunningServer, column: str, algorithm: Algorithm) -> App:
    """An app of that column."""
    settings: dict[str, Any] = {**OPENED, "algorithm": algorithm, "allow_development_tokens": column != "strict"}
    secret = SECRET if column == "imported" else b""
    made = AppSettings(**settings, accept_unmanaged_tokens=column == "imported")
    server.domain.apps.create_as("test", ApiKey("home"), made, secret=secret)
    return App(server, "home", algorithm)


COLUMNS = [
    *((column, algorithm) for algorithm in APP_ALGORITHMS for column in ("strict", "liberal")),
    ("imported", Algorithm.HS256),
]
ASKING = {
    "ValidateToken.token": validate,
    "BatchValidateTokens.requests.token": validate_in_a_batch,
    "RefreshToken.refresh_token": refresh,
    "RefreshGuestToken.refresh_token": refresh_as_guest,
    "RevokeTokens.token": revoke,
    "RevokeTokens.refresh_token": revoke_session,
    "authorization": authorize,
}
COLUMN_OF = {
    "RefreshToken.refresh_token": "refresh",
    "RefreshGuestToken.refresh_token": "guest_refresh",
    "RevokeTokens.token": "revoke",
    "RevokeTokens.refresh_token": "revoke_session",
    "authorization": "authorization",
}


@pytest.mark.parametrize(("column", "algorithm"), COLUMNS)
def test_each_kind_in_each_field(start_server: StartServer, column: str, algorithm: Algorithm) -> None:
    """Every kind of token gets the answer of the table in every field, from an app of every algorithm."""
    server = start_server(limits=Limits(open_address_minute=10_000, open_app_second=10_000))
    app = an_app(server, column, algorithm)
    for field, ask in ASKING.items():
        tokens = {kind: make(app) for kind, make in MAKERS.items()}  # new ones: refreshing spends them
        expected = {kind: getattr(row, COLUMN_OF.get(field, column)) for kind, row in TABLE.items()}
        assert ask(app, tokens) == expected, field


def test_each_kind_has_a_row() -> None:
    """The table and the makers know the same kinds."""
    assert TABLE.keys() == MAKERS.keys()


def asked_fields() -> set[str]:
    """The fields of the methods above, as they are asked."""
    return {f"{method.partition('.')[2]}.{field}" for method, fields in FIELDS.items() for field in fields}


def test_each_field_is_asked() -> None:
    """Whatever takes a token is asked with every kind of token."""
    assert asked_fields() | {"authorization"} == ASKING.keys()


def services() -> Iterator[Any]:
    """Every service of the contract, also of files that are added later."""
    for module in iter_modules(authsvc.v1.__path__):
        if module.name.endswith("_pb2"):
            yield from import_module(f"authsvc.v1.{module.name}").DESCRIPTOR.services_by_name.values()


def token_fields(message: Descriptor, above: tuple[Descriptor, ...] = ()) -> Iterator[str]:
    """The paths of all text fields of a request that are called a token."""
    for field in message.fields:
        if field.message_type is not None and field.message_type not in above:
            for path in token_fields(field.message_type, (*above, message)):
                yield f"{field.name}.{path}"
        elif field.type in TEXTS and field.name.endswith("token") and field.name not in NOT_TOKENS:
            yield field.name


def contract() -> dict[str, tuple[str, ...]]:
    """What the descriptors say: each method and its fields that take a token."""
    return {
        f"{service.name}.{method.name}": tuple(token_fields(method.input_type))
        for service in services()
        for method in service.methods
    }


def test_each_method_of_the_contract_has_a_row() -> None:
    """A method or a field that takes a token and is not in the table fails the build."""
    assert contract() == FIELDS


@pytest.mark.parametrize("method", ["AuthService.ValidateToken", "AuthService.IssueToken"])
def test_a_missing_row_would_be_noticed(method: str) -> None:
    """The control: without a row of a method, or of its fields, the comparison above fails."""
    without = {name: fields for name, fields in FIELDS.items() if name != method}
    assert contract() != without
    assert contract() != {**without, method: ("another_token",)}
