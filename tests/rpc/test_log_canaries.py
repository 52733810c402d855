"""What goes over the wire stays out of the log: tokens, credentials and request ids, also where they do not belong."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

import grpc
import pytest

from authsvc.v1 import admin_pb2
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import HandClock, RunningServer
from tests.logs.canaries import found
from tests.rpc.http2 import connected
from tests.rpc.surface import VALIDATE, answered, bearer

Canaries = list[str]


def secret_of(credential: str) -> str:
    """The part of a credential that is secret: the account's id is not."""
    return credential.split("_", 2)[2]


def quietly(call: Callable[[], object]) -> None:
    """A call that may be refused: the log is what is looked at."""
    try:
        call()
    except grpc.RpcError:
        return


def a_whole_life(server: RunningServer) -> Canaries:
    """A session from its first token to its end by reuse, and all that was secret in it."""
    auth, request_ids = server.auth(), [secrets.token_urlsafe(24) for _ in range(3)]
    user = pb.User(id="sara", name="canary-name-of-sara", image="https://canary-image.example/x.png")
    user.custom.update({"note": "canary-custom-data"})
    request = pb.IssueTokenRequest(api_key="dev", user=user, refreshable=True, request_id=request_ids[0])
    request.custom_claims.update({"plan": "canary-custom-claim"})
    issued = auth.IssueToken(request, metadata=server.metadata)
    auth.ValidateToken(pb.ValidateTokenRequest(api_key="dev", token=issued.token), metadata=server.metadata)
    first = pb.RefreshTokenRequest(refresh_token=issued.refresh_token, request_id=request_ids[1])
    refreshed = auth.RefreshToken(first, metadata=server.metadata)
    second = pb.RefreshTokenRequest(refresh_token=refreshed.refresh_token, request_id=request_ids[2])
    last = auth.RefreshToken(second, metadata=server.metadata)
    quietly(partial(auth.RefreshToken, first, metadata=server.metadata))  # a reuse: two generations old
    tokens = [token for answer in (issued, refreshed, last) for token in (answer.token, answer.refresh_token)]
    shown = [user.name, user.image, "canary-custom-data", "canary-custom-claim"]
    return [*tokens, *request_ids, *shown, secret_of(server.credential)]


def an_accounts_life(server: RunningServer) -> Canaries:
    """An account made, given a second credential, relieved of it."""
    admin = server.admin()
    request = admin_pb2.CreateServiceAccountRequest(name="edge", permissions=["tokens.issue"], all_apps=True)
    made = admin.CreateServiceAccount(request, metadata=server.metadata)
    account = made.service_account.id
    more = admin.RotateCredential(admin_pb2.RotateCredentialRequest(id=account), metadata=server.metadata)
    revoked = admin_pb2.RevokeCredentialRequest(id=account, credential_id=made.credential_id)
    admin.RevokeCredential(revoked, metadata=server.metadata)
    with connected(server.target) as connection:
        answered(connection, VALIDATE, bearer(made.credential))
    return [secret_of(made.credential), secret_of(more.credential)]


def in_the_wrong_place(server: RunningServer) -> Canaries:
    """Everything secret where something else belongs: an app, a user, a hint, a role, a path, a header."""
    auth = server.auth()
    issued = auth.IssueToken(
        pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"), refreshable=True), metadata=server.metadata
    )
    for secret in (issued.token, issued.refresh_token, server.credential):
        requests = (
            pb.IssueTokenRequest(api_key=secret, user=pb.User(id="sara")),
            pb.IssueTokenRequest(api_key="dev", user=pb.User(id=secret)),
            pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara", role=secret)),
            pb.IssueTokenRequest(api_key="dev", guest=pb.Guest(id_hint=secret)),
            pb.IssueTokenRequest(api_key="dev", guest=pb.Guest(id_hint=f"x:{secret}")),
            pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"), request_id=secret[:64]),
            pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"), audience=[secret]),
        )
        for request in requests:
            quietly(partial(auth.IssueToken, request, metadata=server.metadata))
        check = pb.ValidateTokenRequest(api_key=secret, token=secret, audience=secret)
        quietly(partial(auth.ValidateToken, check, metadata=server.metadata))
        with connected(server.target) as connection:
            for path in (f"/{secret}/x", f"/x/{secret}", secret, f"{VALIDATE}?token={secret}"):
                answered(connection, path, server.metadata)
                answered(connection, path)
            more = (("traceparent", secret), ("x-token", secret), ("user-agent", secret), ("authorization", secret))
            answered(connection, VALIDATE, (*server.metadata, *more))
    return [issued.token, issued.refresh_token, secret_of(server.credential)]


@pytest.mark.parametrize("life", [a_whole_life, an_accounts_life, in_the_wrong_place])
def test_no_secret_is_logged_even_at_trace(
    server: RunningServer, life: Callable[[RunningServer], Canaries], capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of a token, a credential, a request id or a user's data is in any line, whole or in parts."""
    server.domain.logs.configure_levels({"default": "trace"})
    canaries = life(server)
    output = capfd.readouterr()
    written = server.log.getvalue() + output.out + output.err
    assert written.count("call completed") > 3
    assert {canary: forms for canary in canaries if (forms := found(canary, written))} == {}


def test_the_search_would_find_what_is_logged(server: RunningServer, clock: HandClock) -> None:
    """The control: a user's id, which the audit names, is found by the same search."""
    request = pb.IssueTokenRequest(api_key="dev", user=pb.User(id="canary-user-id"))
    server.auth().IssueToken(request, metadata=server.metadata)
    assert found("canary-user-id", server.log.getvalue()) == ["raw", "repr"]
