"""From the options of ``authsvc token issue|refresh`` to the request: which go together is usage, the rest is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from authsvc.cli.durations import read_duration
from authsvc.cli.moments import read_moment
from authsvc.cli.refusals import usage_of
from authsvc.signing.strict_json import read_object
from authsvc.v1.auth_pb2 import Anonymous, Guest, TokenScope, User

# Protobuf's Struct knows doubles only: from 2^53 on, two whole numbers share one double.
_FIRST_UNSAFE = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a token is asked for, as given on the command line. ``user`` is None, ``hint`` empty: not given."""

    user: str | None
    guest: bool
    anonymous: bool
    hint: str
    role: str
    name: str
    image: str
    custom: str | None

    def fields(self) -> dict[str, Any]:
        """The one field of the request that names the subject."""
        if (self.user is not None) + self.guest + self.anonymous != 1:
            raise typer.BadParameter("give exactly one of --user ID, --guest [HINT], --anonymous")
        if self.hint and not self.guest:
            raise typer.BadParameter(f"what does {self.hint!r} mean? Only --guest takes a word without an option")
        if self.guest:
            self._refuse("--guest", **{"--role": self.role})
            profile = {"name": self.name, "image": self.image, "custom": read_struct("--custom", self.custom)}
            return {"guest": Guest(id_hint=self.hint, **profile)}  # type: ignore[arg-type]
        if self.anonymous:
            self._refuse("--anonymous", **{"--name": self.name, "--image": self.image, "--custom": self.custom})
            return {"anonymous": Anonymous(role=self.role)}
        return {"user": self._user()}

    def _user(self) -> User:
        custom = read_struct("--custom", self.custom)
        return User(id=self.user or "", role=self.role, name=self.name, image=self.image, custom=custom)

    @staticmethod
    def _refuse(subject: str, **options: str | None) -> None:
        for option, value in options.items():
            if value:
                raise typer.BadParameter(f"does not go with {subject}", param_hint=option)


def read_new_user(*, role: str | None, name: str | None, image: str | None, custom: str | None) -> User | None:
    """The data that replaces a user's; None: none was given. The user stays the same, so no id is needed."""
    if all(given is None for given in (role, name, image, custom)):
        return None
    return User(role=role or "", name=name or "", image=image or "", custom=read_struct("--user-custom", custom))


def read_lifetime(*, ttl: str | None, expires_at: str | None, never_expires: bool) -> dict[str, Any]:
    """The one field of the request that says how long the token lives, or none."""
    if (ttl is not None) + (expires_at is not None) + never_expires > 1:
        raise typer.BadParameter("give at most one of --ttl, --expires-at, --never-expires")
    if ttl is not None:
        duration = Duration()
        with usage_of("--ttl"):
            duration.FromTimedelta(read_duration(ttl))
        return {"ttl": duration}
    if expires_at is not None:
        return {"expires_at": read_moment("--expires-at", expires_at)}
    return {"never_expires": True} if never_expires else {}


def read_scope(calls: Sequence[str] | None, channels: Sequence[str] | None) -> TokenScope | None:
    """The limits of the token; None: it has none."""
    return TokenScope(call_cids=calls, channel_cids=channels) if calls or channels else None


def read_struct(option: str, text: str | None) -> Struct | None:
    """A JSON object as a Struct; what a Struct would change is refused."""
    if text is None:
        return None
    struct = Struct()
    with usage_of(option):
        struct.update(_read_json(text))
    return struct


def _read_json(text: str) -> Mapping[str, Any]:
    try:
        members = read_object(text.strip().encode("utf-8"))
    except ValueError as fault:
        raise ValueError(f"is not a JSON object: {fault}") from None
    _refuse_inexact(members)
    return members


def _refuse_inexact(value: object) -> None:
    if isinstance(value, int) and abs(value) >= _FIRST_UNSAFE:
        raise ValueError("has a whole number beyond 2^53, which loses digits on the way: send it as text")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_inexact(item)
