"""The lock on a database: shared by those that serve it or work beside them, held alone by one that replaces it.

It is a file beside the database, locked while its holder lives and never removed: a lock on a file that another
process removes and makes again would hold nobody off.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from authsvc.storage.errors import StoreInUse
from authsvc.storage.sqlite.files import open_private


class Lock:
    """Held from its making to ``close()`` or the end of the process, however that comes.

    Raises ``StoreInUse`` when another holds it, in this process or in another, and one of the two wants it alone.
    """

    def __init__(self, database: Path, *, alone: bool) -> None:
        self._descriptor = open_private(database.with_name(database.name + ".lock"), os.O_RDWR)
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise StoreInUse(
                f"{database} is in use: another process serves it or works on it; "
                "stop that process, or do this through the running server"
            ) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have it. Closing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
