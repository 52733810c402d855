"""The shape of an event: when and where it was logged, then its fields, redacted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from authsvc.logs.redaction import redact_into

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authsvc.logs.logger import Origin


class EventShape:
    """The structlog processor that makes of bound and given fields the event that sinks get.

    `at` (RFC 3339, UTC, microseconds), `scope`, `tags` (where there are any), then the fields.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._second = (datetime.min.replace(tzinfo=UTC), "")

    def __call__(self, origin: Origin, _method: str, fields: Mapping[str, object]) -> dict[str, Any]:
        event: dict[str, Any] = {"at": self._rfc3339(self._clock()), "scope": origin.scope}
        if origin.tags:
            event["tags"] = origin.tags
        return redact_into(event, fields)

    def _rfc3339(self, now: datetime) -> str:
        # A third of the price of isoformat: the text of a second is kept for the events that
        # follow in it. Threads may each put theirs there; every pair is right by itself.
        start, text = self._second
        since = now - start
        if since.days or since.seconds:
            start = now.astimezone(UTC).replace(microsecond=0)
            text = start.isoformat()[: len("2000-01-01T00:00:00")] + "."
            self._second = start, text
            since = now - start
        return text + str(1_000_000 + since.microseconds)[1:] + "Z"
