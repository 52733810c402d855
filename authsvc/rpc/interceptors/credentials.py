"""Only services with a credential get in: deny by default, decided from metadata alone."""

from __future__ import annotations

from authsvc.accounts.authenticate import Authenticator
from authsvc.errors import AuthError, CallerForbidden, MethodUnknown, Reason
from authsvc.logs import Logger
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor


class Credentials(Interceptor):
    """Runs before any body is waited for, so a refusal costs a caller no more than its headers."""

    def __init__(self, authenticator: Authenticator, log: Logger) -> None:
        self._authenticator = authenticator
        self._log = log

    def arrive(self, call: Call) -> None:
        """Learn the principal and check its permission; an unknown method is told only to known callers."""
        rule = call.method.rule if call.method is not None else None
        if rule is not None and rule.open:
            return
        try:
            call.principal = self._authenticator.authenticate(call.values("authorization"))
        except AuthError as refusal:
            self._log.debug("credential refused", method=call.name, reason=refusal.reason, detail=refusal.detail)
            raise
        if rule is None:
            raise MethodUnknown
        if rule.permission is not None and rule.permission not in call.principal.permissions:
            raise CallerForbidden(Reason.PERMISSION_MISSING, metadata={"permission": rule.permission})
