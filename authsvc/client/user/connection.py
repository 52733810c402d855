"""What both user clients hold of the user who is connected, or being connected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import grpc

from authsvc.client.auth import AsyncAuthClient, AuthClient
from authsvc.client.channel import Tls
from authsvc.client.tokens import faults
from authsvc.client.tokens.providers import TokenOrProvider, TokenProvider, as_provider
from authsvc.client.tokens.source import TokenFunction
from authsvc.client.user.connecting import AlreadyConnected, Attempts
from authsvc.client.user.people import EndUser

if TYPE_CHECKING:
    from authsvc.logs import Logger, SecretText

TARGET = "127.0.0.1:50051"
"""Where a service listens unless it was told otherwise."""


@dataclass(eq=False)
class Connection:
    """``asked`` is the user as the program named it, ``user`` the one it has become; ``outcome`` is a future of it.

    ``attempts`` are those that were made to connect it.
    """

    asked: EndUser
    outcome: Any
    attempts: Attempts
    user: EndUser | None = None

    def too_late(self) -> faults.TokenTimeout:
        """What a call is told whose time is over before the user is connected."""
        errors = self.attempts.errors
        return faults.too_late("the user is still being connected", errors[-1] if errors else None)

    def is_for(self, user: EndUser) -> bool:
        """Whether that user is this one."""
        return self.asked.is_same(user) or (self.user is not None and self.user.is_same(user))

    def check(self, user: EndUser) -> None:
        """Raise ``AlreadyConnected`` for another user."""
        if not self.is_for(user):
            raise AlreadyConnected.saying("another user is connected: call disconnect_user first")

    def warn_of_another(self, user: EndUser, log: Logger) -> None:
        """Say in the log that the same user was wished otherwise than it is connected, or being connected."""
        warn_of_others([] if user.is_met_by(self.user or self.asked) else ["user"], log)

    def become(self, user_id: str | None) -> EndUser:
        """The user, under the id that stands in its tokens."""
        self.user = replace(self.asked, id=user_id or self.asked.id)
        return self.user


@dataclass(frozen=True, slots=True)
class Begun:
    """What a connection was to be made of, and the provider it began: after a failure the same wish goes on with that,
    so that a guest whom the service has made is not made once more."""

    asked: EndUser
    token: TokenOrProvider | None
    token_provider: TokenFunction | TokenProvider | None
    provider: TokenProvider

    @classmethod
    def going_on(
        cls,
        last: Begun | None,
        asked: EndUser,
        token: TokenOrProvider | None,
        token_provider: TokenFunction | TokenProvider | None,
    ) -> Begun:
        """The last one, where the wish is the same; raises as ``provider_for``."""
        if last is not None and (last.asked, last.token, last.token_provider) == (asked, token, token_provider):
            return last
        return cls(asked, token, token_provider, provider_for(asked, token, token_provider).begun())


def disconnected() -> faults.UserChanged:
    """What those are told who wait for a user that is disconnected."""
    return faults.UserChanged.saying("the user was disconnected while it was being connected")


def nobody(last: BaseException | None) -> BaseException:
    """What a call is told while nobody is connected: why connecting failed, where it did."""
    return faults.again(last) if last is not None else faults.NoUser.saying("nobody is connected: call connect_user")


def shared_client_knows(
    client: AuthClient | AsyncAuthClient,
    target: str,
    *,
    credential: object,
    tls: object,
    allow_plaintext: bool,
) -> None:
    """Raise ``ValueError`` for what a client that is shared was made with, and is now wished to be otherwise."""
    wishes = {
        "target": target != client.target,
        "credential": credential is not None,
        "tls": tls is not None,
        "allow_plaintext": allow_plaintext,
    }
    differing = ", ".join(name for name, differs in wishes.items() if differs)
    if differing:
        raise ValueError(f"{differing}: beside client= that is the client's own, which goes to {client.target}")


def warn_of_others(differing: Sequence[str] | None, log: Logger) -> None:
    """Say in the log what was wished otherwise than the client of that user has it: nothing of it is taken over."""
    if differing:
        log.warn("a client of this user is there, with other options", setting=", ".join(differing))


def is_front_end(
    client: AuthClient | AsyncAuthClient, said: bool | None, *, credential: str | SecretText | None, tls: Tls | None
) -> bool:
    """Whether it speaks as a front end: as it is said, else where its client does not say who it is.

    ``tls`` of its own that gRPC made may hold a certificate, but mostly it is there to trust the service by.
    """
    if said is not None:
        return said
    made_by_grpc = credential is None and isinstance(tls, grpc.ChannelCredentials)
    return made_by_grpc or not client.says_who_it_is


def target_of(target: str | None, client: AuthClient | AsyncAuthClient | None) -> str:
    """Where the service is: as it is said, else where the shared client goes, else where one listens by default."""
    return target or (TARGET if client is None else client.target)


def provider_for(
    user: EndUser, token: TokenOrProvider | None, token_provider: TokenFunction | TokenProvider | None
) -> TokenProvider:
    """Where the tokens of that user come from; raises ``ValueError`` for a user with an account and nothing else, and
    ``TokenInvalid`` for a token that is none, ``TypeError`` for a provider that is none."""
    provider = as_provider(token, token_provider) or user.provider()
    if provider is None:
        raise ValueError("a user with an account needs a token, a token provider or both")
    return provider
