"""A worker that speaks for one user, for days: its session is refreshed, and outlives the process in a file.

``python -m examples.worker FILE``, until Ctrl-C. The first run signs in; every later one goes on with what the file
holds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from authsvc.client import AuthClient, RefreshRefused, SavedSession, TokenManager, TokenProvider
from authsvc.logs import SecretText
from authsvc.v1.auth_pb2 import IssueTokenRequest, User
from examples.surroundings import argument, settings

API_KEY = "dev"
USER = "nightly-worker"


class SessionFile:
    """Keeps the newest refresh token where only this user of the machine can read it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> SavedSession | None:
        """What the last process kept."""
        if not self._path.exists():
            return None
        kept = json.loads(self._path.read_text())
        return SavedSession(SecretText(kept["refresh_token"]), SecretText(kept["request_id"]))

    def write(self, session: SavedSession) -> None:
        """Keep it: all of it or nothing, whatever happens meanwhile."""
        kept = {"refresh_token": session.refresh_token.reveal(), "request_id": session.request_id.reveal()}
        beside = self._path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(json.dumps(kept))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


def sign_in(client: AuthClient) -> str:
    """A refresh token for the worker's user: what a person gets by signing in."""
    request = IssueTokenRequest(api_key=API_KEY, user=User(id=USER), refreshable=True)
    return client.issue_token(request).refresh_token


def provider(client: AuthClient, file: SessionFile) -> TokenProvider:
    """Goes on with the session in the file, or begins one."""
    return TokenProvider.session(file.read() or sign_in(client), on_session_updated=file.write)


def work(tokens: TokenManager, job: Callable[[str], object], wait: Callable[[], bool]) -> int:
    """Do the job with a token, again and again, as long as ``wait`` says so; how often it was done.

    The token is fetched ahead of its end, so a job hardly ever waits for one.
    """
    done = 0
    while wait():
        job(tokens.token())
        done += 1
    return done


def main() -> int:
    """Do a job each second, until a signal says to end."""
    target, credential = settings("AUTHSVC_TARGET", "AUTHSVC_CREDENTIAL")
    file, ended = SessionFile(Path(argument("a file to keep the session in"))), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    def job(token: str) -> None:
        print("worked with a token of", len(token), "characters", flush=True)

    with AuthClient(target, credential) as client:
        try:
            with TokenManager(USER, provider(client, file), client=client, api_key=API_KEY) as tokens:
                done = work(tokens, job, lambda: not ended.wait(1))
        except RefreshRefused as over:
            print("the session has ended, sign in again:", over.reason)
            return 1
    print(f"jobs done: {done}; the next run goes on with the session in the file")
    return 0


if __name__ == "__main__":
    sys.exit(main())
