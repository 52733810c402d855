"""What users of either kind of user client are told, and what is made of their wishes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from authsvc.client import EndUser, TlsFiles
from authsvc.client.tokens.access_token import read_access_token
from authsvc.v1.auth_pb2 import ValidateTokenResponse
from tests.client.kinds import Kind, closing, have, run
from tests.client.scripted import scripted_server
from tests.client.tokens.made import Machine, living
from tests.conftest import HandClock, RunningServer
from tests.tls_files import write_pair


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


def test_a_user_who_is_wished_otherwise_is_named_in_the_log(
    kind: Kind, server: RunningServer, machine: Machine
) -> None:
    """Other cids, another name, image or custom data: what is there stays, and a warning names the user."""
    switches = {"guests_enabled": True, "public_guests": True, "anonymous_enabled": True}
    server.new_app("open", **switches, public_anonymous_cids=("livestream:*",))
    lines: list[object] = []
    options = {**kind.parts(machine), "target": server.target}
    options["log_options"] = {"default": {"sink": lambda *line: lines.append(line[2].get("setting"))}}
    jack = EndUser.guest("jack", "Jack", "https://example.org/jack.png", custom={"team": "red"})
    # Of each: what is there, what is wished otherwise, and what is the same wish.
    cases: list[tuple[EndUser, list[EndUser], list[EndUser]]] = [
        (
            EndUser.anonymous(["livestream:1"]),
            [EndUser.anonymous(["livestream:2"]), EndUser.anonymous(), EndUser.anonymous(["livestream:1"], ["a:1"])],
            [EndUser.anonymous(["livestream:1"])],
        ),
        (
            jack,
            [EndUser.guest("jack", "Jill"), EndUser.guest("jack", image="x"), EndUser.guest("jack", custom={"n": 1})],
            [jack, EndUser.guest("jack"), EndUser.guest("jack", "Jack")],
        ),
    ]

    async def test() -> None:
        for there, others, same in cases:
            async with closing(kind.user.get_or_create("open", there, **options)) as client:
                await have(client.token())
                for wished, told in ((same, []), (others, ["user"] * 2 * len(others))):
                    for user in wished:
                        assert kind.user.get_or_create("open", user, target=server.target) is client
                        assert await have(client.connect_user(user)) == client.user
                    assert lines == told
                lines.clear()

    run(test)


def test_options_that_are_not_given_are_no_other_options(kind: Kind, machine: Machine) -> None:
    """Who only looks for the client of a user is told of nothing; who gives another option is."""
    lines: list[object] = []
    options: dict[str, Any] = {**kind.parts(machine), "token": living(machine.clock)}
    options["log_options"] = {"default": {"sink": lambda *line: lines.append(line[2].get("setting"))}}

    async def test() -> None:
        async with closing(kind.user.get_or_create("dev", "sara", **options)) as client:
            assert kind.user.get_or_create("dev", "sara") is client
            assert lines == []
            other = kind.user.get_or_create("dev", "sara", token=living(machine.clock), max_connect_user_retries=1)
            assert (other, lines) == (client, ["max_connect_user_retries, token"])

    run(test)


def test_what_is_no_user_is_refused(kind: Kind, machine: Machine) -> None:
    """Where it is given, whether it is to be connected now or later."""
    user: Any = {"id": "sara"}
    token = living(machine.clock)

    async def test() -> None:
        async with closing(kind.user("127.0.0.1:1", "dev", **kind.parts(machine))) as client:
            gives: list[Callable[[], Any]] = [
                lambda: client.connect_user(user, token),
                lambda: kind.user("127.0.0.1:1", "dev", user, token=token),
                lambda: kind.user("127.0.0.1:1", "dev", user, token=token, auto_connect=False),
                lambda: kind.user.get_or_create("dev", user, token=token),
            ]
            for give in gives:
                with pytest.raises(TypeError, match="a user is an id or an EndUser, not dict"):
                    await have(give())

    run(test)


@pytest.mark.parametrize(
    ("shown", "said", "asks"),
    [
        ("nothing", None, 0),
        ("certificate", None, 1),
        ("credential", None, 1),
        ("certificate", True, 0),
        ("credential", True, 0),
        ("nothing", False, 1),
        ("what nobody can look into", None, 0),
        ("what nobody can look into", False, 1),
    ],
)
def test_who_shows_who_it_is_asks_as_a_backend(
    kind: Kind, machine: Machine, tmp_path: Path, shown: str, said: bool | None, asks: int
) -> None:
    """By a credential or a certificate, unless it is said that this is a front end, or none: that is what counts."""
    certificate, key = write_pair(tmp_path)
    pair = (key.read_bytes(), certificate.read_bytes())
    own = {"certificate": certificate, "key": key} if shown == "certificate" else {}
    options: dict[str, Any] = {**kind.parts(machine), "tls": TlsFiles(certificate, **own)}
    if shown == "what nobody can look into":
        options["tls"] = grpc.ssl_channel_credentials(certificate.read_bytes())
    if shown == "credential":
        options["credential"] = "ask1_x"
    if said is not None:
        options["as_front_end"] = said

    async def test() -> None:
        with scripted_server(grpc.ssl_server_credentials([pair], pair[1], require_client_auth=False)) as scripted:
            scripted.script = [lambda *_: ValidateTokenResponse(active=True)]
            async with closing(kind.user(scripted.target, "dev", **options)) as client:
                await have(client.connect_user("sara", living(machine.clock)))
            assert len(scripted.requests) == asks

    run(test)
