"""A connection that cannot be made, told to an operator: to which database, why, and what to look at.

libpq gives no code for that, only words; they become words of ours, which repeat nothing but the place.
"""

from __future__ import annotations

import re
from typing import Final

import psycopg
from psycopg import conninfo

from authsvc.errors import Unavailable
from authsvc.storage.errors import Unreachable
from authsvc.storage.postgres.faults import kind_of, unavailable

# A password with an @ or a slash that is not encoded spills over into the names behind it, with another @ somewhere.
_HOST: Final = re.compile(r"[A-Za-z0-9_.:,/%-]{1,256}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9_.$-]{1,64}", re.ASCII)

_LOOK_AT: Final = {
    "connection refused": "does PostgreSQL run there, and is the port right?",
    "no socket there": "does PostgreSQL run on this machine, with its socket in that directory?",
    "unknown host": "is the host's name right? A password in the address needs its special characters percent-encoded",
    "no answer in time": "can the host be reached from here?",
    "the role or its password was refused": "are user and password right?",
    "a password is needed": "put it into the address, or into libpq's password file",
    "no such role": "make it (CREATE ROLE … LOGIN), or name another",
    "no such database": "make it (CREATE DATABASE … ENCODING 'UTF8'), or name another",
}


def unreachable(fault: psycopg.Error, address: str) -> Unavailable:
    """The refusal for a connection to ``address``, as libpq takes it, that could not be made."""
    general, kind = unavailable(fault), kind_of(fault)
    if not kind:
        return general
    hint = _LOOK_AT.get(kind)
    sentence = f"cannot connect to {_place(address)}: {kind}{f'; {hint}' if hint else ''}"
    return Unreachable(sentence, detail=general.detail)


def _place(address: str) -> str:
    """``database d at host:port as user u``; without names where one of them may hold a piece of a password."""
    given = {name: str(value) for name, value in conninfo.conninfo_to_dict(address).items() if value}
    host, port = given.get("host") or given.get("hostaddr") or "", given.get("port", "")
    user, database = given.get("user", ""), given.get("dbname") or given.get("user", "")
    if not _HOST.fullmatch(host or "-") or not all(_NAME.fullmatch(name or "-") for name in (user, database)):
        return "the database of the store's address"
    where = (f"{host}:{port}" if port else host) or "this machine"
    return f"database {database or 'of the default name'} at {where}" + (f" as user {user}" if user else "")
