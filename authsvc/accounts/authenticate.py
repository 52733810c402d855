"""From the metadata of a call to the principal behind it, or a refusal that tells nothing else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from authsvc.accounts.credentials import read_credential
from authsvc.clock import from_microseconds
from authsvc.errors import CallerUnauthenticated, Reason
from authsvc.model import Credential, CredentialId, Principal, ServiceAccount
from authsvc.trust.access import principal_of
from authsvc.trust.view import TrustView

_SCHEME = "Bearer "
# What an unknown account is compared with, so that it costs what a known one costs.
_NOBODY = (Credential(CredentialId(""), bytes(32), from_microseconds(0)),) * 2

_REMEMBERED = 4_096  # credentials in use at once: far more than a mesh has


class CredentialUnmatched(CallerUnauthenticated):
    """A credential in its right form that no live account is known to have; ``digest`` tells it from others."""

    def __init__(self, digest: bytes) -> None:
        super().__init__(Reason.CREDENTIAL_INVALID, detail="no live account has it")
        self.digest = digest


class Authenticator:
    """Knows callers by ``authorization: Bearer <service credential>`` (RFC 6750, 2.1)."""

    def __init__(self, view: TrustView) -> None:
        self._view = view
        self._seen: dict[bytes, tuple[ServiceAccount, Principal]] = {}

    def authenticate(self, authorization: Sequence[str | bytes]) -> Principal:
        """The principal whose credential is the one value of ``authorization``.

        Raises ``CallerUnauthenticated``: CREDENTIAL_MISSING without a value, CREDENTIAL_INVALID for several values,
        another scheme, and a credential that is malformed, unknown, revoked or of a disabled account; for the last
        three it is ``CredentialUnmatched``, since the account may have been changed just now.
        """
        if not authorization:
            raise CallerUnauthenticated(Reason.CREDENTIAL_MISSING)
        if len(authorization) != 1:
            raise _invalid("several authorization values")
        value = authorization[0]
        if not isinstance(value, str) or not value.startswith(_SCHEME):
            raise _invalid("not a Bearer credential")
        # Found by a digest of what was presented: how long that takes tells nothing of any other credential.
        fingerprint = hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
        seen = self._seen.get(fingerprint)
        if seen is not None and self._view.account(seen[0].id) is seen[0]:  # nothing about the account has changed
            return seen[1]
        account, principal = self._match(value.removeprefix(_SCHEME))
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[fingerprint] = account, principal
        return principal

    def _match(self, text: str) -> tuple[ServiceAccount, Principal]:
        presented = read_credential(text)
        if presented is None:
            raise _invalid("not of the form of a credential")
        account = self._view.account(presented.account_id)
        credential = _matching(account, presented.digest)
        if account is None or account.disabled or credential is None:
            raise CredentialUnmatched(presented.digest)
        return account, principal_of(account, credential.id)


def _matching(account: ServiceAccount | None, digest: bytes) -> Credential | None:
    """Always two comparisons in constant time, however many credentials there are and whichever fits."""
    known = account.credentials if account is not None else ()
    first, second = (*known, *_NOBODY)[:2]
    # Both are evaluated: no short cut tells which one it was.
    found = [one for one in (first, second) if hmac.compare_digest(one.digest, digest)]
    return found[0] if found and found[0].id else None


def _invalid(detail: str) -> CallerUnauthenticated:
    return CallerUnauthenticated(Reason.CREDENTIAL_INVALID, detail=detail)
