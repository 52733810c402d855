"""The service credential on each call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from authsvc.logs import SecretText


class BearerCredential(grpc.UnaryUnaryClientInterceptor):
    """Sends ``authorization: Bearer <credential>`` with each call of a channel; does not print it."""

    def __init__(self, credential: SecretText) -> None:
        self._credential = credential

    def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Add the credential to the call's metadata and go on."""
        return continuation(self._with_credential(client_call_details), request)

    def _with_credential(self, details: grpc.ClientCallDetails) -> grpc.ClientCallDetails:
        own = (("authorization", f"Bearer {self._credential.reveal()}"),)
        return _CallDetails(
            method=details.method,
            timeout=details.timeout,
            metadata=(*(details.metadata or ()), *own),
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
            compression=details.compression,
        )


def presentable(credential: str | SecretText) -> SecretText:
    """The credential as a secret; raises ``ValueError``, without showing it, for what metadata cannot carry."""
    secret = credential if isinstance(credential, SecretText) else SecretText(credential)
    text = secret.reveal()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the credential is empty or has spaces, line ends or characters outside ASCII")
    return secret


@dataclass(frozen=True, slots=True)
class _CallDetails(grpc.ClientCallDetails):
    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str | bytes], ...] | None = field(repr=False)
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None
