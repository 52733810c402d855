"""The statements of single tokens that were ended."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from datetime import datetime

import apsw

from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, AuditEvent, Gone, Revision, Subject, TokenId, TokenRevoked
from authsvc.storage.columns import Columns
from authsvc.storage.rows.moments import optional_microseconds
from authsvc.storage.rows.revocations import TOKEN_COLUMNS, outlasts, token_from, tokens_of
from authsvc.storage.sqlite.apps import is_there
from authsvc.storage.sqlite.connection import stream
from authsvc.storage.sqlite.transaction import Transaction

_READ = f"SELECT {TOKEN_COLUMNS} FROM revoked_tokens WHERE api_key = ? AND token_id = ?"

_LIVE = f"SELECT {TOKEN_COLUMNS} FROM revoked_tokens WHERE until IS NULL OR until > ?"


def revoke_token(
    transaction: Transaction, api_key: ApiKey, token_id: TokenId, until: datetime | None, audit: AuditEvent
) -> Revision:
    """See ``Store.revoke_token``."""
    if not is_there(transaction.connection, api_key):
        raise NotFound(Reason.APP_NOT_FOUND)
    row = transaction.fetch_one(_READ, (api_key, token_id))
    if row is not None and outlasts(before := token_from(row), until):
        return before.revision
    revision = transaction.next_revision()
    transaction.fetch(
        f"REPLACE INTO revoked_tokens ({TOKEN_COLUMNS}) VALUES (?, ?, ?, ?)",
        (api_key, token_id, optional_microseconds(until), revision),
    )
    transaction.publish(revision, (TokenRevoked(api_key, token_id, until, revision),), audit)
    return revision


def clear_token(transaction: Transaction, api_key: ApiKey, token_id: TokenId, audit: AuditEvent) -> Revision | None:
    """See ``Store.clear_token``."""
    if transaction.fetch_one(_READ, (api_key, token_id)) is None:
        return None
    revision = transaction.next_revision()
    transaction.fetch("DELETE FROM revoked_tokens WHERE api_key = ? AND token_id = ?", (api_key, token_id))
    transaction.publish(revision, (Gone(Subject.TOKEN, api_key, token_id, revision),), audit)
    return revision


def read_revoked_tokens(connection: apsw.Connection, now: int) -> Columns[TokenRevoked]:
    """The single tokens that were ended and would still live."""
    return tokens_of(stream(connection, _LIVE, (now,)))
