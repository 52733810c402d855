"""Batches: each item as if it were a call of its own, in order, whatever becomes of its neighbours."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.rpc import error_details_pb2, status_pb2

from authsvc.clock import deadline_after, system_randomness
from authsvc.errors import DeadlinePassed, Reason
from authsvc.logs import SERVER_SCOPES, LoggerSystem
from authsvc.rpc.batches import Batches
from authsvc.rpc.call import Call
from authsvc.rpc.explanations import Explanations
from authsvc.rpc.limits import Limits
from authsvc.rpc.status import message_of
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import HandClock, RunningServer, StartServer
from tests.refusals import refusal_of
from tests.rpc.batching import Scripted, issue_all, some_tokens, status_of_call, validate_all
from tests.rpc.surface import bearer, completed

SARA = pb.IssueTokenRequest(user=pb.User(id="sara"))
REQUEST_ID = "request-0000000000000001"


def claims(**members: str) -> Struct:
    """A struct with those members."""
    struct = Struct()
    struct.update(members)
    return struct


FAULTY_ISSUES = {
    "no subject": pb.IssueTokenRequest(),
    "two faults": pb.IssueTokenRequest(user=pb.User(id="!", role="A B")),
    "too long": pb.IssueTokenRequest(user=pb.User(id="sara"), ttl=Duration(seconds=10**6)),
    "a reserved claim": pb.IssueTokenRequest(user=pb.User(id="sara"), custom_claims=claims(iss="me")),
    "no such app": pb.IssueTokenRequest(api_key="nosuch", user=pb.User(id="sara")),
    "a suspended app": pb.IssueTokenRequest(api_key="closed", user=pb.User(id="sara")),
    "no guests there": pb.IssueTokenRequest(api_key="plain", guest=pb.Guest()),
    "never expires": pb.IssueTokenRequest(user=pb.User(id="sara"), never_expires=True),
}
FAULTY_QUESTIONS = {
    "no cid": pb.ValidateTokenRequest(token="x", call_cid=""),
    "no role": pb.ValidateTokenRequest(token="x", roles=pb.RoleCheck()),
    "no such app": pb.ValidateTokenRequest(api_key="nosuch", token="x"),
}


def single(batched: Any) -> Any:
    """The same request as a call of its own."""
    alone = type(batched)()
    alone.CopyFrom(batched)
    alone.api_key = batched.api_key or "dev"
    return alone


@pytest.fixture
def crowded(server: RunningServer) -> RunningServer:
    """A server with a suspended app and one without guests."""
    server.new_app("closed", suspended=True)
    server.new_app("plain")
    return server


def test_results_stand_in_the_order_of_the_items(server: RunningServer) -> None:
    """256 tokens for 256 users, and 256 verdicts on them, each in the place of its item."""
    users = [f"user-{number}" for number in range(256)]
    issued = issue_all(server, [pb.IssueTokenRequest(user=pb.User(id=user)) for user in users])
    assert [result.response.info.user.id for result in issued] == users
    answers = validate_all(server, [pb.ValidateTokenRequest(token=result.response.token) for result in issued])
    assert [(result.response.active, result.response.info.user.id) for result in answers] == [
        (True, user) for user in users
    ]


@pytest.mark.parametrize("kind", FAULTY_ISSUES)
def test_a_faulty_issue_has_the_status_of_a_call(crowded: RunningServer, kind: str) -> None:
    """Code, message and details are those of IssueToken, and the neighbours have their tokens."""
    item = FAULTY_ISSUES[kind]
    expected = status_of_call(lambda: crowded.auth().IssueToken(single(item), metadata=crowded.metadata))
    before, found, after = issue_all(crowded, [SARA, item, SARA])
    assert found.WhichOneof("result") == "status"
    assert found.status == expected
    assert [each.response.info.user.id for each in (before, after)] == ["sara", "sara"]


@pytest.mark.parametrize("kind", FAULTY_QUESTIONS)
def test_a_faulty_question_has_the_status_of_a_call(server: RunningServer, kind: str) -> None:
    """Code, message and details are those of ValidateToken, and the neighbours have their answers."""
    item = FAULTY_QUESTIONS[kind]
    expected = status_of_call(lambda: server.auth().ValidateToken(single(item), metadata=server.metadata))
    before, found, after = validate_all(server, [*some_tokens(1), item, *some_tokens(1)])
    assert found.WhichOneof("result") == "status"
    assert found.status == expected
    assert [each.response.status for each in (before, after)] == [pb.TOKEN_STATUS_MALFORMED] * 2


def test_every_verdict_is_that_of_a_call(crowded: RunningServer, clock: HandClock) -> None:
    """A bad token is an answer, the same as ValidateToken's to the last byte, also when it is asked again."""
    auth, metadata = crowded.auth(), crowded.metadata
    scope = pb.TokenScope(call_cids=["video:1"])
    short = pb.IssueTokenRequest(user=pb.User(id="sara"), ttl=Duration(seconds=60))
    scoped = pb.IssueTokenRequest(user=pb.User(id="sara", role="host", custom=claims(a="b")), scope=scope)
    kept = pb.IssueTokenRequest(user=pb.User(id="sara"), refreshable=True)
    expired, limited, good = (result.response for result in issue_all(crowded, [short, scoped, kept]))
    clock.move(minutes=10)
    items = [
        pb.ValidateTokenRequest(token=good.token),
        pb.ValidateTokenRequest(token=expired.token),
        pb.ValidateTokenRequest(token=limited.token),
        pb.ValidateTokenRequest(token=limited.token, call_cid="video:1"),
        pb.ValidateTokenRequest(token=limited.token, call_cid="video:1", roles=pb.RoleCheck(any_of=["admin"])),
        pb.ValidateTokenRequest(token=good.token, audience="shop"),
        pb.ValidateTokenRequest(token=good.token[:-8] + "AAAAAAAA"),
        pb.ValidateTokenRequest(token=good.token, api_key="plain"),
        pb.ValidateTokenRequest(token=good.token, api_key="closed"),
        pb.ValidateTokenRequest(token=good.refresh_token),
        pb.ValidateTokenRequest(),
    ]
    alone = [auth.ValidateToken(single(item), metadata=metadata) for item in items]
    for _ in range(2):
        together = validate_all(crowded, items)
        assert [result.response for result in together] == alone
    assert [pb.TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_") for answer in alone] == [
        *("ACTIVE", "EXPIRED", "SCOPE_DENIED", "ACTIVE", "ROLE_DENIED", "AUDIENCE_MISMATCH"),
        *("SIGNATURE_INVALID", "KEY_UNKNOWN", "APP_SUSPENDED", "WRONG_TYPE", "MALFORMED"),
    ]


