"""The bench runs as a whole, or not at all."""

from __future__ import annotations

import pytest

from bench.__main__ import main


@pytest.mark.parametrize("argument", ["--quick", "verifier"])
def test_an_argument_that_is_none_of_its_own_is_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not taken for the wish to measure everything."""
    with pytest.raises(SystemExit) as ended:
        main([argument])
    assert ended.value.code == 2
    assert f"unrecognized arguments: {argument}" in capsys.readouterr().err


def test_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Asked for help it measures nothing."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "BENCH_CALLS" in capsys.readouterr().out
