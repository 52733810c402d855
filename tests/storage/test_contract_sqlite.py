"""The contract, proven on the embedded backend. Another backend plugs in its ``place`` the same way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.contract.accounts import Accounts
from tests.storage.contract.apps import Apps
from tests.storage.contract.deadlines import Deadlines
from tests.storage.contract.feed import Feed
from tests.storage.contract.lifetime import Lifetime
from tests.storage.contract.revoking import Revoking
from tests.storage.contract.secrets import Secrets
from tests.storage.contract.sessions import Sessions
from tests.storage.contract.turning import Turning
from tests.storage.contract.watermarks import Watermarks
from tests.storage.places import SqlitePlace


@pytest.fixture
def place(tmp_path: Path) -> Iterator[SqlitePlace]:
    """A file that is not there yet."""
    place = SqlitePlace(tmp_path)
    yield place
    place.close()


class TestApps(Apps): ...


class TestAccounts(Accounts): ...


class TestSessions(Sessions): ...


class TestTurning(Turning): ...


class TestRevoking(Revoking): ...


class TestWatermarks(Watermarks): ...


class TestFeed(Feed): ...


class TestSecrets(Secrets): ...


class TestLifetime(Lifetime): ...


class TestDeadlines(Deadlines): ...
