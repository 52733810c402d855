"""The one table from errors to statuses: its rows as they are published, and what travels with each."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import resources
from typing import TypeVar

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from authsvc.errors import TEXTS, AuthError, CallerForbidden, Exhausted, InvalidRequest, NotFound, Reason, Violation
from authsvc.rpc.status import STATUS, internal_status, status_of

PUBLISHED = {
    "UNAUTHENTICATED": "CREDENTIAL_MISSING CREDENTIAL_INVALID",
    "PERMISSION_DENIED": """
        PERMISSION_MISSING APP_NOT_ALLOWED APP_SUSPENDED GUESTS_DISABLED ANONYMOUS_DISABLED
        PUBLIC_GUESTS_DISABLED SCOPE_NOT_PUBLIC NEVER_EXPIRES_NOT_ALLOWED GRANT_EXCEEDS_OWN
    """,
    "NOT_FOUND": "APP_NOT_FOUND KEY_NOT_FOUND SERVICE_ACCOUNT_NOT_FOUND CREDENTIAL_NOT_FOUND SERVICE_UNKNOWN",
    "INVALID_ARGUMENT": "INVALID_REQUEST TTL_TOO_LONG RESERVED_CLAIM TOKEN_TOO_LARGE",
    "FAILED_PRECONDITION": """
        REFRESH_TOKEN_INVALID REFRESH_TOKEN_EXPIRED REFRESH_TOKEN_REUSED SESSION_REVOKED KEY_NOT_READY
        CREDENTIAL_LIMIT
    """,
    "ALREADY_EXISTS": "APP_EXISTS SERVICE_ACCOUNT_EXISTS",
    "ABORTED": "CONFLICT",
    "RESOURCE_EXHAUSTED": "RATE_LIMITED OVERLOADED REQUEST_TOO_LARGE",
    "DEADLINE_EXCEEDED": "DEADLINE_TOO_SHORT DEADLINE_EXCEEDED",
    "UNIMPLEMENTED": "METHOD_UNKNOWN",
    "UNAVAILABLE": "STORE_UNAVAILABLE STALE DRAINING",
    "INTERNAL": "INTERNAL",
}
ROWS = {reason: status for status, reasons in PUBLISHED.items() for reason in reasons.split()}

D = TypeVar("D", bound=Message)


def decoded(status: grpc.Status) -> status_pb2.Status:
    """The status as it travels in the trailer."""
    ((name, value),) = status.trailing_metadata or ()
    assert name == "grpc-status-details-bin"
    return status_pb2.Status.FromString(value)


def details(status: grpc.Status, kind: type[D]) -> list[D]:
    """The details of that kind."""
    found = []
    for packed in decoded(status).details:
        detail = kind()
        if packed.Unpack(detail):
            found.append(detail)
    return found


def violations_of(status: grpc.Status) -> list[tuple[str, str]]:
    """The fields named and what is said of each."""
    (bad,) = details(status, error_details_pb2.BadRequest)
    return [(violation.field, violation.description) for violation in bad.field_violations]


def test_each_row_is_the_published_one() -> None:
    """Every reason has exactly the status that callers are told to expect."""
    assert {reason.value: status.name for reason, status in STATUS.items()} == ROWS


def test_no_reason_is_without_a_row_and_a_text() -> None:
    """A reason that exists can be sent."""
    assert set(STATUS) == set(Reason) == set(TEXTS)


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_carries_its_reason_twice(reason: Reason) -> None:
    """The reason stands in ErrorInfo under our domain and at the head of the message, beside its constant text."""
    status = status_of(AuthError(reason))
    (info,) = details(status, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason, dict(info.metadata)) == ("authsvc", reason.value, {})
    assert status.details == f"{reason.value}: {TEXTS[reason]}" == decoded(status).message
    assert status.code.name == ROWS[reason.value]
    assert status.code.value[0] == decoded(status).code


@pytest.mark.parametrize("reason", Reason)
def test_a_message_is_short_and_plain(reason: Reason) -> None:
    """A message has at most 200 bytes of printable ASCII, so no proxy and no percent-coding makes it longer."""
    message = status_of(AuthError(reason)).details
    assert len(message.encode()) <= 200
    assert re.fullmatch(r"[ -~]+", message)


def test_the_private_detail_stays_here() -> None:
    """What an error holds for the log is in no byte of the status."""
    status = status_of(NotFound(Reason.APP_NOT_FOUND, metadata={"code": "2"}, detail="canary-detail"))
    assert b"canary-detail" not in decoded(status).SerializeToString()
    (info,) = details(status, error_details_pb2.ErrorInfo)
    assert dict(info.metadata) == {"code": "2"}


def test_a_refusal_that_passes_with_time_says_when() -> None:
    """RetryInfo is there when the error knows a delay, and only then."""
    (retry,) = details(
        status_of(Exhausted(Reason.RATE_LIMITED, retry_after=timedelta(milliseconds=1500))),
        error_details_pb2.RetryInfo,
    )
    assert retry.retry_delay.ToTimedelta() == timedelta(milliseconds=1500)
    assert details(status_of(CallerForbidden(Reason.APP_SUSPENDED)), error_details_pb2.RetryInfo) == []


def test_all_violations_are_named_with_their_reasons() -> None:
    """BadRequest holds each fault with its field, its description and its reason, in the order they were found."""
    faults = [Violation("user.id", "must be set"), Violation("ttl", "is too long", Reason.TTL_TOO_LONG)]
    (bad,) = details(status_of(InvalidRequest(faults)), error_details_pb2.BadRequest)
    assert [(each.field, each.description, each.reason) for each in bad.field_violations] == [
        ("user.id", "must be set", "INVALID_REQUEST"),
        ("ttl", "is too long", "TTL_TOO_LONG"),
    ]


@pytest.mark.parametrize("count", [16, 17, 100])
def test_beyond_sixteen_violations_the_rest_is_counted(count: int) -> None:
    """At most 16 are named, then one entry says how many more there are."""
    found = violations_of(status_of(InvalidRequest([Violation(f"f{n}", "no") for n in range(count)])))
    assert found[:16] == [(f"f{n}", "no") for n in range(16)]
    assert found[16:] == ([("…", f"and {count - 16} more")] if count > 16 else [])


@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
@pytest.mark.parametrize("description", [10, 150, 1_000, 5_000])
def test_details_stay_within_4_kib(letter: str, description: int) -> None:
    """However many, long and wide the violations are, all details together have at most 4 KiB, none uncounted."""
    longest = max(Reason, key=len)
    faults = [Violation(letter * 3_000, "d" * description, longest) for _ in range(100)]
    error = InvalidRequest(faults)
    error.retry_after = timedelta(seconds=1)
    status = status_of(error)
    assert len(decoded(status).SerializeToString()) <= 4 * 1024
    found = violations_of(status)
    assert found[-1][1] == f"and {100 - (len(found) - 1)} more"


def test_an_unforeseen_error_says_its_id_and_nothing_else() -> None:
    """INTERNAL carries the id under which the log has more."""
    status = internal_status("0123456789abcdef")
    (info,) = details(status, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason, dict(info.metadata)) == ("authsvc", "INTERNAL", {"error_id": "0123456789abcdef"})
    assert status.code is grpc.StatusCode.INTERNAL
    assert status.details == "INTERNAL: an internal error; the log has more under error id 0123456789abcdef"


def statuses_in_comments() -> dict[str, set[str]]:
    """Each reason that the comments of the protos list below ``Errors:``, and the statuses it stands under."""
    shipped = resources.files("authsvc.v1").joinpath("descriptors.binpb").read_bytes()
    found: dict[str, set[str]] = {}
    for file in FileDescriptorSet.FromString(shipped).file:
        for location in file.source_code_info.location:
            status = ""
            for line in location.leading_comments.partition("Errors:")[2].splitlines():
                head, colon, rest = line.partition(":")
                status, listed = (head.strip(), rest) if colon and head.strip() in PUBLISHED else (status, line)
                for reason in re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", listed):
                    found.setdefault(reason, set()).add(status)
    return found


def test_the_protos_promise_the_same_statuses() -> None:
    """What a method's comment lists under a status is what the table sends."""
    found = statuses_in_comments()
    assert len(found) > 25, "the comments are read"
    assert found == {reason: {ROWS[reason]} for reason in found}
