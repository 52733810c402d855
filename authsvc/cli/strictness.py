"""What a strict verifier would refuse about a token's form, each fault in one sentence.

The rules are those of ``authsvc.signing`` and ``authsvc.verify``, which stop at the first; here each segment is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from authsvc.model import APP_ALGORITHMS, ApiKey, Profile
from authsvc.signing import base64url
from authsvc.signing.jws import MAX_PARSED_BYTES
from authsvc.signing.rejected import Rejected
from authsvc.signing.strict_json import JsonObject, read_object
from authsvc.verify.claims import MAX_SECONDS, PROFILE_OF_TYP, TYP, parse_claims

_HEADER_NAMES = frozenset({"alg", "kid", "typ"})


def form_faults(segments: list[str]) -> Iterator[str]:
    """Faults of the text: its length, and the base64url of each segment."""
    if sum(map(len, segments)) + len(segments) - 1 > MAX_PARSED_BYTES:
        yield f"it is longer than {MAX_PARSED_BYTES} bytes"
    for name, segment in zip(("header", "payload", "signature"), segments, strict=True):
        fault = _base64url_fault(segment)
        if fault:
            yield f"the {name} {fault}"


def header_faults(segment: str, header: JsonObject) -> Iterator[str]:
    """Faults of the header's JSON, its names and its ``alg``."""
    yield from _json_fault("header", segment)
    strange = sorted(header.keys() - _HEADER_NAMES)
    if strange:
        yield f"the header has {', '.join(strange)}: only alg, kid and typ may be there"
    alg = header.get("alg")
    if isinstance(alg, str) and alg.lower() == "none":
        yield "alg is none: nobody has signed it"
    elif alg not in APP_ALGORITHMS:
        yield f"alg is {_word(alg)}: known are {', '.join(APP_ALGORITHMS)}"


def type_faults(header: JsonObject) -> Iterator[str]:
    """Faults of ``typ`` and ``kid``, which only tokens of other makers leave out."""
    if "typ" not in header:
        yield "typ is missing"
    elif header["typ"] not in TYP.values():
        yield f"typ is {_word(header['typ'])}: access tokens have {', '.join(TYP.values())}"
    if "kid" not in header:
        yield "kid is missing: it does not say which key signed it"


def payload_faults(segment: str) -> Iterator[str]:
    """Faults of the payload's JSON."""
    yield from _json_fault("payload", segment)


def claim_faults(claims: JsonObject, typ: object) -> Iterator[str]:
    """The first claim that an access token of ours with that ``typ`` cannot have like this."""
    client = claims.get("client_id")
    try:
        parse_claims(
            claims,
            profile=PROFILE_OF_TYP.get(str(typ), Profile.CLASSIC),
            api_key=ApiKey(client if isinstance(client, str) else ""),
        )
    except Rejected as rejected:
        what = rejected.detail if " " in rejected.detail else f"the claim {rejected.detail}"
        yield f"{what} is missing, of the wrong type, out of range or not allowed ({rejected.status})"


def time_faults(claims: JsonObject, now: datetime) -> Iterator[str]:
    """What the token's times say now, without any leeway for clocks."""
    if "exp" not in claims:
        yield "exp is missing: it never expires, which few apps allow"
    elif _seconds(claims, "exp", now) < 0:
        yield "exp has passed"
    for name in ("nbf", "iat"):
        if _seconds(claims, name, now) > 0:
            yield f"{name} lies ahead"


def _seconds(claims: JsonObject, name: str, now: datetime) -> float:
    """How far a time lies ahead; 0 for what is none, which is a fault of the claim."""
    value = claims.get(name)
    return value - now.timestamp() if type(value) is int and abs(value) <= MAX_SECONDS else 0


def _base64url_fault(segment: str) -> str:
    try:
        base64url.decode(segment)
    except ValueError as fault:
        plain = segment.rstrip("=")
        if plain != segment:
            return "is padded with ="
        if set("+/") & set(segment):
            return "is in the standard alphabet of base64 (+ and /)"
        return f"is {fault}"
    return ""


def _json_fault(name: str, segment: str) -> Iterator[str]:
    try:
        raw = base64url.decode(segment)
    except ValueError:
        return  # told as a fault of the form
    try:
        read_object(raw)
    except ValueError as fault:
        yield f"the {name} is not strict JSON: {_first_words(fault)}"


def _first_words(fault: ValueError) -> str:
    return "not UTF-8" if isinstance(fault, UnicodeError) else str(fault).partition(":")[0].lower()


def _word(value: object) -> str:
    return repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
