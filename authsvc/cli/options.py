"""Options that several commands have, in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs; errors too.")]
AppKey = Annotated[
    str,
    typer.Option(
        "--app",
        "--api-key",
        metavar="KEY",
        help="The app, by api_key. Left out: AUTHSVC_API_KEY, the development server's app, or the account's only one.",
    ),
]
Etag = Annotated[str, typer.Option("--etag", metavar="ETAG", help="Only if this is still its state.")]
CredentialFile = Annotated[
    Path | None,
    typer.Option("--credential-file", metavar="FILE", help="Write the credential there (new, mode 0600), not here."),
]
