"""Faults of the engine as meaning: the store cannot do it now. What is our own mistake is not translated."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import apsw

from authsvc.errors import DeadlinePassed, Reason, Unavailable

RETRY_AFTER: Final = timedelta(seconds=1)

ENGINE_FAULTS: Final = (
    apsw.AbortError,
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.InterruptError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoLFSError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
    apsw.SchemaChangeError,
)
"""What disks, files and other processes do to us. A broken constraint or a wrong statement is not among them."""


def unavailable(fault: BaseException) -> Unavailable:
    """The refusal for a fault of the engine: its class and extended code, never its words, which may hold SQL."""
    code = getattr(fault, "extendedresult", "")
    return Unavailable(
        Reason.STORE_UNAVAILABLE, retry_after=RETRY_AFTER, detail=f"{type(fault).__name__} {code}".rstrip()
    )


def closed() -> Unavailable:
    """The refusal of a store that was closed."""
    return Unavailable(Reason.STORE_UNAVAILABLE, detail="the store is closed")


def too_late() -> DeadlinePassed:
    """The refusal of work whose deadline passed before it was begun."""
    return DeadlinePassed(Reason.DEADLINE_EXCEEDED)
