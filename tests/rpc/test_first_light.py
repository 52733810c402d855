"""The main job over the wire: issue, validate, refresh."""

from __future__ import annotations

from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer


def test_a_token_is_issued_validated_refreshed_and_replayed(server: RunningServer) -> None:
    """A refreshable token of sara is ACTIVE, its refresh rotates once, and the same refresh again is a replay."""
    auth = server.auth()
    issued = auth.IssueToken(
        pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara", role="admin", name="Sara"), refreshable=True),
        metadata=server.metadata,
    )
    answer = auth.ValidateToken(pb.ValidateTokenRequest(api_key="dev", token=issued.token), metadata=server.metadata)
    assert (answer.active, answer.status, answer.info.user.id) == (True, pb.TOKEN_STATUS_ACTIVE, "sara")

    first = auth.RefreshToken(pb.RefreshTokenRequest(refresh_token=issued.refresh_token), metadata=server.metadata)
    again = auth.RefreshToken(pb.RefreshTokenRequest(refresh_token=issued.refresh_token), metadata=server.metadata)
    assert (first.outcome, again.outcome) == (pb.REFRESH_OUTCOME_ROTATED, pb.REFRESH_OUTCOME_REPLAYED)
    assert first.refresh_token == again.refresh_token != issued.refresh_token
