"""An existing secret, read from a file or standard input: never an argument, which every list of processes shows."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

STANDARD_INPUT = Path("-")

# More than any secret that the service accepts, so that the service refuses what is larger.
_MAX_READ = 64 * 1024


def read_secret(file: Path | None) -> bytes:
    """The bytes of the file without one newline at the end, which editors add; empty for no file."""
    if file is None:
        return b""
    try:
        text = _bytes_of(file)
    except OSError as fault:
        raise typer.BadParameter(f"cannot be read: {fault.strerror}", param_hint="--secret-file") from None
    secret = text.removesuffix(b"\r\n") if text.endswith(b"\r\n") else text.removesuffix(b"\n")
    if not secret:
        # To the service an empty secret means: make a key.
        raise typer.BadParameter("is empty", param_hint="--secret-file")
    return secret


def warn_of_weak_secret() -> None:
    """Say on standard error that an imported secret can be guessed, for the answer stays for programs."""
    sentence = "the imported secret is shorter than the 32 bytes that HS256 asks for: whoever guesses it mints tokens"
    print(f"WARNING: {sentence}", file=sys.stderr)


def _bytes_of(file: Path) -> bytes:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read(_MAX_READ)
    with file.open("rb") as opened:
        return opened.read(_MAX_READ)
