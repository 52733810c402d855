"""What the tests of AdminService share: a scene on a running server."""

from __future__ import annotations

import pytest

from tests.admin_rpc.asking import Scene, a_scene
from tests.conftest import RunningServer


@pytest.fixture
def scene(server: RunningServer) -> Scene:
    """A server with apps, an account and callers."""
    return a_scene(server)
