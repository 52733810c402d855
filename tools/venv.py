"""Make the virtual environment, or say what is missing.

Runs on the machine's own python3 before anything is installed: the standard library only, and
syntax plain enough that an old Python gets as far as the message.
"""

from __future__ import annotations

import subprocess
import sys

OLDEST = (3, 11)


def problem() -> str | None:
    """What keeps this Python from making the environment: a sentence that helps, or None."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        return f"authsvc needs Python 3.11 or newer, this is {found}; choose another: make PYTHON=/path/to/python3"
    try:
        import ensurepip  # noqa: F401, PLC0415 - only asks whether it is there
        import venv  # noqa: F401, PLC0415 - only asks whether it is there
    except ImportError:
        return "this Python cannot make virtual environments; on Debian or Ubuntu: apt-get install python3-venv"
    return None


def main(directory: str) -> int:
    """Make the environment in `directory`, or complete one that was left half made."""
    message = problem()
    if message:
        sys.exit(message)
    return subprocess.call([sys.executable, "-m", "venv", directory])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
