"""From the options of commands that end something to the request, and what is printed when it has ended."""

from __future__ import annotations

from authsvc.cli.connection import connected
from authsvc.cli.output import json_of, print_facts, print_json
from authsvc.v1.auth_pb2 import RevokeTokensRequest


def revoke(request: RevokeTokensRequest, what: str, *, app: str, as_json: bool) -> None:
    """End the target and tell from which revision on it has ended."""
    with connected(as_json) as connection:
        request.api_key = app or connection.api_key
        answer = connection.client.revoke_tokens(request)
    if as_json:
        print_json(json_of(answer))
    else:
        print_facts([("revoked", what), ("revision", str(answer.revision))])
