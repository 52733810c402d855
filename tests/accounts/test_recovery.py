"""Whoever holds the store can always get in again, however the accounts were left."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from authsvc.accounts.admin import AccountsAdmin, WithCredential
from authsvc.accounts.authenticate import Authenticator
from authsvc.app import Refused, recover
from authsvc.app.composition import open_domain
from authsvc.config import Settings
from authsvc.errors import InvalidRequest
from authsvc.model import Permission, Principal
from authsvc.signing.sealing import load_kek
from tests.accounts.people import a_profile
from tests.rows import Rows

EVERYTHING = frozenset(Permission)
LOCKED_OUT: dict[str, Callable[[AccountsAdmin, Principal, WithCredential], object]] = {
    "disabled": lambda accounts, root, ops: accounts.set_disabled(root, ops.account.id, True, etag_version=None),
    "without a credential": lambda accounts, root, ops: accounts.revoke_credential(
        root, ops.account.id, ops.credential.id
    ),
    "for one app": lambda accounts, root, ops: accounts.update(
        root, ops.account.id, a_profile("ops"), ("all_apps", "apps"), etag_version=None
    ),
    "without permissions": lambda accounts, root, ops: accounts.update(
        root, ops.account.id, a_profile("ops", permissions=("trust.read",)), ("permissions",), etag_version=None
    ),
}


@pytest.mark.parametrize("kind", LOCKED_OUT)
def test_an_account_that_is_locked_out_can_do_everything_again(
    accounts: AccountsAdmin, authenticator: Authenticator, root: Principal, rows: Rows, kind: str
) -> None:
    """By its new credential alone, as the same account, and the audit says so."""
    ops = accounts.bootstrap(a_profile("ops", permissions=tuple(Permission), all_apps=True, apps=(), audiences=("a",)))
    LOCKED_OUT[kind](accounts, root, ops)
    made = accounts.recover("ops", "recover")
    principal = authenticator.authenticate([f"Bearer {made.credential.text}"])
    assert (principal.account_id, principal.permissions, principal.all_apps) == (ops.account.id, EVERYTHING, True)
    assert (principal.audiences, len(made.account.credentials)) == (("a",), 1)
    assert accounts.all(root) == (made.account,)
    assert (rows.audit()[-1].action, rows.audit()[-1].principal) == ("account.recovered", "recover")


def test_a_name_that_nobody_has_is_a_new_account(
    accounts: AccountsAdmin, authenticator: Authenticator, root: Principal
) -> None:
    """Where it is not known what the accounts are called, another one is made, and the others stay as they are."""
    edge = accounts.create(root, a_profile("edge"))
    made = accounts.recover("rescue", "recover")
    assert authenticator.authenticate([f"Bearer {made.credential.text}"]).permissions == EVERYTHING
    assert set(accounts.all(root)) == {edge.account, made.account}


def test_what_cannot_be_a_name_is_refused(accounts: AccountsAdmin, rows: Rows) -> None:
    """A typing mistake makes no account."""
    before = rows.everything()
    with pytest.raises(InvalidRequest):
        accounts.recover("no good", "recover")
    assert rows.everything() == before


def test_the_command_leaves_a_credential_that_works_in_a_private_file(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the first account; a file that is there is kept, and then nothing is changed."""
    kek, file = state_dir / "kek", state_dir / "ops.credential"
    kek.write_bytes(os.urandom(32))
    kek.chmod(0o600)
    monkeypatch.setenv("AUTHSVC_KEK_FILE", str(kek))
    monkeypatch.setenv("AUTHSVC_STATE_DIR", str(state_dir))
    done = recover(name="ops", credential_file=file)
    assert (done.made, done.others) == (True, ())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(Refused, match="is there already"):
        recover(name="ops", credential_file=file)
    with open_domain(Settings(state_dir=state_dir), load_kek(kek)) as domain:
        principal = Authenticator(domain.view).authenticate([f"Bearer {file.read_text().strip()}"])
    assert principal.account_id == done.account_id
