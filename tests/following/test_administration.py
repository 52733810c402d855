"""Operators need not know which server they talk to: what one made, the other finds when it is asked for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

import grpc

from authsvc.v1 import admin_pb2 as pb
from tests.following.pair import Pair, reason_of
from tests.rpc.surface import eventually

UNKNOWN = ("SERVICE_ACCOUNT_NOT_FOUND", "APP_NOT_FOUND")
Answer = TypeVar("Answer")


def a_name() -> str:
    """A name that is new: the servers are shared."""
    return f"edge-{secrets.token_hex(8)}"


def found(call: Callable[[], Answer]) -> Answer:
    """What the call answers once the server has looked: it does so four times a second, and asked by others too."""

    def ask() -> Answer | None:
        try:
            return call()
        except grpc.RpcError as error:
            if reason_of(error) not in UNKNOWN:
                raise
            return None

    answer = eventually(ask, lambda seen: seen is not None)
    assert answer is not None
    return answer


def test_an_account_made_here_is_changed_there(pair: Pair) -> None:
    """By its id and its etag: it is the same account in every server."""
    first, second = pair.peers
    request = pb.CreateServiceAccountRequest(name=a_name(), permissions=["trust.read"], apps=["dev"])
    made = first.admin.CreateServiceAccount(request, metadata=first.metadata, timeout=10).service_account
    disable = pb.DisableServiceAccountRequest(id=made.id, etag=made.etag)
    changed = found(lambda: second.admin.DisableServiceAccount(disable, metadata=second.metadata, timeout=10))
    assert (changed.service_account.disabled, changed.service_account.etag != made.etag) == (True, True)


def test_an_account_is_for_an_app_that_was_made_elsewhere(pair: Pair) -> None:
    """An app of the other server is no typing mistake, neither for a new account nor for one that is there."""
    first, second = pair.peers
    apps = sorted(a_name() for _ in range(2))
    first.admin.CreateApp(pb.CreateAppRequest(api_key=apps[0]), metadata=first.metadata, timeout=10)
    request = pb.CreateServiceAccountRequest(name=a_name(), permissions=["trust.read"], apps=[apps[0]])
    made = found(lambda: second.admin.CreateServiceAccount(request, metadata=second.metadata, timeout=10))
    second.admin.CreateApp(pb.CreateAppRequest(api_key=apps[1]), metadata=second.metadata, timeout=10)
    update = pb.UpdateServiceAccountRequest(id=made.service_account.id, apps=apps)
    update.update_mask.paths.append("apps")
    changed = found(lambda: first.admin.UpdateServiceAccount(update, metadata=first.metadata, timeout=10))
    assert list(changed.service_account.apps) == apps
