"""``authsvc logging``: get, set and reset on a real server."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.logs import SERVER_SCOPES
from tests.alarms import HandAlarms
from tests.cli.conftest import Run


def rows(out: str) -> dict[str, list[str]]:
    """The table by its first column."""
    return {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}


def test_get_lists_every_scope(cli: Run) -> None:
    """Each scope stands with its level and whether it is the default's, none with an end."""
    ended = cli("logging", "get")
    assert ended.code == 0
    table = rows(ended.out)
    assert set(table) == {"default", *SERVER_SCOPES}
    assert table["default"] == ["info", "-"]
    assert table["storage"] == ["info", "(default)", "-"]


def test_set_for_a_while(cli: Run, alarms: HandAlarms) -> None:
    """`set storage=debug rpc=trace --for 15m` changes both for a quarter of an hour and shows the result."""
    ended = cli("logging", "set", "storage=debug", "rpc=trace", "--for", "15m")
    assert ended.code == 0
    table = rows(ended.out)
    assert (table["storage"][0], table["rpc"][0]) == ("debug", "trace")
    assert all(table[scope][1].startswith("20") for scope in ("storage", "rpc")), "the moment of its end"
    assert alarms.spans == [timedelta(minutes=15)]
    assert rows(cli("logging", "get").out)["storage"][0] == "debug"


def test_set_without_a_time(cli: Run, alarms: HandAlarms) -> None:
    """Without `--for` the server's hour holds."""
    assert cli("logging", "set", "rpc=debug").code == 0
    assert alarms.spans == [timedelta(hours=1)]


def test_set_to_the_defaults(cli: Run) -> None:
    """An empty level lets a scope follow the default."""
    assert rows(cli("logging", "set", "rpc=").out)["rpc"][:2] == ["info", "(default)"]


def test_reset(cli: Run, alarms: HandAlarms) -> None:
    """`reset` ends what `set` has begun."""
    before = cli("logging", "get").out
    cli("logging", "set", "default=error")
    assert cli("logging", "get").out != before
    assert cli("logging", "reset").out == before
    assert alarms.waiting == []


def test_json(cli: Run) -> None:
    """With --json the answer is the message of the contract, for each of the three."""
    changed = cli("logging", "set", "rpc=debug", "--json").json
    assert changed == cli("logging", "get", "--json").json
    (rpc,) = (scope for scope in changed["scopes"] if scope["scope"] == "rpc")
    assert (rpc["level"], rpc["follows_default"]) == ("debug", False)
    assert rpc["expires_at"]
    assert "expires_at" not in str(cli("logging", "reset", "--json").json)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set",), "SCOPE=LEVEL"),
        (("set", "storage"), "not SCOPE=LEVEL"),
        (("set", "=debug"), "not SCOPE=LEVEL"),
        (("set", "storage=debug", "--for", "soon"), "not a duration"),
        (("reset", "storage"), "unexpected extra argument"),
    ],
)
def test_wrong_usage(offline: Run, arguments: tuple[str, ...], said: str) -> None:
    """What cannot be meant is wrong usage, told without asking a server."""
    ended = offline("logging", *arguments)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize(
    ("arguments", "field", "said"),
    [
        (("stroage=debug",), "levels[0].scope", "did you mean storage?"),
        (("storage=loud",), "levels[0].level", "trace, debug, info, warn, error"),
        (("storage=debug", "--for", "2d"), "duration", "24 hours"),
    ],
)
def test_refusals_of_the_server(cli: Run, arguments: tuple[str, ...], field: str, said: str) -> None:
    """What the server refuses is shown with its field and what would be right; exit code 1."""
    ended = cli("logging", "set", *arguments)
    assert ended.code == 1
    assert f"{field}: " in ended.err
    assert said in ended.err
