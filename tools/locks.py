"""The locks: requirements.txt is what the server needs, requirements-dev.txt what work on it needs.

`compile` writes both from pyproject.toml; `check` proves, without a network, that they are what the
Makefile relies on: hashed, free of addresses, satisfying pyproject.toml, and the first a part of the second.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
RUN_LOCK = ROOT / "requirements.txt"
DEV_LOCK = ROOT / "requirements-dev.txt"

COMPILE = (
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"),
    "pyproject.toml",
)
# The server with every backend it knows; work on the project needs what is optional too.
RUN_EXTRAS = ("server", "postgres")
DEV_EXTRAS = (*RUN_EXTRAS, "otel", "sentry")
ADDRESS = re.compile(r"://|^\s*-|\s@\s", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def entries(text: str) -> Iterator[str]:
    """Each pin or option with what belongs to it, on one line."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def addressed(entry: str) -> bool:
    """Whether an entry names where a package comes from, or is anything but a hashed pin."""
    rest = HASH.sub("", entry)
    return "--" in rest or ADDRESS.search(rest) is not None


def pins(text: str) -> dict[str, list[Requirement]]:
    """The pins of a lock by canonical name; several where versions differ by environment marker."""
    found: dict[str, list[Requirement]] = {}
    for entry in entries(text):
        if not addressed(entry):
            pin = Requirement(HASH.sub("", entry))
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def wanted(project: dict[str, object], extras: Iterable[str], *groups: str) -> list[Requirement]:
    """What pyproject.toml asks for: its dependencies and those of the named extras and groups."""
    metadata = project["project"]
    named = project["dependency-groups"]
    assert isinstance(metadata, dict)
    assert isinstance(named, dict)
    texts = [*metadata["dependencies"]]
    for extra in extras:
        texts += metadata["optional-dependencies"][extra]
    for group in groups:
        texts += [item for item in named[group] if isinstance(item, str)]
    return [Requirement(text) for text in texts]


def unsatisfied(requirements: Iterable[Requirement], locked: dict[str, list[Requirement]]) -> Iterator[str]:
    """The requirements that no pin, or a pin outside the allowed versions, stands for."""
    for requirement in requirements:
        chosen = locked.get(canonicalize_name(requirement.name), [])
        if not chosen:
            yield f"{requirement} is not locked"
        for pin in chosen:
            if not requirement.specifier.contains(version(pin), prereleases=True):
                yield f"{requirement} is locked as {version(pin)}"


def version(pin: Requirement) -> str:
    """The one version a pin allows."""
    return str(pin.specifier).removeprefix("==")


def versions(chosen: Iterable[Requirement]) -> set[str]:
    """The versions that the pins of a package allow."""
    return {version(pin) for pin in chosen}


def problems(project: dict[str, object], run: str, dev: str) -> Iterator[str]:
    """Everything that is wrong with the two locks, as sentences."""
    run_pins, dev_pins = pins(run), pins(dev)
    for lock, text in ((RUN_LOCK, run), (DEV_LOCK, dev)):
        yield from (f"{lock.name} holds an address or option: {entry}" for entry in entries(text) if addressed(entry))
        yield from (f"{lock.name} has no hash for {entry}" for entry in entries(text) if not HASH.search(entry))
    yield from (f"requirements.txt: {fault}" for fault in unsatisfied(wanted(project, RUN_EXTRAS, "build"), run_pins))
    needed = wanted(project, DEV_EXTRAS, "build", "dev")
    yield from (f"requirements-dev.txt: {fault}" for fault in unsatisfied(needed, dev_pins))
    # Markers may differ: what only some machines need to serve, work on the project may need on all.
    different = [name for name, chosen in run_pins.items() if versions(chosen) != versions(dev_pins.get(name, []))]
    yield from (f"{name} differs between the two locks" for name in different)


def check() -> int:
    """Print every problem; the exit code says whether there was one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = list(problems(project, RUN_LOCK.read_text(), DEV_LOCK.read_text()))
    for problem in found:
        print(f"{problem} (make lock writes both again)")
    return 1 if found else 0


def compile_locks(*options: str) -> int:
    """Write both locks; pins already there are kept unless `--upgrade` is given."""
    uv = str(Path(sys.executable).with_name("uv"))
    commands = (
        (*_flags(DEV_EXTRAS), "--group", "dev", "-o", DEV_LOCK.name),
        (*_flags(RUN_EXTRAS), "--group", "build", "-c", DEV_LOCK.name, "-o", RUN_LOCK.name),
    )
    for command in commands:
        done = subprocess.run([uv, *COMPILE, *command, *options], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            return done.returncode
    return check()


def _flags(extras: Iterable[str]) -> Iterator[str]:
    for extra in extras:
        yield from ("--extra", extra)


if __name__ == "__main__":
    sys.exit(compile_locks(*sys.argv[2:]) if sys.argv[1:2] == ["compile"] else check())
