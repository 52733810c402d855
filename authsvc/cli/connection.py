"""The connection of a command: to the server that was found, and what is told when it fails."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authsvc.cli.refusals import CommandFailed, refusals
from authsvc.cli.target import NOT_CONNECTED, find_server
from authsvc.logs import LoggerSettings

if TYPE_CHECKING:
    from authsvc.client import AuthClient

# What a command has to say it says itself: no line about a repeat stands between its own.
_QUIET: Final[Mapping[str, LoggerSettings]] = {"default": {"level": "error"}}


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of the server that was found, and the app to act for when a command names none."""

    client: AuthClient
    api_key: str


@contextmanager
def connected(as_json: bool) -> Iterator[Connection]:
    """Connect; what the block raises, or the look-up, is told and ends the command with exit code 1."""
    # gRPC's own lines about a failed handshake would surround the one sentence; it reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from authsvc.cli.explaining import explained
    from authsvc.client import AuthClient, AuthClientError, TlsFiles

    with refusals(as_json):
        server = find_server(os.environ)
        files = (server.roots, server.certificate, server.key)
        try:
            client = AuthClient(
                server.target,
                server.credential,
                tls=TlsFiles(*files) if any(files) else None,
                allow_plaintext=server.allow_plaintext,
                log_options=_QUIET,
            )
        except ValueError as fault:
            raise CommandFailed(NOT_CONNECTED, str(fault)) from None
        with client:
            try:
                yield Connection(client, server.api_key)
            except AuthClientError as error:
                raise explained(error, server) from None
