"""What ``serve --dev`` makes on its first start, and the lines it prints: from nothing to a token in a minute."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from authsvc.accounts.authenticate import Authenticator
from authsvc.app.composition import Domain
from authsvc.app.private_files import create_private, replace_private
from authsvc.clock import Randomness
from authsvc.config import Settings
from authsvc.errors import CallerUnauthenticated
from authsvc.model import ApiKey, AppSettings
from authsvc.signing.sealing import KEK_BYTES, Kek, load_kek

API_KEY = ApiKey("dev")
ACCOUNT_NAME = "dev"
DEV_SETTINGS = AppSettings(guests_enabled=True, anonymous_enabled=True, allow_development_tokens=True)


def dev_kek(settings: Settings, randomness: Randomness) -> Kek:
    """The KEK in the state directory, made on first start; a named file wins."""
    path = settings.kek_file or settings.state_dir / "kek"
    if settings.kek_file is None and not path.exists():
        create_private(path, randomness(KEK_BYTES))
    return load_kek(path)


def make_dev_things(domain: Domain, settings: Settings, target: str) -> Path:
    """App ``dev`` and an account with every permission where they are missing, and a ``dev.json`` that works.

    A lost or outdated ``dev.json`` gets a new credential, and all earlier ones end.
    """
    if domain.view.app(API_KEY) is None:
        domain.apps.create_as("dev", API_KEY, DEV_SETTINGS)
    path = settings.state_dir / "dev.json"
    # Where it was disabled, or may not do everything any more, it is as it was made: for that, people start with --dev.
    credential = _working_credential(path, domain) or domain.accounts.recover(ACCOUNT_NAME, "dev").credential.text
    content = {"target": target, "api_key": API_KEY, "credential": credential}
    replace_private(path, json.dumps(content, indent=2).encode() + b"\n")
    return path


def greeting(target: str, dev_json: Path) -> str:
    """Lines that work when pasted; they read the credential from ``dev.json``, so none is printed."""
    # JSON's quotes are Python's, and leave the shell's to the whole.
    read = f'import json; print(json.load(open({json.dumps(str(dev_json))}))["credential"])'
    credential = f'AUTHSVC_CREDENTIAL="$(python3 -c {shlex.quote(read)})"'
    header = '-H "authorization: Bearer $AUTHSVC_CREDENTIAL"'
    issue = '{"api_key": "dev", "user": {"id": "sara"}, "refreshable": true}'
    service = f"{target} authsvc.v1.AuthService"
    return f"""authsvc listens on {target} (development mode, state in {dev_json.parent})

  export {credential}
  grpcurl -plaintext {target} list
  grpcurl -plaintext {target} describe authsvc.v1.AuthService.IssueToken
  grpcurl -plaintext {header} -d '{issue}' {service}/IssueToken
  grpcurl -plaintext {header} -d '{{"api_key": "dev", "token": "<token>"}}' {service}/ValidateToken
  grpcurl -plaintext {header} -d '{{"refresh_token": "<refresh_token>"}}' {service}/RefreshToken

or, with the command line of this project: .venv/bin/authsvc token issue --user sara
"""


def _working_credential(path: Path, domain: Domain) -> str | None:
    try:
        content = json.loads(path.read_text())
        credential = content["credential"]
        Authenticator(domain.view).authenticate([f"Bearer {credential}"])
    except (OSError, ValueError, TypeError, KeyError, CallerUnauthenticated):
        return None
    return str(credential)
