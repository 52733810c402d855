"""The channel to the service: TLS, and plaintext only where nobody else can listen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from authsvc import __version__
from authsvc.client.tls import FollowedFiles, TlsFiles

if TYPE_CHECKING:
    from authsvc.logs import Logger

ChannelOptions = Sequence[tuple[str, int | str]]
Tls = grpc.ChannelCredentials | TlsFiles

_DEFAULTS: dict[str, int | str] = {
    "grpc.primary_user_agent": f"authsvc-python/{__version__}",
    # gRPC itself waits a second before it connects again, and later two minutes: a worker that was replaced is back
    # sooner, and verifiers are to know within five seconds what they have missed.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
    # A line that died in silence is noticed within 40 s, also between calls. The service ends a connection that asks
    # for a sign of life more often than every 20 s.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.http2.max_pings_without_data": 0,  # no more after two would make the line above untrue
}
# A proxy named in the environment would be shown what must not leave this host.
_PLAINTEXT: dict[str, int | str] = {"grpc.enable_http_proxy": 0}

_HOST_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^][:/,%@]+))(?::[A-Za-z0-9-]+)?", re.ASCII)


class Way:
    """How channels to one target are opened: by ``tls`` where given, in plaintext to loopback or where allowed, else
    by TLS with the roots of the system. Raises ``ValueError`` when both ways are asked for, or files are no use."""

    def __init__(
        self, target: str, *, tls: Tls | None, allow_plaintext: bool, options: ChannelOptions, log: Logger
    ) -> None:
        if tls is not None and allow_plaintext:
            raise ValueError("give either tls or allow_plaintext, not both")
        self.target = target
        self._plaintext = tls is None and (allow_plaintext or is_loopback(target))
        self._files = FollowedFiles(tls, log) if isinstance(tls, TlsFiles) else None
        self._tls = None if isinstance(tls, TlsFiles) else tls
        self.may_show_certificate = tls is not None and not (isinstance(tls, TlsFiles) and tls.certificate is None)
        """Whether a certificate of this client's may go with it: into credentials made by gRPC nobody can look."""
        # A connection that another certificate was shown on is not shared.
        own = {"grpc.use_local_subchannel_pool": 1} if self._files else {}
        self.options = list({**_DEFAULTS, **(_PLAINTEXT if self._plaintext else own), **dict(options)}.items())

    def renewed(self) -> bool:
        """Whether files of ours have changed since this was last asked, and can be used."""
        return self._files is not None and self._files.renewed()

    def credentials(self) -> grpc.ChannelCredentials | None:
        """What a channel is opened with now; None: plaintext."""
        if self._plaintext:
            return None
        if self._files is not None:
            return self._files.credentials()
        return self._tls or grpc.ssl_channel_credentials()


def open_channel(way: Way) -> grpc.Channel:
    """A channel for callers that wait."""
    credentials = way.credentials()
    if credentials is None:
        return grpc.insecure_channel(way.target, options=way.options)
    return grpc.secure_channel(way.target, credentials, options=way.options)


def open_awaited_channel(way: Way) -> grpc.aio.Channel:
    """A channel for callers that await, in the event loop that runs."""
    credentials = way.credentials()
    if credentials is None:
        return grpc.aio.insecure_channel(way.target, options=way.options)
    return grpc.aio.secure_channel(way.target, credentials, options=way.options)


def is_loopback(target: str) -> bool:
    """Whether all of a gRPC target (``host:port``, ``dns:``, ``ipv4:``, ``ipv6:``, ``unix:``) is this host's own.

    What is not understood is not loopback. ``localhost`` is (RFC 6761, 6.3), unless another name server is asked.
    """
    scheme, colon, rest = target.partition(":")
    match scheme if colon else "":
        case "unix" | "unix-abstract":
            return True
        case "ipv4" | "ipv6":
            return all(map(_is_loopback_host, rest.split(",")))
        case "dns":
            return _is_loopback_host(rest.removeprefix("///"))
        case _:
            return _is_loopback_host(target)


def _is_loopback_host(text: str) -> bool:
    parts = _HOST_AND_PORT.fullmatch(text)
    if parts is None:
        return False
    host = parts[1] or parts[2]
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
