"""``TokenProvider``: where the tokens of a user come from, said once and opened by a manager."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias

from authsvc.client.tokens.access_token import AccessToken, read_access_token
from authsvc.client.tokens.issuer import Issuer, guest_message, scope_message
from authsvc.client.tokens.sessions import Chain, OnSessionUpdated, SavedSession, SessionSource
from authsvc.client.tokens.source import (
    FunctionSource,
    Source,
    TokenFunction,
    Turn,
    refuse_asynchronous,
    refuse_without_id,
)
from authsvc.clock import Randomness
from authsvc.logs import SecretText
from authsvc.v1 import auth_pb2
from authsvc.verify.development import make_development_token

if TYPE_CHECKING:
    from authsvc.logs import Logger


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a manager has for a provider: the service, unless there is none, and where chance and log lines go."""

    issuer: Issuer | None
    randomness: Randomness
    log: Logger
    awaits: bool = False
    """Whether the manager can await."""

    def service(self) -> Issuer:
        """The service; raises ``ValueError`` where the manager was given none."""
        if self.issuer is None:
            raise ValueError("this token provider asks the service: give the manager a client and an api_key")
        return self.issuer


_Open: TypeAlias = Callable[[Surroundings], Source]
_Begin: TypeAlias = Callable[[], _Open]


@dataclass(frozen=True, slots=True)
class TokenProvider:
    """Where tokens come from. Made by one of its constructors, the same one may serve several managers, one after the
    other or at once: they share its session, while each makes a guest of its own.

    A static or development token is all there is. All other providers are asked again when a token is nearly over or
    was refused as expired or revoked.
    """

    first: AccessToken | None = None
    """The token to begin with."""
    user_id: str | None = None
    """Whose tokens these are, where the provider knows."""
    _open: _Open | None = field(default=None, repr=False)
    _begin: _Begin | None = field(default=None, repr=False)
    """Makes ``_open``, where each who opens the provider begins with something of its own."""
    _function: object = field(default=None, repr=False)
    """The function of the program that is called, whatever for, and what that is."""
    _function_is: str = field(default="", repr=False)

    @classmethod
    def static(cls, token: str) -> Self:
        """One token, never renewed. Raises ``TokenInvalid`` for a text that is none."""
        first = read_access_token(token)
        return cls(first, first.user_id)

    @classmethod
    def callable(cls, function: TokenFunction) -> Self:
        """A function that is given the user's id and returns a token, or an awaitable of one.

        It is called from one thread, or task, at a time; beside a call that did not answer in its time, and cannot be
        ended, a manager makes one more and no third. What it raises is taken for a failure that passes; it raises
        ``SignInRequired`` to say that there will be no token. Raises ``TypeError`` for what is no function, or one that
        cannot take the id.
        """
        if not callable(function):
            raise TypeError(
                "a token provider is a function or a TokenProvider; for a token that is all there is, "
                "use TokenProvider.static(token)"
            )
        refuse_without_id(function)
        return cls(None, None, lambda _: FunctionSource(function), None, function, "the token provider")

    @classmethod
    def development(cls, user_id: str) -> Self:
        """A token that nobody has signed, for apps that allow it. Raises ``ValueError`` for what is no user's id."""
        return cls.static(make_development_token(user_id))

    @classmethod
    def guest(
        cls,
        id_hint: str = "",
        name: str = "",
        image: str = "",
        *,
        custom: Mapping[str, object] | None = None,
        on_session_updated: OnSessionUpdated | None = None,
    ) -> Self:
        """A guest made by the service, who stays the same guest when the token is renewed.

        The service makes the id, ``guest-<uuid>-<id_hint>``. To be the same guest again in another process, keep what
        ``on_session_updated`` is told and use ``session``.
        """
        guest = guest_message(id_hint, name, image, custom)

        def begin() -> _Open:
            return partial(_open_session, Chain(guest, on_session_updated))

        return cls(None, None, None, begin, on_session_updated, "on_session_updated")

    @classmethod
    def anonymous(cls, call_cids: Sequence[str] = (), channel_cids: Sequence[str] = (), *, role: str = "") -> Self:
        """Somebody without an identity who may watch those calls and channels, as far as the app lets everyone.

        Without any, a backend asks for all of them, which the app has to allow (``allow_unscoped_anonymous``); a front
        end has to name them, and is told so by ``ValueError`` when the provider is used. Raises ``TypeError`` for one
        text where a list belongs.
        """
        return cls(None, "!anon", partial(_open_anonymous, scope_message(call_cids, channel_cids), role))

    @classmethod
    def session(
        cls, refresh_token: str | SecretText | SavedSession, *, on_session_updated: OnSessionUpdated | None = None
    ) -> Self:
        """The session that a refresh token stands for.

        ``on_session_updated`` is told of each new refresh token: whoever keeps it, and gives it to ``session`` in the
        next process, goes on with the session. In this one give the same provider again: it knows the newest.
        Raises ``TypeError`` for what is no refresh token, ``ValueError`` for an empty one.
        """
        first = SecretText(refresh_token) if isinstance(refresh_token, str) else refresh_token
        if not isinstance(first, SecretText | SavedSession):
            raise TypeError(f"a session is begun with a refresh token or a SavedSession, not {type(first).__name__}")
        if not (first if isinstance(first, SecretText) else first.refresh_token).reveal():
            raise ValueError("the refresh token is empty")
        opens = partial(_open_session, Chain(first, on_session_updated))
        return cls(None, None, opens, None, on_session_updated, "on_session_updated")

    def starting_with(self, token: str) -> Self:
        """A token and a provider together: the token first, then the provider."""
        return replace(self, first=read_access_token(token))

    @property
    def renewable(self) -> bool:
        """Whether there is more than the first token."""
        return self._open is not None or self._begin is not None

    def begun(self) -> Self:
        """The provider with all that it begins: every manager that opens what is returned has the same guest."""
        return self if self._begin is None else replace(self, _open=self._begin(), _begin=None)

    def refuse_asynchronous(self) -> None:
        """Raise ``TypeError`` for one with a function that has to be awaited."""
        refuse_asynchronous(self._function_is, self._function)

    def open(self, surroundings: Surroundings) -> Source | None:
        """Begin; None where the first token is all there is.

        Raises ``ValueError`` without the service it needs, ``TypeError`` where a function of it has to be awaited and
        nobody does.
        """
        if not surroundings.awaits:
            self.refuse_asynchronous()
        opens = self.begun()._open
        return None if opens is None else opens(surroundings)


