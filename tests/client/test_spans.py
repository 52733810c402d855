"""Spans of time that a program gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authsvc.client import AsyncTokenVerifier, Pace, Retries, TokenVerifier
from authsvc.v1.auth_pb2 import ValidateTokenRequest
from tests.client.kinds import Kind, closing, have, run
from tests.client.tokens.made import Machine, living


@pytest.mark.parametrize("number", [5, 5.0, None])
def test_a_number_is_no_span(kind: Kind, number: Any) -> None:
    """Wherever a span is given it is a timedelta, and who gives a number is told so, whatever state it meets."""
    machine = Machine()

    async def test() -> None:
        parts = kind.parts(machine)
        text = living(machine.clock)
        service = kind.service("127.0.0.1:1")
        verifying = TokenVerifier if kind.spawns else AsyncTokenVerifier
        users = (
            kind.user("127.0.0.1:1", "dev", "sara", token=text, **parts),
            kind.user("127.0.0.1:1", "dev", **parts),
        )
        verifier = verifying(service, "dev")
        async with closing(kind.manager("sara", token=text, **parts), *users, verifier, service) as manager:
            await have(users[0].token())
            calls: list[Callable[[], Any]] = [
                lambda: kind.service("127.0.0.1:1", timeout=number),
                lambda: verifying(service, "dev", max_staleness=number),
                lambda: manager.token(timeout=number),
                lambda: manager.renewed(text, timeout=number),
                *[lambda user=user: user.token(timeout=number) for user in users],
                lambda: verifier.wait_ready(number),
                lambda: Pace(first_pause=number),
                lambda: Retries(longest=number),
            ]
            if number is not None:  # the client's own timeout
                calls.append(lambda: service.validate_token(ValidateTokenRequest(), timeout=number))
            for call in calls:
                with pytest.raises(TypeError, match="is a timedelta"):
                    await have(call())

    run(test)
