"""How values are shown to people."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from authsvc.cli.durations import duration_words


def harmless(text: str) -> str:
    """The text with everything unprintable escaped: others choose names and claims, and a terminal obeys them."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def moment_words(moment: datetime, now: datetime) -> str:
    """``2026-11-20 23:47:01 UTC (in 59m)``."""
    at = moment.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return f"{at} UTC ({_distance(moment - now)})"


def timestamp_words(message: Message, field: str, now: datetime, *, unset: str = "-") -> str:
    """A Timestamp field of a message, or ``unset``."""
    if not message.HasField(field):
        return unset
    timestamp: Timestamp = getattr(message, field)
    return moment_words(timestamp.ToDatetime(UTC), now)


def struct_words(struct: Struct) -> str:
    """A Struct as JSON on one line."""
    return json.dumps(whole_numbers(MessageToDict(struct)))


def whole_numbers(value: Any) -> Any:
    """JSON in which whole numbers are whole again: a Struct makes 1 into 1.0."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: whole_numbers(item) for name, item in value.items()}
        case list():
            return [whole_numbers(item) for item in value]
    return value


def enum_word(message: Message, field: str) -> str:
    """The name of an enum field's value without the enum's prefix; its number where a newer server knows more."""
    number = getattr(message, field)
    return enum_names(cast(FieldDescriptor, message.DESCRIPTOR.fields_by_name[field])).get(number, str(number))


def enum_names(field: FieldDescriptor) -> dict[int, str]:
    """The values of an enum field by number, without the prefix that proto names need."""
    assert field.enum_type is not None
    names = {value.number: value.name for value in field.enum_type.values}
    prefix = names[0].removesuffix("UNSPECIFIED")
    return {number: name.removeprefix(prefix) for number, name in names.items()}


def yes_or_no(value: bool) -> str:
    """``yes`` or ``no``."""
    return "yes" if value else "no"


def _distance(ahead: timedelta) -> str:
    if abs(ahead) < timedelta(seconds=1):
        return "now"
    return f"in {_roughly(ahead)}" if ahead > timedelta(0) else f"{_roughly(-ahead)} ago"


def _roughly(span: timedelta) -> str:
    """Two units at most: nobody asks for the seconds of a fortnight."""
    for unit in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)):
        if span >= unit:
            finer = unit / (24 if unit.days else 60)
            return duration_words(span // finer * finer)
    return duration_words(span)
