"""The statements of single tokens that are ended.

Whoever changes one holds the feed's number, so what is asked after taking it stays true until the commit.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from datetime import datetime
from typing import Final

from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, AuditEvent, Gone, Revision, Subject, TokenId, TokenRevoked
from authsvc.storage.postgres.apps import IS_THERE
from authsvc.storage.postgres.statement import Statement, by_column, places
from authsvc.storage.postgres.transaction import Transaction, Unchanged
from authsvc.storage.rows.moments import optional_microseconds
from authsvc.storage.rows.revocations import TOKEN_COLUMNS, outlasts, token_from

LIVE: Final = f"SELECT {TOKEN_COLUMNS} FROM revoked_tokens WHERE until IS NULL OR until > :now"

_READ = Statement(f"SELECT {TOKEN_COLUMNS} FROM revoked_tokens WHERE api_key = :api_key AND token_id = :token_id")
_PUT = Statement(f"""
INSERT INTO revoked_tokens ({TOKEN_COLUMNS}) VALUES ({places(TOKEN_COLUMNS)})
ON CONFLICT (api_key, token_id) DO UPDATE SET until = excluded.until, revision = excluded.revision""")
_DELETE = Statement("DELETE FROM revoked_tokens WHERE api_key = :api_key AND token_id = :token_id RETURNING 1::bigint")


def revoke_token(
    transaction: Transaction, api_key: ApiKey, token_id: TokenId, until: datetime | None, audit: AuditEvent
) -> Revision:
    """See ``Store.revoke_token``."""
    if not transaction.fetch(IS_THERE(api_key=api_key)):
        raise NotFound(Reason.APP_NOT_FOUND)
    if (kept := _kept(transaction, api_key, token_id, until)) is not None:
        return kept.revision
    revision = transaction.next_revision()
    if (kept := _kept(transaction, api_key, token_id, until)) is not None:  # a rival was faster
        raise Unchanged(kept.revision)
    revoked = TokenRevoked(api_key, token_id, until, revision)
    row = (api_key, token_id, optional_microseconds(until), revision)
    transaction.later(_PUT.of(by_column(TOKEN_COLUMNS, row)))
    transaction.publish(revision, (revoked,), audit)
    return revision


def clear_token(transaction: Transaction, api_key: ApiKey, token_id: TokenId, audit: AuditEvent) -> Revision | None:
    """See ``Store.clear_token``."""
    if not transaction.fetch(_READ(api_key=api_key, token_id=token_id)):
        return None
    revision = transaction.next_revision()
    if not transaction.fetch(_DELETE(api_key=api_key, token_id=token_id)):  # a rival was faster
        raise Unchanged(None)
    transaction.publish(revision, (Gone(Subject.TOKEN, api_key, token_id, revision),), audit)
    return revision


def _kept(transaction: Transaction, api_key: ApiKey, token_id: TokenId, until: datetime | None) -> TokenRevoked | None:
    """What is kept of it already, where that is remembered for as long."""
    row = transaction.fetch_one(_READ(api_key=api_key, token_id=token_id))
    if row is None:
        return None
    kept = token_from(row)
    return kept if outlasts(kept, until) else None
