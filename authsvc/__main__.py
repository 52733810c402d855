"""The entry of the ``authsvc`` command and of ``python -m authsvc``."""

from __future__ import annotations

import sys

_OF_THE_SERVER_EXTRA = frozenset({"typer", "rich"})


def main() -> None:
    """Run the command line, or say what to install where only the client was."""
    try:
        from authsvc.cli.main import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _OF_THE_SERVER_EXTRA:
            raise
        sys.exit("the authsvc command needs the server extra: pip install 'authsvc[server]'")
    run()


if __name__ == "__main__":
    main()
