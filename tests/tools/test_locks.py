"""The locks are what the Makefile relies on, and the check that says so can fail."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest

from tools.locks import DEV_LOCK, ROOT, RUN_LOCK, problems

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HASH = f"--hash=sha256:{'0' * 64}"


def test_the_committed_locks_are_sound() -> None:
    """requirements.txt and requirements-dev.txt satisfy pyproject.toml and each other."""
    assert list(problems(PROJECT, RUN_LOCK.read_text(), DEV_LOCK.read_text())) == []


def without(name: str) -> Callable[[str], str]:
    """Take a pin out of a lock."""
    return lambda lock: lock.replace(f"\n{name}==", "\nother-than-it==")


def with_grpcio(version: str) -> Callable[[str], str]:
    """Pin grpcio to another version."""
    return lambda lock: lock.replace("\ngrpcio==", f"\ngrpcio=={version} {HASH}\nleft-over==", 1)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param(lambda lock: f"{lock}thing @ https://example.org/thing.whl {HASH}\n", "an address", id="address"),
        pytest.param(lambda lock: f"--index-url https://example.org/simple\n{lock}", "an address", id="index"),
        pytest.param(lambda lock: f"-f wheels\n{lock}", "an address", id="folder"),
        pytest.param(lambda lock: f"{lock}unhashed==1.0\n", "has no hash", id="no hash"),
        pytest.param(without("hatchling"), "hatchling is not locked", id="no pin"),
        pytest.param(with_grpcio("1.0"), "is locked as 1.0", id="outside"),
        pytest.param(with_grpcio("9999"), "grpcio differs between the two locks", id="different"),
    ],
)
def test_a_spoilt_lock_is_noticed(spoil: Callable[[str], str], fault: str) -> None:
    """An address, a missing hash, a missing pin, a pin outside the allowed versions, two different pins."""
    assert any(fault in problem for problem in problems(PROJECT, spoil(RUN_LOCK.read_text()), DEV_LOCK.read_text()))


def test_addresses_in_comments_are_no_pins() -> None:
    """A comment is no entry of a lock."""
    run = "# see https://example.org\n" + RUN_LOCK.read_text()
    assert list(problems(PROJECT, run, DEV_LOCK.read_text())) == []
