"""TLS: served from files, followed when they change, never a pair that does not fit."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from authsvc.app.composition import build_server
from authsvc.rpc.server import RpcServer
from authsvc.rpc.tls import TlsFiles, TlsUnusable, read_pair
from authsvc.v1 import auth_pb2 as pb
from authsvc.v1 import auth_pb2_grpc
from tests.conftest import RunningServer
from tests.tls_files import write_pair


@pytest.fixture
def tls_server(server: RunningServer, tmp_path: Path) -> Iterator[tuple[RpcServer, int]]:
    """The server's domain behind a second, TLS listener, and its port."""
    write_pair(tmp_path, "first")
    with serving(server, tmp_path) as running:
        yield running


@contextmanager
def serving(server: RunningServer, folder: Path) -> Iterator[tuple[RpcServer, int]]:
    """A TLS listener that follows the files of a folder."""
    files = TlsFiles(folder / "tls.crt", folder / "tls.key", server.domain.logs.get_logger("server"))
    rpc = build_server(server.domain, dev=False, reflection=False)
    try:
        yield rpc, rpc.listen("127.0.0.1:0", files)
    finally:
        rpc.stop(lame_duck=timedelta(0), grace=timedelta(seconds=1))


def served_name(port: int) -> str:
    """The common name of the certificate that a new connection is shown."""
    shown = x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode())
    (name,) = shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def test_calls_are_served_over_tls(server: RunningServer, tls_server: tuple[RpcServer, int], tmp_path: Path) -> None:
    """A client that trusts the certificate gets its token over TLS."""
    trust = grpc.ssl_channel_credentials((tmp_path / "tls.crt").read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{tls_server[1]}", trust) as channel:
        request = pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"))
        assert auth_pb2_grpc.AuthServiceStub(channel).IssueToken(request, metadata=server.metadata).token


def test_a_renewed_certificate_is_served_without_a_restart(tls_server: tuple[RpcServer, int], tmp_path: Path) -> None:
    """The next handshake after the files changed shows the new certificate."""
    assert served_name(tls_server[1]) == "first"
    write_pair(tmp_path, "second")
    assert served_name(tls_server[1]) == "second"


SIZE, MOMENT = 4096, 1_800_000_000_000_000_000  # ns


def even_pair(folder: Path, common_name: str) -> tuple[Path, Path]:
    """A pair whose files have the size and the time of every other such pair."""
    folder.mkdir(exist_ok=True)
    paths = write_pair(folder, common_name)
    for path in paths:
        path.write_bytes(path.read_bytes().ljust(SIZE, b"\n"))
        os.utime(path, ns=(MOMENT, MOMENT))
    return paths


def replaced(folder: Path) -> None:
    """Other files are put in the place of those there were, and nothing but what they are and hold differs."""
    for path in even_pair(folder / "next", "second"):
        path.replace(folder / path.name)


def overwritten(folder: Path) -> None:
    """The files there are get other contents, a moment later."""
    for path in even_pair(folder / "next", "second"):
        there = folder / path.name
        there.write_bytes(path.read_bytes())
        os.utime(there, ns=(MOMENT + 1, MOMENT + 1))


@pytest.mark.parametrize("renewed", [replaced, overwritten])
def test_a_renewal_of_the_same_size_is_seen(
    server: RunningServer, tmp_path: Path, renewed: Callable[[Path], None]
) -> None:
    """Files as long as those before are read again, be they others of the same time or the same ones, later."""
    even_pair(tmp_path, "first")
    with serving(server, tmp_path) as (_, port):
        assert served_name(port) == "first"
        renewed(tmp_path)
        assert {(tmp_path / name).stat().st_size for name in ("tls.crt", "tls.key")} == {SIZE}
        assert served_name(port) == "second"


def test_a_moved_link_is_followed(server: RunningServer, tmp_path: Path) -> None:
    """Where the files are links through a link, as secrets are mounted, moving that one shows the new certificate."""
    for number, name in enumerate(("first", "second")):
        even_pair(tmp_path / f"..{number}", name)
    current = tmp_path / "..data"
    current.symlink_to("..0")
    links = [tmp_path / name for name in ("tls.crt", "tls.key")]
    for link in links:
        link.symlink_to(f"..data/{link.name}")
    before = [(link.lstat().st_ino, link.lstat().st_mtime_ns) for link in links]
    with serving(server, tmp_path) as (_, port):
        assert served_name(port) == "first"
        (tmp_path / "moved").symlink_to("..1")
        (tmp_path / "moved").replace(current)
        assert served_name(port) == "second"
    assert [(link.lstat().st_ino, link.lstat().st_mtime_ns) for link in links] == before, "they are the same links"


def test_files_that_stay_are_not_read_again(server: RunningServer, tmp_path: Path) -> None:
    """As long as size, time and file are the same, handshakes cost no reading: the pair in use stays without a word."""
    even_pair(tmp_path, "first")
    with serving(server, tmp_path) as (_, port):
        for path in (tmp_path / "tls.crt", tmp_path / "tls.key"):
            path.write_bytes(b"unusable".ljust(SIZE))
            os.utime(path, ns=(MOMENT, MOMENT))
        assert served_name(port) == served_name(port) == "first"
        assert "TLS files changed" not in server.log.getvalue()
        os.utime(tmp_path / "tls.crt", ns=(MOMENT + 1, MOMENT + 1))
        assert served_name(port) == "first"
        assert "TLS files changed" in server.log.getvalue(), "a reading would have been noticed"


def test_a_pair_that_does_not_fit_is_never_served(
    server: RunningServer, tls_server: tuple[RpcServer, int], tmp_path: Path
) -> None:
    """A certificate without its key leaves the last good pair in use, and the log says so."""
    other = tmp_path / "other"
    other.mkdir()
    write_pair(other, "stranger")
    (other / "tls.crt").replace(tmp_path / "tls.crt")
    assert served_name(tls_server[1]) == "first"
    assert "the last good pair stays" in server.log.getvalue()


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
def test_a_missing_file_stops_the_start(tmp_path: Path, missing: str) -> None:
    """A pair with a file missing is refused by the file's name."""
    certificate, key = write_pair(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(TlsUnusable, match=missing):
        read_pair(certificate, key)


def test_what_is_no_certificate_stops_the_start(tmp_path: Path) -> None:
    """Files that are not PEM are refused, and nothing of the key is shown."""
    certificate, key = write_pair(tmp_path)
    key.write_text("not a key but a secret")
    with pytest.raises(TlsUnusable) as refused:
        read_pair(certificate, key)
    assert "a secret" not in str(refused.value)


def test_the_pair_does_not_print_its_key(tmp_path: Path) -> None:
    """The text form of a pair holds nothing of the key."""
    assert "PRIVATE" not in repr(read_pair(*write_pair(tmp_path)))
