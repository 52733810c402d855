"""Faults of the engine as meaning: the store cannot do it now, or there was too little time.

What is our own mistake is not translated. Texts of faults are never repeated: they may hold SQL, values, an address or
a piece of its password.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from authsvc.clock import Deadline, seconds_left
from authsvc.errors import AuthError, DeadlinePassed, Reason, Unavailable

RETRY_AFTER: Final = timedelta(seconds=1)

ENGINE_FAULTS: Final = (
    psycopg.OperationalError,
    psycopg.InternalError,
    errors.InsufficientPrivilege,
)
"""What servers, networks and operators do to us. A broken constraint or a wrong statement is not among them."""

TRANSIENT: Final = (errors.SerializationFailure, errors.DeadlockDetected)
"""Undone by the server because of a rival; the same work may succeed when it is done again."""

TIMEOUTS: Final = (errors.LockNotAvailable, errors.QueryCanceled)
"""Undone by the server because it took longer than it was given, or because somebody cancelled it."""

# How a limit that was rounded and a clock that was read a moment later may differ.
_ALMOST: Final = 0.01

_REASONS: Final = (
    ("Connection refused", "connection refused"),
    ("No such file or directory", "no socket there"),
    ("translate host name", "unknown host"),
    ("resolve host", "unknown host"),
    ("timeout expired", "no answer in time"),
    ("authentication failed", "the role or its password was refused"),
    ("no password supplied", "a password is needed"),
    ("no pg_hba.conf entry", "the server does not let this role in from here"),
    ('FATAL:  role "', "no such role"),
    ('FATAL:  database "', "no such database"),
    ("does not exist", "no such role or database"),
    ("starting up", "the server is starting"),
    ("shutting down", "the server is shutting down"),
    ("too many", "the server has no connection left"),
    ("certificate", "the TLS certificate was refused"),
    ("SSL", "TLS failed"),
)
# libpq gives no code for a connection that could not be made, only words; these words of ours say no more than the
# kind. Others (a server may speak another language) are left out.


class InDoubt(Exception):
    """A commit was asked for, and the connection broke before its answer: it may be done or not."""

    def __init__(self, fault: psycopg.Error) -> None:
        super().__init__("the outcome of a commit is unknown")
        self.fault = fault


def unavailable(fault: Exception, *, note: str = "") -> Unavailable:
    """The refusal for a fault of the engine: its class, its SQLSTATE, and what kind of trouble, in words of ours."""
    code = getattr(fault, "sqlstate", None) or ""
    kind = f"({kind_of(fault)})" if not code and kind_of(fault) else ""
    parts = (type(fault).__name__, code, kind, note)
    return Unavailable(Reason.STORE_UNAVAILABLE, retry_after=RETRY_AFTER, detail=" ".join(filter(None, parts)))


def refused(note: str) -> Unavailable:
    """The refusal when it is not the engine that says no."""
    return Unavailable(Reason.STORE_UNAVAILABLE, retry_after=RETRY_AFTER, detail=note)


def closed() -> Unavailable:
    """The refusal of a store that was closed."""
    return Unavailable(Reason.STORE_UNAVAILABLE, detail="the store is closed")


def too_late() -> DeadlinePassed:
    """The refusal of work whose deadline passed before it was begun, or that was undone because of it."""
    return DeadlinePassed(Reason.DEADLINE_EXCEEDED)


def meaning(fault: Exception, deadline: Deadline | None) -> AuthError | None:
    """What a fault says to the caller; None where it is our own mistake."""
    if isinstance(fault, PoolClosed):
        return closed()
    timed_out = isinstance(fault, (*TIMEOUTS, PoolTimeout))
    if timed_out and deadline is not None and seconds_left(deadline) < _ALMOST:
        return too_late()
    if isinstance(fault, ENGINE_FAULTS):
        return unavailable(fault)
    return None


def kind_of(fault: Exception) -> str:
    """What kind of trouble a connection that could not be made is; nothing where that is not known."""
    words = str(fault)
    return next((ours for theirs, ours in _REASONS if theirs in words), "")
