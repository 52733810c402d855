"""The order of the interceptors: the one literal, and what it means for a call with several faults."""

from __future__ import annotations

import pytest

from authsvc.rpc.limits import Limits
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import connected
from tests.rpc.surface import VALIDATE, Metadata, answered, bearer

NONSENSE = b"\xff\xff\xff"
WRONG: Metadata = bearer("ask1_wrong")


def test_the_chain_is_the_recipe(server: RunningServer) -> None:
    """Outermost first: log, errors, deadline, places, age, credential, a caller's places, streams, strangers, body."""
    assert [type(interceptor).__name__ for interceptor in server.rpc.steps.chain] == [
        "RequestLog",
        "Errors",
        "Deadlines",
        "GlobalAdmission",
        "Staleness",
        "Credentials",
        "PrincipalAdmission",
        "StreamAdmission",
        "StrangerLimits",
        "Body",
    ]


@pytest.mark.parametrize(
    ("limits", "credential", "reason"),
    [
        (Limits(in_flight=0), "wrong", "OVERLOADED"),
        (Limits(in_flight_principal=0), "wrong", "CREDENTIAL_INVALID"),
        (Limits(in_flight_principal=0), "without permission", "PERMISSION_MISSING"),
        (Limits(in_flight_principal=0), "good", "RATE_LIMITED"),
        (Limits(), "good", "INVALID_REQUEST"),
    ],
)
def test_the_outermost_fault_is_told(start_server: StartServer, limits: Limits, credential: str, reason: str) -> None:
    """A call with many faults is answered by the outermost step that finds one; the body is looked at last."""
    server = start_server(limits=limits)
    metadata = {
        "wrong": WRONG,
        "good": server.metadata,
        "without permission": bearer(server.new_credential("issuer", permissions=("tokens.issue",), all_apps=True)),
    }
    with connected(server.target) as connection:
        assert answered(connection, VALIDATE, metadata[credential], NONSENSE).reason == reason
