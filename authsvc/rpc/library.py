"""What the gRPC library does and its type stubs do not say."""

from __future__ import annotations

import grpc


def status_code(context: grpc.ServicerContext) -> grpc.StatusCode | None:
    """The status set so far; None: none yet. Part of the library since 1.45, missing from its stubs."""
    code: grpc.StatusCode | None = context.code()  # type: ignore[attr-defined]
    return code
