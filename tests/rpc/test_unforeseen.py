"""What nobody foresaw: INTERNAL with an id that the log has too, and not a word of what was raised."""

from __future__ import annotations

import json
from typing import NoReturn

import grpc
import pytest

from authsvc.app.composition import Domain
from authsvc.clock import system_randomness
from authsvc.rpc.limits import Limits
from authsvc.rpc.server import RpcServer
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.refusals import Refusal, refusal_of
from tests.rpc.surface import auth_of, completed, surface_of

CANARY = "canary-art1_secret-words"


class Breaks:
    """Raises wherever it is asked for anything, with a secret in the text and in the cause."""

    def __call__(self, *_: object) -> NoReturn:
        try:
            raise ValueError(f"cause {CANARY}")
        except ValueError as cause:
            raise RuntimeError(f"SELECT {CANARY}") from cause

    authenticate = __call__

    def in_the_method(self, domain: Domain) -> RpcServer:
        """A server whose ``AuthService`` breaks."""
        return RpcServer(surface_of(domain, auth_of(self)), domain.logs, system_randomness, Limits(), domain.metrics)

    def before_the_body(self, domain: Domain) -> RpcServer:
        """A server that breaks while it judges a credential."""
        surface = surface_of(domain, auth_of(print), authenticator=self)
        return RpcServer(surface, domain.logs, system_randomness, Limits(), domain.metrics)


def broken_call(server: RunningServer) -> Refusal:
    """A good call of the broken server."""
    request = pb.ValidateTokenRequest(api_key="dev", token="x")
    return refusal_of(lambda: server.auth().ValidateToken(request, metadata=server.metadata, timeout=30))


def all_of(error: BaseException) -> str:
    """Everything a client can see of a refusal."""
    assert isinstance(error, grpc.Call)
    return f"{error!r} {error.trailing_metadata()!r} {error.details()}"


@pytest.fixture(params=[Breaks().in_the_method, Breaks().before_the_body], ids=["in the method", "before the body"])
def broken(request: pytest.FixtureRequest, start_server: StartServer) -> RunningServer:
    """A server that breaks on every call of ours."""
    server = start_server(build=request.param)
    server.domain.logs.configure_levels({"default": "trace"})
    return server


def test_an_unforeseen_error_is_internal_with_an_id(broken: RunningServer) -> None:
    """The caller gets INTERNAL, the one text, and an id."""
    refusal = broken_call(broken)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    (error_id,) = refusal.metadata.values()
    assert refusal.text == f"INTERNAL: an internal error; the log has more under error id {error_id}"


def test_the_log_has_the_id_and_the_place(broken: RunningServer) -> None:
    """Under the id stand what was raised, by its type, and where, and the completion line."""
    refusal = broken_call(broken)
    lines = [json.loads(line) for line in broken.log.getvalue().splitlines()]
    found = [line for line in lines if line.get("error_id") == refusal.metadata["error_id"]]
    assert [(line["message"], line["level"]) for line in found] == [
        ("unforeseen error", "error"),
        ("call completed", "error"),
    ]
    assert (found[0]["exception"], found[0]["scope"]) == ("RuntimeError", "rpc")
    assert "test_unforeseen.py:" in found[0]["path_name"]
    assert (found[1]["code"], found[1]["reason"]) == ("INTERNAL", "INTERNAL")


def test_no_word_of_it_gets_out(broken: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither the caller, nor the log at trace, nor the process's output shows what was raised."""
    with pytest.raises(grpc.RpcError) as raised:
        broken.auth().ValidateToken(pb.ValidateTokenRequest(), metadata=broken.metadata, timeout=30)
    shown = all_of(raised.value)
    written = capfd.readouterr()
    assert "INTERNAL" in shown
    for text in (shown, broken.log.getvalue(), written.out, written.err):
        assert CANARY not in text
        assert "SELECT" not in text


def test_the_server_goes_on(broken: RunningServer) -> None:
    """Each broken call has an id of its own, gives its place back and writes its one line."""
    ids = {broken_call(broken).metadata["error_id"] for _ in range(20)}
    assert len(ids) == 20
    assert [line["error_id"] in ids for line in completed(broken)] == [True] * 20
