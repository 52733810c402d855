"""``authsvc logging``: how much the service logs, now and for a while."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration

from authsvc.cli.connection import connected
from authsvc.cli.durations import read_duration
from authsvc.cli.options import AsJson
from authsvc.cli.output import json_of, print_json, print_listing
from authsvc.cli.refusals import usage_of
from authsvc.cli.words import timestamp_words
from authsvc.clock import system_clock
from authsvc.v1 import admin_pb2 as v1

logging = typer.Typer(help="Logging: what the server writes, and more or less of it for a while.", no_args_is_help=True)


@logging.command()
def get(as_json: AsJson = False) -> None:
    """Show each scope with its level, and until when it has it."""
    with connected(as_json) as connection:
        _show(connection.client.admin.get_logging(v1.GetLoggingRequest()), as_json)


@logging.command("set")
def set_levels(
    levels: Annotated[
        list[str],
        typer.Argument(
            metavar="SCOPE=LEVEL...",
            help="Such as storage=debug or default=warn. An empty level: the default's; of audit: info.",
            show_default=False,
        ),
    ],
    span: Annotated[str, typer.Option("--for", metavar="TIME", help="15m, 2h; at most 24h. Left out: 1h.")] = "",
    as_json: AsJson = False,
) -> None:
    """Change levels of all workers, for a while."""
    with usage_of("SCOPE=LEVEL"):
        wanted = [_read_level(level) for level in levels]
    with usage_of("--for"):
        duration = _read_span(span)
    request = v1.ConfigureLoggingRequest(levels=wanted, duration=duration)
    with connected(as_json) as connection:
        _show(connection.client.admin.configure_logging(request), as_json)


@logging.command()
def reset(as_json: AsJson = False) -> None:
    """End every change that was made for a while."""
    with connected(as_json) as connection:
        _show(connection.client.admin.configure_logging(v1.ConfigureLoggingRequest(reset=True)), as_json)


def _read_level(text: str) -> v1.ScopeLevel:
    scope, equals, level = text.partition("=")
    if not scope or not equals:
        raise ValueError(f"{text!r} is not SCOPE=LEVEL, such as storage=debug")
    return v1.ScopeLevel(scope=scope, level=level)


def _read_span(text: str) -> Duration | None:
    if not text:
        return None
    duration = Duration()
    duration.FromTimedelta(read_duration(text))
    return duration


def _show(answer: v1.GetLoggingResponse | v1.ConfigureLoggingResponse, as_json: bool) -> None:
    if as_json:
        print_json(json_of(answer))
    else:
        print_listing(("SCOPE", "LEVEL", "UNTIL"), map(_row, answer.scopes))


def _row(scope: v1.LoggingScope) -> tuple[str, str, str]:
    level = f"{scope.level} (default)" if scope.follows_default else scope.level
    return scope.scope, level, timestamp_words(scope, "expires_at", system_clock())
