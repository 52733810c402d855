"""What was revoked stays so through any history of revokes, turns, waiting and purging, as long as it could be used.

A history is drawn at random from a seed. Beside the store goes the plain truth: every session and every access token
that was given out, and what ended it. After each step the store must refuse what the truth says has ended, and keep
what it says is alive.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import pytest

from authsvc.model import Revision, Session, SessionId, TokenId, User, UserId, Watermark
from authsvc.storage.base import Store, TrustState
from tests.storage.places import SettableClock
from tests.storage.records import APP, a_key, a_session, an_app, an_audit, turn

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SKEW = timedelta(seconds=120)
USERS = tuple(map(UserId, ("sara", "tom", "Tom")))


@dataclass(frozen=True)
class Lives:
    """How long access tokens live, and sessions unused and in all."""

    access: timedelta
    idle: timedelta
    whole: timedelta


LONG_TOKENS = Lives(access=60 * MINUTE, idle=20 * MINUTE, whole=180 * MINUTE)
LONG_SESSIONS = Lives(access=5 * MINUTE, idle=170 * MINUTE, whole=180 * MINUTE)


class End(StrEnum):
    """What ended a token. Sessions end for good, the rest can be taken back."""

    TOKEN = "its own revocation"
    SESSION = "its session's"
    USER = "its user's"
    APP = "its app's"


@dataclass
class Token:
    """An access token as it was given out."""

    id: TokenId
    session: SessionId
    user: UserId
    revision: Revision
    issued_at: datetime
    expires_at: datetime
    ended: set[End] = field(default_factory=set)


@dataclass
class Login:
    """A session as its client knows it."""

    session: Session
    ended: bool = False


class History:
    """The store and the truth, moved together."""

    def __init__(self, store: Store, clock: SettableClock, seed: int, lives: Lives = LONG_TOKENS) -> None:
        self.store = store
        self.clock = clock
        self.draw = random.Random(seed)
        self.lives = lives
        self.logins: list[Login] = []
        self.tokens: list[Token] = []
        self.refused = 0
        self.purged = 0
        store.create_app(an_app(longest_ttl_ever=lives.access, longest_session_ever=lives.whole), a_key(), an_audit())

    # -- steps -----------------------------------------------------------------------------------

    def step(self) -> None:
        """Do something, mostly what clients do."""
        steps: list[tuple[float, Callable[[], None]]] = [
            (4, self.open),
            (20, self.turn),
            (2, self.revoke_session),
            (2, self.revoke_token),
            (1, self.clear_token),
            (1, self.revoke_user),
            (0.3, self.revoke_app),
            (1, self.clear_user),
            (8, self.wait),
            (6, self.purge),
        ]
        weights, actions = zip(*steps, strict=True)
        self.draw.choices(actions, weights)[0]()

    def open(self) -> None:
        now = self.clock.now
        session = self.store.open_session(
            a_session(
                id=SessionId(self.draw.randbytes(16)),
                user=User(self.draw.choice(USERS)),
                access_ttl=self.lives.access,
                created_at=now,
                rotated_at=now,
                idle_expires_at=now + self.lives.idle,
                absolute_expires_at=now + self.lives.whole,
            )
        )
        self.logins.append(Login(session))
        self.mint(session)

    def turn(self) -> None:
        login = self.any_login()
        if login is not None and self.is_alive(login):
            turned = turn(self.store, login.session, idle_ttl=self.lives.idle)
            assert turned is not None
            login.session = turned
            self.mint(turned)

    def mint(self, session: Session) -> None:
        """Give out an access token as a worker does that has seen everything."""
        now, revision = self.clock.now, self.store.trust_state().revision
        name = TokenId(f"jti-{len(self.tokens)}")
        self.tokens.append(Token(name, session.id, session.user.id, revision, now, now + self.lives.access))

    def revoke_session(self) -> None:
        login = self.any_login()
        if login is not None and self.store.revoke_session(login.session.id, "logout", an_audit()):
            login.ended = True
            self.end(End.SESSION, lambda token: token.session == login.session.id)

    def revoke_token(self) -> None:
        if self.tokens:
            ended = self.draw.choice(self.tokens[-20:])
            self.store.revoke_token(APP, ended.id, ended.expires_at + SKEW, an_audit())
            self.end(End.TOKEN, lambda token: token is ended)

    def clear_token(self) -> None:
        if self.tokens:
            cleared = self.draw.choice(self.tokens[-20:])
            if self.store.clear_token(APP, cleared.id, an_audit()):
                cleared.ended.discard(End.TOKEN)

    def revoke_user(self) -> None:
        self.revoke_everything(self.draw.choice(USERS), self.some_time())

    def revoke_app(self) -> None:
        self.revoke_everything(None, self.some_time())

    def some_time(self) -> datetime | None:
        return self.draw.choice([None, self.clock.now - self.draw.random() * 3 * HOUR])

    def revoke_everything(self, user: UserId | None, before: datetime | None) -> None:
        self.store.raise_watermark(APP, user, an_audit(), issued_before=before)
        for login in self.logins:
            if user in (None, login.session.user.id) and (before is None or login.session.created_at < before):
                login.ended = True
        self.end(
            End.APP if user is None else End.USER,
            lambda token: user in (None, token.user) and (before is None or token.issued_at < before),
        )

    def clear_user(self) -> None:
        user = self.draw.choice(USERS)
        if self.store.clear_watermark(APP, user, an_audit()):
            for token in self.tokens:
                if token.user == user:
                    token.ended.discard(End.USER)

    def wait(self) -> None:
        self.clock.advance(self.draw.choices([MINUTE, 5 * MINUTE, 13 * MINUTE, 5 * HOUR], [4, 8, 8, 0.5])[0])

    def purge(self) -> None:
        outcome = self.store.purge(limit=self.draw.choice([1, 7, 1000]), keep_revisions=self.draw.choice([0, 50]))
        self.purged += sum(count for table, count in outcome.removed.items() if table != "feed")

    # -- the truth -------------------------------------------------------------------------------

    def any_login(self) -> Login | None:
        return self.draw.choice(self.logins[-8:]) if self.logins else None

    def is_alive(self, login: Login) -> bool:
        end = min(login.session.idle_expires_at, login.session.absolute_expires_at)
        return not login.ended and self.clock.now < end

    def end(self, end: End, covered: Callable[[Token], bool]) -> None:
        for token in filter(covered, self.tokens):
            token.ended.add(end)

    def check(self) -> None:
        """Fail where the store would accept what has ended, or has lost what is alive."""
        state = self.store.trust_state()
        for token in self.tokens[-60:]:
            if self.clock.now < token.expires_at + SKEW:
                assert is_refused(token, state) == bool(token.ended), token
                self.refused += bool(token.ended)
        for login in self.logins[-10:]:
            kept = self.store.session_state(login.session.id)
            if self.is_alive(login):
                assert kept is not None
                assert (kept.session, kept.covered) == (login.session, False)
            else:
                assert turn(self.store, login.session, idle_ttl=self.lives.idle) is None


def is_refused(token: Token, state: TrustState) -> bool:
    """Whether a worker that starts from this state refuses the token, by the rules of revocation."""
    return (
        token.id in {each.token_id for each in state.tokens}
        or token.session in {each.session_id for each in state.sessions}
        or any(_covers(mark, token) for mark in state.watermarks if mark.user_id in (None, token.user))
    )


def _covers(mark: Watermark, token: Token) -> bool:
    before = mark.tokens_issued_before
    return token.revision < mark.tokens_revision or (before is not None and token.issued_at < before)


class Histories:
    """Everything that revokes, turns and forgets, together."""

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("lives", [LONG_TOKENS, LONG_SESSIONS], ids=["long tokens", "long sessions"])
    def test_nothing_that_ended_is_accepted_again(
        self, store: Store, clock: SettableClock, lives: Lives, seed: int
    ) -> None:
        """Through 300 steps no session that ended turns and no revoked token is accepted, and what lives is kept."""
        history = History(store, clock, seed, lives)
        for _ in range(300):
            history.step()
            history.check()
        assert history.refused > 20
        assert history.purged > 10

    def test_in_the_end_nothing_is_left(self, store: Store, clock: SettableClock) -> None:
        """When everything has ended, purging leaves no session, no revocation and no row of the feed."""
        history = History(store, clock, seed=7)
        for _ in range(200):
            history.step()
        clock.advance(10 * HOUR)
        while not store.purge(limit=50, keep_revisions=0).complete:
            pass
        counts = store.counts()
        assert [counts[table] for table in ("sessions", "revoked_tokens", "watermarks", "feed")] == [0] * 4

    @pytest.mark.parametrize("forgotten", ["token", "user", "session"])
    def test_the_check_notices(self, store: Store, clock: SettableClock, forgotten: str) -> None:
        """A revocation that is lost too early is found by the very check that the histories make."""
        history = History(store, clock, seed=1)
        history.open()
        (token,) = history.tokens
        if forgotten == "token":
            history.revoke_token()
            store.clear_token(APP, token.id, an_audit())
        elif forgotten == "user":
            history.revoke_everything(token.user, None)
            store.clear_watermark(APP, token.user, an_audit())
        else:
            history.logins[0].ended = True
        with pytest.raises(AssertionError):
            history.check()
