"""What a real server has counted after real calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authsvc.errors import Reason
from authsvc.metrics import OTHER
from authsvc.model import APP_ALGORITHMS, Algorithm, TokenStatus
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer
from tests.metrics.reading import Scrape, scrape
from tests.refusals import refusal_of
from tests.rpc.http2 import connected
from tests.rpc.surface import AUTH, HEALTH_CHECK, OURS, VALIDATE, answered, bearer, eventually

SARA = pb.User(id="sara")


@pytest.fixture
def look(server: RunningServer) -> Callable[[], Scrape]:
    """Scrape the server."""
    return lambda: scrape(server.domain.metrics)


def issue(server: RunningServer, api_key: str = "dev", *, refreshable: bool = False) -> pb.IssueTokenResponse:
    request = pb.IssueTokenRequest(api_key=api_key, user=SARA, refreshable=refreshable)
    return server.auth().IssueToken(request, metadata=server.metadata)


def validate(server: RunningServer, token: str) -> pb.ValidateTokenResponse:
    request = pb.ValidateTokenRequest(api_key="dev", token=token)
    return server.auth().ValidateToken(request, metadata=server.metadata)


def refresh(server: RunningServer, token: str) -> pb.RefreshTokenResponse:
    return server.auth().RefreshToken(pb.RefreshTokenRequest(refresh_token=token), metadata=server.metadata)


def test_calls_by_method_and_code(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """Each call counts once under its method and its code, when its answer is there."""
    token = issue(server).token
    for _ in range(3):
        validate(server, token)
    refusal_of(lambda: issue(server, "nowhere"))
    told = look()
    assert told("authsvc_calls_total", method=f"{AUTH}IssueToken", code="OK") == 1
    assert told("authsvc_calls_total", method=f"{AUTH}IssueToken", code="NOT_FOUND") == 1
    assert told("authsvc_calls_total", method=f"{AUTH}ValidateToken", code="OK") == 3
    assert told("authsvc_calls_total", method=f"{AUTH}RefreshToken", code="OK") == 0


def test_latency_by_method(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """Each call is in its method's histogram, with a time that is more than nothing and less than ten seconds."""
    for _ in range(3):
        issue(server)
    told = look()
    of_method = {"method": f"{AUTH}IssueToken"}
    assert told("authsvc_call_seconds_count", **of_method) == 3
    assert told("authsvc_call_seconds_bucket", le="10.0", **of_method) == 3
    assert 0 < told("authsvc_call_seconds_sum", **of_method) < 30


