"""An issue that is repeated with its request id, even by many at once, opens one session."""

from __future__ import annotations

from tests.conftest import RunningServer
from tests.races.wire import ROTATED, Wire, new_request_id

CROWD = 64


def _sessions(server: RunningServer) -> int:
    return server.domain.store.counts()["sessions"]


def test_one_request_opens_one_session(server: RunningServer, wire: Wire) -> None:
    """64 issues at once with one request id: one row, one session id, one refresh token, and every token is good."""
    for number in range(5):
        answers = wire.issue_together(CROWD, request_id=new_request_id())
        assert len({answer.info.session_id for answer in answers}) == 1
        assert len({answer.refresh_token for answer in answers}) == 1
        assert [status for status in map(wire.status, {answer.token for answer in answers}) if status != "ACTIVE"] == []
        assert _sessions(server) == number + 1
        assert wire.refresh(answers[0].refresh_token).outcome == ROTATED


def test_without_a_request_id_each_issue_opens_its_own(server: RunningServer, wire: Wire) -> None:
    """Control: what makes them one is the request id; without it, 64 issues open 64 sessions."""
    answers = wire.issue_together(CROWD, request_id="")
    assert len({answer.refresh_token for answer in answers}) == CROWD
    assert _sessions(server) == CROWD


def test_another_user_is_another_session(server: RunningServer, wire: Wire) -> None:
    """One request id for several users is no retry: each has a session of their own, however many ask at once."""
    request_id = new_request_id()
    opened = {
        answer.info.session_id
        for user in ("sara", "Sara", "tom")
        for answer in wire.issue_together(16, user, request_id=request_id)
    }
    assert len(opened) == _sessions(server) == 3


def test_a_late_retry_finds_the_session_where_it_is(wire: Wire) -> None:
    """A retry that comes after the session has moved on is given the live refresh token, not the spent one."""
    request_id = new_request_id()
    first = wire.issue(request_id=request_id)
    child = wire.refresh(first.refresh_token).child
    answers = wire.issue_together(CROWD, request_id=request_id)
    assert {answer.refresh_token for answer in answers} == {child}
    assert wire.refresh(child).outcome == ROTATED
