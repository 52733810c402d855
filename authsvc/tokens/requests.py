"""What callers ask for, as values: decoded but not judged. None means: not present in the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, NoReturn

_NOT_PICKLED = "a request is not pickled: it holds what its caller keeps secret"


class Seconds(NamedTuple):
    """A duration, or a moment since 1970 UTC, as the wire has it: judged by the rules, not by the decoder."""

    seconds: int
    nanos: int = 0


class Ttl(NamedTuple):
    """Live for this long."""

    value: Seconds


class ExpiresAt(NamedTuple):
    """Live until this moment."""

    value: Seconds


class NeverExpires(NamedTuple):
    """Live for ever; False is what a caller sends by mistake."""

    value: bool


class UserSubject(NamedTuple):
    """An authenticated end user."""

    id: str
    role: str = ""
    name: str = ""
    image: str = ""
    custom: Mapping[str, object] | None = None


class GuestSubject(NamedTuple):
    """A guest, whose id is made here."""

    id_hint: str = ""
    name: str = ""
    image: str = ""
    custom: Mapping[str, object] | None = None


class AnonymousSubject(NamedTuple):
    """A viewer without an identity."""

    role: str = ""


class ScopeRequest(NamedTuple):
    """The calls and channels to limit a token to."""

    call_cids: tuple[str, ...] = ()
    channel_cids: tuple[str, ...] = ()


Lifetime = Ttl | ExpiresAt | NeverExpires
Subject = UserSubject | GuestSubject | AnonymousSubject


class IssueRequest(NamedTuple):
    """A wish for a token. Does not print its request id, which whoever knows it could repeat, and is not pickled."""

    api_key: str = ""
    subject: Subject | None = None
    scope: ScopeRequest | None = None
    lifetime: Lifetime | None = None
    refreshable: bool = False
    audience: tuple[str, ...] = ()
    custom_claims: Mapping[str, object] | None = None
    request_id: str = ""
    after_revision: int = 0

    def __repr__(self) -> str:
        return f"IssueRequest(app={self.api_key!r}, ***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)


class RefreshRequest(NamedTuple):
    """A wish to go on, with changes where they are not None. ``user.id`` is empty or the session's.

    Does not print its token and request id, and is not pickled.
    """

    refresh_token: str
    request_id: str = ""
    ttl: Seconds | None = None
    user: UserSubject | None = None
    scope: ScopeRequest | None = None

    def __repr__(self) -> str:
        return "RefreshRequest(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)


class ValidateRequest(NamedTuple):
    """A question about a token. A tuple, as one is made for each item of a batch: a quarter of a record's price.

    ``strong``: answer from the store and not from memory; None: as nobody knows. Does not print its token, and is not
    pickled.
    """

    token: str
    api_key: str = ""
    call_cid: str | None = None
    channel_cid: str | None = None
    audience: str | None = None
    any_role_of: tuple[str, ...] | None = None
    strong: bool | None = False
    after_revision: int = 0

    def __repr__(self) -> str:
        return "ValidateRequest(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)

    @property
    def plain(self) -> bool:
        """Whether it asks for nothing but the token itself."""
        return self[2:] == _PLAIN

    @property
    def from_memory(self) -> bool:
        """Whether what this worker knows at any moment answers it: it asks for nothing newer."""
        return self.strong is False and not self.after_revision


_PLAIN = ValidateRequest("")[2:]
