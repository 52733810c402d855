"""Where answers go: tables for people, one JSON document for programs, both on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from authsvc.cli.words import harmless, whole_numbers

Fact = tuple[str, str]
"""A name and its value, both for people."""

# Where nobody watches, nothing needs to fit: a line is as long as what it says.
_WIDTH_OF_A_PIPE = 100_000


def json_of(message: Message) -> dict[str, Any]:
    """A message as JSON with the names of the proto, values that are not set included."""
    document = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return {name: whole_numbers(value) for name, value in document.items()}


def print_json(document: object) -> None:
    """Print the one document of this command. Beyond ASCII all is escaped, so no terminal obeys it."""
    print(json.dumps(document, indent=2))


def print_facts(facts: Iterable[Fact]) -> None:
    """Print names and values in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(name), Text(harmless(value)))
    _print(table)


def print_listing(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table with headings. Nothing is cut: what does not fit a terminal goes on in the next line."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, name in enumerate(columns):
        table.add_column(name, overflow="fold", no_wrap=place == 0)  # the first is what people copy
    for row in rows:
        table.add_row(*(Text(harmless(value)) for value in row))
    _print(table)


def print_secret(name: str, text: str) -> None:
    """Print what is meant to be copied: on a line of its own that no table folds."""
    print(f"\n{name}:\n{harmless(text)}")


def _print(table: Table) -> None:
    width = None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as lines:
        console.print(table)
    for line in lines.get().splitlines():
        print(line.rstrip())  # rich fills the last column up with spaces
