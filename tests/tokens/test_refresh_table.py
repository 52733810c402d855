"""The table of refresh, row by row, on the real store with a clock that is moved by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authsvc.errors import CallerForbidden, Reason, RefreshRefused
from authsvc.model import ApiKey, SessionId, TokenStatus, session_text
from authsvc.tokens.requests import GuestSubject, RefreshRequest
from tests.tokens.service import REQUEST_ID, Service, a_principal

OTHER_ID = "request-0000000000000002"
MICROSECOND = timedelta(microseconds=1)


def refusal(service: Service, text: str, request_id: str = "") -> Reason:
    """Why a refresh is refused."""
    with pytest.raises(RefreshRefused) as refused:
        service.refresh(text, request_id)
    return refused.value.reason


def unchanged(service: Service, text: str) -> tuple[object, ...]:
    """All there is to compare: the session, every table's size, the feed."""
    return service.kept(text), service.rows(), service.domain.view.revision


class TestNoSuchSession:
    """The token is ours and names no session that is there."""

    def test_an_older_epoch(self, service: Service) -> None:
        """A token from before the store was restored is SESSION_REVOKED; the session of that id is left alone."""
        text = service.session(service.app())
        old = service.refresh_tokens.text_of(service.ticket(text)._replace(epoch=service.store.epoch - 1))
        before = unchanged(service, text)
        assert refusal(service, old) is Reason.SESSION_REVOKED
        assert unchanged(service, text) == before
        assert service.refresh(text).rotated

    def test_a_later_epoch(self, service: Service) -> None:
        """A token of an epoch the store has not reached is REFRESH_TOKEN_INVALID, and the log has it as an error."""
        text = service.session(service.app())
        late = service.refresh_tokens.text_of(service.ticket(text)._replace(epoch=service.store.epoch + 1))
        with pytest.raises(RefreshRefused, match="REFRESH_TOKEN_INVALID"):
            service.refresh(late)
        assert [level for level, message, _ in service.logged() if "later epoch" in message] == ["error"]
        assert service.refresh(text).rotated

    def test_no_row(self, service: Service) -> None:
        """A token of a session that is not there is REFRESH_TOKEN_INVALID."""
        text = service.session(service.app())
        ticket = service.ticket(text)._replace(session_id=SessionId(bytes(16)))
        assert refusal(service, service.refresh_tokens.text_of(ticket)) is Reason.REFRESH_TOKEN_INVALID
        assert service.refresh(text).rotated


class TestNotAllowed:
    """The caller or the app's switches say no, and the session is left as it is."""

    def test_a_foreign_caller(self, service: Service) -> None:
        """A caller that may not act for the app gets APP_NOT_ALLOWED, audited; the session is untouched."""
        app, other = service.app(), service.app()
        text = service.session(app)
        before = unchanged(service, text)
        foreign = a_principal("svc-foreign", apps=frozenset({other}))
        with pytest.raises(CallerForbidden) as refused:
            service.refreshing.refresh(foreign, RefreshRequest(text))
        assert refused.value.reason is Reason.APP_NOT_ALLOWED
        assert unchanged(service, text) == before
        level, message, event = service.logged()[-1]
        assert (level, message) == ("warn", "refresh token of another app")
        assert (event["principal"], event["app"], event["outcome"]) == ("svc-foreign", app, "refused")
        assert event["session_id"] == session_text(service.ticket(text).session_id)
        own = a_principal("svc-own", apps=frozenset({app}))
        assert service.refreshing.refresh(own, RefreshRequest(text)).rotated

    @pytest.mark.parametrize(
        ("switch", "reason"),
        [({"suspended": True}, Reason.APP_SUSPENDED), ({"guests_enabled": False}, Reason.GUESTS_DISABLED)],
        ids=["suspended", "guests off"],
    )
    def test_a_switch(self, service: Service, switch: dict[str, Any], reason: Reason) -> None:
        """While the app is suspended, or the kind switched off, nothing turns; afterwards the same token does."""
        app = service.app(guests_enabled=True)
        text = service.session(app, GuestSubject("bob"))
        service.set(app, **switch)
        before = unchanged(service, text)
        with pytest.raises(CallerForbidden) as refused:
            service.refresh(text)
        assert refused.value.reason is reason
        assert unchanged(service, text) == before
        service.set(app, suspended=False, guests_enabled=True)
        assert service.refresh(text).rotated

    def test_guests_off_is_no_matter_for_users(self, service: Service) -> None:
        """A user's session is not touched by the switch of another kind."""
        app = service.app()
        assert service.refresh(service.session(app)).rotated


