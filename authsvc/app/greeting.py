"""The lines that a development server prints: from nothing to a token in a minute."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path

from authsvc.app.dev import API_KEY, named_target


def greeting(target: str, dev_json: Path) -> str:
    """Lines that work when pasted, all of them in order, once <…> is filled in; none shows a credential.

    The credential is read from ``dev.json`` into a variable that only these lines use: a command finds the server by
    ``dev.json`` itself, unless that names another one.
    """
    # JSON's quotes are Python's, and leave the shell's to the whole.
    read = f'import json; print(json.load(open({json.dumps(str(dev_json))}))["credential"])'
    # grpcurl expands it, not the shell: so it is in no list of processes.
    header = "-expand-headers -H 'authorization: Bearer ${CREDENTIAL}'"
    issue = '{"api_key": "dev", "user": {"id": "sara"}, "refreshable": true}'
    service = f"{target} authsvc.v1.AuthService"
    lines = (
        f'export CREDENTIAL="$(python3 -c {shlex.quote(read)})"',
        f"grpcurl -plaintext {target} list",
        f"grpcurl -plaintext {target} describe authsvc.v1.AuthService.IssueToken",
        f"grpcurl -plaintext {header} -d '{issue}' {service}/IssueToken",
        f"""grpcurl -plaintext {header} -d '{{"api_key": "dev", "token": "<token>"}}' {service}/ValidateToken""",
        f"""grpcurl -plaintext {header} -d '{{"refresh_token": "<refresh_token>"}}' {service}/RefreshToken""",
    )
    return f"""authsvc listens on {target} (development mode, state in {dev_json.parent})

{_indented(lines)}

or, with the command line of this project:

{_indented((f"{_finding(target, dev_json)}.venv/bin/authsvc token issue --user sara",))}
"""


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _finding(target: str, dev_json: Path) -> str:
    """What the command line has to be told to find the server, where it would not by itself."""
    named = named_target(dev_json)
    if named != target:
        return f'AUTHSVC_TARGET={target} AUTHSVC_CREDENTIAL="$CREDENTIAL" AUTHSVC_API_KEY={API_KEY} '
    folder = str(dev_json.parent)
    return "" if folder == "var" else f"AUTHSVC_STATE_DIR={shlex.quote(folder)} "
