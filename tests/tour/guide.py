"""Reads docs/tour.md: the commands of its blocks, and what each is to answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BLOCK = re.compile(r"^```console(?P<more>[^\n]*)\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ "


@dataclass(frozen=True)
class Step:
    """A command, the lines that its output has in that order, and whether it takes grpcurl."""

    command: str
    answers: tuple[str, ...]
    grpcurl: bool


def steps(page: str) -> Iterator[Step]:
    """Every command of the page."""
    for block in BLOCK.finditer(page):
        command, *others = re.split(rf"^{re.escape(PROMPT)}", block["lines"], flags=re.MULTILINE)
        assert command == "", "a block begins with a command"
        for text in others:
            line, *answers = text.splitlines()
            yield Step(line, tuple(answers), block["more"].strip() == "grpcurl")


def script(chosen: Sequence[Step], marker: str) -> str:
    """One shell for all of them, as a reader would have it; a line with the marker ends the output of each."""
    return "".join(f"{step.command}\nprintf '\\n%s\\n' '{marker}'\n" for step in chosen)


def missing(step: Step, output: str) -> list[str]:
    """The answers that the output does not have, in their order; ``…`` stands for anything within a line."""
    rest, absent = output.splitlines(), []
    for answer in step.answers:
        pattern = re.compile(r"\s*" + ".*".join(map(re.escape, re.split(r"\s*…\s*", answer))) + r",?\s*")
        place = next((number for number, line in enumerate(rest) if pattern.fullmatch(line)), None)
        if place is None:
            absent.append(answer)
        else:
            rest = rest[place + 1 :]
    return absent
