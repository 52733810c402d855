"""The forms of ids, roles, cids and audiences, at each edge."""

from __future__ import annotations

import string

import pytest

from authsvc.errors import Faults, InvalidRequest
from authsvc.verify.identifiers import check_audience, is_cid, is_role, is_user_id

USER_ID = string.ascii_letters + string.digits + "@_.:|+=~-"
LOWER = string.ascii_lowercase
ROLE = LOWER + string.digits + "_-"
TYPE = string.ascii_letters + string.digits + "_-"
LOCAL = TYPE + "!"
# Every character of ASCII, and some that resemble them.
ALL = [chr(code) for code in range(128)] + list("éßаο０Ａ＿\u00a0\u200b\u2028\ufeff\u0130\u212a")


def test_user_ids() -> None:
    """A user id is 1 to 128 of a known alphabet, each character of which will do alone."""
    assert {character for character in ALL if is_user_id(character)} == set(USER_ID)
    assert {character for character in ALL if is_user_id(f"a{character}a")} == set(USER_ID)
    assert [size for size in range(200) if is_user_id("a" * size)] == list(range(1, 129))


def test_roles() -> None:
    """A role begins with a lower-case letter and has up to 63 more of those, digits, `_` and `-`."""
    assert {character for character in ALL if is_role(character)} == set(LOWER)
    assert {character for character in ALL if is_role(f"a{character}")} == set(ROLE)
    assert [size for size in range(100) if is_role("a" * size)] == list(range(1, 65))


def test_cids() -> None:
    """A cid is a type of 1 to 64 and an id of 1 to 128 characters around the only colon; `!` in the id alone."""
    assert {character for character in ALL if is_cid(f"{character}:1")} == set(TYPE)
    assert {character for character in ALL if is_cid(f"a:{character}")} == set(LOCAL)
    assert [size for size in range(100) if is_cid("a" * size + ":1")] == list(range(1, 65))
    assert [size for size in range(200) if is_cid("a:" + "1" * size)] == list(range(1, 129))


@pytest.mark.parametrize("text", ["a:1:2", "a", ":", "a:", ":1", "a:1\n", "\na:1", "a::1", ""])
def test_no_cid(text: str) -> None:
    """What has no colon, two, or nothing on one side of it is no cid."""
    assert is_cid("a:1")
    assert not is_cid(text)


GOOD_AUDIENCES = [(), ("a",), ("a" * 256,), tuple(map(str, range(20))), ("a", "A", "a ")]
BAD_AUDIENCES = [
    (("a" * 257,), 1),
    (("",), 1),
    (("a", ""), 1),
    (tuple(map(str, range(21))), 1),
    (("a", "a"), 1),
    (("", "", *map(str, range(19))), 3),
]


@pytest.mark.parametrize(
    "audience", GOOD_AUDIENCES, ids=["none", "one", "a long one", "twenty", "three that resemble each other"]
)
def test_audiences(audience: tuple[str, ...]) -> None:
    """An audience list has at most 20 different entries of 1 to 256 characters."""
    found = Faults()
    check_audience(audience, found)
    found.refuse_any()


@pytest.mark.parametrize(("audience", "faults"), BAD_AUDIENCES)
def test_no_audiences(audience: tuple[str, ...], faults: int) -> None:
    """Each fault of an audience list is told, under the name of the field it came in."""
    found = Faults()
    check_audience(audience, found, "settings.default_audience")
    with pytest.raises(InvalidRequest) as refused:
        found.refuse_any()
    assert [violation.field for violation in refused.value.violations] == ["settings.default_audience"] * faults
