"""Run as one of several processes that open the same new files at the same time.

Reads an address a line, opens the store there, adds a secret that names this process, and answers a line: the secret
that is kept.
"""

from __future__ import annotations

import os
import sys

from authsvc.clock import system_clock
from authsvc.storage import open_store
from authsvc.storage.base import SealedSecret


def main() -> None:
    for line in sys.stdin:
        store = open_store(line.strip(), clock=system_clock, exclusive=False)
        kept = store.add_secret(SealedSecret("first", 0, str(os.getpid()).encode(), system_clock()))
        store.close()
        print(kept.sealed.decode(), flush=True)  # noqa: T201 - it is how it answers


if __name__ == "__main__":
    main()
