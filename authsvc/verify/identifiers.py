"""The forms of user ids, roles and cids: one place for minting, parsing and asking."""

from __future__ import annotations

import re

ANONYMOUS_ID = "!anon"
GUEST_PREFIX = "guest-"
MAX_CIDS = 100

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
