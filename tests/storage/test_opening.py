"""Addresses of stores."""

from __future__ import annotations

import pytest

from authsvc.storage import open_store
from authsvc.storage.errors import StoreRefused, StoreUrlInvalid
from authsvc.storage.opening import sqlite_path
from tests.storage.places import SettableClock


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/authsvc.db", "var/authsvc.db"),
        ("sqlite:////var/lib/authsvc.db", "/var/lib/authsvc.db"),
        ("sqlite:///a%20b%3Fc.db", "a b?c.db"),
        ("sqlite:///file:x.db", "file:x.db"),
    ],
)
def test_three_slashes_are_relative_four_absolute(url: str, path: str) -> None:
    """The path begins after the third slash; what an address cannot hold is percent-encoded."""
    assert str(sqlite_path(url)) == path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "var/authsvc.db",
        "/var/authsvc.db",
        "mysql://u:hunter2@h/db",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///:memory:",
        "sqlite://host/path.db",
        "sqlite:///a.db?mode=memory",
        "sqlite:///a.db#x",
        "sqlite:///a%00b",
        "sqlite://[/a.db",
    ],
)
def test_other_addresses_are_refused(url: str, clock: SettableClock) -> None:
    """What names no file is refused with the forms that are right, and the text never repeats the address."""
    with pytest.raises(StoreUrlInvalid, match="sqlite:///relative/path") as refusal:
        open_store(url, clock=clock)
    assert "hunter2" not in str(refusal.value)
    assert isinstance(refusal.value, StoreRefused)
    assert isinstance(refusal.value, ValueError)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgresql_is_not_there_yet(scheme: str, clock: SettableClock) -> None:
    """An address of PostgreSQL is refused with a sentence that says so and keeps the password."""
    with pytest.raises(StoreUrlInvalid, match="this version has no PostgreSQL backend") as refusal:
        open_store(f"{scheme}://user:hunter2@db/auth", clock=clock)
    assert "hunter2" not in str(refusal.value)
