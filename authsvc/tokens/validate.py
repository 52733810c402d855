"""ValidateToken: a token of an app and questions in, a verdict out."""

from __future__ import annotations

from dataclasses import replace

from authsvc.clock import Deadline
from authsvc.errors import Faults
from authsvc.model import ApiKey, Kind, Permission, Principal, TokenStatus
from authsvc.tokens.development import DevelopmentNotice
from authsvc.tokens.lines import TokenLines
from authsvc.tokens.requests import ValidateRequest
from authsvc.tokens.rules import check_after_revision
from authsvc.trust.access import app_for, still_admitted
from authsvc.trust.catching_up import CatchingUp
from authsvc.trust.view import AppTrust, TrustView
from authsvc.verify.questions import Questions, check_askable, no_questions
from authsvc.verify.verdict import Verdict
from authsvc.verify.verifier import Verifier


class Validate:
    """The use case behind ``AuthService.ValidateToken``."""

    def __init__(
        self,
        view: TrustView,
        verifier: Verifier,
        notice: DevelopmentNotice,
        lines: TokenLines,
        catching_up: CatchingUp,
    ) -> None:
        self._view = view
        self._verifier = verifier
        self._notice = notice
        self._lines = lines
        self._catching_up = catching_up

    def arrival(self) -> int:
        """To be taken once where several requests came together: one look at the store serves them all."""
        return self._catching_up.arrival()

    def validate(
        self,
        principal: Principal,
        request: ValidateRequest,
        *,
        deadline: Deadline | None = None,
        arrival: int | None = None,
    ) -> Verdict:
        """The verdict on a token; a bad token is an answer.

        STRONG answers from everything that was committed before ``arrival`` (None: before this call), the caller's own
        account included. Raises ``InvalidRequest`` for questions that cannot be asked, ``CallerForbidden`` and
        ``NotFound`` for an app, ``Unavailable`` (STALE) while nothing may be answered from memory or a revision is not
        seen in time, and for STRONG what reading the store raises.
        """
        if request.plain:
            self._catching_up.check()
            questions = no_questions(principal.audiences)
        else:
            questions = _checked(request)
            principal = self._caught_up(principal, request, deadline, arrival)
            questions = replace(questions, caller_audiences=principal.audiences)
        trust = app_for(self._view, principal, request.api_key, deadline=deadline)
        verdict = self._verifier.verify(
            request.token, api_key=trust.app.api_key, questions=questions, deadline=deadline
        )
        return self._noticed(principal, verdict, trust)

    def at_once(self, principal: Principal, request: ValidateRequest) -> Verdict | None:
        """The verdict, where nothing but the token itself is asked about and memory has all that it takes.

        None where ``validate`` has something to wait for, or to refuse.
        """
        trust = self._view.app(ApiKey(request.api_key))
        if trust is None or not request.plain or not principal.may_act_for(trust.app.api_key):
            return None
        if self._catching_up.stale:
            return None
        questions = no_questions(principal.audiences)
        verdict = self._verifier.verdict(request.token, trust.app.api_key, questions)
        return None if verdict.status is TokenStatus.KEY_UNKNOWN else self._noticed(principal, verdict, trust)

    def _noticed(self, principal: Principal, verdict: Verdict, trust: AppTrust) -> Verdict:
        if not verdict.active:
            self._lines.not_active(principal, trust.app.api_key, verdict)
        elif verdict.token is not None and verdict.token.claims.kind is Kind.DEVELOPMENT:
            self._notice.accepted(trust.app.api_key)
        return verdict

    def _caught_up(
        self, principal: Principal, request: ValidateRequest, deadline: Deadline | None, arrival: int | None
    ) -> Principal:
        """Know as much as the request asks for; the caller, as the store has it where the store was asked."""
        if request.strong:
            self._catching_up.to_now(arrival, deadline=deadline)
            principal = still_admitted(self._view, principal, Permission.TOKENS_VALIDATE)
        else:
            self._catching_up.check()
        if request.after_revision:
            self._catching_up.to_revision(request.after_revision, deadline=deadline)
        return principal

    def lasts_until(self, verdict: Verdict) -> float | None:
        """See ``Verifier.lasts_until``."""
        return self._verifier.lasts_until(verdict)


def _checked(request: ValidateRequest) -> Questions:
    questions, faults = (
        Questions(request.call_cid, request.channel_cid, request.audience, request.any_role_of),
        Faults(),
    )
    check_askable(questions, faults)
    if request.strong is None:
        faults.add("consistency", "must be CACHED or STRONG, or unspecified for CACHED")
    check_after_revision(request.after_revision, faults)
    faults.refuse_any()
    return questions
