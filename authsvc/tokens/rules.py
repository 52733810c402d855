"""The rules for single fields of a request. Each notes its faults and leaves the decision to the caller."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from authsvc.errors import Faults, Reason
from authsvc.signing.strict_json import MAX_DEPTH, MAX_MEMBERS
from authsvc.tokens.requests import ScopeRequest
from authsvc.verify.claims import RESERVED_NAMES
from authsvc.verify.identifiers import CID_FORM, MAX_CIDS, ROLE_FORM, is_cid, is_role

REQUEST_ID_FORM = "22 to 64 of A-Z a-z 0-9 _ - made from 128 random bits"

# Protobuf's Struct knows doubles only: from 2^53 on, two whole numbers share one double.
_FIRST_UNSAFE = 2**53
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{22,64}", re.ASCII)


def check_request_id(request_id: str, faults: Faults) -> None:
    """A request id is empty or looks like 128 random bits."""
    if request_id and _REQUEST_ID.fullmatch(request_id) is None:
        faults.add("request_id", f"must be {REQUEST_ID_FORM}, or empty")


def check_after_revision(revision: int, faults: Faults) -> None:
    """A revision to wait for is one that a change has had; 0: none."""
    if revision < 0:
        faults.add("after_revision", "must be a revision as a change of yours was answered with, or 0")


def check_role(role: str, field: str, faults: Faults) -> None:
    """A role is empty (not set) or of the form of roles."""
    if role and not is_role(role):
        faults.add(field, f"must be {ROLE_FORM}")


def check_cid(cid: str | None, field: str, faults: Faults) -> None:
    """A cid that is present has the form of cids."""
    if cid is not None and not is_cid(cid):
        faults.add(field, f"must be {CID_FORM}")


def check_scope(scope: ScopeRequest, faults: Faults) -> None:
    """A scope that is present lists 1 to 100 different cids."""
    lists = {"scope.call_cids": scope.call_cids, "scope.channel_cids": scope.channel_cids}
    total = sum(map(len, lists.values()))
    if total == 0:
        faults.add("scope", "is present but empty: list call_cids or channel_cids, or leave it out")
    if total > MAX_CIDS:
        faults.add("scope", f"lists {total} cids; at most {MAX_CIDS} fit a token")
        return
    for field, cids in lists.items():
        for index, cid in enumerate(cids):
            check_cid(cid, f"{field}[{index}]", faults)
        if len(set(cids)) != len(cids):
            faults.add(field, "lists a cid twice")


def custom_claims(claims: Mapping[str, object] | None, faults: Faults) -> Mapping[str, object]:
    """Custom claims, whole numbers as integers; a reserved name is a fault of its own reason."""
    if claims is None:
        return {}
    for name in sorted(RESERVED_NAMES & claims.keys()):
        faults.add(f"custom_claims.{name}", "is a reserved claim name", Reason.RESERVED_CLAIM)
    return json_object(claims, "custom_claims", faults, depth=MAX_DEPTH)


def json_object(
    value: Mapping[str, object], field: str, faults: Faults, *, depth: int = MAX_DEPTH - 1
) -> dict[str, object]:
    """A JSON object as a token can carry it: not empty, bounded, its whole numbers as integers.

    Protobuf turns 1 into 1.0; what is whole and below 2^53 becomes an integer again.
    """
    if not value:
        faults.add(field, "is present but empty: leave it out")
    if "" in value:
        faults.add(field, "has a member without a name")
    return _object(value, field, faults, depth)


def _object(value: Mapping[str, object], field: str, faults: Faults, depth: int) -> dict[str, object]:
    if depth == 0:
        faults.add(field, f"nests deeper than {MAX_DEPTH} levels within the token")
        return {}
    if len(value) > MAX_MEMBERS:
        faults.add(field, f"has more than {MAX_MEMBERS} members")
        return {}
    return {name: _value(item, f"{field}.{name}", faults, depth - 1) for name, item in value.items()}


def _value(value: object, field: str, faults: Faults, depth: int) -> object:
    match value:
        case float():
            return _number(value, field, faults)
        case Mapping():
            return _object(value, field, faults, depth)
        case list():
            if depth == 0:
                faults.add(field, f"nests deeper than {MAX_DEPTH} levels within the token")
                return []
            return [_value(item, f"{field}[{index}]", faults, depth - 1) for index, item in enumerate(value)]
        case str() | bool() | None:
            return value
        case _:
            faults.add(field, "has no value: set it or leave it out")
            return None


def _number(value: float, field: str, faults: Faults) -> float | int:
    if not math.isfinite(value):
        faults.add(field, "must be a finite number")
    elif value.is_integer():
        if abs(value) < _FIRST_UNSAFE:
            return int(value)
        faults.add(field, "is a whole number outside ±(2^53 - 1), which JSON readers round; send it as text")
    return value
