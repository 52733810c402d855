"""``authsvc sessions``: who is signed in, and ending that."""

from __future__ import annotations

from typing import Annotated

import typer

from authsvc.cli.connection import connected
from authsvc.cli.limits import DEFAULT_LIMIT, Limit, first_of, page_size_for
from authsvc.cli.options import AppKey, AsJson
from authsvc.cli.output import json_of, print_json, print_listing
from authsvc.cli.revoking import revoke as revoke_target
from authsvc.cli.words import enum_word, timestamp_words
from authsvc.clock import system_clock
from authsvc.v1 import auth_pb2 as v1

sessions = typer.Typer(help="Sessions: who is signed in, and ending that.", no_args_is_help=True)


@sessions.command("list")
def list_some(
    app: AppKey = "",
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Of this user alone.")] = "",
    ended: Annotated[bool, typer.Option("--ended", help="Also those that were revoked or have expired.")] = False,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List sessions of an app, by their id."""
    request = v1.ListSessionsRequest(user_id=user, include_ended=ended, page_size=page_size_for(limit))
    with connected(as_json) as connection:
        request.api_key = app or connection.api_key
        found = first_of(connection.client.sessions(request), limit)
    if as_json:
        print_json(json_of(v1.ListSessionsResponse(sessions=found)))
    else:
        print_listing(("SESSION", "USER", "KIND", "STATE", "REFRESHED", "ENDS", "OPENED BY"), map(_row, found))


@sessions.command()
def revoke(
    session_id: Annotated[
        str, typer.Argument(metavar="SESSION_ID", help="As `sessions list` and tokens show it.", show_default=False)
    ],
    app: AppKey = "",
    as_json: AsJson = False,
) -> None:
    """End one session and its access tokens. One that is not there is no error."""
    request = v1.RevokeTokensRequest(session_id=session_id)
    revoke_target(request, f"session {session_id}", app=app, as_json=as_json)


def _row(session: v1.Session) -> tuple[str, ...]:
    now = system_clock()
    return (
        session.session_id,
        session.user.id,
        enum_word(session, "kind").lower(),
        enum_word(session, "state").lower(),
        timestamp_words(session, "refreshed_at", now),
        timestamp_words(session, "idle_expires_at", now),
        session.opened_by or "anybody",
    )
