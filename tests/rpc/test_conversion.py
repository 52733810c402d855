"""Tokens over the wire: every field there and back, the alternatives, what is present and what is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from authsvc.model import TokenStatus
from authsvc.rpc.convert import UNSET, issue_request, mapping_of, validate_response
from authsvc.v1 import auth_pb2 as pb
from authsvc.verify.verdict import Verdict
from tests.conftest import RunningServer
from tests.refusals import refusal_of

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

NESTED = {
    "text": "täxt €😀",
    "number": 7,
    "fraction": 0.5,
    "negative": -3,
    "largest": 2**53 - 1,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [1, "two", False, None, [3.25], {"deep": {"deeper": ["deepest"]}}],
    "object": {"empty list": [], "empty": {}},
}


def struct(members: Mapping[str, Any]) -> Struct:
    """A Struct with those members."""
    made = Struct()
    made.update(members)
    return made


def everything() -> pb.IssueTokenRequest:
    """A request that says all that a user's token can say."""
    return pb.IssueTokenRequest(
        api_key="dev",
        user=pb.User(
            id="sara@example",
            role="admin",
            name="Sara Söderström",
            image="https://example/sara.png",
            custom=struct(NESTED),
        ),
        scope=pb.TokenScope(call_cids=["default:a", "default:b"], channel_cids=["messaging:c"]),
        ttl=Duration(seconds=600),
        refreshable=True,
        audience=["video", "chat"],
        custom_claims=struct({"plan": "gold", "limits": NESTED}),
        request_id="A" * 22,
    )


def for_sara(**more: Any) -> pb.IssueTokenRequest:
    """A request for a user's token."""
    return pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"), **more)


def issue(server: RunningServer, request: pb.IssueTokenRequest) -> pb.IssueTokenResponse:
    """Issue."""
    return server.auth().IssueToken(request, metadata=server.metadata)


def validate(server: RunningServer, token: str, **asked: Any) -> pb.ValidateTokenResponse:
    """Validate."""
    request = pb.ValidateTokenRequest(api_key="dev", token=token, **asked)
    return server.auth().ValidateToken(request, metadata=server.metadata)


def test_what_was_asked_for_is_what_the_token_says(server: RunningServer) -> None:
    """Every field of TokenInfo is filled, with the caller's own values and those that were made here."""
    request = everything()
    issued = issue(server, request)
    made = issued.info
    assert re.fullmatch(r"[A-Za-z0-9_-]{27}", made.token_id)
    assert re.fullmatch(UUID, made.session_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", made.key_id)
    assert made == pb.TokenInfo(
        token_id=made.token_id,
        session_id=made.session_id,
        api_key="dev",
        kind=pb.TOKEN_KIND_USER,
        user=request.user,
        scope=request.scope,
        audience=request.audience,
        issued_at=Timestamp(seconds=SECONDS - 5),
        expires_at=Timestamp(seconds=SECONDS + 600),
        key_id=made.key_id,
        algorithm="ES256",
        issuer="authsvc",
        custom_claims=request.custom_claims,
    )
    assert not [
        field.name for field in made.DESCRIPTOR.fields if field.name not in {f.name for f, _ in made.ListFields()}
    ]


def test_validating_reads_back_what_issuing_said(server: RunningServer) -> None:
    """The same info, nested values included, from the token's own text."""
    issued = issue(server, everything())
    answer = validate(server, issued.token, call_cid="default:a", audience="video")
    assert (answer.active, answer.status, answer.error_code) == (True, pb.TOKEN_STATUS_ACTIVE, 0)
    assert answer.info == issued.info


def test_refreshing_says_the_same_of_a_new_token(server: RunningServer) -> None:
    """All but the token's id and times, which are new; the refresh token and its end come with it."""
    issued = issue(server, everything())
    server.clock.move(seconds=60)
    request = pb.RefreshTokenRequest(refresh_token=issued.refresh_token)
    refreshed = server.auth().RefreshToken(request, metadata=server.metadata)
    expected = pb.TokenInfo()
    expected.CopyFrom(issued.info)
    expected.token_id = refreshed.info.token_id
    expected.issued_at.seconds += 60
    expected.expires_at.seconds += 60
    assert refreshed.info == expected
    assert refreshed.info.token_id != issued.info.token_id
    assert refreshed.outcome == pb.REFRESH_OUTCOME_ROTATED
    assert refreshed.refresh_token not in ("", issued.refresh_token)
    assert validate(server, refreshed.token, call_cid="default:b", audience="chat").info == refreshed.info


def test_what_a_refresh_asks_for_is_what_its_token_says(server: RunningServer) -> None:
    """A shorter life, other data about the same user and a smaller scope: each alone is told, and only for itself."""
    issued = issue(server, everything())
    request = pb.RefreshTokenRequest(
        refresh_token=issued.refresh_token,
        ttl=Duration(seconds=60),
        user=pb.User(role="viewer", name="S.", custom=struct({"new": [1]})),
        scope=pb.TokenScope(call_cids=["default:b"]),
    )
    refreshed = server.auth().RefreshToken(request, metadata=server.metadata)
    expected = pb.TokenInfo()
    expected.CopyFrom(issued.info)
    expected.token_id = refreshed.info.token_id
    expected.expires_at.seconds = SECONDS + 60
    expected.user.CopyFrom(pb.User(id="sara@example", role="viewer", name="S.", custom=struct({"new": [1]})))
    expected.scope.CopyFrom(pb.TokenScope(call_cids=["default:b"]))
    assert refreshed.info == expected


@pytest.mark.parametrize("changed", [{"ttl": Duration()}, {"scope": pb.TokenScope()}], ids=["ttl", "scope"])
def test_a_change_that_is_present_but_empty_is_refused(server: RunningServer, changed: dict[str, Any]) -> None:
    """It is told from one that is absent."""
    issued = issue(server, everything())
    request = pb.RefreshTokenRequest(refresh_token=issued.refresh_token, **changed)
    refusal = refusal_of(lambda: server.auth().RefreshToken(request, metadata=server.metadata))
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, tuple(changed))


