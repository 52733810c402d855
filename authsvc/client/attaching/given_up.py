"""What is there instead of a call that its caller no longer wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Self

import grpc

GIVEN_UP = "given up by the caller"


class GivenUp(grpc.RpcError, grpc.Call):
    """Takes the place of a call that was given up before it was made; as of gRPC's own, it is also what is raised."""

    def __init__(self) -> None:
        super().__init__(GIVEN_UP)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> NoReturn:
        raise self

    def result(self, timeout: float | None = None) -> NoReturn:  # noqa: ARG002 - nothing is waited for
        """Raises ``grpc.FutureCancelledError``, as do ``exception`` and ``traceback``."""
        raise grpc.FutureCancelledError

    exception = traceback = result

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        """Call it now."""
        fn(self)

    def code(self) -> grpc.StatusCode:
        """CANCELLED."""
        return grpc.StatusCode.CANCELLED

    def details(self) -> str:
        """By whom."""
        return GIVEN_UP

    def initial_metadata(self) -> tuple[()]:
        """None came."""
        return ()

    def trailing_metadata(self) -> tuple[()]:
        """None came."""
        return ()

    def is_active(self) -> bool:
        """No."""
        return False

    def done(self) -> bool:
        """Yes."""
        return True

    def cancelled(self) -> bool:
        """Yes."""
        return True

    def cancel(self) -> bool:
        """It is."""
        return False

    def time_remaining(self) -> Any:
        """None is kept."""

    def add_callback(self, callback: Any) -> bool:  # noqa: ARG002 - it has ended
        """It would not be called."""
        return False
