"""What an event says of a field: by its name, and by the type of its value."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest

from authsvc.logs import FIELDS, Logger, SecretBytes, SecretText
from tests.logs.canaries import RAW, TEXT
from tests.logs.keeping import Keeping, system


class Reason(StrEnum):
    STALE = "STALE_VIEW"


class Code(Enum):
    OK = (0, "ok")


class Number(IntEnum):
    ONE = 1


class TokenText(str):
    """A text of someone's own type."""

    __slots__ = ()


class Hostile:
    """Fails, or tells, whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError(TEXT)

    __str__ = __repr__

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError(TEXT)


class Meta(type):
    """Classes that cannot be looked up."""

    __hash__ = None  # type: ignore[assignment]


class Unhashable(metaclass=Meta):
    pass


@pytest.fixture
def sink() -> Keeping:
    return Keeping()


@pytest.fixture
def log(sink: Keeping) -> Logger:
    return system(sink).get_logger("rpc")


VALUES: list[tuple[Any, Any]] = [
    # as they are
    ("text", "text"),
    ("", ""),
    ("x" * 512, "x" * 512),
    (7, 7),
    (-(2**63), -(2**63)),
    (0.25, 0.25),
    (True, True),
    (None, None),
    # as text
    (Reason.STALE, "STALE_VIEW"),
    (Code.OK, "OK"),
    (Number.ONE, "ONE"),
    (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    # bounded
    ("x" * 513, "x" * 512 + "..."),
    (2**63, "int"),
    (10**5000, "int"),
    (float("nan"), "nan"),
    (float("-inf"), "-inf"),
    # by the name of the class alone
    (ValueError(TEXT), "ValueError"),
    (ExceptionGroup(TEXT, [KeyError(TEXT)]), "ExceptionGroup"),
    (KeyError, "KeyError"),
    (TokenText("text"), "TokenText"),
    ([1], "list"),
    ({"a": 1}, "dict"),
    (Hostile(), "Hostile"),
    # not at all
    (b"bytes", "***"),
    (bytearray(b"bytes"), "***"),
    (memoryview(b"bytes"), "***"),
    (SecretText("text"), "***"),
    (SecretBytes(b"bytes"), "***"),
    (Unhashable(), "***"),
]


def _numbered(rows: list[tuple[Any, Any]]) -> list[str]:
    return [f"{type(value).__name__} {number}" for number, (value, _) in enumerate(rows)]


@pytest.mark.parametrize(("value", "shown"), VALUES, ids=_numbered(VALUES))
def test_values(log: Logger, sink: Keeping, value: Any, shown: Any) -> None:
    """An allowed field shows plain values, an exception's class, an object's type, `***` for bytes and secrets."""
    log.bind(target=value).info("x", setting=value)
    assert sink.event == {"target": shown, "setting": shown}
    assert {type(each) for each in sink.event.values()} == {type(shown)}


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_allowed(log: Logger, sink: Keeping, name: str) -> None:
    """A field on the list is written with its value."""
    given: dict[str, Any] = {name: "text"}
    log.info("x", **given)
    assert sink.event == {name: "text"}


def test_completion_line() -> None:
    """The fields of a call's completion line are on the list."""
    line = {"method", "code", "reason", "duration_ms", "principal", "app", "trace_id", "peer", "error_id"}
    assert line < FIELDS


@pytest.mark.parametrize("value", ["text", 7, None, b"x", SecretText("x"), ValueError("x")], ids=repr)
def test_not_allowed(log: Logger, sink: Keeping, value: Any) -> None:
    """A field that is not on the list is written as its name and `***`, whatever its value."""
    log.bind(password=value).info("x", refresh_token=value)
    assert sink.event == {"password": "***", "refresh_token": "***"}


@pytest.mark.parametrize("name", [TEXT, RAW.hex(), "a" * 25, "Field", "a-b", "1a", "", "a\n", "\u0430pp"])
def test_names(log: Logger, sink: Keeping, name: str) -> None:
    """A name that cannot come from our code is hidden as well."""
    given: dict[str, Any] = {name: 1}
    log.info("x", **given)
    assert sink.event == {"***": "***"}


@pytest.mark.parametrize(
    "start", ["eyJhbGciOiJFUzI1NiJ9.", "art1_", "ask1_account_", "Bearer ", "-----BEGIN PRIVATE KEY-----"]
)
def test_credentials_in_the_wrong_place(log: Logger, sink: Keeping, start: str) -> None:
    """A text that begins like a credential is hidden in an allowed field and in the message, too."""
    log.info(start + TEXT, user_id=start + TEXT, kid="key_" + TEXT)
    [(_, message, event)] = sink.calls
    assert (message, event["user_id"], event["kid"]) == ("***", "***", "key_" + TEXT)


@pytest.mark.parametrize(
    ("message", "shown"), [(b"x", "***"), (SecretText("x"), "***"), (ValueError("x"), "ValueError"), (7, "7")]
)
def test_message(log: Logger, sink: Keeping, message: Any, shown: str) -> None:
    """A message that is no text is shown as a field's value is, as text."""
    log.info(message)
    assert sink.messages == [shown]


def test_loggers_keep_no_secret(log: Logger) -> None:
    """A bound value that will not be shown is not kept either, and a logger's repr shows names alone."""
    bound = log.bind(password="p4ssw0rd", app="shown").with_tags("t")
    assert bound._context == {"password": "***", "app": "shown"}
    assert repr(bound) == "<Logger rpc tags=['t'] fields=['password', 'app']>"
