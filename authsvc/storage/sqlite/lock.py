"""The lock on a database: shared by those that serve it or work beside them, held alone by one that replaces it.

It is a file beside the database, locked while its holder lives and never removed: a lock on a file that another
process removes and makes again would hold nobody off.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from authsvc.storage.errors import StoreInUse
from authsvc.storage.sqlite.files import open_private

_BY_OTHERS: Final = "another process serves it or works on it; stop that process first: this is done while none does"
_BY_ONE_ALONE: Final = "another process works on it alone; wait until that has ended"


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
            raise StoreInUse(f"{database} is in use: {_BY_OTHERS if alone else _BY_ONE_ALONE}") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have it. Closing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
