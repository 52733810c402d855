"""A store that is sealed under a KEK, on each backend, and what its files show of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from authsvc.app.composition import open_domain
from authsvc.app.rotating import Progress, put_under
from authsvc.clock import Clock, Randomness, system_clock, system_randomness
from authsvc.config import Settings
from authsvc.model import ApiKey, AppSettings, SealedSecret
from authsvc.signing.sealing import Kek, Sealer, kek_id_of
from authsvc.storage import open_store
from authsvc.storage.base import Store
from authsvc.trust.learning import signing_key_place
from authsvc.trust.secrets import GUEST_KEY_PURPOSE, REFRESH_KEY_PURPOSE, secret_place
from tests.rows import Rows
from tests.storage.postgres.server import Server as PostgresServer

OLD, NEW, OTHER = (Kek(bytes([number]) * 32) for number in (1, 2, 3))
APPS = 24
RECORDS = APPS + 2
"""Of each app its key, and the two service-wide secrets."""

DAY = timedelta(days=1)
SETTLE = timedelta(seconds=5)
PURPOSES = {"refresh-key": REFRESH_KEY_PURPOSE, "guest-key": GUEST_KEY_PURPOSE}
NEEDED = {"refresh-key": SETTLE + 90 * DAY, "guest-key": DAY}
"""How long the older of two keys is needed: while a session can live that was opened with it, and while a request may
be repeated. Counted from the newer one, which servers use once all of them know it."""

_RELATIONS = "SELECT pg_read_binary_file(path) FROM pg_class, pg_relation_filepath(oid) AS path WHERE path IS NOT NULL"

_REFUSE = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$"""


@dataclass
class Place:
    """A store with two dozen apps, their keys, and the service-wide secrets, all sealed under the old KEK."""

    settings: Settings
    postgres: PostgresServer | None = None
    database: str = ""

    def open(self, *, exclusive: bool = True) -> Store:
        return open_store(self.settings.store_url, clock=system_clock, exclusive=exclusive)

    def file(self, kek: Kek) -> Path:
        """A file with that KEK, beside the state directory."""
        path = self.settings.state_dir.with_name(f"kek-{kek.id.hex()}")
        if not path.exists():
            path.write_bytes(kek.secret)
            path.chmod(0o600)
        return path

    def environ(self, kek: Kek) -> Mapping[str, str]:
        """The settings of a command on the store, with that KEK as the one in use."""
        store = {"AUTHSVC_STORE": self.settings.store} if self.settings.store else {}
        return {"AUTHSVC_STATE_DIR": str(self.settings.state_dir), "AUTHSVC_KEK_FILE": str(self.file(kek)), **store}

    def shows(self, kek: Kek) -> bool:
        """Whether anything in the database's files is sealed under that KEK, in rows that are no more too."""
        if self.postgres is None:
            return any(kek.id in path.read_bytes() for path in self.settings.state_dir.iterdir() if path.is_file())
        with self.postgres.connect(self.database) as connection:
            connection.execute("CHECKPOINT")  # what is changed in memory is in the files then
            return any(kek.id in content for (content,) in connection.execute(_RELATIONS))

    def contents(self, *keks: Kek) -> list[bytes]:
        """The contents of everything that is sealed; fails where none of the KEKs opens a record."""
        with closing(self.open(exclusive=False)) as store:
            return opens_with(store, *keks)

    @contextmanager
    def unwritable(self, table: str) -> Iterator[None]:
        """While this lasts, whoever inserts into that table fails, and with it the transaction."""
        if self.postgres is None:
            with Rows(self.settings.state_dir).unwritable(table):
                yield
            return
        with self.postgres.connect(self.database) as connection:
            connection.execute(_REFUSE)
            connection.execute(f"CREATE TRIGGER no_room BEFORE INSERT ON {table} EXECUTE FUNCTION refuse()".encode())
            try:
                yield
            finally:
                connection.execute(f"DROP TRIGGER no_room ON {table}".encode())

    def put_back(self, secret: SealedSecret) -> None:
        """Seal a secret as it was, behind the back of whoever has the store."""
        to, whose = f"'{secret.sealed.hex()}'", f"WHERE purpose = '{secret.purpose}' AND number = {secret.number}"
        if self.postgres is None:
            Rows(self.settings.state_dir).tamper(f"UPDATE secrets SET sealed = x{to} {whose}")  # noqa: S608 - its own
        else:
            with self.postgres.connect(self.database) as connection:
                connection.execute(f"UPDATE secrets SET sealed = decode({to}, 'hex') {whose}".encode())  # noqa: S608


@contextmanager
def places(backend: str, folder: Path, postgres: PostgresServer | None) -> Iterator[Place]:
    """A filled store; on PostgreSQL in a database of its own."""
    state_dir = folder / "state"
    state_dir.mkdir(mode=0o700)
    if backend == "sqlite":
        yield filled(Place(Settings(state_dir=state_dir)))
    else:
        assert postgres is not None
        with postgres.migrated() as database:
            settings = Settings(state_dir=state_dir, store=postgres.url(database))
            yield filled(Place(settings, postgres, database))


def filled(place: Place, *, clock: Clock = system_clock) -> Place:
    with open_domain(place.settings, OLD, clock=clock) as domain:
        domain.secrets.make_missing(domain.store)
        for number in range(APPS):
            domain.apps.create_as("test", ApiKey(f"app-{number}"), AppSettings())
    return place


def opens_with(store: Store, *keks: Kek) -> list[bytes]:
    """The contents of everything that is sealed; fails where none of the KEKs opens a record."""
    state, contents = store.trust_state(), []
    sealed_at = [(key.sealed, signing_key_place(key.api_key, key.key_id)) for key in state.keys]
    sealed_at += [(one.sealed, secret_place(one.purpose, one.number)) for one in state.secrets]
    for sealed, where in sealed_at:
        (kek,) = [kek for kek in keks if kek.id == kek_id_of(sealed)]
        contents.append(Sealer(kek, system_randomness).open(sealed, where))
    return sorted(contents)


def silent(_: int, __: int) -> None:
    """Nobody watches."""


class Interrupted(Exception):
    """What a power cut is to a program."""


def until(step: int) -> Progress:
    """Watches until so many steps are done."""

    def progress(done: int, _: int) -> None:
        if done == step:
            raise Interrupted

    return progress


def rotate(
    place: Place,
    progress: Progress = silent,
    *,
    old: Kek = OLD,
    new: Kek = NEW,
    randomness: Randomness = system_randomness,
) -> int:
    """What ``rotate_kek`` does before it scrubs."""
    with closing(place.open()) as store:
        return put_under(store, old, Sealer(new, randomness), clock=system_clock, progress=progress)
