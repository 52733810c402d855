"""One table, in Markdown, of what the long proofs have left behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

NAME = "results.md"
MOST_NUMBERS = 8
"""How many of a part's numbers stand in the table; its file holds all of them."""

Record = Mapping[str, object]

_HEAD = ("part", "how often", "passed", "seconds", "commit", "date, UTC", "numbers")
_ALWAYS = {"part", "passed", "took_s", "numbers", "faults", "commit", "uncommitted changes", "date", "python", "cpus"}


def write_table(folder: Path, parts: Sequence[str]) -> str:
    """Write the table of the results in ``folder`` beside them and return it; ``parts``: all that there could be."""
    kept = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    text = table(kept, parts)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_text(text)
    return text


def table(records: Iterable[Record], parts: Sequence[str]) -> str:
    """A row for each result, in the order of ``parts``; below it how long they took, and which have none."""
    known = {str(record["part"]): record for record in records}
    names = [*(name for name in parts if name in known), *(name for name in known if name not in parts)]
    rows = [_HEAD, ("---",) * len(_HEAD), *(_row(known[name]) for name in names)]
    minutes = sum(float(str(record["took_s"])) for record in known.values()) / 60
    below = [f"{len(names)} results, {minutes:.1f} minutes together. A commit with + had uncommitted changes."]
    if missing := [name for name in parts if name not in known]:
        below.append(f"No result: {', '.join(missing)}.")
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", *below]) + "\n"


def _row(record: Record) -> tuple[str, ...]:
    # The count stands in the file under the name of its unit.
    count = ", ".join(f"{value} {name}" for name, value in record.items() if name not in _ALWAYS)
    faults = record["faults"]
    passed = "yes" if record["passed"] else f"NO, {len(faults) if isinstance(faults, list) else 0} faults"
    commit = str(record["commit"])[:7] + ("+" if record["uncommitted changes"] else "")
    date = str(record["date"])[:16].replace("T", " ")
    return str(record["part"]), count, passed, str(record["took_s"]), commit, date, _main(record["numbers"])


def _main(numbers: object) -> str:
    told = list(_flat(numbers, ""))
    return "; ".join(told[:MOST_NUMBERS] + ["…"] * (len(told) > MOST_NUMBERS))


def _flat(value: object, name: str) -> Iterator[str]:
    """A number with its name; of numbers within numbers each, with both names."""
    if isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _flat(one, f"{name}, {inner}" if name else str(inner))
    else:
        shown = " and ".join(map(str, value)) if isinstance(value, list) else value
        yield f"{name} {shown}"
