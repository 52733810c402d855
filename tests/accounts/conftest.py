"""What the tests of accounts share: a store with two apps, and the callers who act on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.accounts.admin import AccountsAdmin
from authsvc.accounts.authenticate import Authenticator
from authsvc.app.composition import Domain, open_domain
from authsvc.clock import system_randomness
from authsvc.config import Settings
from authsvc.model import ApiKey, AppSettings, Principal
from authsvc.signing.sealing import Kek
from tests.accounts.people import a_principal
from tests.conftest import HandClock
from tests.rows import Rows


@pytest.fixture
def domain(state_dir: Path, clock: HandClock) -> Iterator[Domain]:
    """Everything but the wire, over a real store with the apps ``acme`` and ``other``."""
    settings = Settings(state_dir=state_dir)
    with open_domain(settings, Kek(bytes(range(32))), clock=clock, randomness=system_randomness) as opened:
        for api_key in ("acme", "other"):
            opened.apps.create_as("test", ApiKey(api_key), AppSettings())
        yield opened


@pytest.fixture
def accounts(domain: Domain) -> AccountsAdmin:
    """The use cases under test."""
    return domain.accounts


@pytest.fixture
def authenticator(domain: Domain) -> Authenticator:
    """Knows the callers of that store."""
    return Authenticator(domain.view)


@pytest.fixture
def root() -> Principal:
    """A caller with every permission on all apps."""
    return a_principal()


@pytest.fixture
def rows(domain: Domain, state_dir: Path) -> Rows:
    """The file of that store."""
    return Rows(state_dir)
