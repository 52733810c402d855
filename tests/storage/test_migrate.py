"""Which migrations a store needs, and which stores are refused. No engine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from authsvc.storage.errors import MigrationChanged, SchemaTooNew
from authsvc.storage.migrate import Applied, Migration, in_order, missing, shipped

FIRST, SECOND, THIRD = (Migration(number, f"m{number}", f"SELECT {number};") for number in (1, 2, 3))


def applied(*migrations: Migration) -> list[Applied]:
    """Those migrations as a store remembers them."""
    return [Applied(migration.number, migration.name, migration.sha256) for migration in migrations]


def test_an_empty_store_needs_all() -> None:
    """A store that remembers nothing needs every migration, in order."""
    assert missing([FIRST, SECOND], []) == (FIRST, SECOND)


def test_what_was_applied_is_not_needed() -> None:
    """Only what comes after the remembered ones is needed."""
    assert missing([FIRST, SECOND, THIRD], applied(FIRST, SECOND)) == (THIRD,)
    assert missing([FIRST, SECOND], applied(FIRST, SECOND)) == ()


def test_a_newer_store_is_refused() -> None:
    """A store that remembers more than is known is refused with both versions."""
    with pytest.raises(SchemaTooNew) as refusal:
        missing([FIRST, SECOND], applied(FIRST, SECOND, THIRD))
    assert (refusal.value.found, refusal.value.known) == (3, 2)


def test_a_changed_text_is_refused() -> None:
    """A remembered digest that is not the known text's is refused, with the number."""
    changed = Migration(2, "m2", "SELECT 2; -- only a comment")
    with pytest.raises(MigrationChanged) as refusal:
        missing([FIRST, changed, THIRD], applied(FIRST, SECOND))
    assert refusal.value.number == 2


@pytest.mark.parametrize("migrations", [[SECOND], [FIRST, THIRD], [FIRST, FIRST]])
def test_numbers_have_no_gap(migrations: list[Migration]) -> None:
    """Migrations that do not count 1, 2, 3 are a mistake of the program."""
    with pytest.raises(ValueError, match="not numbered"):
        in_order(migrations)
    assert in_order([SECOND, FIRST]) == (FIRST, SECOND)


def test_the_first_one_has_feed_and_audit() -> None:
    """The first migration brings the feed, its head and the audit: every store has had them from the beginning."""
    first = shipped("sqlite")[0]
    assert (first.number, first.name) == (1, "first")
    assert all(f"CREATE TABLE {table} " in first.sql for table in ("feed_head", "feed", "audit"))


def test_they_are_in_the_wheel(tmp_path: Path) -> None:
    """What is installed has every migration that the source has."""
    root = Path(__file__).parents[2]
    (wheel,) = WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {str(path.relative_to(root)) for path in (root / "authsvc" / "storage" / "migrations").rglob("*.sql")}
    assert sources
    assert sources <= names
