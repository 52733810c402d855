"""Certificates from files: shown to a server that demands one, and followed when they change on disk."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization

from authsvc.client import AsyncAuthClient, AuthClient, AuthClientError, TlsFiles, TlsUnusable, Unavailable
from authsvc.client.retries import NO_RETRIES
from authsvc.logs import LoggerSettings
from authsvc.v1.auth_pb2 import ValidateTokenResponse
from tests.client.halves import Half, validate
from tests.client.scripted import Behaviour, ScriptedServer, scripted_server
from tests.logs.keeping import Keeping
from tests.tls_files import write_pair


class Demanding:
    """A server that demands a certificate, of ``first`` or ``second``, and writes down whose it is shown."""

    def __init__(self, folder: Path, scripted: ScriptedServer) -> None:
        self.folder = folder
        self.scripted = scripted
        self.shown: list[str] = []
        self.files = TlsFiles(folder / "server" / "tls.crt", folder / "mine" / "tls.crt", folder / "mine" / "tls.key")

    def has(self, *names: str, of: str) -> None:
        """Put those of the files of a client into the place that is followed, as a renewal does."""
        for name in names:
            draft = self.folder / "mine" / f"{name}.new"
            shutil.copy(self.folder / of / name, draft)
            draft.replace(self.folder / "mine" / name)

    def expects(self, *behaviours: Behaviour) -> None:
        """Answer so many calls."""
        self.scripted.script = [*behaviours]

    def answer(self, _: object, context: grpc.ServicerContext) -> ValidateTokenResponse:
        """Note who asks."""
        names: Any = context.auth_context()["x509_common_name"]  # the stubs take a list of bytes for bytes
        self.shown.append(names[0].decode())
        return ValidateTokenResponse()


@pytest.fixture
def demanding(tmp_path: Path) -> Iterator[Demanding]:
    """A server that demands a client's certificate; the client has the first one."""
    for name in ("server", "first", "second", "stranger"):
        (tmp_path / name).mkdir()
        write_pair(tmp_path / name, name)
    (tmp_path / "mine").mkdir()
    pair = (tmp_path / "server" / "tls.key").read_bytes(), (tmp_path / "server" / "tls.crt").read_bytes()
    known = b"".join((tmp_path / name / "tls.crt").read_bytes() for name in ("first", "second"))
    with scripted_server(grpc.ssl_server_credentials([pair], known, require_client_auth=True)) as scripted:
        running = Demanding(tmp_path, scripted)
        running.has("tls.crt", "tls.key", of="first")
        yield running


def test_a_certificate_is_shown(half: Half, demanding: Demanding) -> None:
    """A server that demands a certificate gets the client's, and no call without it or with a stranger's."""
    demanding.expects(demanding.answer, demanding.answer)
    as_text = TlsFiles(
        *(str(path) for path in (demanding.files.roots, demanding.files.certificate, demanding.files.key))
    )
    for files in (demanding.files, as_text):
        with half(demanding.scripted.target, tls=files) as do:
            do(validate)
    assert demanding.shown == ["first", "first"]
    for own in ((), ("stranger/tls.crt", "stranger/tls.key")):
        files = TlsFiles(demanding.files.roots, *(demanding.folder / name for name in own))
        with half(demanding.scripted.target, tls=files, retries=NO_RETRIES) as do, pytest.raises(Unavailable):
            do(validate)


def test_a_renewed_certificate_is_shown_from_the_next_call(half: Half, demanding: Demanding) -> None:
    """Replaced on disk, it is on the wire: without a restart, and once only for each renewal."""
    demanding.expects(*[demanding.answer] * 5)
    with half(demanding.scripted.target, tls=demanding.files) as do:
        do(validate)
        do(validate)
        demanding.has("tls.crt", "tls.key", of="second")
        do(validate)
        do(validate)
        demanding.has("tls.crt", "tls.key", of="first")
        do(validate)
    assert demanding.shown == ["first", "first", "second", "second", "first"]


def test_a_call_in_flight_finishes(demanding: Demanding) -> None:
    """A call that waits for its answer while the certificate is renewed gets it over the old connection."""
    arrived, released = Event(), Event()

    def hold(request: object, context: grpc.ServicerContext) -> ValidateTokenResponse:
        arrived.set()
        released.wait(30)
        return demanding.answer(request, context)

    demanding.expects(hold, demanding.answer, demanding.answer)
    with AuthClient(demanding.scripted.target, tls=demanding.files) as client, ThreadPoolExecutor(1) as pool:
        held = pool.submit(validate, client)
        assert arrived.wait(30)
        demanding.has("tls.crt", "tls.key", of="second")
        validate(client)
        released.set()
        held.result()
        assert demanding.shown == ["second", "first"]
        validate(client)
    assert demanding.shown[2:] == ["second"]


