"""``authsvc apps``: the tenants of the service."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from authsvc.cli.app_settings import read_settings, setting_words
from authsvc.cli.connection import connected
from authsvc.cli.options import AsJson, Etag
from authsvc.cli.output import Fact, json_of, print_facts, print_json, print_listing
from authsvc.cli.refusals import usage_of
from authsvc.cli.words import timestamp_words
from authsvc.clock import system_clock
from authsvc.v1 import admin_pb2 as v1

apps = typer.Typer(help="Apps: the tenants, each with its own keys and policy.", no_args_is_help=True)

ApiKeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The app's api_key.", show_default=False)]
NewSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting: max_ttl=12h, guests_enabled=true, default_audience=a,b. Empty value: back to the default. "
        "Several times for several.",
    ),
]


@apps.command()
def create(
    api_key: Annotated[str, typer.Option("--api-key", metavar="KEY", help="Left out: one is made.")] = "",
    new_settings: NewSettings = None,
    as_json: AsJson = False,
) -> None:
    """Make an app with its first signing key."""
    with usage_of("--set"):
        settings, names = read_settings(new_settings or ())
    request = v1.CreateAppRequest(api_key=api_key, settings=settings if names else None)
    with connected(as_json) as connection:
        _show(connection.client.admin.create_app(request), as_json)


@apps.command()
def get(api_key: ApiKeyArgument, as_json: AsJson = False) -> None:
    """Show an app and its settings."""
    with connected(as_json) as connection:
        _show(connection.client.admin.get_app(v1.GetAppRequest(api_key=api_key)), as_json)


@apps.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List all apps that the account may act for."""
    with connected(as_json) as connection:
        found = list(connection.client.admin.apps())
    if as_json:
        print_json(json_of(v1.ListAppsResponse(apps=found)))
    else:
        print_listing(("API KEY", "ALGORITHM", "DEFAULT TTL", "GUESTS", "ANONYMOUS", "SUSPENDED"), map(_row, found))


@apps.command()
def update(api_key: ApiKeyArgument, new_settings: NewSettings = None, etag: Etag = "", as_json: AsJson = False) -> None:
    """Change settings of an app; the others stay."""
    with usage_of("--set"):
        settings, names = read_settings(new_settings or ())
        if not names:
            raise ValueError("name at least one setting to change")
    mask = FieldMask(paths=names)
    request = v1.UpdateAppRequest(api_key=api_key, settings=settings, update_mask=mask, etag=etag)
    with connected(as_json) as connection:
        _show(connection.client.admin.update_app(request), as_json)


@apps.command()
def suspend(api_key: ApiKeyArgument, etag: Etag = "", as_json: AsJson = False) -> None:
    """Stop an app: nothing is issued for it and its tokens are not active, until it is resumed."""
    with connected(as_json) as connection:
        _show(connection.client.admin.suspend_app(v1.SuspendAppRequest(api_key=api_key, etag=etag)), as_json)


@apps.command()
def resume(api_key: ApiKeyArgument, etag: Etag = "", as_json: AsJson = False) -> None:
    """End the suspension of an app."""
    with connected(as_json) as connection:
        _show(connection.client.admin.resume_app(v1.ResumeAppRequest(api_key=api_key, etag=etag)), as_json)


AppAnswer = (
    v1.CreateAppResponse | v1.GetAppResponse | v1.UpdateAppResponse | v1.SuspendAppResponse | v1.ResumeAppResponse
)


def _show(answer: AppAnswer, as_json: bool) -> None:
    if as_json:
        print_json(json_of(answer))
    else:
        print_facts(_facts(answer.app))


def _facts(app: v1.App) -> list[Fact]:
    now = system_clock()
    times = [(name, timestamp_words(app, f"{name}_at", now)) for name in ("created", "updated")]
    return [("api key", app.api_key), ("etag", app.etag), *times, *setting_words(app.settings)]


def _row(app: v1.App) -> list[str]:
    words = dict(setting_words(app.settings))
    shown = ("algorithm", "default_ttl", "guests_enabled", "anonymous_enabled", "suspended")
    return [app.api_key, *(words[name] for name in shown)]