TokenOrProvider: TypeAlias = "str | TokenFunction | TokenProvider"


def as_provider(token: TokenOrProvider | None, provider: TokenFunction | TokenProvider | None) -> TokenProvider | None:
    """A token, a provider, both or neither, as one provider; a bare function is a provider too.

    What stands alone in the token's place may be a provider. Raises ``TokenInvalid`` for a token that is none, and
    ``TypeError`` for a provider that is none.
    """
    if provider is None and (isinstance(token, TokenProvider) or callable(token)):
        token, provider = None, token
    if provider is None:
        return None if token is None else TokenProvider.static(token)  # type: ignore[arg-type]  # it looks itself
    opened = provider if isinstance(provider, TokenProvider) else TokenProvider.callable(provider)
    return opened if token is None else opened.starting_with(token)  # type: ignore[arg-type]  # it looks itself


@dataclass(frozen=True, slots=True)
class _AnonymousSource:
    """Watching without an identity: each token is a new one, there is no session."""

    turn: Turn
    in_doubt: ClassVar[bool] = False

    def begin(self, user_id: str) -> Turn:  # noqa: ARG002 - there is none
        return self.turn


def _open_anonymous(scope: auth_pb2.TokenScope, role: str, surroundings: Surroundings) -> Source:
    issuer = surroundings.service()
    return _AnonymousSource(Turn(issuer.anonymous(scope, role), lambda answer: answer.token, awaited=issuer.awaited))


def _open_session(chain: Chain, surroundings: Surroundings) -> Source:
    return SessionSource(
        chain,
        surroundings.service(),
        awaits=surroundings.awaits,
        randomness=surroundings.randomness,
        log=surroundings.log,
    )
