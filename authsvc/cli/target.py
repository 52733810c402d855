"""Which server to talk to, with which credential, over which kind of connection.

``AUTHSVC_TARGET`` with ``AUTHSVC_CREDENTIAL`` or ``AUTHSVC_CREDENTIAL_FILE``; without a target the ``dev.json`` that a
development server writes into ``AUTHSVC_STATE_DIR`` (``./var``). The two sources are never mixed: a credential is not
sent to a server that it was not meant for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from authsvc.cli.refusals import CommandFailed

NOT_CONNECTED = "NOT_CONNECTED"
WHICH_SERVER = (
    "Commands talk to the server that AUTHSVC_TARGET (host:port) names, with the credential in AUTHSVC_CREDENTIAL or "
    "in the file AUTHSVC_CREDENTIAL_FILE; without a target to the development server whose dev.json is in "
    "AUTHSVC_STATE_DIR (./var). AUTHSVC_API_KEY is the app to act for. Loopback is spoken to in plaintext, other hosts "
    "by TLS: AUTHSVC_TLS_CA names the PEM file of the CA (and asks for TLS on loopback too), AUTHSVC_CLIENT_CERT and "
    "AUTHSVC_CLIENT_KEY a certificate to show, and AUTHSVC_ALLOW_PLAINTEXT=true gives TLS up."
)
"""For the help of these commands."""

_PREFIX = "AUTHSVC_"
_OF_A_SERVER = ("CREDENTIAL", "CREDENTIAL_FILE", "TLS_CA", "CLIENT_CERT", "CLIENT_KEY")
READ_BY_COMMANDS = frozenset(
    f"{_PREFIX}{name}" for name in (*_OF_A_SERVER, "TARGET", "API_KEY", "STATE_DIR", "ALLOW_PLAINTEXT")
)
_DEV_NAMES = ("target", "api_key", "credential")
_REWRITTEN: Final = "a development server writes it anew when it starts (`make run`)"
_TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE: Final = frozenset({"", "0", "false", "f", "no", "n", "off"})
# The schemes of gRPC's targets whose rest has a form of its own, and those whose rest is host:port.
_OF_ANOTHER_FORM = ("unix:", "unix-abstract:", "vsock:")
_WITH_A_SCHEME = re.compile(r"dns:(?://[^/]*/)?|ipv[46]:(?:///?)?", re.ASCII)
_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^][:/,%@\s]+):(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is and how it is spoken to. ``api_key``: the app to act for when a command names none.

    ``roots``, ``certificate`` and ``key`` are PEM files; with any of them it is spoken to by TLS, wherever it is.
    ``dev_json`` is the file that names it, where it is no setting that does.
    """

    target: str
    credential: str = field(repr=False)
    api_key: str = ""
    allow_plaintext: bool = False
    roots: str | None = None
    certificate: str | None = None
    key: str | None = None
    dev_json: Path | None = field(default=None, compare=False)


def find_server(environ: Mapping[str, str]) -> Server:
    """The server that the environment names, else the development server's; raises ``CommandFailed``."""
    _check_names(environ)
    target = environ.get("AUTHSVC_TARGET", "")
    given = {name: environ.get(f"{_PREFIX}{name}", "") for name in _OF_A_SERVER}
    if target:
        return _named_server(target, given, environ)
    if given["CREDENTIAL"] or given["CREDENTIAL_FILE"]:
        raise _refused("a credential is set, but AUTHSVC_TARGET does not say for which server")
    stray = [f"{_PREFIX}{name}" for name in _OF_A_SERVER if given[name]]
    if stray:
        raise _refused(f"{stray[0]} is set, but AUTHSVC_TARGET does not say for which server")
    path = Path(environ.get("AUTHSVC_STATE_DIR") or "var") / "dev.json"
    return _development_server(path, environ.get("AUTHSVC_API_KEY", ""))


