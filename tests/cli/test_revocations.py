"""``authsvc revocations`` against the real service: add, list and clear."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tests.cli.test_sessions import session_of, status
from tests.conftest import HandClock


def names(cli: Run, *arguments: str) -> list[str]:
    """The first column of the table."""
    ended = cli("revocations", "list", *arguments)
    assert ended.code == 0, ended.err
    return [line.partition("  ")[0] for line in ended.out.splitlines()[1:]]


@pytest.mark.parametrize(("arguments", "spared"), [(("--user", "sara"), "ACTIVE"), (("--all-users",), "REVOKED")])
def test_all_that_somebody_holds_is_ended_and_taken_back(cli: Run, arguments: tuple[str, ...], spared: str) -> None:
    """Of one user, or of everybody; cleared, the tokens are good again and the sessions are not."""
    sara, tom = session_of(cli, "sara"), session_of(cli, "tom")
    ended = cli("revocations", "add", *arguments)
    assert (ended.code, int(ended.facts["revision"]) > 0) == (0, True)
    assert (status(cli, sara["token"]), status(cli, tom["token"])) == ("REVOKED", spared)
    cleared = cli("revocations", "clear", *arguments).facts
    assert cleared == {"cleared": "yes", "revision": str(int(ended.facts["revision"]) + 1)}
    assert (status(cli, sara["token"]), status(cli, tom["token"])) == ("ACTIVE", "ACTIVE")
    assert cli("token", "refresh", sara["refresh_token"]).err.startswith("SESSION_REVOKED")
    assert cli("revocations", "clear", *arguments, "--json").json == {"cleared": False, "revision": "0"}


def test_only_what_is_older(cli: Run, clock: HandClock) -> None:
    """A moment spares what was issued later, and ends what was issued before it."""
    old = session_of(cli, "sara")["token"]
    clock.move(minutes=30)
    new = session_of(cli, "sara")["token"]
    assert cli("revocations", "add", "--user", "sara", "--issued-before", "2026-11-20T12:15:00Z").code == 0
    assert (status(cli, old), status(cli, new)) == ("REVOKED", "ACTIVE")


def test_a_single_token_is_taken_back_by_its_id(cli: Run) -> None:
    """What `token revoke` ended is good again."""
    sara = session_of(cli, "sara")
    cli("token", "revoke", sara["token"])
    assert cli("revocations", "clear", "--token-id", sara["token_id"]).facts["cleared"] == "yes"
    assert status(cli, sara["token"]) == "ACTIVE"


def test_the_list_says_what_and_until_when(cli: Run) -> None:
    """Users first, then sessions, then tokens; each kind and each user alone where asked."""
    sara, tom = session_of(cli, "sara"), session_of(cli, "tom")
    cli("revocations", "add", "--user", "sara", "--issued-before", "2026-11-20T11:00:00Z")
    cli("revocations", "add", "--all-users", "--issued-before", "2026-11-20T11:00:00Z")
    cli("sessions", "revoke", tom["session"])
    cli("token", "revoke", sara["token"])
    everything = ["all users", "user sara", f"session {tom['session']}", f"token {sara['token_id']}"]
    assert names(cli) == everything
    assert names(cli, "--kind", "users") == everything[:2]
    assert names(cli, "--kind", "token") == everything[3:]
    assert names(cli, "--user", "sara") == ["user sara"]
    assert names(cli, "--limit", "3") == everything[:3]
    table = cli("revocations", "list").out
    assert "tokens before 2026-11-20 11:00:00 UTC" in table
    assert "remembered until " in table
    found = cli("revocations", "list", "--kind", "session", "--json").json["revocations"]
    assert [each["session_id"] for each in found] == [tom["session"]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add",), "name exactly one"),
        (("add", "--user", "a", "--all-users"), "name exactly one"),
        (("add", "--user", "a", "--issued-before", "soon"), "neither a moment"),
        (("clear",), "name exactly one"),
        (("clear", "--user", "a", "--token-id", "b"), "name exactly one"),
        (("list", "--kind", "all"), "'all' is none of users, session, token"),
    ],
)
def test_wrong_usage(offline: Run, arguments: tuple[str, ...], sentence: str) -> None:
    """Nothing is ended because an option was left out."""
    ended = offline("revocations", *arguments)
    assert (ended.code, sentence in ended.err) == (2, True)


@pytest.mark.parametrize("arguments", [("add", "--user", ""), ("clear", "--user", "a b"), ("list", "--user", "\n")])
def test_refusals_of_the_server(cli: Run, arguments: tuple[str, ...]) -> None:
    """An empty name is not everybody: the service says what it must be."""
    ended = cli("revocations", *arguments)
    assert (ended.code, "  user_id: must be" in ended.err) == (1, True)
