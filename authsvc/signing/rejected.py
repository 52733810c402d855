"""The one way in which a token is found wanting."""

from __future__ import annotations

from authsvc.model import TokenStatus


class Rejected(Exception):
    """A token did not pass a layer: ``status`` is the answer, ``detail`` is for the log only.

    Not an ``AuthError``: a bad token is an answer about a token, never a failure of the call (RFC 7662, 2.2).
    """

    def __init__(self, status: TokenStatus, detail: str = "") -> None:
        super().__init__(status.value)
        self.status = status
        self.detail = detail
