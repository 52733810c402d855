"""``authsvc sessions`` and ``authsvc token revoke`` against the real service."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tests.cli.test_token import issued
from tests.conftest import HandClock


def session_of(cli: Run, user: str) -> dict[str, str]:
    """A session of that user: its tokens, its id, and the token's."""
    answer = issued(cli, "--user", user, "--refreshable")
    info = answer["info"]
    assert isinstance(info, dict)
    named = {"session": str(info["session_id"]), "token_id": str(info["token_id"])}
    return {**named, "token": str(answer["token"]), "refresh_token": str(answer["refresh_token"])}


def status(cli: Run, token: str) -> str:
    """What the service says of a token."""
    return cli("token", "validate", token).facts["status"]


def listed(cli: Run, *arguments: str) -> dict[str, list[str]]:
    """The table of sessions, by id."""
    ended = cli("sessions", "list", *arguments)
    assert ended.code == 0, ended.err
    return {line.split()[0]: line.split()[1:] for line in ended.out.splitlines()[1:]}


def test_who_is_signed_in(cli: Run, clock: HandClock) -> None:
    """Live sessions by id, of all users or of one; those that ended only where they are asked for."""
    sara, tom = session_of(cli, "sara")["session"], session_of(cli, "tom")["session"]
    assert list(listed(cli)) == sorted((sara, tom))
    assert listed(cli)[sara][:3] == ["sara", "user", "live"]
    assert list(listed(cli, "--user", "tom")) == [tom]
    assert cli("sessions", "revoke", sara).facts["revoked"] == f"session {sara}"
    assert list(listed(cli)) == [tom]
    assert listed(cli, "--ended")[sara][2] == "revoked"
    clock.move(days=15)
    assert (listed(cli), listed(cli, "--ended", "--user", "tom")[tom][2]) == ({}, "expired")


def test_a_long_list_is_cut_and_says_so(cli: Run) -> None:
    """Exactly as many as are asked for, and on standard error that there are more."""
    for number in range(3):
        session_of(cli, f"user-{number}")
    cut = cli("sessions", "list", "--limit", "2")
    assert (len(cut.out.splitlines()), "only the first 2 are shown" in cut.err) == (3, True)
    whole = cli("sessions", "list", "--limit", "3")
    assert (len(whole.out.splitlines()), whole.err) == (4, "")
    assert len(cli("sessions", "list", "--limit", "1", "--json").json["sessions"]) == 1


def test_an_ended_session_is_not_renewed(cli: Run) -> None:
    """Neither its access token nor its refresh token is good afterwards; doing it again is no error."""
    sara = session_of(cli, "sara")
    first = cli("sessions", "revoke", sara["session"], "--json").json
    assert int(first["revision"]) > 0
    assert status(cli, sara["token"]) == "SESSION_REVOKED"
    assert cli("token", "refresh", sara["refresh_token"]).err.startswith("SESSION_REVOKED: ")
    assert cli("sessions", "revoke", sara["session"]).code == 0


@pytest.mark.parametrize(
    ("given", "what", "left"),
    [
        (("token",), "the token", "REVOKED"),
        (("refresh_token",), "the session of the refresh token", "SESSION_REVOKED"),
        (("--id", "token_id"), "token ", "REVOKED"),
    ],
)
def test_a_token_is_ended_by_any_of_its_names(cli: Run, given: tuple[str, ...], what: str, left: str) -> None:
    """By its text, by the refresh token beside it, or by its id."""
    sara = session_of(cli, "sara")
    ended = cli("token", "revoke", *(sara.get(word, word) for word in given))
    assert ended.code == 0, ended.err
    assert ended.facts["revoked"].startswith(what)
    assert sara["token"] not in ended.out
    assert status(cli, sara["token"]) == left


@pytest.mark.parametrize("which", ["token", "refresh_token"])
def test_a_token_is_read_from_standard_input(cli: Run, which: str) -> None:
    """Where no list of processes shows it."""
    sara = session_of(cli, "sara")
    assert cli("token", "revoke", "-", given=sara[which] + "\n").code == 0
    assert status(cli, sara["token"]) != "ACTIVE"


def test_what_cannot_be_ended_is_said(cli: Run) -> None:
    """The service's refusal is shown with its field; a forged refresh token has a reason of its own."""
    ended = cli("token", "revoke", "nonsense")
    assert (ended.code, "  token: is refused (not a compact signed token" in ended.err) == (1, True)
    assert cli("token", "revoke", "art1_nonsense").err.startswith("REFRESH_TOKEN_INVALID: ")
    assert "session_id: must be" in cli("sessions", "revoke", "nonsense").err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("token", "revoke"), "give either a token, or --id JTI"),
        (("token", "revoke", "x", "--id", "y"), "give either a token, or --id JTI"),
        (("sessions", "list", "--limit", "0"), "--limit"),
        (("sessions", "revoke"), "Missing argument 'SESSION_ID'"),
    ],
)
def test_wrong_usage(offline: Run, arguments: tuple[str, ...], sentence: str) -> None:
    """What cannot be meant is told without asking a server."""
    ended = offline(*arguments)
    assert (ended.code, sentence in ended.err) == (2, True)
