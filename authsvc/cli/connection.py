"""Which server to talk to, with which credential, and what to say when it does not answer.

``AUTHSVC_TARGET`` with ``AUTHSVC_CREDENTIAL`` or ``AUTHSVC_CREDENTIAL_FILE``; without a target the ``dev.json`` that a
development server writes into ``AUTHSVC_STATE_DIR`` (``./var``). The two sources are never mixed: a credential is not
sent to a server that it was not meant for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authsvc.cli.refusals import CommandFailed, refusals
from authsvc.logs import LoggerSettings

if TYPE_CHECKING:
    from authsvc.client import AuthClient, AuthClientError

NOT_CONNECTED = "NOT_CONNECTED"
_DEV_NAMES = ("target", "api_key", "credential")
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
# What a command has to say it says itself: no line about a repeat stands between its own.
_QUIET: Final[Mapping[str, LoggerSettings]] = {"default": {"level": "error"}}


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is and how it is spoken to. ``api_key``: the app to act for when a command names none."""

    target: str
    credential: str = field(repr=False)
    api_key: str = ""
    allow_plaintext: bool = False


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
    from authsvc.client import AuthClient, AuthClientError

    with refusals(as_json):
        server = find_server(os.environ)
        try:
            client = AuthClient(
                server.target,
                server.credential,
                allow_plaintext=server.allow_plaintext,
                log_options=_QUIET,
            )
        except ValueError as fault:
            raise CommandFailed(NOT_CONNECTED, str(fault)) from None
        with client:
            try:
                yield Connection(client, server.api_key)
            except AuthClientError as error:
                raise explained(error, server.target) from None


def find_server(environ: Mapping[str, str]) -> Server:
    """The server that the environment names, else the development server's; raises ``CommandFailed``."""
    target = environ.get("AUTHSVC_TARGET", "")
    credential, file = environ.get("AUTHSVC_CREDENTIAL", ""), environ.get("AUTHSVC_CREDENTIAL_FILE", "")
    if not target and (credential or file):
        raise CommandFailed(NOT_CONNECTED, "a credential is set, but AUTHSVC_TARGET does not say for which server")
    if not target:
        return _development_server(Path(environ.get("AUTHSVC_STATE_DIR") or "var") / "dev.json")
    if bool(credential) == bool(file):
        raise CommandFailed(NOT_CONNECTED, "with AUTHSVC_TARGET set one of AUTHSVC_CREDENTIAL, AUTHSVC_CREDENTIAL_FILE")
    plaintext = environ.get("AUTHSVC_ALLOW_PLAINTEXT", "").lower() in _TRUE
    return Server(target, credential or _read_credential(Path(file)), allow_plaintext=plaintext)


def explained(error: AuthClientError, target: str) -> CommandFailed:
    """A failed call as the command tells it. Reason and code are the same where no authsvc answered."""
    message = error.message if error.reason != error.code else _without_an_answer(error, target)
    faults = [
        {"field": each.field, "description": each.description, "reason": each.reason} for each in error.violations
    ]
    retry = None if error.retry_after is None else error.retry_after.total_seconds()
    more = {"code": error.code, "metadata": dict(error.metadata), "retry_after_seconds": retry}
    return CommandFailed(error.reason, message, violations=faults, more=more)


def _without_an_answer(error: AuthClientError, target: str) -> str:
    why = error.message.rpartition("last error: ")[2]
    match error.code:
        case "UNAVAILABLE" if "handshake" in why:
            hint = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names its roots, AUTHSVC_ALLOW_PLAINTEXT=true gives TLS up"
            return f"TLS with {target} failed: {hint} ({why})"
        case "UNAVAILABLE":
            return f"no authsvc answers at {target}: start one with `make run`, or set AUTHSVC_TARGET ({why})"
        case "DEADLINE_EXCEEDED":
            return f"{target} did not answer in time ({why})"
        case "UNIMPLEMENTED":
            return f"what answers at {target} is no authsvc, or an older one ({why})"
    return why


def _development_server(path: Path) -> Server:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CommandFailed(
            NOT_CONNECTED,
            f"no server is named and {path} is not there: start a server with `make run`, "
            "or set AUTHSVC_TARGET and AUTHSVC_CREDENTIAL (or AUTHSVC_CREDENTIAL_FILE)",
        ) from None
    except (OSError, ValueError) as fault:
        raise CommandFailed(NOT_CONNECTED, f"{path} cannot be read: {_why(fault)}") from None
    values = [content.get(name) if isinstance(content, dict) else None for name in _DEV_NAMES]
    if not all(isinstance(value, str) and value for value in values):
        raise CommandFailed(NOT_CONNECTED, f"{path} does not hold {', '.join(_DEV_NAMES)}: start the server again")
    target, api_key, credential = values
    return Server(str(target), str(credential), str(api_key))


def _read_credential(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError) as fault:
        raise CommandFailed(NOT_CONNECTED, f"AUTHSVC_CREDENTIAL_FILE {path} cannot be read: {_why(fault)}") from None


def _why(fault: OSError | ValueError) -> str:
    # A ValueError's text quotes what it could not read, which may be a secret.
    return fault.strerror or "unknown" if isinstance(fault, OSError) else "not the text it should be"
