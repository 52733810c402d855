"""Service accounts and their credentials as rows and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import AccountId, Credential, CredentialId, Revision, ServiceAccount
from authsvc.storage.texts import rights_from, rights_text

COLUMNS: Final = "id, name, rights, disabled, version, revision, created_at, updated_at"
CREDENTIAL_COLUMNS: Final = "account_id, position, id, digest, created_at"


def to_row(account: ServiceAccount) -> tuple[Any, ...]:
    """The columns ``COLUMNS`` of an account."""
    return (
        account.id,
        account.name,
        rights_text(account),
        account.disabled,
        account.version,
        account.revision,
        to_microseconds(account.created_at),
        to_microseconds(account.updated_at),
    )


def credential_rows(account: ServiceAccount) -> Iterator[tuple[Any, ...]]:
    """The columns ``CREDENTIAL_COLUMNS`` of each of an account's credentials."""
    for position, credential in enumerate(account.credentials):
        yield account.id, position, credential.id, credential.digest, to_microseconds(credential.created_at)


def from_row(row: tuple[Any, ...], credentials: Iterable[tuple[Any, ...]]) -> ServiceAccount:
    """The account in the columns ``COLUMNS``; its credentials in order of position. Raises ``StoredDataInvalid``."""
    account_id, name, rights, disabled, version, revision, created_at, updated_at = row
    return ServiceAccount(
        id=AccountId(account_id),
        name=name,
        **rights_from(rights),
        disabled=bool(disabled),
        credentials=tuple(
            Credential(CredentialId(credential_id), digest, from_microseconds(at))
            for _, _, credential_id, digest, at in credentials
        ),
        version=version,
        revision=Revision(revision),
        created_at=from_microseconds(created_at),
        updated_at=from_microseconds(updated_at),
    )


def from_rows(rows: Iterable[tuple[Any, ...]], credentials: Sequence[tuple[Any, ...]]) -> tuple[ServiceAccount, ...]:
    """Many accounts; ``credentials`` are those of all of them, in order of account and position."""
    of_account: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for credential in credentials:
        of_account[credential[0]].append(credential)
    return tuple(from_row(row, of_account[row[0]]) for row in rows)
