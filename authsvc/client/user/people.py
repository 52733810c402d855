"""Whom a client speaks for: a user with an account, a guest, or somebody without an identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from authsvc.client.tokens.issuer import listed
from authsvc.client.tokens.providers import TokenProvider
from authsvc.model import Kind
from authsvc.verify.identifiers import ANONYMOUS_ID, GUEST_PREFIX, is_user_id


@dataclass(frozen=True, slots=True)
class EndUser:
    """Made by ``regular``, ``guest`` or ``anonymous``. ``id`` is a guest's wish: its own id the service makes."""

    id: str
    kind: Kind = Kind.USER
    name: str = ""
    image: str = ""
    custom: Mapping[str, object] | None = None
    call_cids: tuple[str, ...] = ()
    channel_cids: tuple[str, ...] = ()

    @classmethod
    def regular(cls, user_id: str) -> Self:
        """A user with an account; raises ``ValueError`` for what is no user's id."""
        if not is_user_id(user_id):
            raise ValueError("not the id of a user: 1 to 128 of A-Z a-z 0-9 @ _ . : | + = ~ -")
        return cls(user_id, Kind.GUEST if user_id.startswith(GUEST_PREFIX) else Kind.USER)

    @classmethod
    def guest(
        cls, id_hint: str = "", name: str = "", image: str = "", *, custom: Mapping[str, object] | None = None
    ) -> Self:
        """A guest the service makes: ``guest-<uuid>-<id_hint>``."""
        return cls(id_hint, Kind.GUEST, name, image, custom)

    @classmethod
    def anonymous(
        cls, call_cids: tuple[str, ...] | list[str] = (), channel_cids: tuple[str, ...] | list[str] = ()
    ) -> Self:
        """Somebody without an identity, who may watch those calls and channels; as ``TokenProvider.anonymous``.

        Raises ``TypeError`` for one text where a list belongs.
        """
        calls, channels = listed("call_cids", call_cids), listed("channel_cids", channel_cids)
        return cls(ANONYMOUS_ID, Kind.ANONYMOUS, call_cids=calls, channel_cids=channels)

    @property
    def final_id(self) -> str | None:
        """The id that stands in tokens; None for a guest whom the service has not made yet."""
        made = self.kind is not Kind.GUEST or self.id.startswith(GUEST_PREFIX)
        return self.id if made else None

    def is_same(self, other: EndUser) -> bool:
        """Whether the other one is meant to be the same: by id, which for a guest to be made is the hint."""
        return (self.id, self.kind) == (other.id, other.kind)

    def is_met_by(self, there: EndUser) -> bool:
        """Whether the same user, as it is there, is all that is wished here: what is not said may be anything.

        Of somebody without an identity the cids are always said: none are all of them.
        """
        said = [name for name in ("name", "image", "custom") if getattr(self, name)]
        if self.kind is Kind.ANONYMOUS:
            said += ["call_cids", "channel_cids"]
        return all(getattr(self, name) == getattr(there, name) for name in said)

    def provider(self) -> TokenProvider | None:
        """Where tokens come from when nobody says: the service, for those whom it knows without a backend."""
        if self.kind is Kind.ANONYMOUS:
            return TokenProvider.anonymous(self.call_cids, self.channel_cids)
        if self.final_id is None:
            return TokenProvider.guest(self.id, self.name, self.image, custom=self.custom)
        return None


def as_user(user: EndUser | str) -> EndUser:
    """The user of that id, where only the id is given; raises ``TypeError`` for what is neither."""
    if isinstance(user, str):
        return EndUser.regular(user)
    if not isinstance(user, EndUser):
        raise TypeError(f"a user is an id or an EndUser, not {type(user).__name__}")
    return user
