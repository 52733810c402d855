"""Batches through the SDK: items are named, results stay in order, an item's status is the error of a call."""

from __future__ import annotations

import grpc
import pytest

from authsvc.client import AuthClient, AuthClientError, InvalidRequest, NotFound, RefreshRefused, item_error
from authsvc.v1 import auth_pb2
from tests.client.halves import Do
from tests.client.scripted import ScriptedServer, aborts

SARA = auth_pb2.User(id="sara")
GOOD = auth_pb2.IssueTokenRequest(user=SARA, refreshable=True)
BAD = auth_pb2.IssueTokenRequest(user=auth_pb2.User(id="!", role="A B"))


def test_tokens_are_issued_and_validated_in_batches(client: AuthClient) -> None:
    """Results stand in the order of the items; one that failed holds its status."""
    issued = client.batch_issue_tokens(auth_pb2.BatchIssueTokensRequest(api_key="dev", requests=[GOOD, BAD, GOOD]))
    assert [result.WhichOneof("result") for result in issued.results] == ["response", "status", "response"]
    items = [auth_pb2.ValidateTokenRequest(token=result.response.token) for result in issued.results]
    answers = client.batch_validate_tokens(auth_pb2.BatchValidateTokensRequest(api_key="dev", requests=items))
    assert [result.response.active for result in answers.results] == [True, False, True]


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (BAD, InvalidRequest),
        (auth_pb2.IssueTokenRequest(api_key="nosuch", user=SARA), NotFound),
    ],
)
def test_an_items_status_is_the_error_of_a_call(
    client: AuthClient, item: auth_pb2.IssueTokenRequest, kind: type[AuthClientError]
) -> None:
    """Of the same class, with the same reason, violations and metadata."""
    alone = auth_pb2.IssueTokenRequest(api_key=item.api_key or "dev", user=item.user)
    with pytest.raises(kind) as raised:
        client.issue_token(alone)
    (result,) = client.batch_issue_tokens(auth_pb2.BatchIssueTokensRequest(api_key="dev", requests=[item])).results
    error = item_error(result.status)
    assert type(error) is kind
    assert vars(error) == vars(raised.value)


def test_a_status_without_details_is_an_error_too() -> None:
    """An item's status that only has a code means what the code means; an unknown code is still an error."""
    refused = auth_pb2.BatchIssueTokensResult()
    refused.status.code = 5
    assert type(item_error(refused.status)) is NotFound
    refused.status.code = 99
    assert type(item_error(refused.status)) is AuthClientError
    assert not isinstance(item_error(refused.status), RefreshRefused)


def test_repeats_carry_the_same_request_ids(patient: Do, scripted: ScriptedServer) -> None:
    """Items without a name get one each, the same for a repeat of the batch; the caller's own are kept."""
    mine = "mine" * 6
    items = [auth_pb2.IssueTokenRequest(), auth_pb2.IssueTokenRequest(request_id=mine), auth_pb2.IssueTokenRequest()]
    batch = auth_pb2.BatchIssueTokensRequest(requests=items)
    scripted.script = [aborts(grpc.StatusCode.UNAVAILABLE)]
    patient(lambda client: client.batch_issue_tokens(batch))
    patient(lambda client: client.batch_issue_tokens(batch))
    first, repeat, second = ([item.request_id for item in each.requests] for each in scripted.requests)
    assert first == repeat
    assert [first[1], second[1]] == [mine, mine]
    assert len({*first, *second}) == 5
    assert [item.request_id for item in batch.requests] == ["", mine, ""]
