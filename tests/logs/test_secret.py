"""Secrets that do not print, each way of showing them tried on a plain value as well."""

from __future__ import annotations

import base64
import copy
import io
import json
import logging
import pickle
import pprint
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import orjson
import pytest

from authsvc.logs import Secret, SecretBytes, SecretText
from tests.logs.canaries import RAW, TEXT, found

Shows = Callable[[Any], str | bytes]


@dataclass(frozen=True)
class _Holder:
    """What the secret types are there to replace."""

    value: object


def _printed(value: object) -> str:
    stream = io.StringIO()
    print(value, [value], file=stream)
    return stream.getvalue()


def _logged(value: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.handle(logging.LogRecord("x", logging.INFO, __file__, 1, "%s %r", (value, value), None))
    return stream.getvalue()


def _traced(value: object) -> str:
    try:
        raise KeyError(value)
    except KeyError:
        kind, fault, trace = sys.exc_info()
        assert kind
        assert fault
        return "".join(traceback.TracebackException(kind, fault, trace, capture_locals=True).format())


def _pickled(protocol: int, value: object) -> bytes:
    return pickle.dumps(value, protocol)


WAYS: dict[str, Shows] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "format spec": lambda value: f"{value!s:.40}|" + format(value, ".40"),
    "f-string": lambda value: f"{value} {value!r} {value!a}",
    "%s": lambda value: "%s %r" % (value, value),  # noqa: UP031 - as stdlib loggers do
    "str.format": lambda value: "{0} {0!r} {x}".format(value, x=value),  # noqa: UP032 - the method is the point
    "list": lambda value: repr([value, {"k": value}, (value,)]),
    "exception": lambda value: repr(ValueError(value)) + str(ValueError(value)),
    "json": lambda value: json.dumps(value, default=str),
    "json repr": lambda value: json.dumps({"k": value}, default=repr),
    "json vars": lambda value: json.dumps(value, default=vars),
    "orjson": lambda value: orjson.dumps(value, default=str),
    "pprint": pprint.pformat,
    "print": _printed,
    "bytes": bytes,
    "join": lambda value: "".join(2 * [value]),
    "bytes join": lambda value: b"".join([value]),
    "add": lambda value: value + value,
    "%b": lambda value: b"%b" % value,
    "vars": lambda value: repr(vars(value)),
    "items": lambda value: repr(list(value)),
    "state": lambda value: repr(value.__getstate__()),
    "reduce": lambda value: repr(value.__reduce_ex__(4)),
    "asdict": lambda value: repr(asdict(_Holder(value))),
    "deepcopy": lambda value: repr(copy.deepcopy([value])),
    "stdlib logging": _logged,
    "traceback with locals": _traced,
    **{f"pickle {protocol}": partial(_pickled, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
}


def _shown(show: Shows, value: object) -> str | bytes:
    """What can be read after trying: the result, or the error's text."""
    try:
        return show(value)
    except (TypeError, AttributeError, ValueError) as refused:
        return repr(refused)


@pytest.mark.parametrize("secret", [SecretText(TEXT), SecretBytes(RAW)], ids=["text", "bytes"])
@pytest.mark.parametrize("way", WAYS)
def test_never_shown(way: str, secret: SecretText | SecretBytes) -> None:
    """No way of showing a value shows a secret, raw, in base64, in hex or in parts."""
    assert not found(secret.reveal(), _shown(WAYS[way], secret))


@pytest.mark.parametrize("way", WAYS)
def test_control_plain_values_are_found(way: str) -> None:
    """The search finds the same canary in what the same way makes of a plain value or of a dataclass."""
    plain: list[tuple[str | bytes, object]] = [(TEXT, TEXT), (RAW, RAW), (TEXT, _Holder(TEXT)), (RAW, _Holder(RAW))]
    assert any(found(canary, _shown(WAYS[way], value)) for canary, value in plain)


DISGUISES: dict[str, Callable[[bytes], str | bytes]] = {
    "raw": bytes,
    "hex": bytes.hex,
    "HEX": lambda raw: raw.hex().upper(),
    "repr": repr,
    "numbers": lambda raw: repr(list(raw)),
    "part": lambda raw: raw[11:19],
    "base64": base64.b64encode,
    "base64 after one byte": lambda raw: base64.urlsafe_b64encode(b"x" + raw + b"y"),
    "base64 after two bytes": lambda raw: base64.encodebytes(b"xx" + raw + b"y"),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_control_the_search(disguise: str) -> None:
    """The search finds a canary in each disguise, and in none where there is none."""
    assert found(RAW, DISGUISES[disguise](RAW))
    assert not found(RAW, DISGUISES[disguise](bytes(32)))


def test_stars() -> None:
    """repr, str and format of a secret are `***`, whatever the format asks for."""
    for secret in (SecretText(TEXT), SecretBytes(RAW)):
        assert {repr(secret), str(secret), format(secret), f"{secret:>40}", f"{secret!r}"} == {"***"}


def test_reveal() -> None:
    """reveal() gives the value back, and is the only way to it."""
    assert SecretText(TEXT).reveal() == TEXT
    assert SecretBytes(RAW).reveal() == RAW


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_refuses_pickle(protocol: int) -> None:
    """A secret refuses to be pickled, alone or inside of something."""
    with pytest.raises(TypeError, match="SecretText does not pickle"):
        pickle.dumps(_Holder(SecretText(TEXT)), protocol)


def test_equal() -> None:
    """Secrets of one kind are equal when their values are, and equal to nothing else."""
    assert SecretText("a") == SecretText("a")
    assert hash(SecretText("a")) == hash(SecretText("a"))
    others: list[object] = [SecretText("b"), SecretText(""), SecretBytes(b"a"), "a", None]
    assert all(SecretText("a") != other for other in others)
    assert SecretText("\udc80") == SecretText("\udc80")


def test_does_not_change() -> None:
    """A secret keeps its value; copies are itself, so no second one is made in memory."""
    secret = SecretText(TEXT)
    with pytest.raises(AttributeError, match="does not change"):
        secret._hidden = "other"
    with pytest.raises(AttributeError, match="does not change"):
        del secret._hidden
    assert secret.reveal() == TEXT
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


@pytest.mark.parametrize(("kind", "value"), [(SecretText, RAW), (SecretBytes, TEXT), (SecretText, None)])
def test_wrong_type(kind: type[Secret[Any]], value: Any) -> None:
    """A value of the wrong type is refused without showing it."""
    with pytest.raises(TypeError, match=f"{kind.__name__} holds") as refused:
        kind(value)
    assert not found(RAW, str(refused.value))
    assert not found(TEXT, str(refused.value))
