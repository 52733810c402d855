"""``authsvc audit``: what was changed, by whom, and how it ended."""

from __future__ import annotations

from typing import Annotated

import typer

from authsvc.cli.connection import connected
from authsvc.cli.limits import DEFAULT_LIMIT, Limit, first_of, page_size_for
from authsvc.cli.moments import read_past_moment
from authsvc.cli.options import AsJson
from authsvc.cli.output import json_of, print_json, print_listing
from authsvc.cli.words import timestamp_words
from authsvc.clock import system_clock
from authsvc.v1 import admin_pb2 as v1

audit = typer.Typer(help="The audit: what was changed, by whom, and how it ended.", no_args_is_help=True)


@audit.command("list")
def list_some(
    app: Annotated[str, typer.Option("--app", "--api-key", metavar="KEY", help="About this app alone.")] = "",
    principal: Annotated[str, typer.Option("--principal", metavar="ID", help="By this account alone.")] = "",
    action: Annotated[str, typer.Option("--action", metavar="NAME", help="Such as user.revoked.")] = "",
    subject: Annotated[str, typer.Option("--subject", metavar="NAME", help="Of this user, session, account …")] = "",
    outcome: Annotated[str, typer.Option("--outcome", metavar="WORD", help="That ended so: done, revoked …")] = "",
    since: Annotated[
        str | None, typer.Option("--since", metavar="MOMENT", help="2026-11-20T18:00:00Z, or 15m for that ago.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="MOMENT", help="The end, written alike.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List events, newest first: those that fit every option given."""
    now = system_clock()
    request = v1.ListAuditEventsRequest(
        api_key=app,
        principal=principal,
        action=action,
        subject=subject,
        outcome=outcome,
        since=read_past_moment("--since", since, now),
        until=read_past_moment("--until", until, now),
        page_size=page_size_for(limit),
    )
    with connected(as_json) as connection:
        found = first_of(connection.client.admin.audit_events(request), limit)
    if as_json:
        print_json(json_of(v1.ListAuditEventsResponse(audit_events=found)))
    else:
        print_listing(("ID", "AT", "ACTION", "BY", "APP", "SUBJECT", "OUTCOME", "REASON"), map(_row, found))


def _row(event: v1.AuditEvent) -> tuple[str, ...]:
    at = timestamp_words(event, "at", system_clock())
    texts = (event.action, event.principal, event.api_key, event.subject, event.outcome, event.reason)
    return (str(event.id), at, *(text or "-" for text in texts))