def test_the_end_of_a_session_is_told_to_the_microsecond(server: RunningServer) -> None:
    """`refresh_expires_at` is the session's idle end: two weeks from now by default, and it moves with each refresh."""
    issued = issue(server, everything())
    assert issued.refresh_expires_at.ToDatetime(UTC) == datetime(2026, 12, 4, 12, 0, 0, 123456, tzinfo=UTC)
    server.clock.move(seconds=60)
    request = pb.RefreshTokenRequest(refresh_token=issued.refresh_token)
    refreshed = server.auth().RefreshToken(request, metadata=server.metadata)
    assert refreshed.refresh_expires_at.ToDatetime(UTC) == datetime(2026, 12, 4, 12, 1, 0, 123456, tzinfo=UTC)


def test_what_was_not_asked_for_is_not_there(server: RunningServer) -> None:
    """Fields that say nothing are unset, so that a caller can tell none from empty."""
    issued = issue(server, for_sara())
    assert {field.name for field, _ in issued.info.ListFields()} == {
        *("token_id", "api_key", "kind", "user", "issued_at", "expires_at", "key_id", "algorithm", "issuer"),
    }
    assert {field.name for field, _ in issued.info.user.ListFields()} == {"id"}
    assert {field.name for field, _ in issued.ListFields()} == {"token", "info"}


@pytest.mark.parametrize(
    ("request_message", "kind", "user"),
    [
        (pb.IssueTokenRequest(user=pb.User(id="sara")), pb.TOKEN_KIND_USER, r"sara"),
        (pb.IssueTokenRequest(guest=pb.Guest(id_hint="visitor")), pb.TOKEN_KIND_GUEST, rf"guest-{UUID}-visitor"),
        (pb.IssueTokenRequest(guest=pb.Guest()), pb.TOKEN_KIND_GUEST, rf"guest-{UUID}"),
        (
            pb.IssueTokenRequest(anonymous=pb.Anonymous(), scope=pb.TokenScope(call_cids=["default:a"])),
            pb.TOKEN_KIND_ANONYMOUS,
            r"!anon",
        ),
    ],
    ids=["user", "guest with a hint", "guest", "anonymous"],
)
def test_each_subject_is_told_from_the_others(
    server: RunningServer, request_message: pb.IssueTokenRequest, kind: pb.TokenKind.ValueType, user: str
) -> None:
    """A user, a guest or an anonymous visitor: the one that is set, also when it is set and empty."""
    request_message.api_key = "dev"
    issued = issue(server, request_message)
    assert issued.info.kind == kind
    assert re.fullmatch(user, issued.info.user.id)
    assert validate(server, issued.token, call_cid="default:a").info == issued.info


