"""Each algorithm an app can have does the whole job: issue, validate, refresh."""

from __future__ import annotations

import base64
import json

import pytest

from authsvc.model import APP_ALGORITHMS, Algorithm
from authsvc.v1 import admin_pb2, auth_pb2
from tests.conftest import RunningServer
from tests.rows import Rows

algorithms = pytest.mark.parametrize("algorithm", APP_ALGORITHMS)


def _make(server: RunningServer, api_key: str, algorithm: Algorithm) -> admin_pb2.App:
    number = admin_pb2.Algorithm.Value(f"ALGORITHM_{algorithm.value.upper()}")
    settings = admin_pb2.AppSettings(algorithm=number)
    request = admin_pb2.CreateAppRequest(api_key=api_key, settings=settings)
    return server.admin().CreateApp(request, metadata=server.metadata).app


def _issue(server: RunningServer, api_key: str) -> auth_pb2.IssueTokenResponse:
    request = auth_pb2.IssueTokenRequest(api_key=api_key, user=auth_pb2.User(id="sara"), refreshable=True)
    return server.auth().IssueToken(request, metadata=server.metadata)


def _validate(server: RunningServer, api_key: str, token: str) -> auth_pb2.ValidateTokenResponse:
    request = auth_pb2.ValidateTokenRequest(api_key=api_key, token=token)
    return server.auth().ValidateToken(request, metadata=server.metadata)


@algorithms
def test_an_app_does_the_whole_job(server: RunningServer, algorithm: Algorithm) -> None:
    """Tokens of the app, refreshed ones too, are signed with its algorithm, say so, and are good."""
    made = _make(server, "acme", algorithm)
    assert admin_pb2.Algorithm.Name(made.settings.algorithm) == f"ALGORITHM_{algorithm.value.upper()}"
    issued = _issue(server, "acme")
    renewed = server.auth().RefreshToken(
        auth_pb2.RefreshTokenRequest(refresh_token=issued.refresh_token), metadata=server.metadata
    )
    for token, info in ((issued.token, issued.info), (renewed.token, renewed.info)):
        assert info.algorithm == algorithm
        header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
        assert (header["alg"], header["kid"]) == (algorithm, info.key_id)
        assert _validate(server, "acme", token).info == info


@algorithms
def test_a_new_app_has_one_key_that_signs(server: RunningServer, algorithm: Algorithm) -> None:
    """The first key is active at once; only a symmetric one has no public part to show."""
    _make(server, "acme", algorithm)
    kid = _issue(server, "acme").info.key_id
    statement = "SELECT key_id, algorithm, state, public_jwk = '' FROM keys WHERE api_key = 'acme'"
    assert Rows(server.state_dir).read(statement) == [(kid, algorithm, "active", algorithm is Algorithm.HS256)]


@algorithms
def test_a_token_is_good_in_its_own_app_only(server: RunningServer, algorithm: Algorithm) -> None:
    """Two apps of one algorithm, their names differing in case alone, do not know each other's tokens."""
    for api_key in ("acme", "Acme"):
        _make(server, api_key, algorithm)
    token = _issue(server, "acme").token
    assert _validate(server, "acme", token).active
    assert _validate(server, "Acme", token).status == auth_pb2.TOKEN_STATUS_KEY_UNKNOWN
