"""The composition root: from settings to a running service.

Owns every lifetime and what a process must be before it serves. ``composition`` reads like a diagram. Must not decide
anything about tokens or callers. This module imports neither gRPC nor the store: the process is prepared first.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authsvc.app.bootstrapping import Recovered


class Refused(Exception):
    """The service does not start, or a command on the store is not done; the text is the sentence that helps."""


def serve(*, dev: bool) -> int:
    """Run the server until a signal ends it; returns the exit code. Refusals go to stderr and give 2."""
    from authsvc.app.process import prepare_process

    try:
        prepare_process(dev=dev)
        from authsvc.app.serving import run_server

        return run_server(dev=dev)
    except Refused as refusal:
        print(f"authsvc does not start: {refusal}", file=sys.stderr)
        return 2


def bootstrap(*, name: str, credential_file: Path) -> str:
    """Make the first service account on the store, its credential in a new file of mode 0600; returns its id.

    Raises ``Refused``, in particular when there is an account already or the file is there.
    """
    from authsvc.app.bootstrapping import make_first_account

    return make_first_account(name, credential_file)


def recover(*, name: str, credential_file: Path) -> Recovered:
    """Let the account with that name do everything again, its one credential in a new file of mode 0600.

    On the store, for whoever is locked out; where nobody has the name, one is made. Raises ``Refused``.
    """
    from authsvc.app.bootstrapping import recover_account

    return recover_account(name, credential_file)
