"""A machine that lacks something is told what to install, before anything is tried."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.locks import ROOT

SCRIPT = """
import runpy, sys
{lacking}
sys.argv = ["venv.py", "/nonexistent/venv"]
runpy.run_path("tools/venv.py", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("lacking", "advice"),
    [
        ("sys.modules['ensurepip'] = None", "apt-get install python3-venv"),
        ("sys.modules['venv'] = None", "apt-get install python3-venv"),
        ("sys.version_info = (3, 9, 2)", "needs Python 3.11 or newer, this is 3.9"),
    ],
)
def test_what_is_missing_is_named(lacking: str, advice: str) -> None:
    """No venv module, no ensurepip or an old Python ends with one sentence that helps, not with a traceback."""
    command = [sys.executable, "-c", SCRIPT.format(lacking=lacking)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert advice in result.stderr
    assert "Traceback" not in result.stderr