def test_a_token_asked_again_is_judged_again(server: RunningServer, clock: HandClock) -> None:
    """What was answered before is no answer now: the same token ends, and with the clock set back is good again."""
    (issued,) = issue_all(server, [SARA])
    item = pb.ValidateTokenRequest(token=issued.response.token)
    seen = []
    for hours in (0, 2, -2):
        clock.move(hours=hours)
        (answer,) = validate_all(server, [item])
        seen.append((answer.response.status, answer.response.active, answer.response.error_code))
    good, over = (pb.TOKEN_STATUS_ACTIVE, True, 0), (pb.TOKEN_STATUS_EXPIRED, False, 40)
    assert seen == [good, over, good]


@pytest.mark.parametrize("number", [1, 256])
def test_so_many_items_are_served(server: RunningServer, number: int) -> None:
    """One item is a batch, 256 are one."""
    assert len(validate_all(server, some_tokens(number))) == number
    assert len(issue_all(server, [pb.IssueTokenRequest()] * number)) == number


@pytest.mark.parametrize("number", [0, 257, 100_000])
def test_so_many_items_are_refused(server: RunningServer, number: int) -> None:
    """No items, and one too many, are a fault of `requests`; nothing is begun."""
    for refused in (
        refusal_of(lambda: validate_all(server, [pb.ValidateTokenRequest()] * number)),
        refusal_of(lambda: issue_all(server, [pb.IssueTokenRequest()] * number)),
    ):
        assert (refused.code, refused.reason, refused.fields) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
            ("requests",),
        )


# -- which app an item is about -------------------------------------------------------------------


def test_an_item_belongs_to_its_own_app_else_to_the_batchs(server: RunningServer) -> None:
    """An item that names an app is of that app, one that names none of the batch's."""
    server.new_app("shop")
    named = pb.IssueTokenRequest(api_key="shop", user=pb.User(id="sara"))
    issued = [result.response for result in issue_all(server, [SARA, named, SARA])]
    assert [each.info.api_key for each in issued] == ["dev", "shop", "dev"]
    items = [
        pb.ValidateTokenRequest(token=issued[0].token),
        pb.ValidateTokenRequest(token=issued[1].token, api_key="shop"),
        pb.ValidateTokenRequest(token=issued[1].token),
    ]
    assert [result.response.active for result in validate_all(server, items)] == [True, True, False]


def test_without_any_name_it_is_the_callers_only_app(server: RunningServer) -> None:
    """A caller with one app need not name it; one with several is told so, item by item."""
    permissions = ("tokens.issue", "tokens.validate")
    mine = bearer(server.new_credential("one", permissions=permissions, apps=frozenset({"dev"})))
    (issued,) = issue_all(server, [SARA], api_key="", metadata=mine)
    assert issued.response.info.api_key == "dev"
    item = pb.ValidateTokenRequest(token=issued.response.token)
    (answer,) = validate_all(server, [item], api_key="", metadata=mine)
    assert answer.response.active
    (refused,) = validate_all(server, [item], api_key="")
    assert fields_of(refused.status) == ["api_key"]