@pytest.mark.parametrize(
    ("lifetime", "expires_at"),
    [
        ({}, SECONDS + 3600),
        ({"ttl": Duration(seconds=1)}, SECONDS + 1),
        ({"expires_at": Timestamp(seconds=SECONDS + 86_400)}, SECONDS + 86_400),
        ({"never_expires": True}, None),
    ],
    ids=["none", "ttl", "expires_at", "never_expires"],
)
def test_each_lifetime_is_told_from_the_others(
    server: RunningServer, lifetime: dict[str, Any], expires_at: int | None
) -> None:
    """A duration, a moment, for ever, or the app's default; a token without an end has none in its info."""
    server.new_app("lasting", allow_never_expires=True)
    issued = issue(server, pb.IssueTokenRequest(api_key="lasting", user=pb.User(id="sara"), **lifetime))
    assert issued.info.HasField("expires_at") is (expires_at is not None)
    assert issued.info.expires_at.seconds == (expires_at or 0)


REFUSED: dict[str, tuple[Any, str]] = {
    "no subject": (pb.IssueTokenRequest(api_key="dev"), "subject"),
    "never, but false": (
        for_sara(never_expires=False),
        "never_expires",
    ),
    "an empty duration": (for_sara(ttl=Duration()), "ttl"),
    "a fraction": (for_sara(ttl=Duration(nanos=1)), "ttl"),
    "an empty moment": (
        for_sara(expires_at=Timestamp()),
        "expires_at",
    ),
    "an empty scope": (for_sara(scope=pb.TokenScope()), "scope"),
    "no revision to issue after": (
        for_sara(after_revision=-1),
        "after_revision",
    ),
    "an empty call": (pb.ValidateTokenRequest(api_key="dev", token="x", call_cid=""), "call_cid"),
    "an empty channel": (pb.ValidateTokenRequest(api_key="dev", token="x", channel_cid=""), "channel_cid"),
    "an empty audience": (pb.ValidateTokenRequest(api_key="dev", token="x", audience=""), "audience"),
    "no roles": (pb.ValidateTokenRequest(api_key="dev", token="x", roles=pb.RoleCheck()), "roles"),
    "a consistency of tomorrow": (
        pb.ValidateTokenRequest.FromString(b"\x0a\x03dev\x12\x01x\x38\x63"),
        "consistency",
    ),
    "no revision": (pb.ValidateTokenRequest(api_key="dev", token="x", after_revision=-1), "after_revision"),
    "no refresh token": (pb.RefreshTokenRequest(), "refresh_token"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_present_is_judged_also_when_it_is_empty(server: RunningServer, kind: str) -> None:
    """Present but empty is a fault of its field, and so is what this version does not act on."""
    request, field = REFUSED[kind]
    auth = server.auth()
    methods: dict[type, Callable[..., object]] = {
        pb.IssueTokenRequest: auth.IssueToken,
        pb.ValidateTokenRequest: auth.ValidateToken,
        pb.RefreshTokenRequest: auth.RefreshToken,
    }
    method = methods[type(request)]
    refusal = refusal_of(lambda: method(request, metadata=server.metadata))
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))


