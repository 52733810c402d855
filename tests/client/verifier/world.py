"""What tests of verifiers do behind the wire, and how they ask."""

from __future__ import annotations

from typing import Any

from authsvc.client import AuthClient, TokenNotActive
from authsvc.clock import system_clock
from authsvc.model import AuditEvent
from authsvc.v1 import auth_pb2 as pb


def event() -> AuditEvent:
    """Any entry for the audit."""
    return AuditEvent(system_clock(), "test", "test", "dev", "", "done")


def issue(client: AuthClient, api_key: str = "dev", **fields: Any) -> str:
    """A token of sara, an admin."""
    return client.issue_token(
        pb.IssueTokenRequest(api_key=api_key, user=pb.User(id="sara", role="admin"), **fields)
    ).token


def status_of(verifier: Any, token: str, **questions: Any) -> str:
    """The verdict of a verifier for callers that wait."""
    try:
        verifier.verify(token, **questions)
    except TokenNotActive as refused:
        return refused.status
    return "ACTIVE"
