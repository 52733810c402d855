"""Where the test vectors of others are: beside the repository, or where TEST_VECTORS says.

The variable has no ``AUTHSVC_`` before it: a server that a test starts refuses such a name as a misspelt setting.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "vectors"


def vector_file(name: str, environ: Mapping[str, str] = os.environ) -> Any:
    """The content of a vector file; skips the test where there are none, and fails it where CI is set."""
    directory = Path(environ.get("TEST_VECTORS") or BESIDE_THE_REPOSITORY)
    path = directory / name
    if path.is_file():
        return json.loads(path.read_text())
    reason = f"there is no {name} at {directory}; TEST_VECTORS can name another place"
    if environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
