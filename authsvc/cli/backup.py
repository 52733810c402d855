"""``authsvc backup`` and ``restore``: copies of the store, and a copy as the store. On the store, not over gRPC."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from authsvc.cli.options import AsJson
from authsvc.cli.output import print_facts, print_json
from authsvc.cli.refusals import CommandFailed, refusals


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, made with mode 0600.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Copy the embedded store into a new file, while servers use it. It holds secrets, sealed with the KEK.

    A PostgreSQL database is backed up with PostgreSQL's own tools.
    """
    from authsvc.app.restoring import back_up_store

    with refusals(as_json), _refused("BACKUP_REFUSED"):
        done = back_up_store(file)
    facts = {"file": str(file), "bytes": done.size, "epoch": done.known.epoch, "revision": done.known.revision}
    _tell(facts, as_json)


def restore(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A backup. Left out: what is in the store's place.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a backup the store, while no server runs. All sessions end, and all tokens up to now are revoked.

    On PostgreSQL put the database back with its own tools, and run this without FILE before any server: nothing else
    keeps what was revoked since the backup from being good again. What else was changed since is changed back: look
    through keys and accounts. Interrupted, run it again.
    """
    from authsvc.app.restoring import restore_store

    with refusals(as_json), _refused("RESTORE_REFUSED"):
        done = restore_store(file, progress=_say if sys.stderr.isatty() else _say_nothing)
    facts = {
        "epoch": done.epoch,
        "revision": done.revision,
        "apps_revoked": done.apps,
        "sessions_ended": done.sessions,
        "keys": done.keys,
        "accounts": done.accounts,
    }
    _tell(facts, as_json)


def _tell(facts: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_facts([(name.replace("_", " "), str(value)) for name, value in facts.items()])


def _say(step: str) -> None:
    print(f"{step} ...", file=sys.stderr)


def _say_nothing(_: str) -> None:
    """Nobody watches."""


@contextmanager
def _refused(reason: str) -> Iterator[None]:
    from authsvc.app import Refused

    try:
        yield
    except Refused as refused:
        raise CommandFailed(reason, str(refused)) from None
