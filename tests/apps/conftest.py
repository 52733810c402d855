"""What the tests of apps share: a store without apps, and a caller who may make them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.app.composition import Domain, open_domain
from authsvc.apps.admin import AppsAdmin
from authsvc.clock import system_randomness
from authsvc.config import Settings
from authsvc.model import Principal
from authsvc.signing.sealing import Kek
from tests.accounts.people import a_principal
from tests.conftest import HandClock
from tests.rows import Rows


@pytest.fixture
def domain(state_dir: Path, clock: HandClock) -> Iterator[Domain]:
    """Everything but the wire, over a real and empty store; the server's issuer is ``https://ours``."""
    settings = Settings(state_dir=state_dir, issuer="https://ours")
    with open_domain(settings, Kek(bytes(range(32))), clock=clock, randomness=system_randomness) as opened:
        yield opened


@pytest.fixture
def apps(domain: Domain) -> AppsAdmin:
    """The use cases under test."""
    return domain.apps


@pytest.fixture
def root() -> Principal:
    """A caller with every permission on all apps."""
    return a_principal()


@pytest.fixture
def rows(domain: Domain, state_dir: Path) -> Rows:
    """The file of that store."""
    return Rows(state_dir)
