"""``authsvc token``: issue, validate, refresh, make and look into tokens."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from authsvc.cli.connection import connected
from authsvc.cli.issuing import Subject, read_lifetime, read_new_user, read_scope, read_struct
from authsvc.cli.options import AppKey, AsJson
from authsvc.cli.output import json_of, print_facts, print_json, print_secret
from authsvc.cli.refusals import FAILED
from authsvc.cli.revoking import revoke as revoke_target
from authsvc.cli.token_words import pair_facts, verdict_facts
from authsvc.cli.words import enum_word
from authsvc.clock import system_clock
from authsvc.v1.auth_pb2 import (
    IssueTokenRequest,
    IssueTokenResponse,
    RefreshTokenRequest,
    RefreshTokenResponse,
    RevokeTokensRequest,
    RoleCheck,
    ValidateTokenRequest,
)
from authsvc.verify.development import make_development_token

token = typer.Typer(help="Tokens: issue, validate, refresh, revoke, inspect, development.", no_args_is_help=True)

# More than any token; enough to say of a larger text that it is none.
_MAX_INPUT = 1024 * 1024
REFRESH_PREFIX = "art1_"

TokenArgument = Annotated[
    str,
    typer.Argument(
        metavar="TOKEN", help="The token, or - to read it from standard input, where no list of processes shows it."
    ),
]
RequestId = Annotated[
    str,
    typer.Option("--request-id", metavar="ID", help="Names the request, to repeat it later. Left out: one is made."),
]
Calls = Annotated[
    list[str] | None,
    typer.Option("--call", metavar="CID", help="Good for this call only. Several times for several."),
]
Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", metavar="CID", help="Good for this channel only. Several times for several."),
]


@token.command()
def issue(
    hint: Annotated[str, typer.Argument(metavar="HINT", help="With --guest: the end of the guest's id.")] = "",
    app: AppKey = "",
    user: Annotated[str | None, typer.Option("--user", metavar="ID", help="For this user.")] = None,
    guest: Annotated[bool, typer.Option("--guest", help="For a new guest.")] = False,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="For a visitor without an identity.")] = False,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="The role of the user or visitor.")] = "",
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The name to show.")] = "",
    image: Annotated[str, typer.Option("--image", metavar="URL", help="The picture to show.")] = "",
    custom: Annotated[
        str | None, typer.Option("--custom", metavar="JSON", help="Further data about the user, an object.")
    ] = None,
    calls: Calls = None,
    channels: Channels = None,
    ttl: Annotated[str | None, typer.Option("--ttl", metavar="DURATION", help="Lives this long: 90s, 15m, 1h.")] = None,
    expires_at: Annotated[
        str | None, typer.Option("--expires-at", metavar="RFC3339", help="Lives until 2026-11-20T18:00:00Z.")
    ] = None,
    never_expires: Annotated[
        bool, typer.Option("--never-expires", help="Has no end, where the app allows it.")
    ] = False,
    refreshable: Annotated[bool, typer.Option("--refreshable", help="Also open a session.")] = False,
    audience: Annotated[
        list[str] | None,
        typer.Option("--audience", metavar="NAME", help="Meant for this service. Several times for several."),
    ] = None,
    claims: Annotated[
        str | None, typer.Option("--claims", metavar="JSON", help="Further claims of the token, an object.")
    ] = None,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Issue a token: --user ID, --guest [HINT] or --anonymous."""
    subject = Subject(
        user=user, guest=guest, anonymous=anonymous, hint=hint, role=role, name=name, image=image, custom=custom
    )
    request = IssueTokenRequest(
        **subject.fields(),
        **read_lifetime(ttl=ttl, expires_at=expires_at, never_expires=never_expires),
        scope=read_scope(calls, channels),
        refreshable=refreshable,
        audience=audience,
        custom_claims=read_struct("--claims", claims),
        request_id=request_id,
    )
    with connected(as_json) as connection:
        request.api_key = app or connection.api_key
        _show_pair(connection.client.issue_token(request), as_json)


