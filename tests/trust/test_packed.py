"""The packed map: a dictionary in all but its size."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.trust.packed import MAX_KEY, PackedMap

ONE_BYTE = st.characters(max_codepoint=255)
KEYS = st.text(ONE_BYTE, min_size=1, max_size=4) | st.text(ONE_BYTE, min_size=1, max_size=MAX_KEY)
VALUES = st.text(ONE_BYTE, min_size=4, max_size=4)
STEPS = st.lists(
    st.tuples(st.just("put"), KEYS, VALUES)
    | st.tuples(st.just("pop"), KEYS, st.just(""))
    | st.tuples(st.just("remove"), st.just(""), VALUES),
    max_size=200,
)


def filled(count: int) -> PackedMap:
    """Numbers by name, from 0 on."""
    packed = PackedMap(4)
    for number in range(count):
        packed.put(f"key-{number}", f"{number % 10_000:04}")
    return packed


def remove(packed: PackedMap, over: str) -> None:
    """Remove all values up to that one."""
    packed.remove(over.__ge__, range(packed.size))


@given(steps=STEPS)
def test_it_is_a_dictionary(steps: list[tuple[str, str, str]]) -> None:
    """Whatever is put, removed and swept, and in whichever order: the same entries as in a dictionary."""
    packed, plain = PackedMap(4), dict[str, str]()
    for what, key, value in steps:
        match what:
            case "put":
                packed.put(key, value)
                plain[key] = value
            case "pop":
                assert packed.pop(key) == plain.pop(key, None)
            case "remove":
                remove(packed, value)
                plain = {name: kept for name, kept in plain.items() if kept > value}
        assert packed.get(key) == plain.get(key)
    assert sorted(packed.items()) == sorted(plain.items())
    assert len(packed) == len(plain)


@pytest.mark.parametrize("seed", range(5))
def test_it_stays_one_through_many_doublings(seed: int) -> None:
    """Buckets that were told apart late, or never, hold what they should and tell nothing twice."""
    chance = random.Random(seed)
    packed, plain = PackedMap(4), dict[str, str]()
    for _ in range(60_000):
        key, value = f"key-{chance.randrange(30_000)}" + "-" * 60, f"{chance.randrange(10_000):04}"
        if chance.random() < 0.7:
            packed.put(key, value)
            plain[key] = value
        else:
            assert packed.pop(key) == plain.pop(key, None)
    assert packed.size >= 1_024
    assert dict(packed.items()) == plain
    assert len(list(packed.items())) == len(packed) == len(plain)
    remove(packed, "4999")
    assert dict(packed.items()) == {key: value for key, value in plain.items() if value > "4999"}
    for key in plain:
        packed.pop(key)
    assert (len(packed), list(packed.items())) == (0, [])


@pytest.mark.parametrize("inner", ["bob", "\x03bob", "\x03bobaaaa", "a\x03bobaaaab"])
def test_what_lies_within_another_entry_is_not_taken_for_one(inner: str) -> None:
    """A key that holds another entry's text, or a value that does, hides nothing and shows nothing."""
    packed = PackedMap(4)
    packed.put(inner, "aaaa")
    packed.put("z", "\x03bob")
    assert packed.get("bob") == ("aaaa" if inner == "bob" else None)
    packed.put("bob", "bbbb")
    assert packed.get("bob") == "bbbb"
    assert packed.pop("bob") == "bbbb"
    assert packed.get("z") == "\x03bob"


@pytest.mark.parametrize(
    ("key", "value"),
    [("", "aaaa"), ("k" * (MAX_KEY + 1), "aaaa"), ("k", "aaa"), ("k", "aaaaa"), ("\u0100", "aaaa"), ("k", "aaa\u20ac")],
)
def test_what_cannot_be_kept_is_refused(key: str, value: str) -> None:
    """A key without length or of too much, a value of another width, and what takes more than a byte a character."""
    packed = filled(3)
    with pytest.raises(ValueError, match=r"a key has 1 to 255 characters and a value 4|can't encode"):
        packed.put(key, value)
    with pytest.raises(ValueError, match=r"a key has 1 to 255 characters and a value 4|can't encode"):
        packed.fill([("good", "aaaa"), (key, value)])
    assert len(list(packed.items())) == len(packed) == 3


@pytest.mark.parametrize("key", ["", "\0", "k" * 300, "\u20ac", "\U0010ffff" * 3])
def test_any_text_may_be_asked_for(key: str) -> None:
    """What could never be put is not there."""
    assert filled(100).get(key) is None
    assert filled(100).pop(key) is None


def test_sweeping_in_parts_reaches_what_was_there() -> None:
    """While it grows between two parts, what was there before the first is looked at."""
    packed = filled(8_000)
    before = packed.size
    for half in range(2):
        packed.remove("7999".__ge__, range(half * before // 2, (half + 1) * before // 2 if half == 0 else packed.size))
        if half == 0:
            for number in range(8_000, 60_000):
                packed.put(f"key-{number}", "8000")
    assert packed.size > before
    assert {key for key, _ in packed.items()} == {f"key-{number}" for number in range(8_000, 60_000)}


@pytest.mark.parametrize("present", [0, 3, 5_000])
@pytest.mark.parametrize("count", [0, 1, 100, 20_000])
@pytest.mark.parametrize("expected", [0, 40_000])
def test_filling_it_puts_all(present: int, count: int, expected: int) -> None:
    """Many at once end where one after the other does, whatever was there, and whatever room was made."""
    packed, plain = filled(present), dict(filled(present).items())
    more = {f"more-{number}": f"{number % 1_000:04}" for number in range(count)}
    packed.expect(expected, 9)
    packed.fill(iter(more.items()))
    assert dict(packed.items()) == plain | more
    assert len(packed) == len(plain) + count
    assert all(packed.get(key) == value for key, value in more.items())
    for key in plain | more:
        assert packed.pop(key) is not None
    assert packed._length == 0


class Careless(PackedMap):
    """Tells twins apart by emptying them first, as if nobody read meanwhile."""

    def _tell_apart(self, number: int) -> None:
        twin = number ^ self.size >> 1
        if self._buckets[number] and self._buckets[twin] is self._buckets[number] and twin != number:
            entries = list(self._entries(self._buckets[number]))
            self._buckets[number] = self._buckets[twin] = ""
            for key, value in entries:
                place = hash(key) & self.size - 1
                self._buckets[place] += chr(len(key)) + key + value


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize(("kind", "missed"), [(PackedMap, False), (Careless, True)])
def test_a_reader_never_misses_what_is_there(kind: type[PackedMap], missed: bool) -> None:
    """While another thread makes it grow, what was put before is always found; a careless one shows that it is seen."""
    assert any(map(misses, [kind] * (50 if missed else 3))) is missed


def misses(kind: type[PackedMap]) -> bool:
    """Whether a reader ever missed what was there while a map of that kind grew."""
    packed, done, missing = kind(4), threading.Event(), list[str]()
    known = [f"known-{number}" for number in range(200)]
    for key in known:
        packed.put(key, "aaaa")

    def read() -> None:
        while not done.is_set():
            missing.extend(key for key in known if packed.get(key) is None)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20_000):
        packed.put(f"new-{number}", "bbbb")
    done.set()
    reader.join()
    return bool(missing)
