"""``authsvc token refresh`` with changes, and ``authsvc token development``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.conftest import RunningServer


@pytest.fixture
def refresh_token(cli: Run) -> str:
    """The refresh token of a session of sara's for two calls."""
    made = cli(
        "token", "issue", "--user", "sara", "--role", "member", "--name", "Sara", "--refreshable",
        "--call", "default:1", "--call", "default:2", "--json",
    )  # fmt: skip
    return str(made.json["refresh_token"])


def refreshed(cli: Run, *arguments: str) -> dict[str, Any]:
    """What the next token says."""
    ended = cli("token", "refresh", *arguments, "--json")
    assert ended.code == 0, ended.err
    info: dict[str, Any] = ended.json["info"]
    return info


def test_without_changes_nothing_changes(cli: Run, refresh_token: str) -> None:
    """A plain refresh keeps user and scope."""
    info = refreshed(cli, refresh_token)
    assert (info["user"]["role"], info["user"]["name"]) == ("member", "Sara")
    assert info["scope"]["call_cids"] == ["default:1", "default:2"]


def test_each_change_arrives(cli: Run, refresh_token: str) -> None:
    """New data of the user, a narrower scope and a shorter life."""
    info = refreshed(
        cli, refresh_token, "--user-role", "host", "--user-name", "S.", "--user-image", "https://x/y.png",
        "--user-custom", '{"level": 3}', "--call", "default:2", "--ttl", "5m",
    )  # fmt: skip
    assert info["user"] == {
        "id": "sara", "role": "host", "name": "S.", "image": "https://x/y.png", "custom": {"level": 3},
    }  # fmt: skip
    assert info["scope"]["call_cids"] == ["default:2"]
    assert info["expires_at"] == "2026-11-20T12:05:00Z"


def test_a_channel_can_be_named(cli: Run) -> None:
    """A session without limits is narrowed to a channel."""
    made = cli("token", "issue", "--user", "sara", "--refreshable", "--json").json
    assert refreshed(cli, made["refresh_token"], "--channel", "chat:1")["scope"]["channel_cids"] == ["chat:1"]


def test_the_users_data_is_replaced_as_a_whole(cli: Run, refresh_token: str) -> None:
    """What is not given beside a new name is empty afterwards."""
    assert refreshed(cli, refresh_token, "--user-name", "S.")["user"].get("role", "") == ""


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--ttl", "2d"), "ttl"),
        (("--call", "default:3"), "scope.call_cids"),
        (("--user-role", "NOT A ROLE"), "user.role"),
        (("--user-name", ""), "user"),
    ],
)
def test_what_would_widen_is_the_services_to_refuse(
    cli: Run, refresh_token: str, arguments: tuple[str, ...], field: str
) -> None:
    """A longer life, another call, a bad role or empty data are refused by field, and the token is not spent."""
    ended = cli("token", "refresh", refresh_token, *arguments)
    assert (ended.code, f"  {field}: " in ended.err) == (1, True), ended.err
    assert cli("token", "refresh", refresh_token).facts["outcome"] == "ROTATED"


@pytest.mark.parametrize(("option", "value"), [("--ttl", "soon"), ("--user-custom", "[1]")])
def test_wrong_usage_is_told_before_any_call(offline: Run, option: str, value: str) -> None:
    """What cannot be meant ends with exit code 2."""
    ended = offline("token", "refresh", "art1_x", option, value)
    assert (ended.code, f"for {option}: " in ended.err) == (2, True)


LUKE = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoibHVrZV9za3l3YWxrZXIifQ==.devtoken"


def test_a_development_token_is_made_offline(offline: Run) -> None:
    """The seed SDKs' own vector, and that nobody has signed it."""
    made = offline("token", "development", "luke_skywalker")
    assert (made.code, made.out.splitlines()[-1]) == (0, LUKE)
    assert made.out.startswith("NOT SIGNED: ")
    document = offline("token", "development", "luke_skywalker", "--json").json
    assert (document["token"], document["signed"]) == (LUKE, False)


def test_a_development_token_is_accepted_where_allowed(server: RunningServer, cli: Run) -> None:
    """The app's switch decides on a development server."""
    assert cli("token", "validate", LUKE).facts["status"] == "DEVELOPMENT_TOKENS_DISABLED"
    server.new_app("playground", allow_development_tokens=True)
    facts = cli("token", "validate", "--app", "playground", LUKE).facts
    assert (facts["status"], facts["kind"], facts["user"]) == ("ACTIVE", "development", "luke_skywalker")


@pytest.mark.parametrize("user_id", ["", "!anon", "guest-1", "a b", "x" * 129])
def test_not_everybody_has_one(offline: Run, user_id: str) -> None:
    """An id that is no user's is wrong usage."""
    ended = offline("token", "development", user_id)
    assert (ended.code, ended.out, "for USER_ID: not the id of a user" in ended.err) == (2, "", True)
