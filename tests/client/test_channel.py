"""Plaintext only where nobody else can listen; the credential on each call and nowhere else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Thread

import grpc
import pytest

from authsvc.client import AsyncAuthClient, AuthClient, AuthClientError, Unavailable
from authsvc.client.channel import Way, is_loopback
from authsvc.client.logs import make_client_logs
from authsvc.client.retries import NO_RETRIES
from authsvc.logs import SecretText
from authsvc.rpc.server import OPTIONS
from tests.client.conftest import CREDENTIAL
from tests.client.halves import Do, Half, close, validate
from tests.client.scripted import ScriptedServer, scripted_server
from tests.tls_files import write_pair

LOOPBACK = [
    "localhost", "LOCALHOST:50051", "127.0.0.1:50051", "127.8.9.1", "[::1]:50051", "dns:localhost:50051",
    "dns:///localhost:50051", "ipv4:127.0.0.1:50051", "ipv4:127.0.0.1:1,127.0.0.2:2", "ipv6:[::1]:50051",
    "unix:/run/authsvc.sock", "unix:///run/authsvc.sock", "unix-abstract:authsvc",
]  # fmt: skip
ELSEWHERE = [
    "", "auth.example.com:443", "10.0.0.1:50051", "0.0.0.0:50051", "[2001:db8::1]:443", "localhost.example.com",
    "example.localhost", "localhost@example.com:1", "127.0.0.1:1@example.com", "127.0.0.1,example.com:1",
    "dns://8.8.8.8/localhost:50051", "dns:///example.com", "ipv4:127.0.0.1:1,10.0.0.1:1", "ipv4:127.0.0.1:1%2C10.0.0.9",
    "localhost%00.example.com", "xds:///localhost", "127.1", "::1", " localhost", "localhost:1 ", "[::1", "127.0.0.1:",
]  # fmt: skip


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that takes connections and understands nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        yield listening


def first_bytes(listener: socket.socket, client: AbstractContextManager[Do]) -> bytes:
    """What a client says first when it makes a call to the listener, which refuses it."""
    said = bytearray()

    def listen() -> None:
        connection, _ = listener.accept()
        with connection:
            said.extend(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    thread = Thread(target=listen)
    thread.start()
    with client as do, suppress(AuthClientError):
        do(validate)
    thread.join()
    return bytes(said)


def elsewhere(listener: socket.socket) -> str:
    """A name of the listener that is not loopback, though Linux connects it to this host."""
    return f"0.0.0.0:{listener.getsockname()[1]}"


@pytest.mark.parametrize("target", LOOPBACK)
def test_loopback_is_recognised(target: str) -> None:
    """Every way in which gRPC writes an address of this host is one."""
    assert is_loopback(target)


@pytest.mark.parametrize("target", ELSEWHERE)
def test_everything_else_is_elsewhere(target: str) -> None:
    """A target that only looks like this host, or is not understood, gets TLS."""
    assert not is_loopback(target)


def test_elsewhere_is_spoken_to_by_tls(half: Half, listener: socket.socket) -> None:
    """The first bytes to another host are a TLS handshake (RFC 8446, 5.1), without the credential."""
    said = first_bytes(listener, half(elsewhere(listener), CREDENTIAL, retries=NO_RETRIES))
    assert said[:2] == b"\x16\x03"
    assert CREDENTIAL.encode() not in said


def test_plaintext_elsewhere_has_to_be_asked_for(half: Half, listener: socket.socket) -> None:
    """With the word for it the same target is spoken to in plaintext (RFC 9113, 3.4)."""
    client = half(elsewhere(listener), CREDENTIAL, retries=NO_RETRIES, allow_plaintext=True)
    assert first_bytes(listener, client).startswith(b"PRI * HTTP/2.0")


def test_tls_to_loopback_is_used_when_given(half: Half, tmp_path: Path) -> None:
    """Certificates that are given are used, also on loopback; without them the same server is not reached."""
    certificate, key = write_pair(tmp_path)
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    with scripted_server(credentials) as scripted:
        trust = grpc.ssl_channel_credentials(certificate.read_bytes())
        with half(scripted.target, CREDENTIAL, tls=trust) as do:
            do(validate)
        assert ("authorization", f"Bearer {CREDENTIAL}") in scripted.metadata[0]
        with half(scripted.target, CREDENTIAL, retries=NO_RETRIES) as do, pytest.raises(Unavailable):
            do(validate)


def test_tls_and_plaintext_together_mean_nothing() -> None:
    """Two opposite wishes are a mistake, not a choice for the client to make."""
    for client in (AuthClient, AsyncAuthClient):
        with pytest.raises(ValueError, match="not both"):
            client("10.0.0.1:1", tls=grpc.ssl_channel_credentials(), allow_plaintext=True)


def test_plaintext_never_goes_through_a_proxy(
    half: Half, scripted: ScriptedServer, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment would see the credential of a call that must not leave this host."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with half(scripted.target, CREDENTIAL) as do:
        do(validate)
    # The control: where the caller asks for it, the proxy of the environment is used.
    client = half(scripted.target, options=[("grpc.enable_http_proxy", 1)], retries=NO_RETRIES)
    assert first_bytes(listener, client).startswith(b"CONNECT ")


def test_each_call_carries_the_credential_once(half: Half, scripted: ScriptedServer) -> None:
    """Exactly one `authorization` value, as the service wants it, given as text or as a secret."""
    for credential in (CREDENTIAL, SecretText(CREDENTIAL)):
        with half(scripted.target, credential) as do:
            do(validate)
    sent = [[value for name, value in metadata if name == "authorization"] for metadata in scripted.metadata]
    assert sent == [[f"Bearer {CREDENTIAL}"]] * 2


def test_without_a_credential_none_is_sent(half: Half, scripted: ScriptedServer) -> None:
    """A client without a credential does not make one up."""
    with half(scripted.target) as do:
        do(validate)
    assert "authorization" not in dict(scripted.metadata[0])


@pytest.mark.parametrize("credential", ["", "canary value", "canary\n", "canary\x00", "canaryé", "canary\ud800"])
def test_a_credential_that_cannot_be_sent_is_refused_unseen(credential: str) -> None:
    """What metadata cannot carry is refused before any call, in words that do not repeat it."""
    for client in (AuthClient, AsyncAuthClient):
        with pytest.raises(ValueError, match="credential") as raised:
            client("127.0.0.1:1", credential)
        assert "canary" not in str(raised.value)


@pytest.mark.parametrize("kind", [AuthClient, AsyncAuthClient])
def test_a_client_does_not_print_its_credential(kind: type[AuthClient | AsyncAuthClient]) -> None:
    """Neither the client nor anything it holds shows the credential; the target is shown."""
    client = kind("127.0.0.1:7", CREDENTIAL)
    shown = repr(client) + repr(vars(client)) + repr(client.issue_token) + repr(vars(client._calls))
    assert CREDENTIAL not in shown
    assert repr(client) == f"{kind.__name__}('127.0.0.1:7')"


def test_a_closed_client_says_so(half: Half, scripted: ScriptedServer) -> None:
    """A call after the end of the context is a mistake of the program, not a failure of the service."""
    for calls_before in (0, 1):
        with half(scripted.target, CREDENTIAL) as do:
            for _ in range(calls_before):
                do(validate)
            do(close)
            with pytest.raises(ValueError, match="closed"):
                do(validate)


def test_signs_of_life_are_not_asked_for_too_often() -> None:
    """The client asks whether the line lives at half the rate at most at which the service would end it, and the
    service allows it to ask between calls, as it does."""
    way = Way("127.0.0.1:1", tls=None, allow_plaintext=False, options=(), log=make_client_logs().get_logger("client"))
    ours, theirs = dict(way.options), dict(OPTIONS)
    assert int(ours["grpc.keepalive_time_ms"]) >= 1.5 * theirs["grpc.http2.min_ping_interval_without_data_ms"] > 0
    assert ours["grpc.keepalive_permit_without_calls"] == theirs["grpc.keepalive_permit_without_calls"] == 1
    assert ours["grpc.http2.max_pings_without_data"] == 0, "or it stops to ask after two"
