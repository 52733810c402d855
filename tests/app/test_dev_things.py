"""What development mode makes: once, privately, and again where it was lost."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from authsvc.accounts.authenticate import Authenticator
from authsvc.app.dev import holding_dev_json, make_dev_things
from authsvc.app.dev_kek import dev_kek
from authsvc.app.greeting import greeting
from authsvc.app.private_files import create_private, replace_private
from authsvc.clock import system_clock, system_randomness
from authsvc.config import Settings
from authsvc.model import ApiKey, AuditEvent, Permission
from authsvc.storage import apply_missing
from tests.accounts.people import gets_in
from tests.conftest import RunningServer


@pytest.fixture
def settings(state_dir: Path) -> Settings:
    """The settings of a server in that directory."""
    return Settings(state_dir=state_dir)


def made(server: RunningServer, settings: Settings, target: str = "127.0.0.1:1") -> dict[str, str]:
    """What stands in dev.json after a start."""
    path = make_dev_things(server.domain, settings, target)
    assert path == settings.state_dir / "dev.json"
    content: dict[str, str] = json.loads(path.read_text())
    return content


def works(server: RunningServer, content: dict[str, str]) -> bool:
    """Whether a service with that credential gets in."""
    return gets_in(Authenticator(server.domain.view), content["credential"])


def test_the_account_may_do_everything_and_the_app_allows_guests(server: RunningServer, settings: Settings) -> None:
    """One account with every permission on all apps, and one app to try things with."""
    content = made(server, settings)
    assert works(server, content)
    (account,) = [account for account in server.domain.view.accounts() if account.name == "dev"]
    assert (account.permissions, account.all_apps) == (frozenset(Permission), True)
    trust = server.domain.view.app(ApiKey(content["api_key"]))
    assert trust is not None
    assert (trust.app.settings.guests_enabled, trust.app.settings.anonymous_enabled) == (True, True)


def test_what_is_there_is_kept_and_only_the_target_follows(server: RunningServer, settings: Settings) -> None:
    """A second start on another port keeps the credential and says the new address."""
    first = made(server, settings, "127.0.0.1:1")
    second = made(server, settings, "127.0.0.1:2")
    assert second == {**first, "target": "127.0.0.1:2"}
    assert list(second) == ["target", "api_key", "credential"]
    assert len([account for account in server.domain.view.accounts() if account.name == "dev"]) == 1


def test_a_file_that_is_anothers_goes_on_naming_that_one(server: RunningServer, settings: Settings) -> None:
    """Its server runs; where the file is lost all the same, or its credential, one that works is written."""
    first = made(server, settings, "127.0.0.1:1")
    path = settings.state_dir / "dev.json"
    make_dev_things(server.domain, settings, "127.0.0.1:2", ours=False)
    assert json.loads(path.read_text()) == first
    path.write_text(json.dumps({**first, "credential": "ask1_nothing"}))
    make_dev_things(server.domain, settings, "127.0.0.1:2", ours=False)
    mended = json.loads(path.read_text())
    assert (mended["target"], works(server, mended)) == ("127.0.0.1:1", True)
    path.unlink()
    make_dev_things(server.domain, settings, "127.0.0.1:2", ours=False)
    assert json.loads(path.read_text())["target"] == "127.0.0.1:2"


def test_the_file_is_one_servers_at_a_time(settings: Settings) -> None:
    """Held until its server stops, then the next one's."""
    with holding_dev_json(settings) as first, holding_dev_json(settings) as second:
        assert (first, second) == (True, False)
    with holding_dev_json(settings) as third:
        assert third


def test_a_store_with_nothing_sealed_gets_a_kek(settings: Settings) -> None:
    """One that was only migrated is no reason to refuse."""
    apply_missing(settings.store_url, clock=system_clock)
    dev_kek(settings, system_randomness)
    assert (settings.state_dir / "kek").exists()