def test_refusals_by_reason(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """Refused calls count by their reason, wherever on their way they were refused; answered ones do not."""
    issue(server)
    refusal_of(lambda: issue(server, "nowhere"))
    refusal_of(lambda: server.auth().IssueToken(pb.IssueTokenRequest(), metadata=server.metadata))
    with connected(server.target) as connection:
        answered(connection, VALIDATE)
        answered(connection, VALIDATE, bearer("nonsense"))
        answered(connection, VALIDATE, server.metadata, b"\xff\xff")
    assert look().positive("authsvc_refusals_total", "reason") == {
        "APP_NOT_FOUND": 1,
        "INVALID_REQUEST": 2,
        "CREDENTIAL_MISSING": 1,
        "CREDENTIAL_INVALID": 1,
    }


def test_tokens_that_are_not_active(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """A bad token is no refusal: it counts by its status, and a good one not at all."""
    token = issue(server).token
    validate(server, token)
    validate(server, "x")
    validate(server, token[:-4] + "AAAA")
    server.clock.move(hours=2)
    validate(server, token)
    told = look()
    assert told.positive("authsvc_tokens_not_active_total", "status") == {
        "MALFORMED": 1,
        "SIGNATURE_INVALID": 1,
        "EXPIRED": 1,
    }
    assert told.positive("authsvc_refusals_total", "reason") == {}


def test_signing_by_algorithm(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """Each signature counts under the algorithm of its key, and took some time."""
    for number, algorithm in enumerate(APP_ALGORITHMS, start=1):
        server.new_app(f"app-{algorithm}", algorithm=algorithm)
        for _ in range(number):
            issue(server, f"app-{algorithm}")
    told = look()
    counted = told.positive("authsvc_signing_seconds_count", "algorithm")
    assert counted == {algorithm: number for number, algorithm in enumerate(APP_ALGORITHMS, start=1)}
    assert told("authsvc_signing_seconds_sum", algorithm=Algorithm.RS256) > 0


def test_signature_cache(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """A token seen again is a hit, a new one or a bad one a miss, and only good ones are remembered."""
    first, second = issue(server).token, issue(server).token
    for token in (first, first, second, first, "x.y.z"):
        validate(server, token)
    told = look()
    assert told("authsvc_signature_cache_hits_total") == 2
    assert told("authsvc_signature_cache_misses_total") == 3
    assert told("authsvc_signature_cache_size") == 2


def test_store_batches(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """A call that changes something is one change in one committed batch when nothing else is written."""
    before = look()
    issue(server, refreshable=True)
    after = look()

    def grown(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    assert grown("authsvc_store_batches_total", outcome="committed") == 1
    assert grown("authsvc_store_batch_changes_count") == 1
    assert grown("authsvc_store_batch_changes_sum") == 1
    assert grown("authsvc_store_commit_seconds_count") == 1
    assert grown("authsvc_store_commit_seconds_sum") > 0
    assert after("authsvc_store_batches_total", outcome="failed") == 0


def test_reading_writes_no_batch(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """What only looks leaves the store's writer alone."""
    token = issue(server).token
    before = look()("authsvc_store_batches_total", outcome="committed")
    validate(server, token)
    assert look()("authsvc_store_batches_total", outcome="committed") == before


def test_refreshes(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """A turn, a replay in the grace and a reuse count each as what they were; a session ends once only."""
    token = issue(server, refreshable=True).refresh_token
    second = refresh(server, token).refresh_token
    refresh(server, token)
    refresh(server, refresh(server, second).refresh_token)
    for _ in range(2):
        refusal_of(lambda: refresh(server, token))
    told = look()
    assert told.positive("authsvc_refreshes_total", "outcome") == {"turned": 3, "replayed": 1, "reused": 1}
    assert told.positive("authsvc_refusals_total", "reason") == {"REFRESH_TOKEN_REUSED": 1, "SESSION_REVOKED": 1}


def test_a_method_that_is_not_there(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """Calls of methods that callers make up share one label, however many names they find."""
    with connected(server.target) as connection:
        for number in range(20):
            answered(connection, f"/made.up.Service/Method{number}", server.metadata)
    told = look()
    assert told("authsvc_calls_total", method=OTHER, code="UNIMPLEMENTED") == 20
    assert not [method for method in told.labels("authsvc_calls_total", "method") if "made" in method]


def test_labels_are_a_closed_set(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """Methods, reasons and statuses are those of the contract: no text of a caller becomes a label."""
    secret = "art1_" + "x" * 40
    refusal_of(lambda: issue(server, secret))
    validate(server, secret)
    told = look()
    assert told.labels("authsvc_calls_total", "method") >= OURS.keys()
    assert told.labels("authsvc_refusals_total", "reason") == set(Reason)
    assert told.labels("authsvc_tokens_not_active_total", "status") == set(TokenStatus)
    assert secret.encode() not in server.domain.metrics.exposition()


def test_health_is_counted_like_others(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """The methods of other services have labels of their own."""
    with connected(server.target) as connection:
        answered(connection, HEALTH_CHECK)
    assert look()("authsvc_calls_total", method=HEALTH_CHECK, code="OK") == 1


def test_calls_in_flight_and_stalled(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """Two calls that wait for their bodies are in flight, soon stalled, and neither once they are answered."""
    with connected(server.target) as connection:
        streams = [connection.call(VALIDATE, server.metadata) for _ in range(2)]
        seen = eventually(look, lambda told: told("authsvc_calls_stalled") == 2)
        assert (seen("authsvc_calls_in_flight"), seen("authsvc_calls_stalled")) == (2, 2)
        for stream in streams:
            connection.send(stream, pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString())
            connection.answer(stream)
        seen = eventually(look, lambda told: told("authsvc_calls_stalled") == 0)
        assert (seen("authsvc_calls_in_flight"), seen("authsvc_calls_stalled")) == (0, 0)


def test_a_call_that_its_caller_leaves(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """A call whose caller hangs up is counted once, as anything but OK, and gives its place back."""
    with connected(server.target) as connection:
        connection.call(VALIDATE, server.metadata)
        assert eventually(look, lambda told: told("authsvc_calls_in_flight") == 1)("authsvc_calls_in_flight") == 1
    told = eventually(look, lambda told: told("authsvc_call_seconds_count", method=VALIDATE) > 0)
    assert told("authsvc_call_seconds_count", method=VALIDATE) == 1
    assert told("authsvc_calls_total", method=VALIDATE, code="OK") == 0
    assert told("authsvc_calls_in_flight") == 0


def test_revocations_and_those_that_stay(server: RunningServer, look: Callable[[], Scrape]) -> None:
    """A session's end is forgotten in time, the whole app's never."""
    session = issue(server, refreshable=True).info.session_id
    for target in (pb.RevokeTokensRequest(session_id=session), pb.RevokeTokensRequest(all_users=True)):
        target.api_key = "dev"
        server.auth().RevokeTokens(target, metadata=server.metadata)
    told = look()
    assert [told("authsvc_revocations"), told("authsvc_endless_revocations")] == [2, 1]
