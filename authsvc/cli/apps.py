"""``authsvc apps``: the tenants of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from authsvc.cli.app_settings import read_settings, setting_words
from authsvc.cli.connection import connected
from authsvc.cli.options import AsJson, Etag
from authsvc.cli.output import Fact, json_of, print_facts, print_json, print_listing
from authsvc.cli.refusals import usage_of
from authsvc.cli.secret_file import read_secret, warn_of_weak_secret
from authsvc.cli.words import timestamp_words, yes_or_no
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
    secret_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-file",
            metavar="FILE",
            help="Sign by HS256 with this existing secret, which others hold too; - reads standard input.",
        ),
    ] = None,
    new_settings: NewSettings = None,
    as_json: AsJson = False,
) -> None:
    """Make an app with its first signing key, or from an existing key and secret."""
    with usage_of("--set"):
        settings, names = read_settings(new_settings or ())
    secret = read_secret(secret_file)
    request = v1.CreateAppRequest(api_key=api_key, settings=settings if names else None, secret=secret)
    with connected(as_json) as connection:
        answer = connection.client.admin.create_app(request)
    _show(answer, as_json)
    if answer.app.weak_secret:
        warn_of_weak_secret()


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
        print_listing(_COLUMNS, map(_row, found))


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


_COLUMNS = ("API KEY", "ALGORITHM", "SECRET", "DEFAULT TTL", "GUESTS", "ANONYMOUS", "SUSPENDED", "EVER NON-EXPIRING")

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
    past = [("secret", _secret(app)), ("ever non-expiring", yes_or_no(app.ever_non_expiring))]
    return [("api key", app.api_key), ("etag", app.etag), *times, *past, *setting_words(app.settings)]


def _secret(app: v1.App) -> str:
    """Who else holds it: nobody, where the service made it."""
    if not app.imported_secret:
        return "-"
    return "imported, weak" if app.weak_secret else "imported"


def _row(app: v1.App) -> list[str]:
    words = dict(setting_words(app.settings))
    shown = ("default_ttl", "guests_enabled", "anonymous_enabled", "suspended")
    past = yes_or_no(app.ever_non_expiring)
    return [app.api_key, words["algorithm"], _secret(app), *(words[name] for name in shown), past]