class TestRevoked:
    """A session that was ended is SESSION_REVOKED for ever."""

    def test_by_itself(self, service: Service) -> None:
        """A revoked session refuses its live token, its parent and its grandparent alike."""
        texts = [service.session(service.app())]
        for _ in range(2):
            texts.append(service.refresh(texts[-1]).refresh_token)
        service.revoke_session(texts[0])
        before = unchanged(service, texts[0])
        assert [refusal(service, text) for text in texts] == [Reason.SESSION_REVOKED] * 3
        assert unchanged(service, texts[0]) == before

    @pytest.mark.parametrize("user_id", ["sara", None], ids=["user", "app"])
    def test_by_everything_until_now(self, service: Service, user_id: str | None) -> None:
        """Revoking all of a user, or of an app, ends the sessions there are and no later one."""
        app = service.app()
        text = service.session(app)
        service.revoke_all(app, user_id)
        assert refusal(service, text) is Reason.SESSION_REVOKED
        assert service.refresh(service.session(app)).rotated

    @pytest.mark.parametrize("user_id", ["sara", None], ids=["user", "app"])
    def test_by_a_moment(self, service: Service, user_id: str | None) -> None:
        """Revoking up to a moment ends the sessions created before it, and not the one created at it."""
        app = service.app()
        earlier = service.session(app)
        service.clock.move(microseconds=1)
        at_it = service.session(app)
        service.clock.move(seconds=5)
        service.revoke_all(app, user_id, issued_before=service.clock() - timedelta(seconds=5))
        assert refusal(service, earlier) is Reason.SESSION_REVOKED
        assert service.refresh(at_it).rotated

    def test_of_another_user(self, service: Service) -> None:
        """Revoking one user leaves the sessions of others, and of the same id in another app."""
        app, other = service.app(), service.app()
        texts = [service.session(app), service.session(other)]
        service.revoke_all(app, "eve")
        service.revoke_all(other, "Sara")
        assert [service.refresh(text).rotated for text in texts] == [True, True]


class TestExpired:
    """A session that is over is REFRESH_TOKEN_EXPIRED, to the microsecond."""

    @pytest.mark.parametrize(
        "settings",
        [
            {"session_idle_ttl": timedelta(hours=1), "session_max_ttl": timedelta(days=9)},
            {"session_idle_ttl": timedelta(hours=1), "session_max_ttl": timedelta(hours=1)},
        ],
        ids=["idle", "absolute"],
    )
    def test_the_moment_itself_is_over(self, service: Service, settings: dict[str, Any]) -> None:
        """A session turns until a microsecond before its end, and not at it."""
        app = service.app(**settings)
        keeps, ends = service.session(app), service.session(app)
        service.clock.move(hours=1, microseconds=-1)
        assert service.refresh(keeps).rotated
        service.clock.move(microseconds=1)
        before = unchanged(service, ends)
        assert refusal(service, ends) is Reason.REFRESH_TOKEN_EXPIRED
        assert unchanged(service, ends) == before

    def test_each_turn_begins_the_idle_lifetime_again(self, service: Service) -> None:
        """Turning moves the idle end, but never past the absolute one."""
        app = service.app(session_idle_ttl=timedelta(hours=2), session_max_ttl=timedelta(hours=3))
        begin, text = service.clock(), service.session(app)
        service.clock.move(minutes=50)
        first = service.refresh(text)
        assert first.refresh_expires_at == begin + timedelta(hours=2, minutes=50)
        service.clock.move(minutes=50)
        second = service.refresh(first.refresh_token)
        assert second.refresh_expires_at == begin + timedelta(hours=3)
        service.clock.move(minutes=80, microseconds=-1)
        last = service.refresh(second.refresh_token)
        assert last.refresh_expires_at == begin + timedelta(hours=3)
        service.clock.move(microseconds=1)
        assert refusal(service, last.refresh_token) is Reason.REFRESH_TOKEN_EXPIRED

    def test_also_within_the_grace(self, service: Service) -> None:
        """A session that is over is not replayed either."""
        app = service.app(session_idle_ttl=timedelta(seconds=20), session_max_ttl=timedelta(seconds=40))
        parent = service.session(app)
        service.clock.move(seconds=19)
        service.refresh(parent, REQUEST_ID)
        service.clock.move(seconds=20)
        assert refusal(service, parent, REQUEST_ID) is Reason.REFRESH_TOKEN_EXPIRED


