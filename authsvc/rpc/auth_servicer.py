"""``AuthService``: decode, call, encode."""

from __future__ import annotations

from authsvc.rpc import convert
from authsvc.rpc.batches import Batches
from authsvc.rpc.call import Call
from authsvc.tokens.issue import Issue
from authsvc.tokens.refresh import Refresh
from authsvc.tokens.validate import Validate
from authsvc.v1 import auth_pb2 as pb


class AuthServicer:
    """Each method is served by one use case."""

    def __init__(self, issue: Issue, refresh: Refresh, validate: Validate, batches: Batches) -> None:
        self._issue = issue
        self._refresh = refresh
        self._validate = validate
        self._batches = batches

    def IssueToken(self, request: pb.IssueTokenRequest, call: Call) -> pb.IssueTokenResponse:
        """``tokens.issue``."""
        call.about(request.api_key)
        issued = self._issue.issue(call.caller, convert.issue_request(request), deadline=call.deadline)
        call.about(issued.minted.token.api_key)
        return convert.issue_response(issued)

    def RefreshToken(self, request: pb.RefreshTokenRequest, call: Call) -> pb.RefreshTokenResponse:
        """``tokens.refresh``."""
        refreshed = self._refresh.refresh(call.caller, convert.refresh_request(request), deadline=call.deadline)
        call.about(refreshed.minted.token.api_key)
        return convert.refresh_response(refreshed)

    def ValidateToken(self, request: pb.ValidateTokenRequest, call: Call) -> pb.ValidateTokenResponse:
        """``tokens.validate``."""
        call.about(request.api_key)
        verdict = self._validate.validate(call.caller, convert.validate_request(request))
        call.reason = "" if verdict.active else verdict.status
        return convert.validate_response(verdict)

    def BatchIssueTokens(self, batch: pb.BatchIssueTokensRequest, call: Call) -> pb.BatchIssueTokensResponse:
        """``tokens.issue``."""
        call.about(batch.api_key)

        def serve(item: pb.IssueTokenRequest, response: pb.IssueTokenResponse) -> None:
            request = convert.issue_request(item, api_key=batch.api_key)
            convert.fill_issued(response, self._issue.issue(call.caller, request, deadline=call.deadline))

        answer = pb.BatchIssueTokensResponse()
        self._batches.work_off(batch, call, answer.results, serve)
        return answer

    def BatchValidateTokens(self, batch: pb.BatchValidateTokensRequest, call: Call) -> pb.BatchValidateTokensResponse:
        """``tokens.validate``."""
        call.about(batch.api_key)

        def serve(item: pb.ValidateTokenRequest, response: pb.ValidateTokenResponse) -> None:
            request = convert.validate_request(item, api_key=batch.api_key)
            convert.fill_verdict(response, self._validate.validate(call.caller, request))

        answer = pb.BatchValidateTokensResponse()
        self._batches.work_off(batch, call, answer.results, serve)
        return answer
