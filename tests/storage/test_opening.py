"""Addresses of stores."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from authsvc.storage import find_missing, open_store
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


MALFORMED = [
    "postgresql://user:hunter2@host:not-a-port/db",
    "postgresql://user:hunter2/@host/db",
    "postgresql://user@host/db?password=hunter2&unheard_of=1",
    "postgres://user:hunter2@[::1/db",
    "postgresql://user:%zzhunter2@host/db",
]


@pytest.mark.parametrize("url", MALFORMED)
@pytest.mark.parametrize("use", [partial(open_store, clock=SettableClock()), find_missing])
def test_malformed_postgresql_addresses_are_refused(url: str, use: Callable[[str], object]) -> None:
    """What libpq does not understand is refused with the form that is right, and the password is not repeated."""
    with pytest.raises(StoreUrlInvalid, match="postgresql://user:password@host") as refusal:
        use(url)
    assert "hunter2" not in str(refusal.value)
    assert "hunter2" not in "".join(traceback.format_exception(refusal.value))


WITHOUT_DRIVER = """
import sys
for name in ("psycopg", "psycopg_pool"):
    sys.modules[name] = None
import authsvc.storage as storage
from authsvc.clock import system_clock
storage.open_store("sqlite:///a.db", clock=system_clock).close()
storage.open_store("postgresql://user:hunter2@host/db", clock=system_clock)
"""


def test_a_missing_driver_is_named(tmp_path: Path) -> None:
    """Without psycopg the embedded store opens, and an address of PostgreSQL is refused with what to install."""
    command = [sys.executable, "-c", WITHOUT_DRIVER]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (tmp_path / "a.db").exists()
    assert "BackendMissing" in result.stderr.splitlines()[-1]
    assert "pip install 'authsvc[server,postgres]'" in result.stderr
    assert "hunter2" not in result.stderr.splitlines()[-1]
