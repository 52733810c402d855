"""Canaries through every way into a line and every sink."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from authsvc.logs import Console, JsonLines, Logger, LoggerSystem, SecretBytes, SecretText, SentrySink
from tests.logs.canaries import RAW, TEXT, found
from tests.logs.keeping import NOW


class Careless:
    """Tells its secret to whoever asks for its text."""

    def __init__(self, secret: object) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"Careless({self.secret!r})"

    __str__ = __repr__

    def __call__(self, *_args: Any) -> None:
        raise OSError(self.secret)


def _fields(name: str, value: object) -> dict[str, Any]:
    return {name: value}


WAYS: dict[str, Callable[[Logger], object]] = {
    "field not allowed": lambda log: log.error("x", token=TEXT),
    "field not allowed, bytes": lambda log: log.error("x", key=RAW),
    "field not allowed, inside": lambda log: log.error("x", request={"token": TEXT, "key": [RAW]}),
    "bound field": lambda log: log.bind(token=TEXT).error("x", kid="k"),
    "secret in an allowed field": lambda log: log.error("x", target=SecretText(TEXT), kid=SecretBytes(RAW)),
    "bytes in an allowed field": lambda log: log.error("x", kid=RAW, target=bytearray(RAW)),
    "object in an allowed field": lambda log: log.error("x", target=Careless(TEXT)),
    "container in an allowed field": lambda log: log.error("x", target=[TEXT], kid={"k": RAW}),
    "exception": lambda log: log.error("x", exception=ValueError(TEXT, RAW)),
    "exception with a cause": lambda log: log.error("x", exception=_caused()),
    "exc_info": lambda log: log.error("x", exc_info=ValueError(TEXT)),
    "tag": lambda log: log.with_tags(SecretText(TEXT)).error("x"),  # type: ignore[arg-type]
    "tag, bytes": lambda log: log.with_tags(RAW).error("x"),  # type: ignore[arg-type]
    "message of a secret": lambda log: log.error(f"x {SecretText(TEXT)} {SecretBytes(RAW)!r}"),
    "message, a secret": lambda log: log.error(SecretText(TEXT)),  # type: ignore[arg-type]
    "message, an exception": lambda log: log.error(ValueError(TEXT)),  # type: ignore[arg-type]
    "message, a token": lambda log: log.error(f"art1_{TEXT}"),
    "name of a field": lambda log: log.error("x", **_fields(TEXT, 1), **_fields(RAW.hex(), 1)),
    "refresh token as a user id": lambda log: log.error("x", user_id=f"art1_{TEXT}"),
    "credential as a principal": lambda log: log.error("x", principal=f"ask1_a_{TEXT}"),
    "access token as a key id": lambda log: log.error("x", kid=f"eyJhbGciOiJFUzI1NiJ9.{TEXT}.{TEXT}"),
    "part of the heading": lambda log: log.error("x", at=TEXT, scope=TEXT, level=TEXT, tags=[TEXT]),
}


def _caused() -> ValueError:
    fault = ValueError("x")
    fault.__cause__ = KeyError(TEXT)
    fault.add_note(TEXT)
    return fault


def _everything_written(write: Callable[[Logger], object]) -> bytes:
    """All that each sink puts out, at trace, for what `write` logs; and the loggers' own repr."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    sentry: list[object] = []
    loggers = []
    for sink in (JsonLines(stream), Console(stream), SentrySink(sentry.append), Careless(TEXT)):
        logs = LoggerSystem(["rpc"], clock=lambda: NOW, built_in=JsonLines(stream))
        logs.configure_loggers({"default": {"level": "trace", "sink": sink}})
        loggers.append(logs.get_logger("rpc"))
        write(loggers[-1])
    assert isinstance(stream.buffer, io.BytesIO)
    assert len(stream.buffer.getvalue().splitlines()) == 3, "JSON, console, and the report of the careless sink"
    assert len(sentry) == 1
    return stream.buffer.getvalue() + repr((sentry, loggers)).encode()


@pytest.mark.parametrize("way", WAYS)
def test_never_written(way: str) -> None:
    """No way into a line brings a canary out, raw, in base64, in hex or in parts."""
    written = _everything_written(WAYS[way])
    assert not found(TEXT, written)
    assert not found(RAW, written)


@pytest.mark.parametrize(
    "write",
    [
        lambda log: log.error("x", target=TEXT),
        lambda log: log.error("x", target=RAW.hex()),
        lambda log: log.bind(kid=TEXT).error("x"),
        lambda log: log.with_tags(TEXT).error("x"),
        lambda log: log.error(f"x {TEXT}"),
    ],
    ids=["field", "hex", "bound", "tag", "message"],
)
def test_control_what_is_written_is_found(write: Callable[[Logger], object]) -> None:
    """The same search over the same output finds a canary that was let in by an allowed way."""
    written = _everything_written(write)
    assert found(TEXT, written) or found(RAW, written)
