"""The first account is made by whoever holds the store, once; every other one by an account."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path

import pytest

from authsvc.accounts.admin import AccountsAdmin, WithCredential
from authsvc.accounts.authenticate import Authenticator
from authsvc.app import Refused, bootstrap
from authsvc.app.composition import open_domain
from authsvc.config import Settings
from authsvc.errors import AlreadyExists, InvalidRequest, Reason
from authsvc.model import Permission, Principal
from authsvc.signing.sealing import load_kek
from tests.accounts.people import a_profile, gets_in
from tests.rows import Rows
from tests.storage.crowd import all_at_once

FIRST = a_profile("ops", permissions=tuple(Permission), all_apps=True, apps=())


def test_the_first_account_is_made_once(accounts: AccountsAdmin, authenticator: Authenticator, rows: Rows) -> None:
    """On an empty store an account is made; from then on no second one, under any name."""
    made = accounts.bootstrap(FIRST)
    assert authenticator.authenticate([f"Bearer {made.credential.text}"]).permissions == set(Permission)
    before = rows.everything()
    for name in ("ops", "another"):
        with pytest.raises(AlreadyExists) as refused:
            accounts.bootstrap(a_profile(name))
        assert refused.value.reason is Reason.SERVICE_ACCOUNT_EXISTS
    assert rows.everything() == before
    assert rows.audit()[-1].principal == "bootstrap"


def test_a_disabled_account_without_credentials_is_an_account(accounts: AccountsAdmin, root: Principal) -> None:
    """That nobody can get in any more does not open the store to a new first account."""
    made = accounts.bootstrap(FIRST)
    accounts.set_disabled(root, made.account.id, True, etag_version=None)
    accounts.revoke_credential(root, made.account.id, made.credential.id)
    with pytest.raises(AlreadyExists):
        accounts.bootstrap(FIRST)


def test_of_many_first_accounts_one_is_made(accounts: AccountsAdmin, root: Principal) -> None:
    """Processes that bootstrap together end with one account."""
    outcomes = all_at_once([partial(accounts.bootstrap, a_profile(f"ops-{number}")) for number in range(8)])
    made = [outcome for outcome in outcomes if isinstance(outcome, WithCredential)]
    assert len(made) == 1
    assert [type(outcome) for outcome in outcomes].count(AlreadyExists) == 7
    assert accounts.all(root) == (made[0].account,)


def test_the_first_account_is_judged_too(accounts: AccountsAdmin, root: Principal) -> None:
    """A profile with faults makes no first account."""
    with pytest.raises(InvalidRequest):
        accounts.bootstrap(a_profile("no good"))
    assert accounts.all(root) == ()


@pytest.fixture
def kek_file(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that names a state directory and the file of a key."""
    path = state_dir / "kek"
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    monkeypatch.setenv("AUTHSVC_KEK_FILE", str(path))
    monkeypatch.setenv("AUTHSVC_STATE_DIR", str(state_dir))
    return path


def _gets_in(state_dir: Path, kek_file: Path, credential: str) -> bool:
    with open_domain(Settings(state_dir=state_dir), load_kek(kek_file)) as domain:
        return gets_in(Authenticator(domain.view), credential)


def test_the_command_leaves_a_credential_that_works_in_a_private_file(state_dir: Path, kek_file: Path) -> None:
    """The credential of the first account stands in a new file that only its owner may read."""
    file = state_dir / "ops.credential"
    account_id = bootstrap(name="ops", credential_file=file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    credential = file.read_text().removesuffix("\n")
    assert credential.split("_")[1] == account_id
    assert _gets_in(state_dir, kek_file, credential)


def test_the_command_makes_no_second_account(state_dir: Path, kek_file: Path) -> None:
    """With an account in the store the command is refused and leaves no file."""
    bootstrap(name="ops", credential_file=state_dir / "first")
    with pytest.raises(Refused, match="service accounts already"):
        bootstrap(name="another", credential_file=state_dir / "second")
    assert not (state_dir / "second").exists()
    assert Rows(state_dir).read("SELECT name FROM accounts") == [("ops",)]


def test_the_command_overwrites_no_file(state_dir: Path, kek_file: Path) -> None:
    """A file that is there keeps its content, and no account is made whose credential nobody has."""
    file = state_dir / "taken"
    file.write_text("precious")
    with pytest.raises(Refused, match="is there already"):
        bootstrap(name="ops", credential_file=file)
    assert file.read_text() == "precious"
    bootstrap(name="ops", credential_file=state_dir / "free")


def test_a_name_with_faults_leaves_neither_account_nor_file(state_dir: Path, kek_file: Path) -> None:
    """The command says what a name may be, and leaves nothing behind."""
    with pytest.raises(Refused, match="name must be 1 to 64"):
        bootstrap(name="no good", credential_file=state_dir / "file")
    assert not (state_dir / "file").exists()
    bootstrap(name="good", credential_file=state_dir / "file")
