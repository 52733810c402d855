"""``authsvc serve``: run a server until a signal ends it."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    dev: Annotated[
        bool, typer.Option("--dev", help="Loopback only, with an app, a credential and a key made on the first start.")
    ] = False,
) -> None:
    """Run the server. Settings are AUTHSVC_* variables and the file AUTHSVC_CONFIG_FILE; the README lists them."""
    from authsvc.app import serve as serve_until_signal

    raise typer.Exit(serve_until_signal(dev=dev))
