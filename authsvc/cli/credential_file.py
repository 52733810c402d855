"""The file that a new credential goes to: reserved before the credential is made, because it is shown only once."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from authsvc.app.private_files import create_private, replace_private
from authsvc.cli.refusals import CommandFailed

FILE_UNUSABLE = "FILE_UNUSABLE"


class NewCredentialFile:
    """A file of mode 0600 that was not there before; given up again unless a credential was kept in it.

    Without a path nothing is done.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._kept = False

    def __enter__(self) -> Self:
        if self.path is not None:
            try:
                create_private(self.path, b"")
            except FileExistsError:
                raise CommandFailed(FILE_UNUSABLE, f"{self.path} is there already: name a new file") from None
            except OSError as fault:
                raise CommandFailed(FILE_UNUSABLE, f"{self.path} cannot be made: {fault.strerror}") from None
        return self

    def keep(self, credential: str) -> None:
        """Write the credential, whole or not at all."""
        if self.path is None:
            return
        try:
            replace_private(self.path, f"{credential}\n".encode())
        except OSError as fault:
            raise CommandFailed(
                FILE_UNUSABLE,
                f"the credential was made, but {self.path} cannot be written ({fault.strerror}), so it is lost: "
                "revoke it and rotate the account's credential again",
            ) from None
        self._kept = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.path is not None and not self._kept:
            self.path.unlink(missing_ok=True)
