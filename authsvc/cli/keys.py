"""``authsvc keys``: what an app signs with."""

from __future__ import annotations

from typing import Annotated

import typer

from authsvc.cli.app_settings import SPELLINGS
from authsvc.cli.connection import connected
from authsvc.cli.options import AppKey, AsJson, Etag
from authsvc.cli.output import Fact, json_of, print_facts, print_json, print_listing
from authsvc.cli.words import enum_word, timestamp_words
from authsvc.clock import system_clock
from authsvc.v1 import admin_pb2 as v1

keys = typer.Typer(
    help="Signing keys: rotate, activate and revoke them, and show the public ones.", no_args_is_help=True
)

KeyArgument = Annotated[str, typer.Argument(metavar="KID", help="As `keys list` shows it.", show_default=False)]
# A kid is base64url and may begin with a hyphen: what is no option of the command is the kid then.
_WITH_A_KID = {"ignore_unknown_options": True}

KeyAnswer = v1.RotateKeyResponse | v1.ActivateKeyResponse | v1.RevokeKeyResponse


@keys.command("list")
def list_all(app: AppKey = "", as_json: AsJson = False) -> None:
    """List the keys of an app, oldest first."""
    with connected(as_json) as connection:
        found = list(connection.client.admin.keys(v1.ListKeysRequest(api_key=app or connection.api_key)))
    if as_json:
        print_json(json_of(v1.ListKeysResponse(keys=found)))
    else:
        print_listing(("KID", "ALGORITHM", "STATE", "SINCE", "UNTIL", "SECRET"), map(_row, found))


@keys.command()
def rotate(
    app: AppKey = "",
    now: Annotated[bool, typer.Option("--now", help="Let it sign at once; verifiers may not know it yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish the next key, which signs by itself once verifiers had time to learn it. Twice: the same key."""
    with connected(as_json) as connection:
        request = v1.RotateKeyRequest(api_key=app or connection.api_key, now=now)
        _show(connection.client.admin.rotate_key(request), as_json)


@keys.command(context_settings=_WITH_A_KID)
def activate(
    key_id: KeyArgument,
    app: AppKey = "",
    now: Annotated[bool, typer.Option("--now", help="Also before its lead time is over.")] = False,
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Let a pending key sign now, without waiting for it to do so by itself."""
    with connected(as_json) as connection:
        request = v1.ActivateKeyRequest(api_key=app or connection.api_key, key_id=key_id, now=now, etag=etag)
        _show(connection.client.admin.activate_key(request), as_json)


@keys.command(context_settings=_WITH_A_KID)
def revoke(key_id: KeyArgument, app: AppKey = "", etag: Etag = "", as_json: AsJson = False) -> None:
    """End a key and every token that it signed, at once and for ever. Where it signs, another takes its place."""
    with connected(as_json) as connection:
        request = v1.RevokeKeyRequest(api_key=app or connection.api_key, key_id=key_id, etag=etag)
        _show(connection.client.admin.revoke_key(request), as_json)


@keys.command()
def jwks(app: AppKey = "", as_json: AsJson = False) -> None:
    """Print the public keys as a JWK set, for verifiers that know JWT alone. It is JSON with and without --json."""
    with connected(as_json) as connection:
        print(connection.client.admin.get_jwks(v1.GetJwksRequest(api_key=app or connection.api_key)).jwks)


def _show(answer: KeyAnswer, as_json: bool) -> None:
    if as_json:
        print_json(json_of(answer))
    else:
        print_facts(_facts(answer.key))


def _facts(key: v1.Key) -> list[Fact]:
    now = system_clock()
    moments = ("created_at", "signs_from", "activated_at", "retired_at", "revoked_at", "verifies_until")
    words = {name.replace("_", " "): timestamp_words(key, name, now, unset="") for name in moments}
    return [
        ("kid", key.key_id),
        ("algorithm", _algorithm(key)),
        ("state", enum_word(key, "state").lower()),
        *((name, moment) for name, moment in words.items() if moment),
        ("secret", _secret(key)),
        ("etag", key.etag),
    ]


def _row(key: v1.Key) -> tuple[str, ...]:
    now, state = system_clock(), enum_word(key, "state").lower()
    since = {"pending": "created_at", "active": "activated_at"}.get(state, f"{state}_at")
    until = "signs_from" if state == "pending" else "verifies_until"
    moments = (timestamp_words(key, since, now), timestamp_words(key, until, now))
    return key.key_id, _algorithm(key), state, *moments, _secret(key)


def _algorithm(key: v1.Key) -> str:
    word = enum_word(key, "algorithm")
    return SPELLINGS.get(word, word)


def _secret(key: v1.Key) -> str:
    if not key.imported:
        return "-"
    return "imported, weak" if key.weak else "imported"