@pytest.mark.parametrize("consistency", [pb.CONSISTENCY_UNSPECIFIED, pb.CONSISTENCY_CACHED])
def test_the_default_consistency_may_be_spelled_out(
    server: RunningServer, consistency: pb.Consistency.ValueType
) -> None:
    """CACHED said aloud is what nothing said means."""
    token = issue(server, for_sara()).token
    assert validate(server, token, consistency=consistency).active


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, pb.TOKEN_STATUS_SCOPE_DENIED),
        ({"call_cid": "default:a"}, pb.TOKEN_STATUS_ACTIVE),
        ({"call_cid": "default:x"}, pb.TOKEN_STATUS_SCOPE_DENIED),
        ({"channel_cid": "messaging:c"}, pb.TOKEN_STATUS_ACTIVE),
        ({"call_cid": "default:a", "channel_cid": "messaging:x"}, pb.TOKEN_STATUS_SCOPE_DENIED),
        ({"call_cid": "default:a", "roles": pb.RoleCheck(any_of=["viewer", "admin"])}, pb.TOKEN_STATUS_ACTIVE),
        ({"call_cid": "default:a", "roles": pb.RoleCheck(any_of=["viewer"])}, pb.TOKEN_STATUS_ROLE_DENIED),
        ({"call_cid": "default:a", "audience": "mail"}, pb.TOKEN_STATUS_AUDIENCE_MISMATCH),
    ],
)
def test_each_question_reaches_the_check(
    server: RunningServer, asked: dict[str, Any], status: pb.TokenStatus.ValueType
) -> None:
    """Call, channel, audience and roles are asked as the request says, and the info is there whatever the answer."""
    issued = issue(server, everything())
    answer = validate(server, issued.token, **{"audience": "video", **asked})
    assert (answer.status, answer.active) == (status, status == pb.TOKEN_STATUS_ACTIVE)
    assert answer.info == issued.info


@pytest.mark.parametrize("kept", [-4, 100, 0])
def test_a_token_that_was_not_verified_has_no_info(server: RunningServer, kept: int) -> None:
    """Nothing that stands in a bad token is repeated as if it were known."""
    issued = issue(server, everything())
    answer = validate(server, issued.token[:kept], call_cid="default:a")
    assert not answer.active
    assert not answer.HasField("info")


# What a caller sees for each status: its number, the code that clients switch on.
ANSWERS = {
    "ACTIVE": (1, 0), "EXPIRED": (2, 40), "NOT_YET_VALID": (3, 41), "ISSUED_IN_FUTURE": (4, 42),
    "SIGNATURE_INVALID": (5, 43), "MALFORMED": (6, 5), "KEY_UNKNOWN": (7, 43), "KEY_REVOKED": (8, 40),
    "ALGORITHM_MISMATCH": (9, 43), "WRONG_TYPE": (10, 5), "ISSUER_MISMATCH": (11, 5), "AUDIENCE_MISMATCH": (12, 17),
    "CLAIM_INVALID": (13, 5), "REVOKED": (14, 40), "SESSION_REVOKED": (15, 40), "DEVELOPMENT_TOKENS_DISABLED": (16, 43),
    "SCOPE_DENIED": (17, 17), "ROLE_DENIED": (18, 17), "APP_SUSPENDED": (19, 99),
}  # fmt: skip


def test_each_verdict_has_its_published_numbers() -> None:
    """Status and error code are those that clients switch on, with a sentence that is safe to show."""
    answers = {status.value: validate_response(Verdict(status)) for status in TokenStatus}
    assert {name: (int(answer.status), answer.error_code) for name, answer in answers.items()} == ANSWERS
    assert [name for name, answer in answers.items() if answer.active] == ["ACTIVE"]
    assert [name for name, answer in answers.items() if not re.fullmatch(r"[ -~]{10,100}", answer.message)] == []


def test_a_struct_is_decoded_as_it_is() -> None:
    """Numbers stay floats, null is None, and a value without a kind is none of JSON's values."""
    raw = Struct()
    raw.update({"n": 1, "none": None, "list": [True, {"x": "y"}]})
    raw.fields["unset"].SetInParent()
    decoded = mapping_of(raw)
    assert decoded == {"n": 1.0, "none": None, "list": [True, {"x": "y"}], "unset": UNSET}
    assert type(decoded["n"]) is float


def test_decoding_judges_nothing() -> None:
    """A request of nothing becomes a value of nothing: the rules name what is missing, all at once."""
    decoded = issue_request(pb.IssueTokenRequest())
    assert (decoded.api_key, decoded.subject, decoded.scope, decoded.lifetime, decoded.custom_claims) == (
        *("", None, None, None, None),
    )
