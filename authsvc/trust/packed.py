"""A mapping that takes little more memory than what is in it: a million revocations have to fit into a worker.

A ``dict`` takes some 130 bytes an entry beside what the entry says: headers of the key and of the value, and its slots.
Here entries lie packed in buckets of some hundred characters, each one ``str`` of one byte a character: Python looks
into those faster than we could compare anything. Python hashes texts with a key of the process, so nobody can choose
texts that fall into one bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

MAX_KEY: Final = 255
"""Characters of the longest key: its length is one of them."""

_MOST_A_BUCKET: Final = 2_048
"""Characters, on average, and half as many after a doubling: a header of 72 bytes and a slot of 8 are less than a
tenth of that. Smaller buckets are searched sooner, but would lie among Python's small objects, where the room of those
that go is given back to nobody."""
_ENTRIES_A_PART: Final = 32_768


class PackedMap:
    """Texts to texts of ``width`` characters, all of them of U+0000 to U+00FF; keys have 1 to 255 characters.

    Anybody may read while one thread changes it: a bucket is never changed but replaced, and so is the list when it
    doubles. That moves nothing: the second half are the same buckets as the first, each with the entries of two, and is
    told apart from its twin when one of both is changed (as directories double in R. Fagin et al., "Extendible
    Hashing", ACM TODS 4(3), 1979).
    """

    __slots__ = ("_buckets", "_count", "_length", "_width")

    def __init__(self, width: int) -> None:
        self._width = width
        self._buckets = [""]  # as many as a power of two
        self._count = 0
        self._length = 0  # of all buckets' own entries together

    def __len__(self) -> int:
        return self._count

    def get(self, key: str) -> str | None:
        """The value of the key, or None."""
        buckets = self._buckets
        bucket = buckets[hash(key) & len(buckets) - 1]
        if key not in bucket or (at := self._find(bucket, key)) < 0:
            return None
        start = at + 1 + len(key)
        return bucket[start : start + self._width]

    def items(self) -> Iterator[tuple[str, str]]:
        """All entries, in no order; one that is put or removed meanwhile may be among them or not."""
        buckets = self._buckets.copy()
        for number, bucket in enumerate(buckets):
            yield from self._own(bucket, number, len(buckets))

    def put(self, key: str, value: str) -> None:
        """Set the value of the key. Raises ``ValueError`` for a key or a value that cannot be kept."""
        self._checked((key,), (value,))
        entry = chr(len(key)) + key + value
        number = self._place(key)
        bucket = self._buckets[number]
        at = self._find(bucket, key) if key in bucket else -1
        if at >= 0:
            self._buckets[number] = bucket[:at] + entry + bucket[at + len(entry) :]
            return
        self._buckets[number] = bucket + entry
        self._count += 1
        self._length += len(entry)
        self._make_room(0)

    def expect(self, count: int, length: int) -> None:
        """Make room for so many in all, of keys about that long: so ``fill`` need not make it again and again."""
        self._make_room(max(0, count * (1 + length + self._width) - self._length))

    def fill(self, entries: Iterable[tuple[str, str]]) -> None:
        """Put many whose keys are neither in it nor twice among them, sooner: a bucket is replaced once for a part.

        Raises ``ValueError`` as ``put`` does; what came before may be there then, or not.
        """
        entries = iter(entries)
        while part := list(islice(entries, _ENTRIES_A_PART)):
            keys, values = zip(*part, strict=True)
            length = self._checked(keys, values)
            self._make_room(length)
            if 8 * len(part) < len(self._buckets):
                for key, value in part:
                    self.put(key, value)
            else:
                self._append(keys, values)
                self._count += len(part)
                self._length += length

    def pop(self, key: str) -> str | None:
        """Remove the key; its value, or None where it was not there."""
        number = self._place(key)
        bucket = self._buckets[number]
        at = self._find(bucket, key)
        if at < 0:
            return None
        start = at + 1 + len(key)
        end = start + self._width
        self._buckets[number] = bucket[:at] + bucket[end:]
        self._count -= 1
        self._length -= end - at
        return bucket[start:end]

    @property
    def size(self) -> int:
        """How many buckets there are; more when there are more entries, never fewer."""
        return len(self._buckets)

    def remove(self, over: Callable[[str], bool], buckets: range) -> None:
        """Remove the entries of those buckets whose values are over.

        From the first bucket to the last, in as many steps as one likes: what is there all the while is looked at.
        """
        for number in buckets:
            size = len(self._buckets)
            entries = list(self._own(self._buckets[number], number, size))
            staying = [entry for entry in entries if not over(entry[1])]
            if len(staying) < len(entries):
                self._tell_apart(number)
                before = len(self._buckets[number])
                self._buckets[number] = "".join([chr(len(key)) + key + value for key, value in staying])
                self._count -= len(entries) - len(staying)
                self._length -= before - len(self._buckets[number])

    def _checked(self, keys: Sequence[str], values: Sequence[str]) -> int:
        """How many characters the entries will have. Raises ``ValueError``."""
        lengths = list(map(len, keys))
        if not 0 < min(lengths) <= max(lengths) <= MAX_KEY or {self._width}.symmetric_difference(map(len, values)):
            raise ValueError(f"a key has 1 to {MAX_KEY} characters and a value {self._width}")
        for texts in (keys, values):
            "".join(texts).encode("latin-1")  # one byte a character; else all of a bucket would take two or four
        return sum(lengths) + len(keys) * (1 + self._width)

    def _make_room(self, length: int) -> None:
        while self._length + length > len(self._buckets) * _MOST_A_BUCKET:
            self._buckets = self._buckets * 2

    def _append(self, keys: Sequence[str], values: Sequence[str]) -> None:
        pieces: list[list[str] | None] = [None] * len(self._buckets)
        last = len(pieces) - 1
        for key, value in zip(keys, values, strict=True):
            number = hash(key) & last
            if (own := pieces[number]) is None:
                pieces[number] = [chr(len(key)), key, value]
            else:
                own += (chr(len(key)), key, value)
        for number, own in enumerate(pieces):
            if own is not None:
                self._tell_apart(number)
                self._buckets[number] += "".join(own)

    def _place(self, key: str) -> int:
        """The number of the key's bucket, which is about to be changed."""
        number = hash(key) & len(self._buckets) - 1
        self._tell_apart(number)
        return number

    def _tell_apart(self, number: int) -> None:
        """Give a bucket and its twin their own entries each, where they are one."""
        buckets = self._buckets
        size = len(buckets)
        twin, both = number ^ size >> 1, buckets[number]
        if not both or buckets[twin] is not both or twin == number:
            return
        own: dict[int, list[str]] = {number: [], twin: []}
        at, beyond, width = 0, len(both), self._width
        while at < beyond:
            start, first = at + 1, at
            end = start + ord(both[at])
            at = end + width
            if (belongs := hash(both[start:end]) & size - 1) in own:
                own[belongs].append(both[first:at])
        for each, entries in own.items():
            buckets[each] = "".join(entries)

    def _find(self, bucket: str, key: str) -> int:
        """Where the key's entry begins, or -1: what looks like it may lie within another entry."""
        text, width, at = chr(len(key)) + key, self._width, 0
        found = bucket.find(text)
        while found >= 0:
            while at < found:
                at += 1 + ord(bucket[at]) + width
            if at == found:
                return at
            found = bucket.find(text, at)
        return -1

    def _own(self, bucket: str, number: int, size: int) -> Iterator[tuple[str, str]]:
        """The entries of a bucket that belong into that number, of so many."""
        return (entry for entry in self._entries(bucket) if hash(entry[0]) & size - 1 == number)

    def _entries(self, bucket: str) -> Iterator[tuple[str, str]]:
        at, width = 0, self._width
        while at < len(bucket):
            start = at + 1
            end = start + ord(bucket[at])
            at = end + width
            yield bucket[start:end], bucket[end:at]
