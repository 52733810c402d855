"""What the examples are told from outside: settings in the environment, and an argument."""

from __future__ import annotations

import os
import sys


def settings(*required: str, **defaults: str) -> list[str]:
    """The values of those variables, in their order; ends the program with a sentence where one is missing."""
    missing = [name for name in required if not os.environ.get(name)]
    if missing:
        raise SystemExit(f"set {' and '.join(missing)}: examples/README.md says how")
    return [os.environ[name] for name in required] + [os.environ.get(name) or defaults[name] for name in defaults]


def argument(what: str) -> str:
    """The first argument; ends the program with a sentence where there is none."""
    if len(sys.argv) < 2:
        raise SystemExit(f"give {what}")
    return sys.argv[1]
