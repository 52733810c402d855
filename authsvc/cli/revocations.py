"""``authsvc revocations``: ending all that a user or an app holds, seeing what was ended, and taking it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from authsvc.cli.connection import connected
from authsvc.cli.limits import DEFAULT_LIMIT, Limit, first_of, page_size_for
from authsvc.cli.moments import read_past_moment
from authsvc.cli.options import AppKey, AsJson
from authsvc.cli.output import Fact, json_of, print_facts, print_json, print_listing
from authsvc.cli.revoking import revoke
from authsvc.cli.words import enum_names, timestamp_words, yes_or_no
from authsvc.clock import system_clock
from authsvc.v1 import admin_pb2, auth_pb2

revocations = typer.Typer(
    help="Revocations: ending all that a user holds, seeing what was ended, taking it back.", no_args_is_help=True
)

_KINDS = {
    name.lower(): number
    for number, name in enum_names(admin_pb2.Revocation.DESCRIPTOR.fields_by_name["kind"]).items()
    if number
}

User = Annotated[str | None, typer.Option("--user", metavar="ID", help="This user or guest; !anon: all anonymous.")]
AllUsers = Annotated[bool, typer.Option("--all-users", help="Everybody in the app.")]


@revocations.command()
def add(
    user: User = None,
    all_users: AllUsers = False,
    issued_before: Annotated[
        str | None,
        typer.Option(
            "--issued-before", metavar="MOMENT", help="Only what is older: 2026-11-20T18:00:00Z, or 15m for that ago."
        ),
    ] = None,
    app: AppKey = "",
    as_json: AsJson = False,
) -> None:
    """End all tokens and sessions of a user, or of everybody: --user ID or --all-users."""
    moment = read_past_moment("--issued-before", issued_before, system_clock())
    request = auth_pb2.RevokeTokensRequest(**_target(user, all_users), issued_before=moment)
    revoke(request, "all users" if all_users else f"user {user}", app=app, as_json=as_json)


@revocations.command("list")
def list_some(
    app: AppKey = "",
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Of this user alone.")] = "",
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help=f"One of {', '.join(_KINDS)}.")] = "",
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List what is revoked in an app and still matters: users, then sessions, then tokens."""
    if kind and kind not in _KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(_KINDS)}", param_hint="--kind")
    request = admin_pb2.ListRevocationsRequest(user_id=user, page_size=page_size_for(limit))
    if kind:
        request.kind = _KINDS[kind]  # type: ignore[assignment]  # a number of that enum
    with connected(as_json) as connection:
        request.api_key = app or connection.api_key
        found = first_of(connection.client.admin.revocations(request), limit)
    if as_json:
        print_json(json_of(admin_pb2.ListRevocationsResponse(revocations=found)))
    else:
        print_listing(("REVOKED", "REVISION", "DETAILS"), map(_row, found))


@revocations.command()
def clear(
    user: User = None,
    all_users: AllUsers = False,
    token_id: Annotated[str | None, typer.Option("--token-id", metavar="JTI", help="This one token.")] = None,
    app: AppKey = "",
    as_json: AsJson = False,
) -> None:
    """Take back what was revoked by mistake: --user ID, --all-users or --token-id JTI. Sessions stay ended."""
    request = admin_pb2.ClearRevocationRequest(**_target(user, all_users, token_id))
    with connected(as_json) as connection:
        request.api_key = app or connection.api_key
        answer = connection.client.admin.clear_revocation(request)
    if as_json:
        print_json(json_of(answer))
    else:
        print_facts(_cleared(answer))


def _cleared(answer: admin_pb2.ClearRevocationResponse) -> Iterator[Fact]:
    yield "cleared", yes_or_no(answer.cleared)
    if answer.cleared:
        yield "revision", str(answer.revision)


def _target(user: str | None, all_users: bool, token_id: str | None = None) -> dict[str, Any]:
    """The one field of the request that says what is meant."""
    if (user is not None) + all_users + (token_id is not None) != 1:
        raise typer.BadParameter("name exactly one of those whose revocation is meant, such as --user ID")
    if token_id is not None:
        return {"token_id": token_id}
    return {"all_users": True} if all_users else {"user_id": user}


def _row(revocation: admin_pb2.Revocation) -> tuple[str, str, str]:
    details = "; ".join(f"{name} {value}" for name, value in _details(revocation))
    return _name(revocation), str(revocation.revision), details


def _name(revocation: admin_pb2.Revocation) -> str:
    if revocation.session_id:
        return f"session {revocation.session_id}"
    if revocation.token_id:
        return f"token {revocation.token_id}"
    return f"user {revocation.user_id}" if revocation.user_id else "all users"


def _details(revocation: admin_pb2.Revocation) -> Iterator[Fact]:
    now = system_clock()
    for field, words in (
        ("tokens_revoked_at", "tokens up to"),
        ("tokens_issued_before", "tokens before"),
        ("sessions_revoked_at", "sessions up to"),
        ("sessions_created_before", "sessions before"),
        ("remembered_until", "remembered until"),
    ):
        if revocation.HasField(field):  # type: ignore[arg-type]  # each is a field of it
            yield words, timestamp_words(revocation, field, now)
