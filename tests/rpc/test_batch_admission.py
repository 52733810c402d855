"""A batch counts by its items: it takes as many places as it has, all or none, and gives each back."""

from __future__ import annotations

import grpc
import pytest

from authsvc.rpc.limits import Limits
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.refusals import refusal_of
from tests.rpc.batching import Scripted, issue_all, some_tokens, validate_all
from tests.rpc.http2 import connected
from tests.rpc.surface import VALIDATE, Metadata, answered, bearer

BODY = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()
PATIENT = 60.0
SCARCE = {
    "RATE_LIMITED": Limits(in_flight_principal=4, body_seconds=PATIENT),
    "OVERLOADED": Limits(in_flight=4, body_seconds=PATIENT),
}


@pytest.fixture(params=SCARCE)
def reason(request: pytest.FixtureRequest) -> str:
    """What is scarce: four places of the principal, or of all."""
    return str(request.param)


@pytest.fixture
def scarce(reason: str, start_server: StartServer) -> RunningServer:
    """A server with four places."""
    return start_server(limits=SCARCE[reason])


def refused(server: RunningServer, number: int) -> tuple[grpc.StatusCode, str]:
    """How a batch of that many is refused."""
    refusal = refusal_of(lambda: validate_all(server, some_tokens(number)))
    return refusal.code, refusal.reason


def test_a_batch_takes_a_place_for_each_item(scarce: RunningServer, reason: str) -> None:
    """As many items as there are places are served; one more refuses the whole batch, of either kind."""
    assert len(validate_all(scarce, some_tokens(4))) == 4
    assert refused(scarce, 5) == (grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
    items = [pb.IssueTokenRequest(user=pb.User(id="sara"))] * 5
    assert len(issue_all(scarce, items[:4])) == 4
    assert refusal_of(lambda: issue_all(scarce, items)).reason == reason


def test_what_others_hold_is_not_there_for_a_batch(scarce: RunningServer, reason: str) -> None:
    """Beside a call that is in flight a batch has one place less; when that ends it has all again."""
    with connected(scarce.target) as connection:
        stream = connection.call(VALIDATE, scarce.metadata)
        assert answered(connection, VALIDATE, scarce.metadata, BODY).status == 0  # so the first has arrived
        assert refused(scarce, 4) == (grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
        assert len(validate_all(scarce, some_tokens(3))) == 3
        connection.send(stream, BODY)
        assert connection.answer(stream).status == 0
    assert len(validate_all(scarce, some_tokens(4))) == 4


def test_the_places_come_back_however_a_batch_ends(scarce: RunningServer) -> None:
    """After batches that were served, refused for their size, or for their number, all places are free."""
    for _ in range(3):
        assert len(validate_all(scarce, some_tokens(4))) == 4
        refusal_of(lambda: validate_all(scarce, some_tokens(5)))
        refusal_of(lambda: validate_all(scarce, some_tokens(257)))
        refusal_of(lambda: validate_all(scarce, []))
    assert len(validate_all(scarce, some_tokens(4))) == 4


def test_a_batch_too_large_to_be_one_is_told_so(scarce: RunningServer) -> None:
    """More than 256 items are a fault of the request, whatever places are free."""
    assert refused(scarce, 257) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


def test_the_places_are_held_while_items_are_worked_off(start_server: StartServer, reason: str) -> None:
    """While a batch of three is at its first item one call is served at a time, and a second one is refused."""
    script = Scripted()
    server = start_server(build=script.build(SCARCE[reason]))
    waiting = pb.BatchValidateTokensRequest(requests=[pb.ValidateTokenRequest(token="wait"), *some_tokens(2)])
    batch = server.auth().BatchValidateTokens.future(waiting, metadata=server.metadata, timeout=30)
    try:
        assert script.entered.wait(30)
        with connected(server.target) as connection:
            assert answered(connection, VALIDATE, server.metadata, BODY).status == 0
            connection.call(VALIDATE, server.metadata)
            assert connection.answer(connection.call(VALIDATE, server.metadata)).reason == reason
    finally:
        script.released.set()
    assert len(batch.result().results) == 3


def test_one_principals_batch_takes_nothing_of_anothers(start_server: StartServer) -> None:
    """The places of a principal are its own."""
    server = start_server(limits=SCARCE["RATE_LIMITED"])
    other: Metadata = bearer(server.new_credential("other", permissions=("tokens.validate",), all_apps=True))
    with connected(server.target) as connection:
        for _ in range(4):
            connection.call(VALIDATE, server.metadata)
        assert connection.answer(connection.call(VALIDATE, server.metadata)).reason == "RATE_LIMITED"
        assert len(validate_all(server, some_tokens(4), metadata=other)) == 4
