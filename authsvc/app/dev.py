"""What ``serve --dev`` makes on its first start: an app, an account, and the file that tells where they are."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from authsvc.accounts.authenticate import Authenticator
from authsvc.app.composition import Domain
from authsvc.app.dev_kek import FIRST_START
from authsvc.app.private_files import one_at_a_time, replace_private
from authsvc.config import Settings
from authsvc.errors import AlreadyExists, CallerUnauthenticated
from authsvc.model import ApiKey, AppSettings

API_KEY = ApiKey("dev")
ACCOUNT_NAME = "dev"
DEV_SETTINGS = AppSettings(guests_enabled=True, anonymous_enabled=True, allow_development_tokens=True)


@contextmanager
def holding_dev_json(settings: Settings) -> Iterator[bool]:
    """Whether ``dev.json`` is this server's to write; until the block ends, or the process, it is nobody else's then.

    Several servers may share a state directory: the file names the first of them for as long as it runs.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(settings.state_dir / "dev.json.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def make_dev_things(domain: Domain, settings: Settings, target: str, *, ours: bool = True) -> Path:
    """App ``dev`` and an account with every permission where they are missing, and a ``dev.json`` that works.

    A lost or outdated ``dev.json`` gets a new credential, and all earlier ones end. It names ``target``; where it is
    not ``ours`` to write, it goes on naming the server that it names.
    """
    with one_at_a_time(settings.state_dir / FIRST_START):
        domain.follower.look()  # what another made meanwhile
        with suppress(AlreadyExists):  # one elsewhere on the same database was faster
            if domain.view.app(API_KEY) is None:
                domain.apps.create_as("dev", API_KEY, DEV_SETTINGS)
        return _write_dev_json(domain, settings, target, ours=ours)


def _write_dev_json(domain: Domain, settings: Settings, target: str, *, ours: bool) -> Path:
    path = settings.state_dir / "dev.json"
    credential = _working_credential(path, domain)
    if credential and not ours:
        return path
    # Where it was disabled, or may not do everything any more, it is as it was made: for that, people start with --dev.
    credential = credential or _recovered(domain)
    named = target if ours else named_target(path) or target
    content = {"target": named, "api_key": API_KEY, "credential": credential}
    replace_private(path, json.dumps(content, indent=2).encode() + b"\n")
    return path


def _recovered(domain: Domain) -> str:
    try:
        return domain.accounts.recover(ACCOUNT_NAME, "dev").credential.text
    except AlreadyExists:  # as above
        domain.follower.look()
        return domain.accounts.recover(ACCOUNT_NAME, "dev").credential.text


def named_target(path: Path) -> str:
    """The server that ``dev.json`` names; nothing where it names none."""
    try:
        target = json.loads(path.read_text())["target"]
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return target if isinstance(target, str) else ""


def _working_credential(path: Path, domain: Domain) -> str | None:
    try:
        content = json.loads(path.read_text())
        credential = content["credential"]
        Authenticator(domain.view).authenticate([f"Bearer {credential}"])
    except (OSError, ValueError, TypeError, KeyError, CallerUnauthenticated):
        return None
    return str(credential)
