"""What users of either kind of user client are told, and what is made of their wishes."""

from __future__ import annotations

import pytest

from authsvc.client import EndUser
from authsvc.client.tokens.access_token import read_access_token
from tests.client.kinds import Kind, closing, have, run
from tests.client.tokens.made import Machine
from tests.conftest import HandClock, RunningServer


@pytest.fixture
def machine(clock: HandClock) -> Machine:
    """Clocks, alarms and threads that are moved by hand, with the clock that the server has too."""
    return Machine(clock)


def test_who_watches_without_a_list_watches_all(kind: Kind, server: RunningServer, machine: Machine) -> None:
    """A backend need not name calls where the app allows that; a front end has to, and hears it before any call."""
    server.new_app("free", anonymous_enabled=True, allow_unscoped_anonymous=True, public_anonymous_cids=("a:*",))

    async def test() -> None:
        parts = kind.parts(machine)
        async with closing(kind.user(server.target, "free", credential=server.credential, **parts)) as backend:
            assert (await have(backend.connect_user(EndUser.anonymous()))).id == "!anon"
            token = read_access_token(await have(backend.token()))
            assert (token.call_cids, token.channel_cids) == ((), ())
        async with closing(kind.user("127.0.0.1:1", "free", **parts)) as front:
            with pytest.raises(ValueError, match="name the calls or channels: a front end's anonymous user needs"):
                await have(front.connect_user(EndUser.anonymous()))

    run(test)