def test_a_call_in_flight_finishes_when_awaited(demanding: Demanding) -> None:
    """The same for a call that is awaited."""
    arrived, released = Event(), Event()

    def hold(request: object, context: grpc.ServicerContext) -> ValidateTokenResponse:
        arrived.set()
        released.wait(30)
        return demanding.answer(request, context)

    async def renew() -> None:
        async with AsyncAuthClient(demanding.scripted.target, tls=demanding.files) as client:
            held = asyncio.create_task(validate(client))
            assert await asyncio.to_thread(arrived.wait, 30)
            demanding.has("tls.crt", "tls.key", of="second")
            await validate(client)
            released.set()
            await held

    demanding.expects(hold, demanding.answer)
    asyncio.run(renew())
    assert demanding.shown == ["second", "first"]


def test_a_client_that_is_closed_ends_its_calls(demanding: Demanding) -> None:
    """What the two tests above would see if the old connection was closed at once: CANCELLED."""
    arrived, released = Event(), Event()

    def hold(request: object, context: grpc.ServicerContext) -> ValidateTokenResponse:
        arrived.set()
        released.wait(30)
        return ValidateTokenResponse()

    demanding.expects(hold)
    client = AuthClient(demanding.scripted.target, tls=demanding.files)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(validate, client)
        assert arrived.wait(30)
        client.close()
        with pytest.raises(AuthClientError, match="CANCELLED"):
            held.result()
        released.set()


def test_half_a_renewal_changes_nothing(half: Half, demanding: Demanding) -> None:
    """Between the two replacements the certificate has another's key: the last good pair stays, and it is told once."""
    sink = Keeping()
    options: dict[str, LoggerSettings] = {"default": {"sink": sink}}
    demanding.expects(*[demanding.answer] * 4)
    with half(demanding.scripted.target, tls=demanding.files, log_options=options) as do:
        do(validate)
        demanding.has("tls.crt", of="second")
        do(validate)
        do(validate)
        told = list(sink.messages)
        demanding.has("tls.key", of="second")
        do(validate)
    assert demanding.shown == ["first", "first", "first", "second"]
    assert told == ["TLS files changed and cannot be used; the last good ones stay"]
    assert sink.messages[1:] == ["TLS files changed; calls from now on go over a new connection"]


def test_files_that_vanish_change_nothing(half: Half, demanding: Demanding) -> None:
    """A volume that is unmounted for a moment ends no call."""
    demanding.expects(demanding.answer, demanding.answer)
    with half(demanding.scripted.target, tls=demanding.files, log_options={"default": {"sink": Keeping()}}) as do:
        do(validate)
        shutil.rmtree(demanding.folder / "mine")
        do(validate)
    assert demanding.shown == ["first", "first"]


def test_roots_are_followed_as_well(half: Half, demanding: Demanding) -> None:
    """A service whose certificate leads to no root of ours is not spoken to, until the file holds its root."""
    roots = demanding.folder / "roots"
    shutil.copy(demanding.folder / "stranger" / "tls.crt", roots)
    files = TlsFiles(roots, demanding.files.certificate, demanding.files.key)
    demanding.expects(demanding.answer)
    quiet = {"default": {"sink": Keeping()}}
    with half(demanding.scripted.target, tls=files, retries=NO_RETRIES, log_options=quiet) as do:
        with pytest.raises(Unavailable):
            do(validate)
        shutil.copy(demanding.folder / "server" / "tls.crt", roots)
        do(validate)
    assert demanding.shown == ["first"]


@pytest.mark.parametrize("kind", [AuthClient, AsyncAuthClient])
@pytest.mark.parametrize(
    ("roots", "certificate", "key", "why"),
    [
        ("first/nosuch", None, None, "nosuch cannot be read"),
        ("first/tls.key", None, None, "tls.key must hold PEM certificates"),
        (None, "first/tls.crt", "second/tls.key", "tls.key is not the key of the certificate"),
        (None, "first/tls.key", "first/tls.key", "tls.key must hold PEM certificates"),
        (None, "first/tls.crt", "first/tls.crt", "tls.crt must hold a PEM key"),
        (None, "first/tls.crt", "first/encrypted", "encrypted must hold a PEM key, unencrypted"),
    ],
)
def test_files_of_no_use_are_refused(
    kind: type[AuthClient | AsyncAuthClient],
    demanding: Demanding,
    roots: str | None,
    certificate: str | None,
    key: str | None,
    why: str,
) -> None:
    """Whoever makes a client is told at once which file is wrong, and nothing that stands in it."""
    encrypt(demanding.folder / "first" / "tls.key", demanding.folder / "first" / "encrypted")
    paths = [None if name is None else demanding.folder / name for name in (roots, certificate, key)]
    with pytest.raises(TlsUnusable, match=why) as raised:
        kind(demanding.scripted.target, tls=TlsFiles(*paths))
    assert "-----" not in str(raised.value)


def test_half_a_pair_is_a_mistake() -> None:
    """A certificate without its key, or the other way round, could not be shown."""
    for files in ({"certificate": Path("x")}, {"key": Path("x")}):
        with pytest.raises(ValueError, match="come together"):
            TlsFiles(**files)


def encrypt(key: Path, into: Path) -> None:
    """Write the same key under a passphrase."""
    private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    locked = serialization.BestAvailableEncryption(b"passphrase")
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    into.write_bytes(pem)
