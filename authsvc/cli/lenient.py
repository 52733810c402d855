"""Reads of a token what can be read, however odd it is. For looking only: nothing here may decide anything."""

from __future__ import annotations

import binascii
import json
import math

from authsvc.signing.strict_json import JsonObject, check_depth

_TO_STANDARD = str.maketrans("-_", "+/")
# Deep enough for any token that people meet, and far from what Python can print.
_MAX_DEPTH = 32


def lenient_object(segment: str) -> JsonObject | None:
    """The JSON object in a segment: padded or not, of either alphabet; None where there is none."""
    raw = _lenient_bytes(segment)
    if raw is None:
        return None
    try:
        value = json.loads(raw.decode("utf-8", "replace"), parse_constant=str, parse_float=_finite_or_text)
        check_depth(value, _MAX_DEPTH)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _lenient_bytes(segment: str) -> bytes | None:
    text = "".join(segment.split()).rstrip("=").translate(_TO_STANDARD)
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except ValueError:  # of which binascii.Error is one; also for what is not ASCII
        return None


def _finite_or_text(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
