"""What keeps a server from starting, each with the sentence that helps, and never with a value that is secret."""

from __future__ import annotations

import os
import re
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from authsvc.app import Refused
from authsvc.app.refusals import check_exposure, kek_of, refusing, settings_of_process
from authsvc.clock import system_clock, system_randomness
from authsvc.config import Settings
from authsvc.errors import Reason, Unavailable
from authsvc.storage.errors import Unreachable
from authsvc.storage.migrate import shipped
from authsvc.storage.sqlite.connection import Database
from authsvc.storage.sqlite.files import prepare
from authsvc.storage.sqlite.schema import bring_up
from tests.app.processes import refusal, serving

KEK_HELP = "make one with: (umask 077; head -c 32 /dev/urandom > kek)"


@pytest.fixture
def kek(state_dir: Path) -> Path:
    """The file of a key."""
    path = state_dir / "kek"
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    return path


def test_a_second_server_on_the_same_store_serves_beside_the_first(state_dir: Path) -> None:
    """Servers follow each other: none is refused, each has an address of its own, and both end as they should."""
    state = state_dir / "state"
    with serving(state, "--dev") as first:
        target = first.target()
        with serving(state, "--dev") as second:
            assert second.target() != target
            for server in (first, second):
                server.signal()
                assert server.exit_code() == 0


def test_a_store_under_another_kek_does_not_start(state_dir: Path, kek: Path) -> None:
    """A store is opened with the KEK it was last sealed with, and the sentence says so."""
    state = state_dir / "state"
    with serving(state, AUTHSVC_KEK_FILE=str(kek)) as first:
        first.target()
        first.signal()
        assert first.exit_code() == 0
    other = state_dir / "other"
    other.write_bytes(os.urandom(32))
    other.chmod(0o600)
    assert refusal(state, AUTHSVC_KEK_FILE=str(other)) == (
        "sealed under another KEK: give the server the KEK file this store was last sealed with"
    )


def _an_old_store(state: Path) -> None:
    """A store of the first schema in a state directory."""
    path = state / "authsvc.db"
    prepare(path)
    connection = Database(path, timedelta(seconds=5)).connect()
    bring_up(connection, shipped("sqlite")[:1], clock=system_clock, randomness=system_randomness)
    connection.close()


def test_a_store_of_an_older_schema_is_not_migrated_unasked(state_dir: Path, kek: Path) -> None:
    """A server says what to run; a development server migrates by itself, and serves."""
    state = state_dir / "state"
    _an_old_store(state)
    known = len(shipped("sqlite"))
    said = refusal(state, AUTHSVC_KEK_FILE=str(kek))
    assert said.startswith(f"the store's schema is version 1, this program needs {known}: run `authsvc migrate`")
    with serving(state, "--dev") as server:
        server.target()
        server.signal()
        assert server.exit_code() == 0


