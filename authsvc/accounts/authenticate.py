"""From the metadata of a call to the principal behind it, or a refusal that tells nothing else."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from authsvc.accounts.credentials import read_credential
from authsvc.errors import CallerUnauthenticated, Reason
from authsvc.model import Principal, ServiceAccount
from authsvc.trust.view import TrustView

_SCHEME = "Bearer "
# What an unknown account is compared with, so that it costs what a known one costs.
_NOBODY = (bytes(32), bytes(32))


class Authenticator:
    """Knows callers by ``authorization: Bearer <service credential>`` (RFC 6750, 2.1)."""

    def __init__(self, view: TrustView) -> None:
        self._view = view

    def authenticate(self, authorization: Sequence[str | bytes]) -> Principal:
        """The principal whose credential is the one value of ``authorization``.

        Raises ``CallerUnauthenticated``: CREDENTIAL_MISSING without a value, CREDENTIAL_INVALID for several values,
        another scheme, and a credential that is malformed, unknown, revoked or of a disabled account.
        """
        if not authorization:
            raise CallerUnauthenticated(Reason.CREDENTIAL_MISSING)
        if len(authorization) != 1:
            raise _invalid("several authorization values")
        value = authorization[0]
        if not isinstance(value, str) or not value.startswith(_SCHEME):
            raise _invalid("not a Bearer credential")
        presented = read_credential(value.removeprefix(_SCHEME))
        if presented is None:
            raise _invalid("not of the form of a credential")
        account = self._view.account(presented.account_id)
        if not _matches(account, presented.digest) or account is None or account.disabled:
            raise _invalid("no live account has it")
        return principal_of(account)


def principal_of(account: ServiceAccount) -> Principal:
    """What the rules of a call need to know of an account."""
    return Principal(account.id, account.name, account.permissions, account.all_apps, account.apps, account.audiences)


def _matches(account: ServiceAccount | None, digest: bytes) -> bool:
    """Always two comparisons in constant time, however many credentials there are and whichever fits."""
    known = [credential.digest for credential in account.credentials] if account is not None else []
    first, second = (*known, *_NOBODY)[:2]
    # Both are evaluated: no short cut tells which one it was.
    found = [hmac.compare_digest(first, digest), hmac.compare_digest(second, digest)]
    return any(found)


def _invalid(detail: str) -> CallerUnauthenticated:
    return CallerUnauthenticated(Reason.CREDENTIAL_INVALID, detail=detail)