class TestRotated:
    """The live generation turns."""

    def test_one_step(self, service: Service) -> None:
        """The live token gives the next one: generation, time and request id move, and nothing else."""
        text = service.session(service.app())
        before = service.kept(text)
        service.clock.move(minutes=10)
        answer = service.refresh(text, REQUEST_ID)
        assert answer.rotated
        assert service.ticket(answer.refresh_token) == service.ticket(text)._replace(generation=1)
        after = service.kept(text)
        assert after == before._replace(
            generation=1,
            rotated_at=service.clock(),
            request_id_hash=after.request_id_hash,
            idle_expires_at=service.clock() + timedelta(days=14),
        )
        assert after.request_id_hash not in (b"", before.request_id_hash, REQUEST_ID.encode())

    def test_a_long_chain(self, service: Service) -> None:
        """A chain of tokens goes on and on, each good once."""
        text, seen = service.session(service.app()), set()
        for generation in range(30):
            seen.add(text)
            assert service.ticket(text).generation == generation
            service.clock.move(hours=1)
            text = service.refresh(text).refresh_token
        assert len(seen | {text}) == 31

    def test_rotations_write_nothing_to_the_feed(self, service: Service) -> None:
        """Turning spends no revision and no row."""
        text = service.session(service.app())
        rows, revision = service.rows(), service.domain.view.revision
        for _ in range(5):
            text = service.refresh(text).refresh_token
        assert (service.rows(), service.domain.view.revision) == (rows, revision)

    def test_the_access_token_before_lives_on(self, service: Service) -> None:
        """A refresh gives a new access token of the same session, and the earlier one stays good."""
        app = service.app()
        issued = service.issue(app, refreshable=True)
        service.clock.move(minutes=1)
        answer = service.refresh(issued.refresh_token)
        first, second = issued.minted.token.claims, answer.minted.token.claims
        assert first.session_id == second.session_id
        assert first.token_id != second.token_id
        assert first.issued_at is not None
        assert second.issued_at == first.issued_at + 60
        assert service.validate(app, issued.minted.text).active
        assert service.validate(app, answer.minted.text).active


class TestReplayed:
    """The parent of the live token is answered once more: a lost reply, or a race."""

    @pytest.mark.parametrize("grace", [0, 30, 60])
    def test_within_the_grace(self, service: Service, grace: int) -> None:
        """Up to the last microsecond of the grace the parent gives the live token again, and writes nothing."""
        parent = service.session(service.app(refresh_grace=timedelta(seconds=grace)))
        child = service.refresh(parent)
        before = unchanged(service, parent)
        service.clock.move(seconds=grace)
        again = service.refresh(parent)
        assert (again.rotated, again.refresh_token) == (False, child.refresh_token)
        assert again.minted.text != child.minted.text
        assert again.refresh_expires_at == child.refresh_expires_at
        assert unchanged(service, parent) == before
        service.clock.move(microseconds=1)
        assert refusal(service, parent) is Reason.REFRESH_TOKEN_REUSED

    def test_within_the_replay_time_with_its_request_id(self, service: Service) -> None:
        """Long after the grace the very request that made the rotation gets its answer again, to the microsecond."""
        parent = service.session(service.app(refresh_replay_ttl=timedelta(hours=1)))
        child = service.refresh(parent, REQUEST_ID)
        before = unchanged(service, parent)
        service.clock.move(hours=1)
        again = service.refresh(parent, REQUEST_ID)
        assert (again.rotated, again.refresh_token) == (False, child.refresh_token)
        assert unchanged(service, parent) == before
        service.clock.move(microseconds=1)
        assert refusal(service, parent, REQUEST_ID) is Reason.REFRESH_TOKEN_REUSED

    @pytest.mark.parametrize(
        ("first", "second"),
        [(REQUEST_ID, OTHER_ID), (REQUEST_ID, ""), ("", REQUEST_ID), ("", "")],
        ids=["another", "none", "none before", "none at all"],
    )
    def test_another_request_is_no_retry(self, service: Service, first: str, second: str) -> None:
        """After the grace a request id that is another, or empty, is a reuse: an empty one equals nothing."""
        parent = service.session(service.app())
        service.refresh(parent, first)
        service.clock.move(seconds=30, microseconds=1)
        assert refusal(service, parent, second) is Reason.REFRESH_TOKEN_REUSED

    def test_any_request_within_the_grace(self, service: Service) -> None:
        """Within the grace it does not matter who asks: several tabs present one token at nearly the same time."""
        parent = service.session(service.app())
        child = service.refresh(parent, REQUEST_ID)
        for request_id in (OTHER_ID, "", REQUEST_ID):
            assert service.refresh(parent, request_id).refresh_token == child.refresh_token

    def test_a_replay_does_not_begin_the_grace_again(self, service: Service) -> None:
        """The grace counts from the rotation, however often it was used."""
        parent = service.session(service.app())
        service.refresh(parent)
        for _ in range(3):
            service.clock.move(seconds=10)
            assert not service.refresh(parent).rotated
        service.clock.move(seconds=1)
        assert refusal(service, parent) is Reason.REFRESH_TOKEN_REUSED

    def test_the_child_given_again_turns(self, service: Service) -> None:
        """What a replay gives is the live token."""
        parent = service.session(service.app())
        service.refresh(parent)
        assert service.refresh(service.refresh(parent).refresh_token).rotated

    def test_the_grandparent_is_never_replayed(self, service: Service) -> None:
        """Two generations back is a reuse, however short ago, with its own request id too."""
        grandparent = service.session(service.app())
        parent = service.refresh(grandparent, REQUEST_ID).refresh_token
        service.refresh(parent, OTHER_ID)
        assert refusal(service, grandparent, REQUEST_ID) is Reason.REFRESH_TOKEN_REUSED

    def test_a_request_id_used_for_two_rotations(self, service: Service) -> None:
        """One id for two rotations is a retry of the latest only."""
        first = service.session(service.app())
        second = service.refresh(first, REQUEST_ID).refresh_token
        third = service.refresh(second, REQUEST_ID)
        assert third.rotated
        service.clock.move(minutes=10)
        assert service.refresh(second, REQUEST_ID).refresh_token == third.refresh_token
        assert refusal(service, first, REQUEST_ID) is Reason.REFRESH_TOKEN_REUSED

    def test_a_clock_that_goes_back_does_not_end_the_grace(self, service: Service) -> None:
        """The store's present is never before the rotation: a step backwards makes no false alarm."""
        parent = service.session(service.app())
        child = service.refresh(parent)
        service.clock.move(days=-30)
        assert service.refresh(parent).refresh_token == child.refresh_token


