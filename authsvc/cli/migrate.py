"""``authsvc migrate``: bring the store's schema to what this program knows. On the store itself, not over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from authsvc.cli.options import AsJson
from authsvc.cli.output import print_json
from authsvc.cli.refusals import FAILED, CommandFailed, refusals

if TYPE_CHECKING:
    from authsvc.storage.migrate import Migration

_NOTHING_MISSING = "the store has every migration of this program"


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 when something is missing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; print the SQL that is missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Apply the migrations the store still needs. A server refuses to start before.

    Servers on PostgreSQL may run on meanwhile; of a SQLite store all have to be stopped.
    """
    if check and dry_run:
        raise typer.BadParameter("choose one of --check and --dry-run", param_hint="--check")
    with refusals(as_json):
        migrations = _run(apply=not (check or dry_run))
    if as_json:
        print_json({"applied" if not (check or dry_run) else "missing": [_document(each) for each in migrations]})
    elif dry_run and not migrations:
        print(f"-- nothing to do: {_NOTHING_MISSING}")  # a comment: what is printed here may be fed to psql
    elif dry_run:
        print("\n".join(f"-- {_name(each)}\n{each.sql.rstrip()}\n" for each in migrations), end="")
    else:
        _tell("missing" if check else "applied", migrations)
    if check and migrations:
        raise typer.Exit(FAILED)


def _run(*, apply: bool) -> Sequence[Migration]:
    from authsvc.app import Refused
    from authsvc.app.migrating import apply_migrations, missing_migrations

    try:
        return apply_migrations() if apply else missing_migrations()
    except Refused as refused:
        raise CommandFailed("MIGRATION_REFUSED", str(refused)) from None


def _tell(what: str, migrations: Sequence[Migration]) -> None:
    for each in migrations:
        print(f"{what}: {_name(each)}")
    if not migrations:
        print(_NOTHING_MISSING)


def _name(migration: Migration) -> str:
    return f"{migration.number:04}_{migration.name}"


def _document(migration: Migration) -> dict[str, Any]:
    return {"number": migration.number, "name": migration.name, "sha256": migration.sha256, "sql": migration.sql}
