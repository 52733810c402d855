"""TLS whose certificate and key are read again when they change on disk: a renewal needs no restart.

The library asks at each handshake. A pair that does not fit together is never served: the library would ignore it in
silence, so it is checked here, the last good pair stays in use, and the log says so.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from authsvc.logs import Logger

_Stamp = tuple[tuple[int, int, int], ...]


class TlsUnusable(RuntimeError):
    """The certificate and key cannot be served; the text says why and shows neither."""


@dataclass(frozen=True, slots=True)
class TlsPair:
    """A certificate chain and its key, both PEM, known to fit together."""

    certificate: bytes
    key: bytes = field(repr=False)


def read_pair(certificate: Path, key: Path) -> TlsPair:
    """Read both files; raises ``TlsUnusable`` when one cannot be read or they do not belong together."""
    try:
        pair = TlsPair(certificate.read_bytes(), key.read_bytes())
    except OSError as fault:
        raise TlsUnusable(f"{fault.filename} cannot be read: {fault.strerror}") from None
    try:
        leaf = x509.load_pem_x509_certificates(pair.certificate)[0]
        private = serialization.load_pem_private_key(pair.key, password=None)
    except (ValueError, TypeError):
        raise TlsUnusable(
            f"{certificate} must hold a PEM certificate chain and {key} its PEM key, unencrypted"
        ) from None
    if _public_bytes(leaf.public_key()) != _public_bytes(private.public_key()):
        raise TlsUnusable(f"the key in {key} is not the key of the certificate in {certificate}")
    return pair


class TlsFiles:
    """A pair of files followed through changes; handshakes ask it from the library's own threads."""

    def __init__(self, certificate: Path, key: Path, log: Logger) -> None:
        self._files = (certificate, key)
        self._log = log
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._pair = read_pair(certificate, key)

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials that never ask for a client certificate; raises nothing once the first pair was good."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._pair),
            self._changed,  # type: ignore[arg-type]  # the stubs do not say that None means: no change
            require_client_authentication=False,
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """A new pair when the files hold one; None: the one in use stays."""
        with self._lock:
            stamp = self._look()
            if stamp == self._stamp:
                return None
            self._stamp = stamp
            try:
                pair = read_pair(*self._files)
            except TlsUnusable as fault:
                self._log.error("TLS files changed and cannot be used; the last good pair stays", detail=str(fault))
                return None
            self._pair = pair
            self._log.info("TLS files changed; new connections get the new certificate")
            return _configuration(pair)

    def _look(self) -> _Stamp:
        return tuple(_stamp_of(path) for path in self._files)


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()  # follows links: mounted secrets are replaced by moving one
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _configuration(pair: TlsPair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)])


def _public_bytes(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