class TestReused:
    """Two parties hold the chain: it ends for both, and that is committed before anyone is told."""

    def reused(self, service: Service, app: ApiKey) -> tuple[str, str, str]:
        """A parent past its grace, the live token, and an access token of the session."""
        issued = service.issue(app, refreshable=True)
        child = service.refresh(issued.refresh_token)
        service.clock.move(minutes=1)
        return issued.refresh_token, child.refresh_token, child.minted.text

    def test_it_ends_the_session(self, service: Service) -> None:
        """After a reuse the live token, the parent and the access tokens are refused, and so is every retry."""
        app = service.app()
        parent, live, access = self.reused(service, app)
        assert service.validate(app, access).active
        assert refusal(service, parent) is Reason.REFRESH_TOKEN_REUSED
        assert refusal(service, live) is Reason.SESSION_REVOKED
        assert refusal(service, parent) is Reason.SESSION_REVOKED
        assert service.validate(app, access).status is TokenStatus.SESSION_REVOKED

    def test_it_is_a_revocation_not_a_rotation(self, service: Service) -> None:
        """A reuse stamps the session with its reason; generation and times stay."""
        parent, live, _ = self.reused(service, service.app())
        before = service.kept(live)
        refusal(service, parent)
        assert service.kept(live) == before._replace(
            revoked_at=service.clock(), revoke_reason=Reason.REFRESH_TOKEN_REUSED.value
        )

    def test_it_is_audited_and_fed(self, service: Service) -> None:
        """A reuse writes one row of audit and one of the feed, under one new revision."""
        parent, _, _ = self.reused(service, service.app())
        rows, revision = service.rows(), service.domain.view.revision
        refusal(service, parent)
        assert service.rows() == {**rows, "audit": rows["audit"] + 1, "feed": rows["feed"] + 1}
        assert service.domain.view.revision == revision + 1

    def test_other_sessions_of_the_user_live(self, service: Service) -> None:
        """A reuse ends its own session only."""
        app = service.app()
        other = service.session(app)
        parent, _, _ = self.reused(service, app)
        refusal(service, parent)
        assert service.refresh(other).rotated

    @pytest.mark.parametrize("behind", [2, 3, 10])
    def test_however_far_behind(self, service: Service, behind: int) -> None:
        """Any earlier generation but the parent is a reuse at once."""
        texts = [service.session(service.app())]
        for _ in range(behind):
            texts.append(service.refresh(texts[-1]).refresh_token)
        assert refusal(service, texts[0]) is Reason.REFRESH_TOKEN_REUSED


class TestAhead:
    """A generation that was never given out: the store is not the one that gave it."""

    @pytest.mark.parametrize("ahead", [1, 2, 2**31])
    def test_it_is_refused_and_reported(self, service: Service, ahead: int) -> None:
        """It is REFRESH_TOKEN_INVALID and an error in the log; the session is untouched and its own token turns."""
        app = service.app()
        text = service.session(app)
        ticket = service.ticket(text)
        before = unchanged(service, text)
        assert refusal(service, service.refresh_tokens.text_of(ticket._replace(generation=ahead))) is (
            Reason.REFRESH_TOKEN_INVALID
        )
        assert unchanged(service, text) == before
        errors = [event for level, _, event in service.log if level == "error"]
        assert [(event["app"], event["generation"], event["session_id"]) for event in errors] == [
            (app, ahead, session_text(ticket.session_id))
        ]
        assert service.refresh(text).rotated
        assert [event for level, _, event in service.log if level == "error"] == errors
