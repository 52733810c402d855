"""Somebody without an account watches a livestream, with a token that is good for that one call.

``python -m examples.livestream_viewer livestream:1``. The app must let everyone watch: ``anonymous_enabled``, and
``public_anonymous_cids`` with a pattern that the call matches.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from authsvc.client import EndUser, PermissionDenied, UserClient
from examples.surroundings import argument, settings


@contextmanager
def viewer(target: str, api_key: str, call_cid: str) -> Iterator[UserClient]:
    """A client that may watch the call; no credential, no user id, nothing to keep."""
    with UserClient(target, api_key, auto_connect=False) as client:
        client.connect_user(EndUser.anonymous([call_cid]))
        yield client


def watch(client: UserClient, stage: grpc.Channel, method: str) -> Iterator[bytes]:
    """What comes on the stage; the stream is opened with the viewer's token."""
    channel = client.intercept(stage)
    yield from channel.unary_stream(method)(b"watch")  # type: ignore[arg-type]  # bytes need no serializer


def main() -> int:
    """Print who we are and what we may watch."""
    target, api_key = settings("AUTHSVC_TARGET", AUTHSVC_API_KEY="dev")
    call_cid = argument("the call to watch, livestream:1 say")
    try:
        with viewer(target, api_key, call_cid) as client:
            token = client.tokens.current()
            if token is not None:
                print(token.user_id, "may watch", *token.call_cids)
    except PermissionDenied as refused:
        print(f"{call_cid} is not open to everyone in the app {api_key}: {refused.reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
