"""Settings of an app as ``NAME=VALUE``: read by the type that the contract gives each, and shown in the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration

from authsvc.cli.durations import duration_words, read_duration
from authsvc.cli.words import enum_names
from authsvc.v1.admin_pb2 import AppSettings

# Where the name that people know (RFC 8037, RFC 9068) is more than that of the proto without its prefix.
SPELLINGS: Mapping[str, str] = MappingProxyType({"EDDSA": "EdDSA", "CLASSIC": "classic", "AT_JWT": "at+jwt"})
_FIELDS: Mapping[str, FieldDescriptor] = AppSettings.DESCRIPTOR.fields_by_name
_TRUTHS = MappingProxyType({"true": True, "false": False})


def read_settings(assignments: Sequence[str]) -> tuple[AppSettings, list[str]]:
    """The settings, and the names that were given: those with an empty value go back to their default.

    Raises ``ValueError`` with a sentence about the first that is wrong.
    """
    settings, names = AppSettings(), list[str]()
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"{assignment!r} is not NAME=VALUE, such as max_ttl=12h")
        if name in names:
            raise ValueError(f"{name} is given twice")
        _set(settings, _field(name), text)
        names.append(name)
    return settings, names


def setting_words(settings: AppSettings) -> list[tuple[str, str]]:
    """Each setting and its value, as ``--set`` takes them but for what is unset: ``-``."""
    return [(name, _words(settings, field)) for name, field in _FIELDS.items()]


def _field(name: str) -> FieldDescriptor:
    if name in _FIELDS:
        return _FIELDS[name]
    near = get_close_matches(name, _FIELDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_FIELDS)}"
    raise ValueError(f"no setting is called {name!r}: {hint}")


def _set(settings: AppSettings, field: FieldDescriptor, text: str) -> None:
    if not text:
        return  # named without a value: its default
    try:
        value = _reader(field)(text)
    except ValueError as fault:
        raise ValueError(f"{field.name}: {fault}") from None
    if field.is_repeated:
        getattr(settings, field.name).extend(value)
    elif field.message_type is not None:
        getattr(settings, field.name).CopyFrom(value)
    else:
        setattr(settings, field.name, value)


def _reader(field: FieldDescriptor) -> Callable[[str], Any]:
    if field.is_repeated:
        return _read_list
    if field.message_type is not None:
        return _read_duration
    if field.enum_type is not None:
        words = {word: number for number, word in _spellings(field).items()}
        return lambda text: _read_word(text, words)
    return _read_truth if field.type == FieldDescriptor.TYPE_BOOL else str


def _spellings(field: FieldDescriptor) -> dict[int, str]:
    return {number: SPELLINGS.get(name, name) for number, name in enum_names(field).items() if number}


def _read_list(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _read_duration(text: str) -> Duration:
    duration = Duration()
    duration.FromTimedelta(read_duration(text))
    return duration


def _read_truth(text: str) -> bool:
    return bool(_read_word(text, _TRUTHS))


def _read_word(text: str, words: Mapping[str, int]) -> int:
    if text not in words:
        raise ValueError(f"{text!r} is none of {', '.join(words)}")
    return words[text]


def _words(settings: AppSettings, field: FieldDescriptor) -> str:
    value = getattr(settings, field.name)
    if field.is_repeated:
        return ",".join(value) or "-"
    if field.message_type is not None:
        return duration_words(value.ToTimedelta()) if settings.HasField(field.name) else "-"  # type: ignore[arg-type]
    if field.enum_type is not None:
        return _spellings(field).get(value, "-")
    return str(value).lower() if field.type == FieldDescriptor.TYPE_BOOL else value or "-"
