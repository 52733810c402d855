"""Service accounts for whoever holds the store: the first of all, and a way back in. The rest can be done over gRPC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from authsvc.accounts.admin import AccountsAdmin, WithCredential
from authsvc.accounts.requests import AccountProfile
from authsvc.accounts.rules import EVERY_PERMISSION
from authsvc.app import Refused
from authsvc.app.commanding import command
from authsvc.app.composition import Domain, open_domain
from authsvc.app.private_files import create_private
from authsvc.app.refusals import kek_of
from authsvc.errors import AlreadyExists, AuthError, InvalidRequest

Make = Callable[[AccountsAdmin], WithCredential]


@dataclass(frozen=True, slots=True)
class Recovered:
    """The account that can do everything now. ``made``: nobody had its name, and the ``others`` have theirs."""

    account_id: str
    made: bool
    others: tuple[str, ...]


def make_first_account(name: str, credential_file: Path) -> str:
    """Make it with every permission on all apps, while there is none; returns its id. Raises ``Refused``."""
    profile = AccountProfile(name, EVERY_PERMISSION, all_apps=True)
    with _on_the_store("accounts bootstrap", credential_file) as domain:
        return _make(domain.accounts, lambda accounts: accounts.bootstrap(profile), credential_file)


def recover_account(name: str, credential_file: Path) -> Recovered:
    """Let the account with that name do everything, by one new credential. Raises ``Refused``."""
    with _on_the_store("accounts recover", credential_file) as domain:
        names = {account.name for account in domain.view.accounts()}
        account_id = _make(domain.accounts, lambda accounts: accounts.recover(name, "recover"), credential_file)
        return Recovered(account_id, name not in names, tuple(sorted(names - {name})))


@contextmanager
def _on_the_store(name: str, credential_file: Path) -> Iterator[Domain]:
    with command(name) as settings:
        if credential_file.exists():
            raise Refused(f"{credential_file} is there already: name a new file")
        with open_domain(settings, kek_of(settings)) as domain:
            yield domain


def _make(accounts: AccountsAdmin, make: Make, credential_file: Path) -> str:
    # The file is made first: a credential that cannot be written anywhere helps nobody.
    create_private(credential_file, b"")
    try:
        made = make(accounts)
    except AuthError as fault:
        credential_file.unlink()
        raise _refused(fault) from None
    credential_file.write_text(f"{made.credential.text}\n")
    return made.account.id


def _refused(fault: AuthError) -> Exception:
    """The sentence for this command, or the fault itself where the general one will do."""
    match fault:
        case AlreadyExists():
            return Refused(
                "there are service accounts already: let one of them make the next (authsvc accounts create), "
                "or, where none can be used any more, authsvc accounts recover"
            )
        case InvalidRequest():
            return Refused("; ".join(f"{each.field} {each.description}" for each in fault.violations))
    return fault
