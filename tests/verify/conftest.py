"""Every verdict is asked for twice: of a verifier that never saw the token, and of one that remembers it."""

from __future__ import annotations

import pytest

from tests.verify.workshop import FirstLook, Remembered, World


@pytest.fixture
def world() -> World:
    """Two apps with a key each, and a clock that stands still."""
    return World()


@pytest.fixture(params=[FirstLook, Remembered])
def judge(request: pytest.FixtureRequest, world: World) -> FirstLook:
    """A judge on either path."""
    look: FirstLook = request.param(world)
    return look
