"""A gRPC service of your own that takes calls only from users with a good token, checked without asking for each.

``python -m examples.orders_service 127.0.0.1:50061``, until Ctrl-C. It stands for any service whose code is generated
from a proto: the rules name its methods, and the methods ask who calls.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from authsvc.client import AuthClient, Rule, TokenAuthInterceptor, TokenVerifier, current_token
from examples.surroundings import argument, settings

RULES: Mapping[str, Rule] = {
    "/shop.v1.Orders/Get": Rule(),  # any user
    "/shop.v1.Orders/Follow": Rule(),
    "/shop.v1.Orders/Cancel": Rule(any_role_of=["admin"]),
    "/shop.v1.Orders/Watch": Rule(call_cid=bytes.decode),  # also whoever has a token for that livestream alone
    "/shop.v1.Orders/Ping": Rule(open=True),
}
"""A method that is not here is refused to everyone."""


class Orders(grpc.GenericRpcHandler):
    """The methods; requests are bytes, so that the example needs no generated code."""

    def service(self, call_details: grpc.HandlerCallDetails) -> Any:
        """By name."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods: dict[str, Any] = {"Get": unary(self.get), "Cancel": unary(self.cancel), "Watch": stream(self.watch)}
        methods |= {"Follow": stream(self.follow), "Ping": unary(self.ping), "Forgotten": unary(self.get)}
        return methods.get(call_details.method.rpartition("/")[2])

    def get(self, order: bytes, _: grpc.ServicerContext) -> bytes:
        """An order, of whoever asks."""
        return f"{order.decode()} of {current_token().user_id}".encode()

    def follow(self, order: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
        """What becomes of an order."""
        for news in ("packed", "sent"):
            yield f"{order.decode()} of {current_token().user_id}: {news}".encode()

    def cancel(self, order: bytes, _: grpc.ServicerContext) -> bytes:
        """The end of an order."""
        return b"cancelled " + order

    def watch(self, stream: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
        """What is sold in a livestream."""
        yield f"{current_token().user_id} watches {stream.decode()}".encode()

    def ping(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        """Whether the service is there."""
        return request


@contextmanager
def serving(target: str, credential: str, api_key: str, listen: str) -> Iterator[str]:
    """Serve the shop's users; gives the address. The account needs the permission ``trust.read``."""
    with AuthClient(target, credential) as client, TokenVerifier(client, api_key) as verifier:
        verifier.wait_ready()
        interceptor = TokenAuthInterceptor(verifier, RULES)
        server = grpc.server(ThreadPoolExecutor(16), handlers=[Orders()], interceptors=[interceptor])
        port = server.add_insecure_port(listen)
        server.start()
        try:
            yield f"{listen.rpartition(':')[0]}:{port}"
        finally:
            server.stop(grace=5).wait()


def main() -> int:
    """Serve until a signal says to end."""
    target, credential, api_key = settings("AUTHSVC_TARGET", "AUTHSVC_CREDENTIAL", AUTHSVC_API_KEY="dev")
    listen = argument("the address to listen on, 127.0.0.1:50061 say")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serving(target, credential, api_key, listen) as address:
        print(f"orders on {address}", flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
