"""The channel to the service: TLS, and plaintext only where nobody else can listen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

import grpc

from authsvc import __version__

ChannelOptions = Sequence[tuple[str, int | str]]

_DEFAULTS: dict[str, int | str] = {
    "grpc.primary_user_agent": f"authsvc-python/{__version__}",
    # gRPC itself waits a second before it connects again: a worker that was replaced is back sooner.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 5_000,
}
# A proxy named in the environment would be shown what must not leave this host.
_PLAINTEXT: dict[str, int | str] = {"grpc.enable_http_proxy": 0}

_HOST_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^][:/,%@]+))(?::[A-Za-z0-9-]+)?", re.ASCII)


def open_channel(
    target: str, *, tls: grpc.ChannelCredentials | None, allow_plaintext: bool, options: ChannelOptions
) -> grpc.Channel:
    """A channel to ``target``: by ``tls`` where given, in plaintext to loopback or where allowed, else by TLS with
    the roots of the system. Raises ``ValueError`` when both ways are asked for."""
    if tls is not None and allow_plaintext:
        raise ValueError("give either tls or allow_plaintext, not both")
    if tls is None and (allow_plaintext or is_loopback(target)):
        return grpc.insecure_channel(target, options=_merged(_PLAINTEXT, options))
    return grpc.secure_channel(target, tls or grpc.ssl_channel_credentials(), options=_merged({}, options))


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


def _merged(wanted: dict[str, int | str], options: ChannelOptions) -> list[tuple[str, int | str]]:
    return list({**_DEFAULTS, **wanted, **dict(options)}.items())
