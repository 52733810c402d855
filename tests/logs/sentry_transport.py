"""The way out of sentry-sdk, kept instead of sent."""

from __future__ import annotations

from typing import Any

from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from authsvc.logs import SecretText

DSN = SecretText("https://public:the-password-of-the-dsn@sentry.invalid/7")


class KeepingTransport(Transport):
    """What comes here would be on the network next."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [item.payload.json for envelope in self.envelopes for item in envelope.items]  # type: ignore[misc]

    @property
    def wire(self) -> bytes:
        """Everything as it would be sent."""
        return b"".join(envelope.serialize() for envelope in self.envelopes)
