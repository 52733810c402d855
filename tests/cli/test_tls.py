"""Servers that are spoken to by TLS: on loopback too, with a CA of one's own; and each fault told for what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from authsvc.cli.handshake import tls_fault
from authsvc.cli.target import Server
from tests.cli.conftest import Run
from tests.client.scripted import scripted_server
from tests.tls_files import write_pair

CREDENTIAL = "ask1_x"


@dataclass(frozen=True)
class Pair:
    """A certificate, which is its own CA, and its key."""

    certificate: Path
    key: Path

    def credentials(self, *, clients: Path | None = None) -> grpc.ServerCredentials:
        """A server that shows it; with ``clients`` it wants a certificate that leads to that."""
        pairs = [(self.key.read_bytes(), self.certificate.read_bytes())]
        if clients is None:
            return grpc.ssl_server_credentials(pairs)
        return grpc.ssl_server_credentials(pairs, clients.read_bytes(), require_client_auth=True)


@pytest.fixture
def ours(tmp_path: Path) -> Pair:
    """The certificate of the server, good for 127.0.0.1."""
    (tmp_path / "ours").mkdir()
    return Pair(*write_pair(tmp_path / "ours"))


@pytest.fixture
def other(tmp_path: Path) -> Pair:
    """That of somebody else."""
    (tmp_path / "other").mkdir()
    return Pair(*write_pair(tmp_path / "other", "other"))


@pytest.fixture
def target(ours: Pair) -> Iterator[str]:
    """A server that speaks TLS, on loopback."""
    with scripted_server(ours.credentials()) as server:
        yield server.target


@pytest.fixture
def plain() -> Iterator[str]:
    """A server that does not."""
    with scripted_server() as server:
        yield server.target


@pytest.fixture
def demanding(ours: Pair) -> Iterator[str]:
    """A server that wants to be shown its own certificate."""
    with scripted_server(ours.credentials(clients=ours.certificate)) as server:
        yield server.target


def said(offline: Run, target: str, **environ: str) -> str:
    """The one line of a command that failed."""
    ended = offline("apps", "list", AUTHSVC_TARGET=target, AUTHSVC_CREDENTIAL=CREDENTIAL, **environ)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1), ended
    return ended.err


def test_a_ca_asks_for_tls_on_loopback_too(target: str, ours: Pair, offline: Run) -> None:
    """With the CA's file the server is reached and believed."""
    found = {"AUTHSVC_TARGET": target, "AUTHSVC_CREDENTIAL": CREDENTIAL, "AUTHSVC_TLS_CA": str(ours.certificate)}
    assert offline("apps", "list", **found).code == 0


def test_a_clients_certificate_is_shown(demanding: str, ours: Pair, offline: Run) -> None:
    """To a server that wants one; both files come together."""
    found = {"AUTHSVC_TARGET": demanding, "AUTHSVC_CREDENTIAL": CREDENTIAL, "AUTHSVC_TLS_CA": str(ours.certificate)}
    shown = {"AUTHSVC_CLIENT_CERT": str(ours.certificate), "AUTHSVC_CLIENT_KEY": str(ours.key)}
    assert offline("apps", "list", **found, **shown).code == 0


@pytest.mark.parametrize("shown", [False, True], ids=["none", "a stranger's"])
def test_a_certificate_that_is_wanted_and_missing_is_told(
    demanding: str, ours: Pair, other: Pair, shown: bool, offline: Run
) -> None:
    """With the settings that name one; also where another is shown."""
    files = {"AUTHSVC_CLIENT_CERT": str(other.certificate), "AUTHSVC_CLIENT_KEY": str(other.key)} if shown else {}
    line = said(offline, demanding, AUTHSVC_TLS_CA=str(ours.certificate), **files)
    assert line.startswith(f"UNAVAILABLE: TLS with {demanding} failed: it hangs up")
    assert "set AUTHSVC_CLIENT_CERT and AUTHSVC_CLIENT_KEY" in line


def test_an_unknown_ca_is_told(target: str, other: Pair, offline: Run) -> None:
    """With the file in which it is not, and the setting that names another."""
    line = said(offline, target, AUTHSVC_TLS_CA=str(other.certificate))
    assert (
        f"TLS with {target} failed: it shows a certificate whose CA is not among those in {other.certificate}" in line
    )
    assert "AUTHSVC_TLS_CA" in line


def test_a_certificate_of_another_host_is_told(target: str, ours: Pair, offline: Run) -> None:
    """Where the host has several addresses too, of which one does not answer."""
    there = target.replace("127.0.0.1", "localhost")
    line = said(offline, there, AUTHSVC_TLS_CA=str(ours.certificate))
    assert f"TLS with {there} failed: it shows a certificate for another host than localhost" in line


def test_plaintext_to_a_server_that_speaks_tls_is_told(target: str, offline: Run) -> None:
    """It is no reason to start another server."""
    line = said(offline, target)
    assert line.startswith(f"UNAVAILABLE: {target} speaks TLS and was spoken to in plaintext: unset")
    assert "AUTHSVC_TLS_CA asks for TLS" in line
    assert "make run" not in line


def test_plaintext_to_a_server_that_wants_a_certificate_is_told(demanding: str, offline: Run) -> None:
    """That it refuses the greeting shows that it speaks TLS."""
    assert f"{demanding} speaks TLS and was spoken to in plaintext" in said(offline, demanding)


def test_tls_to_a_server_that_speaks_plaintext_is_told(plain: str, ours: Pair, offline: Run) -> None:
    """With the settings that ask for TLS."""
    line = said(offline, plain, AUTHSVC_TLS_CA=str(ours.certificate))
    assert line.startswith(f"UNAVAILABLE: TLS with {plain} failed: it speaks plaintext and was spoken to by TLS: unset")


def test_where_nobody_is_no_fault_of_tls_is_told(ours: Pair, offline: Run) -> None:
    """A server that is not there is not there, however it would be spoken to."""
    with scripted_server() as gone:
        target = gone.target
    for environ in ({}, {"AUTHSVC_TLS_CA": str(ours.certificate)}):
        assert f"no authsvc answers at {target}" in said(offline, target, **environ)


@pytest.mark.parametrize("target", ["unix:/nowhere", "ipv4:127.0.0.1:1,127.0.0.1:2", "[::1]:70000"])
def test_what_cannot_be_looked_at_is_left_alone(target: str) -> None:
    """A look that finds nothing says nothing."""
    assert tls_fault(Server(target, CREDENTIAL), plaintext=True) is None


@pytest.mark.parametrize("name", ["AUTHSVC_TLS_CA", "AUTHSVC_CLIENT_CERT"])
def test_files_that_are_no_use_are_told(name: str, ours: Pair, tmp_path: Path, offline: Run) -> None:
    """One that is not there, and one that holds something else; before anything is sent."""
    (tmp_path / "rubbish").write_text("rubbish")
    for path in (tmp_path / "none", tmp_path / "rubbish"):
        files = {"AUTHSVC_CLIENT_KEY": str(ours.key)} if name == "AUTHSVC_CLIENT_CERT" else {}
        line = said(offline, "127.0.0.1:1", **{name: str(path)}, **files)
        assert line.startswith("NOT_CONNECTED: ")
        assert str(path) in line
