"""Lists that may be long: so many rows, and a word about the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, TypeVar

import typer

Item = TypeVar("Item")

Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Print at most so many.")]
DEFAULT_LIMIT = 100
_LARGEST_PAGE = 1_000


def page_size_for(limit: int) -> int:
    """As many a page as are wanted, and one that says whether there are more."""
    return min(limit + 1, _LARGEST_PAGE)


def first_of(found: Iterable[Item], limit: int) -> list[Item]:
    """So many; says on standard error where there are more."""
    chosen = list(islice(found, limit + 1))
    if len(chosen) > limit:
        print(f"only the first {limit} are shown: --limit shows more", file=sys.stderr)
    return chosen[:limit]
