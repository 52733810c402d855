"""The contract, proven on the embedded backend. Another backend plugs in its ``place`` the same way."""

from __future__ import annotations

import pytest

from tests.storage.contract.accounts import Accounts
from tests.storage.contract.apps import Apps
from tests.storage.contract.audit import Audit
from tests.storage.contract.clearing import Clearing
from tests.storage.contract.deadlines import Deadlines
from tests.storage.contract.feed import Feed
from tests.storage.contract.following import Following
from tests.storage.contract.histories import Histories
from tests.storage.contract.keys import Keys
from tests.storage.contract.levels import Levels
from tests.storage.contract.lifetime import Lifetime
from tests.storage.contract.lists import Lists
from tests.storage.contract.purging import Purging
from tests.storage.contract.revoking import Revoking
from tests.storage.contract.secrets import Secrets
from tests.storage.contract.sessions import Sessions
from tests.storage.contract.texts import Texts
from tests.storage.contract.tokens import Tokens
from tests.storage.contract.turning import Turning
from tests.storage.contract.turning_many import TurningMany
from tests.storage.contract.watermarks import Watermarks
from tests.storage.places import SqlitePlace


@pytest.fixture
def place(sqlite_place: SqlitePlace) -> SqlitePlace:
    """The backend under test."""
    return sqlite_place


class TestApps(Apps): ...


class TestAccounts(Accounts): ...


class TestSessions(Sessions): ...


class TestTurning(Turning): ...


class TestTurningMany(TurningMany): ...


class TestRevoking(Revoking): ...


class TestWatermarks(Watermarks): ...


class TestFeed(Feed): ...


class TestFollowing(Following): ...


class TestSecrets(Secrets): ...


class TestTexts(Texts): ...


class TestLifetime(Lifetime): ...


class TestDeadlines(Deadlines): ...


class TestClearing(Clearing): ...


class TestKeys(Keys): ...


class TestTokens(Tokens): ...


class TestLists(Lists): ...


class TestAudit(Audit): ...


class TestLevels(Levels): ...


class TestPurging(Purging): ...


class TestHistories(Histories): ...