DAMAGED = {
    "lost": None,
    "empty": "",
    "no JSON": "{",
    "another JSON": "[1]",
    "null": "null",
    "without a credential": '{"target": "x", "api_key": "dev"}',
    "a number": '{"credential": 5}',
    "another credential": '{"credential": "ask1_nothing"}',
    "not UTF-8": "\udcff",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_lost_dev_json_gets_a_new_credential_and_the_old_one_ends(
    server: RunningServer, settings: Settings, kind: str
) -> None:
    """Nobody knows who has the lost one: it is good no more."""
    first = made(server, settings)
    path, damage = settings.state_dir / "dev.json", DAMAGED[kind]
    path.unlink()
    if damage is not None:
        path.write_text(damage, errors="surrogateescape")
    second = made(server, settings)
    assert works(server, second)
    assert not works(server, first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_credential_that_was_revoked_is_replaced(server: RunningServer, settings: Settings) -> None:
    """A file that names a credential which is good no more is as good as lost."""
    first = made(server, settings)
    (account,) = [account for account in server.domain.view.accounts() if account.name == "dev"]
    server.domain.accounts.recover(account.name, "test")
    assert not works(server, first)
    assert works(server, made(server, settings))


def test_a_disabled_account_is_enabled_again(server: RunningServer, settings: Settings) -> None:
    """Who starts with --dev can call: an account that was disabled, or lost its permissions, is as it was made."""
    first = made(server, settings)
    (account,) = [account for account in server.domain.view.accounts() if account.name == "dev"]
    event = AuditEvent(server.clock(), "account.updated", "test", "", account.id, "done")
    server.domain.store.edit_account(
        account.id, lambda old: replace(old, disabled=True, all_apps=False, permissions=frozenset()), event
    )
    assert not works(server, first)
    second = made(server, settings)
    assert works(server, second)
    assert made(server, settings) == second, "what works is kept"


def test_the_file_is_private_whatever_was_there(server: RunningServer, settings: Settings) -> None:
    """Mode 0600 in the place of a file that all could read, and no draft is left beside it."""
    path = settings.state_dir / "dev.json"
    path.write_text("{}")
    path.chmod(0o666)
    made(server, settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in settings.state_dir.iterdir() if "dev.json" in each.name] == ["dev.json"]


def test_the_kek_is_made_once(settings: Settings) -> None:
    """32 random bytes in a private file, read back by the next start."""
    first = dev_kek(settings, system_randomness)
    path = settings.state_dir / "kek"
    assert (len(path.read_bytes()), stat.S_IMODE(path.stat().st_mode)) == (32, 0o600)
    content = path.read_bytes()
    again = dev_kek(settings, system_randomness)
    assert path.read_bytes() == content
    assert type(first) is type(again)


def test_a_named_kek_wins(settings: Settings, tmp_path: Path) -> None:
    """None is made beside the one that the operator named."""
    path = tmp_path / "named"
    create_private(path, os.urandom(32))
    dev_kek(settings.model_copy(update={"kek_file": path}), system_randomness)
    assert not (settings.state_dir / "kek").exists()


def test_the_greeting_holds_no_credential(server: RunningServer, settings: Settings) -> None:
    """It tells where to read it, and names the address in each line that calls."""
    content = made(server, settings)
    text = greeting("127.0.0.1:7", settings.state_dir / "dev.json")
    assert content["credential"] not in text
    assert all("127.0.0.1:7" in line for line in text.splitlines() if "grpcurl" in line)


def test_a_private_file_is_never_overwritten_by_making_it(tmp_path: Path) -> None:
    """What is there stays; a directory that is missing is made for its owner alone."""
    path = tmp_path / "new" / "secret"
    create_private(path, b"first")
    with pytest.raises(FileExistsError):
        create_private(path, b"second")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"first", 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """The new content stands there at once, under a new file: who holds the old one open reads the old."""
    path = tmp_path / "secret"
    create_private(path, b"first")
    with path.open("rb") as held:
        replace_private(path, b"second")
        assert (held.read(), path.read_bytes()) == (b"first", b"second")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]
