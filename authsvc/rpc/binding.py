"""Whether an address is free, found out before gRPC tries: where that fails, it writes lines of its own to stderr."""

from __future__ import annotations

import socket
from contextlib import closing


def could_be_bound(address: str) -> bool:
    """Whether any of the places that ``host:port`` stands for can be listened on now.

    Bound as gRPC binds it, so that neither sees what the other does not, and given back at once: who is faster in
    between makes gRPC fail, with its lines. What is not understood here is left to gRPC.
    """
    host, _, port = address.rpartition(":")
    try:
        places = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError:
        return True
    return any(_is_free(family, where) for family, _, _, _, where in places)


def _is_free(family: socket.AddressFamily, where: tuple[object, ...]) -> bool:
    try:
        with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            # Without it a port whose connections ended a moment ago would seem taken; one that is listened on does.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError:
        return False
    return True
