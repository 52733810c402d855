"""The forms of user ids, roles, cids and audiences: one place for minting, parsing, asking and settings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from authsvc.errors import Faults

ANONYMOUS_ID = "!anon"
GUEST_PREFIX = "guest-"
MAX_CIDS = 100
MAX_AUDIENCES = 20
MAX_AUDIENCE_LENGTH = 256

USER_ID_FORM = "1 to 128 of A-Z a-z 0-9 @ _ . : | + = ~ -"
ROLE_FORM = "a lower-case letter, then up to 63 of a-z 0-9 _ -"
CID_FORM = "<type>:<id>, 1 to 64 of A-Z a-z 0-9 _ - before the colon, 1 to 128 of A-Z a-z 0-9 _ ! - after it"

_USER_ID = re.compile(r"[A-Za-z0-9@_.:|+=~-]{1,128}", re.ASCII)
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
_CID = re.compile(r"[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_!-]{1,128}", re.ASCII)


def is_user_id(text: str) -> bool:
    """Whether ``text`` can be the id of a user or a guest."""
    return _USER_ID.fullmatch(text) is not None


def is_role(text: str) -> bool:
    """Whether ``text`` can be a role."""
    return _ROLE.fullmatch(text) is not None


def is_cid(text: str) -> bool:
    """Whether ``text`` can be the cid of a call or a channel."""
    return _CID.fullmatch(text) is not None


def check_audience(audience: Sequence[str], faults: Faults, field: str = "audience") -> None:
    """An audience list has at most 20 different entries of 1 to 256 characters."""
    if len(audience) > MAX_AUDIENCES:
        faults.add(field, f"must have at most {MAX_AUDIENCES} entries")
    if any(not 0 < len(entry) <= MAX_AUDIENCE_LENGTH for entry in audience):
        faults.add(field, f"must have entries of 1 to {MAX_AUDIENCE_LENGTH} characters")
    if len(set(audience)) != len(audience):
        faults.add(field, "lists an entry twice")
