"""``AuthService``: decode, call, encode."""

from __future__ import annotations

from authsvc.rpc import convert
from authsvc.rpc.call import Call
from authsvc.tokens.issue import Issue
from authsvc.tokens.refresh import Refresh
from authsvc.tokens.validate import Validate
from authsvc.v1 import auth_pb2 as pb


class AuthServicer:
    """Each method is served by one use case."""

    def __init__(self, issue: Issue, refresh: Refresh, validate: Validate) -> None:
        self._issue = issue
        self._refresh = refresh
        self._validate = validate

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
