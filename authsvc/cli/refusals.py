"""How a command that fails says so: on standard error, for people or as JSON, and by its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from authsvc.cli.words import harmless

FAILED = 1
"""The exit code of what was refused or failed; wrong usage is 2, Ctrl-C 130."""


class CommandFailed(Exception):
    """A command that cannot be done: a reason that programs compare, a sentence for people, faults by field.

    A fault with an ``option`` is told to people by the name that it has on the command line.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        violations: Sequence[Mapping[str, str]] = (),
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.violations = violations
        self.more = more or {}

    def document(self) -> dict[str, Any]:
        """The error for programs."""
        faults = [{name: fault[name] for name in fault if name != "option"} for fault in self.violations]
        return {"error": {"reason": self.reason, "message": self.message, "violations": faults, **self.more}}

    def lines(self) -> list[str]:
        """The error for people."""
        faults = [f"  {fault.get('option', fault['field'])}: {fault['description']}" for fault in self.violations]
        return [f"{self.reason}: {self.message}", *faults]


@contextmanager
def refusals(as_json: bool) -> Iterator[None]:
    """Tell a ``CommandFailed`` of the block on standard error and end with exit code 1."""
    try:
        yield
    except CommandFailed as failed:
        text = json.dumps(failed.document(), indent=2) if as_json else "\n".join(map(harmless, failed.lines()))
        print(text, file=sys.stderr)
        raise typer.Exit(FAILED) from None


@contextmanager
def usage_of(option: str) -> Iterator[None]:
    """Turn a ``ValueError`` of the block into wrong usage of ``option``: exit code 2."""
    try:
        yield
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint=option) from None