def test_a_port_that_is_taken_stops_the_start(state_dir: Path, kek: Path) -> None:
    """With the address, what may be wrong with it, and the setting; nothing that gRPC says stands before that."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refusal(state_dir / "state", AUTHSVC_KEK_FILE=str(kek), AUTHSVC_LISTEN=address)
    assert said == (
        f"cannot listen on {address}: is the port taken, or the address not of this machine? "
        "Set AUTHSVC_LISTEN to another one"
    )


def test_tracing_stops_the_start(state_dir: Path) -> None:
    """GRPC_TRACE makes the library print metadata, where the credentials are; no state is made before that is said."""
    said = refusal(state_dir / "state", GRPC_TRACE="http")
    assert said.startswith("GRPC_TRACE makes gRPC print metadata, which holds credentials: unset it")
    assert not (state_dir / "state").exists()


def test_settings_that_are_wrong_stop_the_start(state_dir: Path) -> None:
    """All of them are named, one a line, and none of their values."""
    said = refusal(state_dir / "state", AUTHSVC_KEKFILE="canary", AUTHSVC_LISTN="canary")
    assert said.splitlines() == [
        "AUTHSVC_KEKFILE is not a setting; did you mean AUTHSVC_KEK_FILE?",
        "AUTHSVC_LISTN is not a setting; did you mean AUTHSVC_LISTEN?",
    ]


def without_a_kek(settings: Settings) -> str:
    """What is said where none is named."""
    with pytest.raises(Refused, match=re.escape("AUTHSVC_KEK_FILE must name the file of the key")) as refused:
        kek_of(settings)
    return str(refused.value)


def test_without_a_kek_it_does_not_start(tmp_path: Path) -> None:
    """And is told how to make one; only development makes its own."""
    assert KEK_HELP in without_a_kek(Settings(state_dir=tmp_path))


def test_no_new_kek_is_advised_where_a_store_is(tmp_path: Path) -> None:
    """It would open nothing; that of a development server is named where it lies."""
    (tmp_path / "authsvc.db").touch()
    settings = Settings(state_dir=tmp_path)
    assert without_a_kek(settings).endswith("; only the key that the store was last sealed with opens it")
    (tmp_path / "kek").touch()
    assert without_a_kek(settings).endswith(f"opens it ({tmp_path / 'kek'} is that of a development server)")


def test_where_nobody_knows_whether_there_is_a_store_both_are_told(tmp_path: Path) -> None:
    """A database is not asked for that."""
    said = without_a_kek(Settings(state_dir=tmp_path, store="postgresql://nowhere.invalid/authsvc"))
    assert "for a store that is there, only the key that" in said
    assert f"for a new one {KEK_HELP}" in said


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (None, 0, "No such file"),
        (b"k" * 31, 0o600, "32"),
        (b"k" * 32, 0o644, "chmod 600"),
        (b"k" * 32, 0o620, "chmod 600"),
    ],
    ids=["none", "short", "for all to read", "for the group to write"],
)
def test_a_kek_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None, mode: int, sentence: str) -> None:
    """Not there, of the wrong size, or open to others: each says which, and shows nothing of it."""
    path = tmp_path / "kek"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(Refused) as refused:
        kek_of(Settings(kek_file=path))
    assert str(path) in str(refused.value)
    assert "kkkk" not in str(refused.value)
    assert sentence in str(refused.value)


EXPOSED = [
    (Settings(listen="0.0.0.0:50051"), False, "AUTHSVC_LISTEN is 0.0.0.0:50051: without TLS, tokens and credentials"),
    (Settings(listen="[::]:50051"), False, "AUTHSVC_ALLOW_PLAINTEXT=true"),
    (Settings(listen="0.0.0.0:50051"), True, "--dev listens on loopback only, and AUTHSVC_LISTEN is 0.0.0.0:50051"),
    (Settings(listen="0.0.0.0:50051", allow_plaintext=True), True, "--dev listens on loopback only"),
    (
        Settings(listen="0.0.0.0:50051", tls_cert=Path("crt"), tls_key=Path("key")),
        True,
        "--dev listens on loopback only",
    ),
    (Settings(tls_cert=Path("crt"), tls_key=Path("key")), True, "--dev serves without TLS"),
]


@pytest.mark.parametrize(("settings", "dev", "sentence"), EXPOSED)
def test_an_address_that_shows_secrets_to_the_network_is_refused(settings: Settings, dev: bool, sentence: str) -> None:
    """Beyond loopback only with TLS, or by saying aloud that something else encrypts; in development never."""
    with pytest.raises(Refused, match=re.escape(sentence)):
        check_exposure(settings, dev=dev)


@pytest.mark.parametrize(
    ("settings", "dev"),
    [
        (Settings(), False),
        (Settings(), True),
        (Settings(listen="[::1]:0"), True),
        (Settings(listen="0.0.0.0:50051", allow_plaintext=True), False),
        (Settings(listen="0.0.0.0:50051", tls_cert=Path("crt"), tls_key=Path("key")), False),
    ],
)
def test_an_address_that_shows_nothing_is_served(settings: Settings, dev: bool) -> None:
    """Loopback, TLS, or a decision that was written down."""
    check_exposure(settings, dev=dev)


def test_what_an_operator_can_mend_is_a_sentence() -> None:
    """An unreachable store, a file that may not be read: a refusal, with no exception's own words."""
    unreachable = r"^STORE_UNAVAILABLE: the store cannot be reached; try again later \(SQLITE_BUSY\)$"
    with pytest.raises(Refused, match=unreachable), refusing():
        raise Unavailable(Reason.STORE_UNAVAILABLE, detail="SQLITE_BUSY")
    away = Unreachable("cannot connect to database d at h: unknown host", detail="OperationalError (unknown host)")
    with (
        pytest.raises(Refused, match=r"^STORE_UNAVAILABLE: cannot connect to database d at h: unknown host$"),
        refusing(),
    ):
        raise away
    with pytest.raises(Refused, match=r"^/var/x: Permission denied$"), refusing():
        raise PermissionError(13, "Permission denied", "/var/x")


def test_a_bug_is_not_dressed_up() -> None:
    """What nobody foresaw keeps its traceback."""
    with pytest.raises(ZeroDivisionError), refusing():
        raise ZeroDivisionError


def test_settings_are_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one place that reads the process's environment, and what is wrong there is a refusal."""
    monkeypatch.setenv("AUTHSVC_ISSUER", "from-the-process")
    assert settings_of_process().issuer == "from-the-process"
    monkeypatch.setenv("AUTHSVC_ISUER", "x")
    with pytest.raises(Refused, match="AUTHSVC_ISUER is not a setting; did you mean AUTHSVC_ISSUER"):
        settings_of_process()
