"""The service as a place that tokens come from: which RPC is called, for a backend and for a front end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from google.protobuf.json_format import ParseDict

from authsvc.client.auth import AsyncAuthClient
from authsvc.client.tokens.source import Make
from authsvc.v1 import auth_pb2, guest_pb2


@dataclass(frozen=True, slots=True)
class Issuer:
    """Asks for the tokens of an app through ``client``, an ``AuthClient`` or an ``AsyncAuthClient``.

    A client with a service credential asks as a backend (AuthService), one without as a front end (GuestService). No
    call is still under way after ``timeout``: a turn of a session that is repeated must not arrive after the next one.
    """

    client: Any  # the two clients have the same calls; those of the second are awaited
    api_key: str
    as_backend: bool
    timeout: timedelta

    @property
    def awaited(self) -> bool:
        """Whether the calls are to be awaited."""
        return isinstance(self.client, AsyncAuthClient)

    def guest(self, guest: auth_pb2.Guest, request_id: str) -> Make:
        """The call that makes a guest, with a session."""
        if self.as_backend:
            request = auth_pb2.IssueTokenRequest(
                api_key=self.api_key, guest=guest, refreshable=True, request_id=request_id
            )
            return partial(self.client.issue_token, request, timeout=self.timeout)
        public = guest_pb2.IssueGuestTokenRequest(
            api_key=self.api_key, guest=guest, refreshable=True, request_id=request_id
        )
        return partial(self.client.guests.issue_guest_token, public, timeout=self.timeout)

    def anonymous(self, scope: auth_pb2.TokenScope, role: str) -> Make:
        """The call that lets somebody without an identity watch; only a backend can ask for a role, or for all."""
        lists_something = bool(scope.call_cids or scope.channel_cids)
        if self.as_backend:
            # A scope that is there and lists nothing is refused: that everything is wished is said by none at all.
            request = auth_pb2.IssueTokenRequest(
                api_key=self.api_key,
                anonymous=auth_pb2.Anonymous(role=role),
                scope=scope if lists_something else None,
            )
            return partial(self.client.issue_token, request, timeout=self.timeout)
        if role:
            raise ValueError("a front end cannot choose a role for anonymous users: the app does (anonymous_role)")
        if not lists_something:
            raise ValueError("name the calls or channels: a front end's anonymous user needs them")
        public = guest_pb2.IssueAnonymousTokenRequest(api_key=self.api_key, scope=scope)
        return partial(self.client.guests.issue_anonymous_token, public, timeout=self.timeout)

    def refresh(self, refresh_token: str, request_id: str) -> Make:
        """The call that turns a refresh token; front ends can turn only those of sessions that front ends opened."""
        if self.as_backend:
            request = auth_pb2.RefreshTokenRequest(refresh_token=refresh_token, request_id=request_id)
            return partial(self.client.refresh_token, request, timeout=self.timeout)
        public = guest_pb2.RefreshGuestTokenRequest(refresh_token=refresh_token, request_id=request_id)
        return partial(self.client.guests.refresh_guest_token, public, timeout=self.timeout)


def guest_message(id_hint: str, name: str, image: str, custom: Mapping[str, object] | None) -> auth_pb2.Guest:
    """A guest as the contract has it."""
    guest = auth_pb2.Guest(id_hint=id_hint, name=name, image=image)
    if custom is not None:
        ParseDict(dict(custom), guest.custom)
    return guest


def listed(name: str, cids: Sequence[str]) -> tuple[str, ...]:
    """The cids; raises ``TypeError`` for what is no list of texts: one text would be taken for its letters."""
    if isinstance(cids, str | bytes):
        raise TypeError(f"{name} is a list of cids: put the one there is into brackets")
    given = tuple(cids)
    if not all(isinstance(cid, str) for cid in given):
        raise TypeError(f"{name} is a list of cids, each a text")
    return given


def scope_message(call_cids: Sequence[str], channel_cids: Sequence[str]) -> auth_pb2.TokenScope:
    """A scope as the contract has it. Raises ``TypeError`` for one text where a list belongs."""
    call_cids, channel_cids = listed("call_cids", call_cids), listed("channel_cids", channel_cids)
    return auth_pb2.TokenScope(call_cids=call_cids, channel_cids=channel_cids)