def test_another_callers_app_is_refused_for_its_item_alone(server: RunningServer) -> None:
    """An item of an app that the caller may not act for is APP_NOT_ALLOWED, whether or not it exists."""
    server.new_app("shop")
    mine = bearer(server.new_credential("one", permissions=("tokens.issue",), apps=frozenset({"dev"})))
    items = [pb.IssueTokenRequest(api_key=app, user=pb.User(id="sara")) for app in ("dev", "shop", "nosuch", "")]
    results = issue_all(server, items, metadata=mine)
    assert [reason_of(result.status) for result in results] == ["", "APP_NOT_ALLOWED", "APP_NOT_ALLOWED", ""]


def test_the_batchs_app_matters_only_to_items_without_one(server: RunningServer) -> None:
    """An app that does not exist harms no item that names its own."""
    items = [SARA, pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"))]
    results = issue_all(server, items, api_key="nosuch")
    assert [reason_of(result.status) for result in results] == ["APP_NOT_FOUND", ""]


def reason_of(status: status_pb2.Status) -> str:
    """The reason of an item's status; empty for none."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    return str(info.reason)


def fields_of(status: status_pb2.Status) -> list[str]:
    """The fields that an item's status names."""
    bad = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(bad)
    return [violation.field for violation in bad.field_violations]


# -- sessions -------------------------------------------------------------------------------------


def test_one_request_id_is_one_session(server: RunningServer) -> None:
    """Within a batch, and when the batch is repeated, one request id opens one session; without one each opens its
    own."""
    named = pb.IssueTokenRequest(user=pb.User(id="sara"), refreshable=True, request_id=REQUEST_ID)
    unnamed = pb.IssueTokenRequest(user=pb.User(id="sara"), refreshable=True)
    first = [result.response.refresh_token for result in issue_all(server, [named, named, unnamed, unnamed])]
    again = [result.response.refresh_token for result in issue_all(server, [named])]
    assert first[0] == first[1] == again[0]
    assert len(set(first)) == 3
    renewed = server.auth().RefreshToken(pb.RefreshTokenRequest(refresh_token=first[0]), metadata=server.metadata)
    assert renewed.outcome == pb.REFRESH_OUTCOME_ROTATED


# -- what nobody foresaw, and time ----------------------------------------------------------------


def test_an_item_that_breaks_harms_no_other(start_server: StartServer) -> None:
    """It is INTERNAL with an error id of its own, under which the log has more, and not a word of what was raised."""
    server = start_server(build=Scripted().build(Limits()))
    items = [pb.ValidateTokenRequest(token=token) for token in ("x", "break", "x", "break")]
    results = validate_all(server, items)
    assert [result.WhichOneof("result") for result in results] == ["response", "status"] * 2
    broken = [result.status for result in results if result.HasField("status")]
    assert [reason_of(status) for status in broken] == ["INTERNAL"] * 2
    lines = [json.loads(line) for line in server.log.getvalue().splitlines()]
    ids = [line["error_id"] for line in lines if line["message"] == "unforeseen error"]
    assert len(set(ids)) == 2
    assert [status.message.rpartition(" ")[2] for status in broken] == ids
    assert "canary" not in server.log.getvalue() + "".join(map(str, results))
    assert [(line["code"], line["reason"], line["error_id"]) for line in completed(server)] == [("OK", "", "")]


@dataclass
class Worker:
    """Serves items until one of them is served beyond the deadline of the call."""

    call: Call
    last_in_time: int
    served: list[str]

    def __call__(self, item: pb.ValidateTokenRequest) -> bytes:
        self.served.append(item.token)
        if len(self.served) == self.last_in_time:
            self.call.deadline = deadline_after(-1)
        answer = pb.BatchValidateTokensResponse(results=[pb.BatchValidateTokensResult()])
        answer.results[0].response.message = item.token
        return answer.SerializeToString()


@pytest.mark.parametrize("in_time", [1, 3, 4])
def test_what_is_not_begun_by_the_deadline_is_told_so(in_time: int) -> None:
    """Items before the deadline keep their results; each one after it is DEADLINE_EXCEEDED and was not begun."""
    call = Call("/any", None, (), deadline=deadline_after(60))
    tokens = ["a", "b", "c", "d"]
    worker = Worker(call, in_time, [])
    answer = work_off(call, tokens, worker)
    assert worker.served == tokens[:in_time]
    assert [result.response.message for result in answer.results[:in_time]] == tokens[:in_time]
    late = message_of(DeadlinePassed(Reason.DEADLINE_EXCEEDED))
    assert [result.status for result in answer.results[in_time:]] == [late] * (4 - in_time)


def work_off(
    call: Call, tokens: list[str], serve: Callable[[pb.ValidateTokenRequest], bytes]
) -> pb.BatchValidateTokensResponse:
    """A batch of those tokens, worked off outside any server."""
    logs = LoggerSystem(SERVER_SCOPES, clock=HandClock())
    batches = Batches(Explanations(logs.get_logger("rpc"), system_randomness))
    batch = pb.BatchValidateTokensRequest(requests=[pb.ValidateTokenRequest(token=token) for token in tokens])
    return batches.work_off(batch, call, pb.BatchValidateTokensResponse, serve)