@token.command()
def refresh(
    refresh_token: Annotated[
        str,
        typer.Argument(metavar="REFRESH_TOKEN", help="The newest of the session, or - to read it from standard input."),
    ],
    ttl: Annotated[
        str | None, typer.Option("--ttl", metavar="DURATION", help="The new token lives this long, never longer.")
    ] = None,
    role: Annotated[str | None, typer.Option("--user-role", metavar="ROLE", help="A new role.")] = None,
    name: Annotated[str | None, typer.Option("--user-name", metavar="NAME", help="A new name to show.")] = None,
    image: Annotated[str | None, typer.Option("--user-image", metavar="URL", help="A new picture to show.")] = None,
    custom: Annotated[
        str | None, typer.Option("--user-custom", metavar="JSON", help="New further data, an object.")
    ] = None,
    calls: Calls = None,
    channels: Channels = None,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Turn a refresh token into the next pair of tokens. The one presented is spent.

    With any --user-… the user's data is replaced as a whole: what is not given is empty from then on.
    """
    request = RefreshTokenRequest(
        refresh_token=_read(refresh_token),
        request_id=request_id,
        **read_lifetime(ttl=ttl, expires_at=None, never_expires=False),
        user=read_new_user(role=role, name=name, image=image, custom=custom),
        scope=read_scope(calls, channels),
    )
    with connected(as_json) as connection:
        _show_pair(connection.client.refresh_token(request), as_json)


@token.command()
def validate(
    text: TokenArgument,
    app: AppKey = "",
    call: Annotated[
        str | None, typer.Option("--call", metavar="CID", help="Ask: may it be used for this call?")
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="CID", help="Ask: may it be used for this channel?")
    ] = None,
    audience: Annotated[
        str | None, typer.Option("--audience", metavar="NAME", help="Ask: is it meant for this service?")
    ] = None,
    roles: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="Ask: does the user have this role? Several times: any."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the service whether a token is good now. Exit code 1: it is not."""
    request = ValidateTokenRequest(
        token=_read(text),
        call_cid=call,
        channel_cid=channel,
        audience=audience,
        roles=RoleCheck(any_of=roles) if roles else None,
    )
    with connected(as_json) as connection:
        request.api_key = app or connection.api_key
        answer = connection.client.validate_token(request)
    if as_json:
        print_json(json_of(answer))
    else:
        print_facts(verdict_facts(answer, system_clock()))
    raise typer.Exit(0 if answer.active else FAILED)


@token.command()
def revoke(
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOKEN]",
            help="An access token, or a refresh token, whose whole session ends; - reads standard input.",
            show_default=False,
        ),
    ] = None,
    token_id: Annotated[
        str | None, typer.Option("--id", metavar="JTI", help="An access token by its id, instead.")
    ] = None,
    app: AppKey = "",
    as_json: AsJson = False,
) -> None:
    """End a token before its time: by its text, or by its id."""
    if (text is None) is (token_id is None):
        raise typer.BadParameter("give either a token, or --id JTI")
    if token_id is not None:
        request, what = RevokeTokensRequest(token_id=token_id), f"token {token_id}"
    else:
        given = _read(text or "")
        if given.startswith(REFRESH_PREFIX):
            request, what = RevokeTokensRequest(refresh_token=given), "the session of the refresh token"
        else:
            request, what = RevokeTokensRequest(token=given), "the token"
    revoke_target(request, what, app=app, as_json=as_json)


@token.command()
def inspect(text: TokenArgument, as_json: AsJson = False) -> None:
    """Show what a token says, offline and WITHOUT checking it. Exit code 1: nothing in it can be read."""
    from authsvc.cli.inspection import inspect_text

    found = inspect_text(_read(text), system_clock())
    if as_json:
        print_json(found.document())
    else:
        print(found.warning)
        print_facts(found.facts())
    raise typer.Exit(0 if found.readable else FAILED)


@token.command()
def development(
    user_id: Annotated[str, typer.Argument(metavar="USER_ID", help="Whom the token speaks for.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Make a development token, offline. Nobody signs it: good only where server and app allow such tokens."""
    try:
        text = make_development_token(user_id)
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint="USER_ID") from None
    if as_json:
        print_json({"token": text, "signed": False, "user_id": user_id})
        return
    print("NOT SIGNED: anyone can make this token. It is good only where server and app allow development tokens.")
    print_secret("token", text)


def _read(text: str) -> str:
    if text != "-":
        return text
    return sys.stdin.buffer.read(_MAX_INPUT).decode("utf-8", "replace").strip()


def _show_pair(answer: IssueTokenResponse | RefreshTokenResponse, as_json: bool) -> None:
    if as_json:
        print_json(json_of(answer))
        return
    facts = pair_facts(answer, system_clock())
    if isinstance(answer, RefreshTokenResponse):
        facts.insert(0, ("outcome", enum_word(answer, "outcome")))
    print_facts(facts)
    print_secret("token", answer.token)
    if answer.refresh_token:
        print_secret("refresh token", answer.refresh_token)
