"""Only services with a credential get in: deny by default, decided from metadata alone."""

from __future__ import annotations

from collections.abc import Sequence

from authsvc.accounts.authenticate import Authenticator, CredentialUnmatched
from authsvc.errors import AuthError, CallerForbidden, MethodUnknown, Reason
from authsvc.logs import Logger
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor
from authsvc.trust.freshness import Freshness, stale
from authsvc.trust.second_look import SecondLook


class Credentials(Interceptor):
    """Runs before any body is waited for, so a refusal costs a caller no more than its headers.

    A credential that nobody is known to have may be of an account that another worker has just changed. The serving
    thread must not wait for the store: such a call, a few a second, is decided on its own thread, and only then
    ``admission`` counts it.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        log: Logger,
        *,
        freshness: Freshness,
        second_look: SecondLook,
        admission: Sequence[Interceptor],
    ) -> None:
        self._authenticator = authenticator
        self._log = log
        self._freshness = freshness
        self._second_look = second_look
        self._admission = admission

    def arrive(self, call: Call) -> None:
        """Learn the principal and check its permission; an unknown method is told only to known callers."""
        if call.method is not None and call.method.rule.open:
            return
        try:
            self._judge(call)
        except CredentialUnmatched as refusal:
            call.undecided = self._second_look.would(_name(refusal))
            if not call.undecided:
                raise self._refused(call, refusal) from None
        except AuthError as refusal:
            raise self._refused(call, refusal) from None

    def enter(self, call: Call) -> None:
        """On the call's own thread: look at the store once, where nobody was known to have the credential."""
        if not call.undecided:
            return
        call.undecided = False
        try:
            self._judge_again(call)
        except AuthError as refusal:
            raise self._refused(call, refusal) from None
        for admission in self._admission:
            admission.arrive(call)

    def _judge_again(self, call: Call) -> None:
        try:
            self._judge(call)
        except CredentialUnmatched as refusal:
            if not self._second_look(_name(refusal), call.deadline):
                raise
            self._judge(call)

    def _judge(self, call: Call) -> None:
        call.principal = self._authenticator.authenticate(call.values("authorization"))
        if call.method is None:
            raise MethodUnknown
        permission = call.method.rule.permission
        if permission is not None and permission not in call.principal.permissions:
            raise CallerForbidden(Reason.PERMISSION_MISSING, metadata={"permission": permission})

    def _refused(self, call: Call, refusal: AuthError) -> AuthError:
        """What is told: memory that may be too old refuses nobody."""
        if call.principal is None:
            self._log.debug("credential refused", method=call.name, reason=refusal.reason, detail=refusal.detail)
        return stale() if self._freshness.stale else refusal


def _name(refusal: CredentialUnmatched) -> tuple[str, bytes]:
    return "credential", refusal.digest
