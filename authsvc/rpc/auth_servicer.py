"""``AuthService``: decode, call, encode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from authsvc.clock import deadline_after
from authsvc.rpc import convert, convert_sessions
from authsvc.rpc.batches import Batches
from authsvc.rpc.call import Call
from authsvc.rpc.paging import question_of, read_page
from authsvc.rpc.remembered import RememberedAnswers
from authsvc.rpc.together import HASTE
from authsvc.rpc.verdicts import EncodedVerdicts
from authsvc.tokens.issue import Issue, IssuedToken
from authsvc.tokens.issue_together import IssueTogether, IssueWish
from authsvc.tokens.refresh import Refresh, RefreshedToken
from authsvc.tokens.refresh_together import InDoubt, RefreshTogether, Wish
from authsvc.tokens.revoke import Revoke
from authsvc.tokens.session_list import Sessions
from authsvc.tokens.validate import Validate
from authsvc.v1 import auth_pb2 as pb
from authsvc.verify.verdict import Verdict


class _Judged(NamedTuple):
    """A verdict, the state of memory from before it, and whether it is from there."""

    verdict: Verdict
    changes: int
    from_memory: bool


class AuthServicer:
    """Each method is served by one use case."""

    def __init__(
        self,
        issue: Issue,
        refresh: Refresh,
        validate: Validate,
        revoke: Revoke,
        sessions: Sessions,
        batches: Batches,
        answers: RememberedAnswers,
        issue_together: IssueTogether,
        refresh_together: RefreshTogether,
    ) -> None:
        self._issue = issue
        self._issue_together = issue_together
        self._refresh = refresh
        self._refresh_together = refresh_together
        self._validate = validate
        self._revoke = revoke
        self._sessions = sessions
        self._batches = batches
        self._verdicts = EncodedVerdicts()
        self._answers = answers
        self.remembered = {"ValidateToken": answers.find}
        self.together = {
            "IssueToken": self._issue_at_once,
            "RefreshToken": self._refresh_at_once,
            "ValidateToken": self._validate_at_once,
        }

    def IssueToken(self, request: pb.IssueTokenRequest, call: Call) -> pb.IssueTokenResponse:
        """``tokens.issue``."""
        call.about(request.api_key)
        issued = call.prepared
        if not isinstance(issued, IssuedToken):
            issued = self._issue.issue(call.caller, convert.issue_request(request), deadline=call.deadline)
        call.about(issued.minted.token.api_key)
        return convert.issue_response(issued)

    def RefreshToken(self, request: pb.RefreshTokenRequest, call: Call) -> pb.RefreshTokenResponse:
        """``tokens.refresh``."""
        refreshed = call.prepared
        if isinstance(refreshed, InDoubt):
            raise refreshed.refusal()
        if not isinstance(refreshed, RefreshedToken):
            refreshed = self._refresh.refresh(call.caller, convert.refresh_request(request), deadline=call.deadline)
        call.about(refreshed.minted.token.api_key)
        return convert.refresh_response(refreshed)

    def ValidateToken(self, request: pb.ValidateTokenRequest, call: Call) -> pb.ValidateTokenResponse:
        """``tokens.validate``."""
        call.about(request.api_key)
        judged = call.prepared
        if not isinstance(judged, _Judged):
            asked, changes = convert.validate_request(request), self._answers.changes()
            verdict = self._validate.validate(call.caller, asked, deadline=call.deadline)
            judged = _Judged(verdict, changes, asked.from_memory)
        verdict = judged.verdict
        call.reason = "" if verdict.active else verdict.status
        response = convert.validate_response(verdict)
        until = self._validate.lasts_until(verdict) if judged.from_memory else None
        if until is not None:  # a change since before the verdict makes it forgotten
            self._answers.keep(call, response.SerializeToString(), changes=judged.changes, until=until)
        return response

    def _issue_at_once(self, calls: Sequence[Call]) -> None:
        quick = []
        for call in calls:
            request = cast(pb.IssueTokenRequest, call.request)
            # Then all that there is to do is to sign.
            rest = request.refreshable or request.after_revision
            call.at_once = not rest and self._issue.signs_quickly(request.api_key)
            if call.at_once:
                quick.append(call)
        wishes = [
            IssueWish(call.caller, convert.issue_request(cast(pb.IssueTokenRequest, call.request))) for call in quick
        ]
        for call, issued in zip(quick, self._issue_together.issue(wishes), strict=True):
            call.prepared = issued

    def _validate_at_once(self, calls: Sequence[Call]) -> None:
        changes = self._answers.changes()
        asked = [convert.validate_request(cast(pb.ValidateTokenRequest, call.request)) for call in calls]
        verdicts = [self._validate.at_once(call.caller, each) for call, each in zip(calls, asked, strict=True)]
        for call, verdict in zip(calls, verdicts, strict=True):
            call.at_once = verdict is not None
            call.prepared = None if verdict is None else _Judged(verdict, changes, from_memory=True)

    def _refresh_at_once(self, calls: Sequence[Call]) -> None:
        wishes = [
            Wish(call.caller, convert.refresh_request(cast(pb.RefreshTokenRequest, call.request))) for call in calls
        ]
        turned = self._refresh_together.turn(wishes, deadline=deadline_after(HASTE))
        for call, refreshed in zip(calls, turned, strict=True):
            call.prepared, call.at_once = refreshed, refreshed is not None

    def BatchIssueTokens(self, batch: pb.BatchIssueTokensRequest, call: Call) -> pb.BatchIssueTokensResponse:
        """``tokens.issue``."""
        caller, api_key = call.caller, batch.api_key
        call.about(api_key)

        def serve(item: pb.IssueTokenRequest) -> bytes:
            request = convert.issue_request(item, api_key=api_key)
            return convert.issued_in_batch(self._issue.issue(caller, request, deadline=call.deadline))

        return self._batches.work_off(batch, call, pb.BatchIssueTokensResponse, serve)

    def BatchValidateTokens(self, batch: pb.BatchValidateTokensRequest, call: Call) -> pb.BatchValidateTokensResponse:
        """``tokens.validate``."""
        caller, api_key, arrival = call.caller, batch.api_key, self._validate.arrival()
        call.about(api_key)

        def serve(item: pb.ValidateTokenRequest) -> bytes:
            request = convert.validate_request(item, api_key=api_key)
            verdict = self._validate.validate(caller, request, deadline=call.deadline, arrival=arrival)
            return self._verdicts.of(verdict)

        return self._batches.work_off(batch, call, pb.BatchValidateTokensResponse, serve)

    def RevokeTokens(self, request: pb.RevokeTokensRequest, call: Call) -> pb.RevokeTokensResponse:
        """``tokens.revoke``."""
        call.about(request.api_key)
        wanted = convert_sessions.revoke_request(request)
        return pb.RevokeTokensResponse(revision=self._revoke.revoke(call.caller, wanted, deadline=call.deadline))

    def ListSessions(self, request: pb.ListSessionsRequest, call: Call) -> pb.ListSessionsResponse:
        """``tokens.revoke``."""
        call.about(request.api_key)
        query, deadline = convert_sessions.session_query(request), call.deadline
        page = read_page(
            lambda after, most: self._sessions.listed(call.caller, query, after=after, limit=most, deadline=deadline),
            convert_sessions.session_key,
            convert_sessions.session_place,
            question=question_of(request),
            principal=call.caller,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListSessionsResponse(
            sessions=map(convert_sessions.session_message, page.items), next_page_token=page.next_token
        )
