"""What is told of tokens that do not come, by either kind of manager."""

from __future__ import annotations

import pytest

from authsvc.client.tokens import faults
from authsvc.client.tokens.renewal import RENEWED_ON
from authsvc.model import TokenStatus
from tests.client.kinds import Kind, closing, have, run
from tests.client.tokens.made import Machine, living


@pytest.fixture
def machine() -> Machine:
    """Clocks, alarms and threads that are moved by hand."""
    return Machine()


@pytest.mark.parametrize("status", sorted(RENEWED_ON))
def test_a_token_without_a_successor_is_called_what_it_is(kind: Kind, machine: Machine, status: TokenStatus) -> None:
    """Expired where it expired, else by the verdict that the service told: then, and to each who asks later."""
    text = living(machine.clock)
    told = faults.TokenExpired if status is TokenStatus.EXPIRED else faults.TokenRefused
    says = "the token has expired" if status is TokenStatus.EXPIRED else f"the service answers {status}"

    async def test() -> None:
        async with closing(kind.manager("sara", token=text, **kind.parts(machine))) as manager:
            for _ in range(2):
                with pytest.raises(told, match=f"{says}, and there is no token provider"):
                    await have(manager.renewed(text, status))
            with pytest.raises(told, match=says):
                await have(manager.token())
        async with closing(kind.manager("sara", lambda _: text, token=text, **kind.parts(machine))) as manager:
            with pytest.raises(told, match=f"{says}, and the token provider gave the same token again"):
                await have(manager.renewed(text, status))

    run(test)
