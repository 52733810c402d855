"""The service credential on each call."""

from __future__ import annotations

from authsvc.logs import SecretText

Metadata = tuple[tuple[str, str], ...]


class Bearer:
    """What ``authorization: Bearer <credential>`` is made from, call by call; does not print the credential.

    Not a gRPC interceptor: behind one, grpcio 1.85 looks each method up anew for each call, and a call on a channel
    that was closed meanwhile ends the process with a segmentation fault instead of a ``ValueError``.
    """

    def __init__(self, credential: str | SecretText | None) -> None:
        self._credential = None if credential is None else _presentable(credential)

    def metadata(self) -> Metadata:
        """The metadata of one call: nothing without a credential."""
        return () if self._credential is None else (("authorization", f"Bearer {self._credential.reveal()}"),)


def _presentable(credential: str | SecretText) -> SecretText:
    """The credential as a secret; raises ``ValueError``, without showing it, for what metadata cannot carry."""
    secret = credential if isinstance(credential, SecretText) else SecretText(credential)
    text = secret.reveal()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the credential is empty or has spaces, line ends or characters outside ASCII")
    return secret