def _check_names(environ: Mapping[str, str]) -> None:
    """Refuse a misspelt name as the server does: a setting that is silently not read is worse than none."""
    if {name for name in environ if name.startswith(_PREFIX)} <= READ_BY_COMMANDS:
        return
    from authsvc.config import SettingsInvalid, check_names  # with its library, which takes a while to import

    try:
        check_names(environ)
    except SettingsInvalid as fault:
        raise _refused("; ".join(str(fault).splitlines())) from None


def _named_server(target: str, given: Mapping[str, str], environ: Mapping[str, str]) -> Server:
    _check_target(target)
    credential, file = given["CREDENTIAL"], given["CREDENTIAL_FILE"]
    if bool(credential) == bool(file):
        raise _refused("with AUTHSVC_TARGET set one of AUTHSVC_CREDENTIAL, AUTHSVC_CREDENTIAL_FILE")
    if bool(given["CLIENT_CERT"]) != bool(given["CLIENT_KEY"]):
        raise _refused("AUTHSVC_CLIENT_CERT and AUTHSVC_CLIENT_KEY go together: set both or neither")
    plaintext = _yes_or_no("AUTHSVC_ALLOW_PLAINTEXT", environ)
    roots, certificate, key = (given[name] or None for name in ("TLS_CA", "CLIENT_CERT", "CLIENT_KEY"))
    if plaintext and (roots or certificate):
        asking = "AUTHSVC_TLS_CA asks" if roots else "AUTHSVC_CLIENT_CERT asks"
        raise _refused(f"{asking} for TLS, and AUTHSVC_ALLOW_PLAINTEXT gives it up: unset one of them")
    return Server(
        target,
        credential or _read_credential(Path(file)),
        environ.get("AUTHSVC_API_KEY", ""),
        allow_plaintext=plaintext,
        roots=roots,
        certificate=certificate,
        key=key,
    )


def _check_target(target: str) -> None:
    """Refuse what gRPC would take for another port, or for the name of a host."""
    if target.startswith(_OF_ANOTHER_FORM):
        return
    for place in _WITH_A_SCHEME.sub("", target, count=1).split(","):
        parts = _HOST_AND_PORT.fullmatch(place)
        if parts is None or not 0 < int(parts[1]) <= 65_535:
            raise _refused("AUTHSVC_TARGET: write host:port, such as auth.example:443 or 127.0.0.1:50051")


def _yes_or_no(name: str, environ: Mapping[str, str]) -> bool:
    word = environ.get(name, "").strip().lower()
    if word not in _TRUE | _FALSE:
        raise _refused(f"{name}: must be yes or no (true or false)")
    return word in _TRUE


def _development_server(path: Path, api_key: str) -> Server:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise _refused(
            f"no server is named and {path} is not there: start a server with `make run`, "
            "or set AUTHSVC_TARGET and AUTHSVC_CREDENTIAL (or AUTHSVC_CREDENTIAL_FILE)"
        ) from None
    except (OSError, ValueError) as fault:
        raise _refused(f"{path} cannot be read: {_why(fault)}; {_REWRITTEN}") from None
    values = [content.get(name) if isinstance(content, dict) else None for name in _DEV_NAMES]
    if not all(isinstance(value, str) and value for value in values):
        raise _refused(f"{path} does not hold {', '.join(_DEV_NAMES)}; {_REWRITTEN}")
    target, own, credential = map(str, values)
    return Server(target, credential, api_key or own, dev_json=path)


def _read_credential(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError) as fault:
        raise _refused(f"AUTHSVC_CREDENTIAL_FILE {path} cannot be read: {_why(fault)}") from None


def _refused(sentence: str) -> CommandFailed:
    return CommandFailed(NOT_CONNECTED, sentence)


def _why(fault: OSError | ValueError) -> str:
    # A ValueError's text quotes what it could not read, which may be a secret.
    return fault.strerror or "unknown" if isinstance(fault, OSError) else "not the text it should be"
