"""The error tree: a stable reason, a constant safe text, a private detail."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from authsvc.errors import (
    TEXTS,
    AuthError,
    CallerForbidden,
    Conflict,
    Faults,
    InvalidRequest,
    KeyNotReady,
    MethodUnknown,
    Reason,
    RefreshRefused,
    Unavailable,
    Violation,
)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_its_own_name(reason: Reason) -> None:
    """Callers switch on a reason's text, so it is its name, in capitals."""
    assert reason.value == reason.name
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", reason.value)


def test_every_reason_has_one_text_of_its_own() -> None:
    """No reason is without a text, no two share one, and none is added at run time."""
    assert TEXTS.keys() == set(Reason)
    assert len(set(TEXTS.values())) == len(Reason)
    with pytest.raises(TypeError):
        TEXTS[Reason.INTERNAL] = "something else"  # type: ignore[index]


@pytest.mark.parametrize("reason", Reason)
def test_a_text_is_one_short_plain_sentence(reason: Reason) -> None:
    """With its reason before it a text fits the 200 bytes a message may have; it is ASCII on one line."""
    text = TEXTS[reason]
    assert len(f"{reason}: {text}".encode()) <= 200
    assert text.isascii()
    assert text.isprintable()
    assert text[0].islower()
    assert not text.endswith(".")


@pytest.mark.parametrize("reason", Reason)
def test_an_error_says_its_reason_and_its_text(reason: Reason) -> None:
    """Whatever is given for the log, what is shown are the reason and the constant text."""
    error = AuthError(reason, detail="eyJhbGciOiJub25lIn0 secret")
    assert (str(error), error.text) == (reason.value, TEXTS[reason])
    assert "secret" not in f"{error} {error!r} {error.text} {dict(error.metadata)}"
    assert error.detail == "eyJhbGciOiJub25lIn0 secret"


def test_what_an_error_carries() -> None:
    """Metadata and the time to come back are there when they were given, and empty otherwise."""
    plain, full = (
        AuthError(Reason.STALE),
        AuthError(Reason.STALE, metadata={"code": "2"}, retry_after=timedelta(seconds=1)),
    )
    assert (dict(plain.metadata), plain.retry_after, plain.detail) == ({}, None, "")
    assert (dict(full.metadata), full.retry_after) == ({"code": "2"}, timedelta(seconds=1))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyNotReady(), Reason.KEY_NOT_READY),
        (Conflict(), Reason.CONFLICT),
        (MethodUnknown(), Reason.METHOD_UNKNOWN),
        (CallerForbidden(Reason.APP_SUSPENDED), Reason.APP_SUSPENDED),
        (RefreshRefused(Reason.SESSION_REVOKED), Reason.SESSION_REVOKED),
        (Unavailable(Reason.DRAINING), Reason.DRAINING),
    ],
)
def test_every_error_is_of_one_tree(error: AuthError, reason: Reason) -> None:
    """Whoever catches the root catches them all, and each knows its reason."""
    assert isinstance(error, AuthError)
    assert error.reason is reason


INVALID, RESERVED, LONG = Reason.INVALID_REQUEST, Reason.RESERVED_CLAIM, Reason.TTL_TOO_LONG


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([INVALID], INVALID),
        ([RESERVED], RESERVED),
        ([RESERVED, RESERVED], RESERVED),
        ([LONG], LONG),
        ([LONG, RESERVED], INVALID),
        ([INVALID, RESERVED], INVALID),
    ],
)
def test_the_reason_of_several_faults(reasons: list[Reason], expected: Reason) -> None:
    """An invalid request has the reason that all its faults share, and INVALID_REQUEST where they share none."""
    error = InvalidRequest([Violation(f"field{number}", "is wrong", reason) for number, reason in enumerate(reasons)])
    assert error.reason is expected
    assert [violation.reason for violation in error.violations] == reasons


def test_an_invalid_request_names_what_is_wrong() -> None:
    """Without a fault there is nothing to refuse."""
    with pytest.raises(ValueError, match="at least one"):
        InvalidRequest([])


def test_faults_are_collected_and_told_together() -> None:
    """Noting refuses nothing; asking refuses with everything noted, in order, and with nothing when there is none."""
    faults = Faults()
    faults.refuse_any()
    faults.add("user.id", "must be set")
    faults.add("ttl", "is too long", LONG)
    with pytest.raises(InvalidRequest) as refused:
        faults.refuse_any()
    assert refused.value.violations == (Violation("user.id", "must be set"), Violation("ttl", "is too long", LONG))
