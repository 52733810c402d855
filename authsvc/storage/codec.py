"""Records as JSON text, driven by their own annotations. Shared by all backends.

Strict: a name that is missing takes the record's default (a field added later); an unknown name, or a value of another
type, is refused, because another version wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import orjson

from authsvc.storage.errors import StoredDataInvalid
from authsvc.storage.jsonform import form_of


class FieldsCodec:
    """Chosen fields of a record type as one JSON object.

    ``sparse`` leaves out fields that have their default: for records whose defaults mean "not set" and never change.
    Settings are not sparse: what an operator was given stays when a default changes.
    """

    def __init__(self, record: type, names: Iterable[str] | None = None, *, sparse: bool = False) -> None:
        hints = get_type_hints(record)
        chosen = [field for field in fields(record) if names is None or field.name in names]
        self._name = record.__name__.strip("_")
        self._forms = {field.name: form_of(hints[field.name]) for field in chosen}
        self._defaults = {field.name: field.default for field in chosen if field.default is not MISSING}
        self._omitted: Mapping[str, object] = self._defaults if sparse else {}

    def encode(self, record: object) -> str:
        """The JSON text of a record's fields; ASCII, so that any engine keeps it unchanged."""
        return _ENCODER.encode(self._plain(record))

    def encode_all(self, records: Iterable[object]) -> str:
        """A JSON array of records."""
        return _ENCODER.encode([self._plain(record) for record in records])

    def decode(self, text: str) -> dict[str, Any]:
        """All fields by name, as the record's constructor takes them."""
        return self._fields(self._load(text))

    def decode_all(self, text: str) -> list[dict[str, Any]]:
        """The same for each record in a JSON array."""
        stored = self._load(text)
        if not isinstance(stored, list):
            raise StoredDataInvalid(f"a stored list of {self._name} is not a JSON array")
        return [self._fields(each) for each in stored]

    def _plain(self, record: object) -> dict[str, Any]:
        values = {name: getattr(record, name) for name in self._forms}
        return {name: self._forms[name].into(value) for name, value in values.items() if self._is_worth(name, value)}

    def _is_worth(self, name: str, value: object) -> bool:
        return name not in self._omitted or value != self._omitted[name]

    def _load(self, text: str) -> Any:
        try:
            return orjson.loads(text)
        except ValueError as fault:
            raise StoredDataInvalid(f"a stored {self._name} is not JSON") from fault

    def _fields(self, stored: object) -> dict[str, Any]:
        if not isinstance(stored, dict):
            raise StoredDataInvalid(f"a stored {self._name} is not a JSON object")
        found = dict(self._defaults)
        for name, value in stored.items():
            try:
                found[name] = self._forms[name].back(value)
            except KeyError:
                raise StoredDataInvalid(
                    f"a stored {self._name} has the unknown name {name!r}: a newer version wrote it"
                ) from None
            except (TypeError, ValueError) as fault:
                raise StoredDataInvalid(f"a stored {self._name} has no such value for {name!r}") from fault
        if len(found) < len(self._forms):
            absent = self._forms.keys() - found.keys()
            raise StoredDataInvalid(f"a stored {self._name} lacks {', '.join(sorted(absent))}")
        return found


def _inner(value: object) -> object:
    if isinstance(value, Mapping):  # read-only views and the like, at any depth
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


# NaN would not come back as what it was.
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_inner)
