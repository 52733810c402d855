"""ValidateToken: a token of an app and questions in, a verdict out."""

from __future__ import annotations

from authsvc.errors import Faults
from authsvc.model import Kind, Principal
from authsvc.tokens.development import DevelopmentNotice
from authsvc.tokens.requests import ValidateRequest
from authsvc.tokens.rules import NOT_IN_THIS_VERSION, check_cid
from authsvc.trust.access import app_for
from authsvc.trust.view import TrustView
from authsvc.verify.identifiers import MAX_AUDIENCE_LENGTH, ROLE_FORM, is_role
from authsvc.verify.questions import Questions, no_questions
from authsvc.verify.verdict import Verdict
from authsvc.verify.verifier import Verifier


class Validate:
    """The use case behind ``AuthService.ValidateToken``."""

    def __init__(self, view: TrustView, verifier: Verifier, notice: DevelopmentNotice) -> None:
        self._view = view
        self._verifier = verifier
        self._notice = notice

    def validate(self, principal: Principal, request: ValidateRequest) -> Verdict:
        """The verdict on a token; a bad token is an answer.

        Raises ``InvalidRequest`` for questions that cannot be asked, ``CallerForbidden`` and ``NotFound`` for an app.
        """
        if request.plain:
            questions = no_questions(principal.audiences)
        else:
            _check(request)
            questions = Questions(
                call_cid=request.call_cid,
                channel_cid=request.channel_cid,
                audience=request.audience,
                any_role_of=request.any_role_of,
                caller_audiences=principal.audiences,
            )
        trust = app_for(self._view, principal, request.api_key)
        verdict = self._verifier.verify(request.token, api_key=trust.app.api_key, questions=questions)
        if verdict.token is not None and verdict.active and verdict.token.claims.kind is Kind.DEVELOPMENT:
            self._notice.accepted(trust.app.api_key)
        return verdict


def _check(request: ValidateRequest) -> None:
    faults = Faults()
    check_cid(request.call_cid, "call_cid", faults)
    check_cid(request.channel_cid, "channel_cid", faults)
    if request.audience is not None and not 0 < len(request.audience) <= MAX_AUDIENCE_LENGTH:
        faults.add("audience", f"must be 1 to {MAX_AUDIENCE_LENGTH} characters where it is present")
    if request.any_role_of is not None:
        if not request.any_role_of:
            faults.add("roles", "is present but empty: list any_of, or leave it out")
        for index, role in enumerate(request.any_role_of):
            if not is_role(role):
                faults.add(f"roles.any_of[{index}]", f"must be {ROLE_FORM}")
    if request.strong:
        faults.add("consistency", f"STRONG {NOT_IN_THIS_VERSION}")
    if request.after_revision:
        faults.add("after_revision", NOT_IN_THIS_VERSION)
    faults.refuse_any()
