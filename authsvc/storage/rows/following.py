"""Pages of the feed: which rows make one, and how what they are about is put to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from authsvc.model import ApiKey, Change, Commit, Gone, Revision, Subject
from authsvc.storage.rows.feed import Entry, entry

ENTRY_COLUMNS = "revision, kind, api_key, subject"


def reaches(oldest: tuple[int, int] | None, head: int, after: int) -> bool:
    """Whether the feed has everything that was committed after that revision.

    ``oldest``: revision and ordinal of its first row. Rows are forgotten in order, so the first revision is whole
    while it has its first row.
    """
    if oldest is None:
        return after >= head
    revision, ordinal = oldest
    return after + 1 >= (revision if ordinal == 0 else revision + 1)


def commits_from(entries: Sequence[tuple[Any, ...]], read: Callable[[Subject], Iterable[Change]]) -> tuple[Commit, ...]:
    """The commits in rows of ``ENTRY_COLUMNS``, which come in order and whole.

    ``read`` gives what the tables have of one kind, as far as these rows name it; it is asked once for each kind among
    them. What it does not give is gone.
    """
    kinds = {Subject(kind) for _, kind, _, _ in entries}
    found = {entry(change): change for kind in kinds for change in read(kind)}
    return tuple(
        Commit(Revision(revision), tuple(_content(row, found) for row in rows))
        for revision, rows in groupby(entries, itemgetter(0))
    )


def _content(row: tuple[Any, ...], found: dict[Entry, Change]) -> Change:
    revision, kind, api_key, subject = row
    return found.get((kind, api_key, subject)) or Gone(Subject(kind), ApiKey(api_key), subject, Revision(revision))
