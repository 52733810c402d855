"""``authsvc keys`` against the real service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.conftest import RunningServer


def listed(cli: Run, *arguments: str) -> dict[str, dict[str, Any]]:
    """The keys of an app by kid."""
    return {key["key_id"]: key for key in cli("keys", "list", *arguments, "--json").json["keys"]}


def states(cli: Run, *arguments: str) -> list[str]:
    return sorted(key["state"].removeprefix("KEY_STATE_") for key in listed(cli, *arguments).values())


def test_a_key_is_rotated_and_activated(cli: Run) -> None:
    """The next key is pending until its time or until it is told to sign; then it signs what is issued."""
    facts = cli("keys", "rotate").facts
    assert (facts["state"], facts["algorithm"], facts["secret"]) == ("pending", "ES256", "-")
    assert "signs from" in facts
    assert "verifies until" not in facts
    assert states(cli) == ["ACTIVE", "PENDING"]
    early = cli("keys", "activate", facts["kid"])
    assert (early.code, early.err.partition(":")[0]) == (1, "KEY_NOT_READY")
    moment = facts["signs from"].partition(" (")[0]
    assert f"the key may sign from {moment} (" in early.err
    assert "with --now it signs at once" in early.err
    assert cli("keys", "activate", facts["kid"], "--now", "--etag", facts["etag"]).facts["state"] == "active"
    assert states(cli) == ["ACTIVE", "RETIRED"]
    assert cli("token", "issue", "--user", "sara", "--json").json["info"]["key_id"] == facts["kid"]


def test_too_early_is_told_to_programs_too(cli: Run) -> None:
    """With --json the error has the moment as the server gave it; a key that never signs again has none."""
    kid = cli("keys", "rotate", "--json").json["key"]["key_id"]
    ended = json.loads(cli("keys", "activate", kid, "--json").err)["error"]
    signs_from = listed(cli)[kid]["signs_from"]
    assert (ended["reason"], ended["metadata"]) == ("KEY_NOT_READY", {"signs_from": signs_from})
    (retired,) = [key for key in listed(cli) if key != kid]
    cli("keys", "activate", kid, "--now")
    over = json.loads(cli("keys", "activate", retired, "--now", "--json").err)["error"]
    assert (over["reason"], over["metadata"]) == ("KEY_NOT_READY", {})
    assert "may not" in over["message"]


def test_a_key_is_rotated_at_once(cli: Run) -> None:
    """With --now the next key signs from that call on, and --json tells all of it."""
    key = cli("keys", "rotate", "--now", "--json").json["key"]
    assert (key["state"], key["algorithm"]) == ("KEY_STATE_ACTIVE", "ALGORITHM_ES256")
    assert json.loads(key["public_jwk"])["kty"] == "EC"
    assert cli("keys", "activate", key["key_id"], "--json").json["key"]["key_id"] == key["key_id"]


def test_a_key_is_revoked(server: RunningServer, cli: Run) -> None:
    """What a revoked key signed ends, and another key signs in its place."""
    issued = cli("token", "issue", "--user", "sara", "--json").json
    kid = issued["info"]["key_id"]
    assert cli("keys", "revoke", kid).facts["state"] == "revoked"
    checked = cli("token", "validate", issued["token"], "--json")
    assert (checked.code, checked.json["status"]) == (1, "TOKEN_STATUS_KEY_REVOKED")
    assert states(cli) == ["ACTIVE", "REVOKED"]
    assert cli("keys", "revoke", kid, "--json").json["key"]["state"] == "KEY_STATE_REVOKED"


def test_the_key_set_is_printed_as_it_is(cli: Run) -> None:
    """The set has the active and the pending key, and is the same bytes each time, with and without --json."""
    pending = cli("keys", "rotate").facts["kid"]
    printed = cli("keys", "jwks").out
    assert sorted(key["kid"] for key in json.loads(printed)["keys"]) == sorted(listed(cli))
    assert pending in printed
    assert cli("keys", "jwks", "--json").out == printed


def test_the_list_says_where_each_key_is_in_its_life(cli: Run) -> None:
    """A line for each key: its algorithm, its state, since when and until when."""
    cli("keys", "rotate", "--now")
    cli("keys", "rotate")
    heading, *lines = cli("keys", "list").out.splitlines()
    assert heading.split() == ["KID", "ALGORITHM", "STATE", "SINCE", "UNTIL", "SECRET"]
    assert sorted(line.split()[2] for line in lines) == ["active", "pending", "retired"]
    assert all(line.split()[1] == "ES256" for line in lines)


def test_an_imported_key_is_shown_as_such(cli: Run) -> None:
    """A key from a secret that others hold says so, and whether it is weak."""
    arguments = ("apps", "create", "--secret-file", "-", "--api-key")
    cli(*arguments, "weak", given="short")
    cli(*arguments, "strong", given="s" * 32)
    assert "imported, weak" in cli("keys", "list", "--app", "weak").out
    assert cli("keys", "list", "--app", "strong").out.splitlines()[1].endswith("imported")
    assert json.loads(cli("keys", "jwks", "--app", "strong").out) == {"keys": []}


@pytest.mark.parametrize("command", ["activate", "revoke"])
@pytest.mark.parametrize("kid", ["no", "-no", "--no", "-x=1"])
def test_a_key_that_is_not_there(cli: Run, command: str, kid: str) -> None:
    """Whatever is given as a kid is one, also what begins with hyphens as one in sixty-four does."""
    ended = cli("keys", command, kid, "--json")
    assert (ended.code, json.loads(ended.err)["error"]["reason"]) == (1, "KEY_NOT_FOUND")


def test_another_state_is_a_conflict(cli: Run) -> None:
    """With the etag of another state a key is left as it is."""
    (kid,) = listed(cli)
    ended = cli("keys", "revoke", kid, "--etag", "v999")
    assert (ended.code, ended.err.partition(":")[0]) == (1, "CONFLICT")
    assert states(cli) == ["ACTIVE"]
