"""The ``authsvc`` command as a whole."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from authsvc import __version__
from authsvc.cli.accounts import accounts, bootstrap, recover
from authsvc.cli.apps import apps
from authsvc.cli.audit import audit
from authsvc.cli.backup import backup, restore
from authsvc.cli.keys import keys
from authsvc.cli.logging import logging
from authsvc.cli.migrate import migrate
from authsvc.cli.revocations import revocations
from authsvc.cli.rotations import guest_key, kek, refresh_key
from authsvc.cli.serve import serve
from authsvc.cli.sessions import sessions
from authsvc.cli.target import WHICH_SERVER
from authsvc.cli.token import development, inspect, token

TALKS_TO_A_SERVER = (
    "Talks to the server that AUTHSVC_TARGET and AUTHSVC_CREDENTIAL (or AUTHSVC_CREDENTIAL_FILE) name, else to the "
    "development server; `authsvc --help` has more."
)
WORKS_ON_THE_STORE = (
    "Works on the store itself: the one that AUTHSVC_STORE names, else authsvc.db in AUTHSVC_STATE_DIR (./var). "
    "AUTHSVC_KEK_FILE names the key that it is sealed with; a development server's is the file kek in that folder."
)
EXIT_CODES = "Exit codes: 0 done, 1 refused or failed (also a token that is not active), 2 wrong usage, 130 Ctrl-C."

app = typer.Typer(
    help="The token authority: run it, and talk to a running one.",
    epilog=f"{WHICH_SERVER}\n\n{EXIT_CODES}",
    no_args_is_help=True,
    add_completion=False,
    # Plain text: an error stays one line that programs and people can search for.
    rich_markup_mode=None,
    # The pretty form prints the variables of each frame, and some of them are secrets.
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command(epilog=WORKS_ON_THE_STORE)(migrate)
app.command(epilog=WORKS_ON_THE_STORE)(backup)
app.command(epilog=WORKS_ON_THE_STORE)(restore)
app.add_typer(accounts, name="accounts")
app.add_typer(apps, name="apps")
app.add_typer(audit, name="audit")
app.add_typer(guest_key, name="guest-key")
app.add_typer(kek, name="kek")
app.add_typer(keys, name="keys")
app.add_typer(logging, name="logging")
app.add_typer(refresh_key, name="refresh-key")
app.add_typer(revocations, name="revocations")
app.add_typer(sessions, name="sessions")
app.add_typer(token, name="token")

_OFFLINE = (inspect, development)
for nouns in (accounts, apps, audit, keys, logging, revocations, sessions, token, guest_key, kek, refresh_key):
    for command in nouns.registered_commands:
        if nouns in (guest_key, kek, refresh_key) or command.callback in (bootstrap, recover):
            command.epilog = WORKS_ON_THE_STORE
        elif command.callback not in _OFFLINE:
            command.epilog = TALKS_TO_A_SERVER


def _print_version(asked: bool) -> None:
    if asked:
        print(f"authsvc {__version__}")
        raise typer.Exit


@app.callback()
def authsvc(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The token authority: run it, and talk to a running one."""


def run() -> None:
    """Run the command line of this process; ends it with an exit code."""
    try:
        "".join(sys.argv).encode("utf-8")
    except UnicodeEncodeError:  # bytes that are no text, which no message of the contract can carry
        print("Error: arguments must be UTF-8 text", file=sys.stderr)
        sys.exit(2)
    app(prog_name="authsvc")
