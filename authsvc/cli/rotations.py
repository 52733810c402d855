"""``authsvc kek``, ``refresh-key`` and ``guest-key``: replace keys that are no app's. On the store, not over gRPC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from authsvc.cli.options import AsJson
from authsvc.cli.output import print_json
from authsvc.cli.refusals import CommandFailed, refusals

if TYPE_CHECKING:
    from authsvc.app.rotating import Rotated

kek = typer.Typer(help="The key that seals all others.", no_args_is_help=True)
refresh_key = typer.Typer(help="The key that refresh tokens are made with.", no_args_is_help=True)
guest_key = typer.Typer(help="The key that ids of guests are derived by.", no_args_is_help=True)

ForgetOld = Annotated[
    bool, typer.Option("--forget-old", help="Forget the older of two keys at once, and what it made with it.")
]


@kek.command("rotate")
def rotate_kek(
    new_kek_file: Annotated[Path, typer.Option("--new-kek-file", help="The file of the new key: 32 bytes.")],
    as_json: AsJson = False,
) -> None:
    """Seal everything with another key (AUTHSVC_KEK_FILE names the one in use), while no server runs.

    Interrupted, run it again. Afterwards start the servers with the new file. Tokens and sessions live on.
    """
    from authsvc.app.rotating import rotate_kek as rotate

    with refusals(as_json), _refused(), _bar() as progress:
        count = rotate(new_kek_file, progress=progress)
    if as_json:
        print_json({"sealed": count})
    else:
        print(f"{count} records are sealed with the key in {new_kek_file}: set AUTHSVC_KEK_FILE to it")


@refresh_key.command("rotate")
def rotate_refresh_key(forget_old: ForgetOld = False, as_json: AsJson = False) -> None:
    """Make the next key of refresh tokens. Servers that run use it soon; tokens of the one before stay good."""
    from authsvc.app.rotating import rotate_refresh_key as rotate

    with refusals(as_json), _refused():
        _tell(rotate(forget_old=forget_old), as_json)


@guest_key.command("rotate")
def rotate_guest_key(forget_old: ForgetOld = False, as_json: AsJson = False) -> None:
    """Make the next key that ids are derived by. Guests keep theirs."""
    from authsvc.app.rotating import rotate_guest_key as rotate

    with refusals(as_json), _refused():
        _tell(rotate(forget_old=forget_old), as_json)


def _tell(rotated: Rotated, as_json: bool) -> None:
    if as_json:
        print_json({"number": rotated.number, "forgotten": rotated.forgotten})
        return
    print(f"key {rotated.number} is made: servers use it once all of them know it")
    if rotated.forgotten is not None:
        print(f"key {rotated.forgotten} is forgotten")


@contextmanager
def _refused() -> Iterator[None]:
    from authsvc.app import Refused

    try:
        yield
    except Refused as refused:
        raise CommandFailed("ROTATION_REFUSED", str(refused)) from None


@contextmanager
def _bar() -> Iterator[Callable[[int, int], object]]:
    """A progress bar on the terminal, and nothing where there is none."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("sealing", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
