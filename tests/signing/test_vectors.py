"""Vectors that are not there are never taken for vectors that agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.signing.vectors import vector_file


def test_they_are_read_from_where_the_variable_says(tmp_path: Path) -> None:
    """TEST_VECTORS names the directory."""
    (tmp_path / "some.json").write_text(json.dumps({"a": 1}))
    assert vector_file("some.json", {"TEST_VECTORS": str(tmp_path), "CI": "true"}) == {"a": 1}


def test_without_them_a_test_is_skipped_with_the_reason(tmp_path: Path) -> None:
    """On a machine without the vectors a test says where it looked for them."""
    with pytest.raises(pytest.skip.Exception, match=str(tmp_path)):
        vector_file("some.json", {"TEST_VECTORS": str(tmp_path)})


def test_without_them_ci_fails(tmp_path: Path) -> None:
    """Where CI is set, missing vectors are a failure."""
    with pytest.raises(pytest.fail.Exception, match=str(tmp_path)):
        vector_file("some.json", {"TEST_VECTORS": str(tmp_path), "CI": "true"})
