"""The first service account, made by whoever holds the store: everything else can be done over gRPC."""

from __future__ import annotations

from pathlib import Path

from authsvc.accounts.requests import AccountProfile
from authsvc.app import Refused
from authsvc.app.composition import Domain, open_domain
from authsvc.app.private_files import create_private
from authsvc.app.refusals import kek_of, refusing, settings_of_process
from authsvc.errors import AlreadyExists, AuthError, InvalidRequest
from authsvc.model import Permission

EVERY_PERMISSION = tuple(permission.value for permission in Permission)


def make_first_account(name: str, credential_file: Path) -> str:
    """Make it with every permission on all apps; raises ``Refused``."""
    settings = settings_of_process()
    if credential_file.exists():
        raise Refused(f"{credential_file} is there already: name a new file")
    with refusing(), open_domain(settings, kek_of(settings)) as domain:
        return _make(domain, name, credential_file)


def _make(domain: Domain, name: str, credential_file: Path) -> str:
    # The file is made first: an account whose credential nobody has could not be made again.
    create_private(credential_file, b"")
    try:
        made = domain.accounts.bootstrap(AccountProfile(name, EVERY_PERMISSION, all_apps=True))
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
                "there are service accounts already: let one of them make the next (authsvc accounts create)"
            )
        case InvalidRequest():
            return Refused("; ".join(f"{each.field} {each.description}" for each in fault.violations))
    return fault
