"""A shop behind the interceptor, and shoppers."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from authsvc.client import AuthClient
from authsvc.v1 import auth_pb2 as pb
from tests.client.guarding.shop import SHOPS, Serve, Shopper
from tests.conftest import RunningServer


@pytest.fixture
def client(server: RunningServer) -> Iterator[AuthClient]:
    """A client of the running service that may do everything."""
    with AuthClient(server.target, server.credential) as connected:
        yield connected


@pytest.fixture(params=SHOPS)
def serve(request: pytest.FixtureRequest) -> Serve:
    """Runs a shop: each test is made with one of threads and again with one of tasks."""
    return SHOPS[request.param]


@pytest.fixture
def target(serve: Serve, server: RunningServer) -> Iterator[str]:
    """Where a shop with all its rules is."""
    with serve(server) as target:
        yield target


@pytest.fixture
def shop(target: str) -> Iterator[Shopper]:
    """Calls it."""
    with grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield Shopper(channel)


class Tokens:
    """Mints what a test asks for."""

    def __init__(self, client: AuthClient) -> None:
        self._client = client

    def __call__(self, user: str = "sara", role: str = "", **fields: object) -> str:
        request = pb.IssueTokenRequest(api_key="dev", user=pb.User(id=user, role=role), **fields)  # type: ignore[arg-type]
        return self._client.issue_token(request).token


@pytest.fixture
def token(client: AuthClient) -> Tokens:
    """Mints tokens of the app that the shop serves."""
    return Tokens(client)
