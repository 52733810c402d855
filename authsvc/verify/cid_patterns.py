"""Patterns of cids: which calls and channels an app opens to everybody. One place for settings and for minting."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_PATTERNS = 50
PATTERN_FORM = "<type>:<id> as cids are, where the id may be * or end in *, such as livestream:* or livestream:public-*"

_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}:(?:[A-Za-z0-9_!-]{1,128}|[A-Za-z0-9_!-]{0,127}\*)", re.ASCII)


def is_pattern(text: str) -> bool:
    """Whether ``text`` can be a pattern: the type is always named, so none opens calls of every type."""
    return _PATTERN.fullmatch(text) is not None


def is_open(cid: str, patterns: Iterable[str]) -> bool:
    """Whether a cid fits one of the patterns: it is the pattern, or begins with what stands before its ``*``."""
    return any(_fits(cid, pattern) for pattern in patterns)


def _fits(cid: str, pattern: str) -> bool:
    return cid.startswith(pattern[:-1]) if pattern.endswith("*") else cid == pattern
