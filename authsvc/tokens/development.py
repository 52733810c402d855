"""Development tokens in use are said aloud: nobody has signed them, and they must not be forgotten in production."""

from __future__ import annotations

from datetime import datetime, timedelta

from authsvc.clock import Clock
from authsvc.logs import Logger
from authsvc.model import ApiKey

EVERY = timedelta(minutes=1)


class DevelopmentNotice:
    """One warning an app and minute, however many tokens are accepted."""

    def __init__(self, log: Logger, *, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._last: dict[ApiKey, datetime] = {}

    def accepted(self, api_key: ApiKey) -> None:
        """A development token of that app was accepted."""
        now = self._clock()
        last = self._last.get(api_key)
        # A clock that went backwards must not silence the warning until it has caught up.
        if last is None or not timedelta(0) <= now - last < EVERY:
            self._last[api_key] = now
            self._log.warn("development tokens are accepted: anyone can make them", app=api_key)
