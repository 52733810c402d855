"""An event as one line of ASCII JSON, whatever it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from authsvc.logs.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    Encoder: TypeAlias = Callable[[dict[str, Any]], bytes]


def line_encoder() -> Encoder:
    """The encoder of lines: orjson where it is installed: this package asks for no more than structlog.

    Control characters and everything beyond ASCII are escaped, so that no reader of lines and no
    terminal takes a part of a value for a new line or a command. Never raises for a value.
    """
    try:
        import orjson  # noqa: PLC0415 - where it is installed
    except ImportError:
        return standard_line
    dumps = orjson.dumps
    # Without the first three it would write the insides of any dataclass or text type it is given.
    options = (
        orjson.OPT_PASSTHROUGH_DATACLASS
        | orjson.OPT_PASSTHROUGH_DATETIME
        | orjson.OPT_PASSTHROUGH_SUBCLASS
        | orjson.OPT_APPEND_NEWLINE
    )

    def fast_line(record: dict[str, Any]) -> bytes:
        try:
            line = dumps(record, shown, options)
        except TypeError:  # what it cannot encode, such as half a surrogate pair
            return standard_line(record)
        return line.replace(b"\x7f", rb"\u007f") if line.isascii() else standard_line(record)

    return fast_line


def standard_line(record: dict[str, Any]) -> bytes:
    """The line by the standard library: slower, and for any value at all."""
    plain = {str(shown(name)): _plain(value) for name, value in record.items()}
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _plain(value: Any) -> object:
    return [shown(item) for item in value] if type(value) in (list, tuple) else shown(value)
