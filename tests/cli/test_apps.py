"""``authsvc apps`` against the real service."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tests.conftest import RunningServer


def test_an_app_is_made_with_its_settings(cli: Run) -> None:
    """What is set is shown, everything else is the default."""
    facts = cli("apps", "create", "--api-key", "shop", "--set", "max_ttl=12h", "--set", "guests_enabled=true").facts
    assert (facts["api key"], facts["max_ttl"], facts["guests_enabled"]) == ("shop", "12h", "true")
    assert (facts["default_ttl"], facts["algorithm"], facts["suspended"]) == ("1h", "ES256", "false")


def test_an_app_without_a_key_gets_one(cli: Run) -> None:
    """The key that was made is in the answer."""
    made = cli("apps", "create", "--json").json["app"]["api_key"]
    assert cli("apps", "get", made).code == 0


def test_an_update_changes_what_it_names(cli: Run) -> None:
    """Other settings stay, and an empty value is the default again."""
    cli("apps", "create", "--api-key", "shop", "--set", "max_ttl=12h", "--set", "default_audience=a,b")
    facts = cli("apps", "update", "shop", "--set", "max_ttl=", "--set", "clock_skew=0").facts
    assert (facts["max_ttl"], facts["clock_skew"], facts["default_audience"]) == ("1d", "0s", "a,b")


def test_an_etag_that_is_out_of_date_is_refused(cli: Run) -> None:
    """Two operators do not overwrite each other when they say what they saw."""
    etag = cli("apps", "get", "dev", "--json").json["app"]["etag"]
    assert cli("apps", "update", "dev", "--set", "max_ttl=2h", "--etag", etag).code == 0
    ended = cli("apps", "update", "dev", "--set", "max_ttl=3h", "--etag", etag)
    assert (ended.code, ended.err.partition(":")[0]) == (1, "CONFLICT")


def test_an_app_is_suspended_and_resumed(cli: Run) -> None:
    """While it is suspended nothing is issued for it."""
    assert cli("apps", "suspend", "dev").facts["suspended"] == "true"
    assert cli("token", "issue", "--user", "sara").err.startswith("APP_SUSPENDED: ")
    assert cli("apps", "resume", "dev").facts["suspended"] == "false"
    assert cli("token", "issue", "--user", "sara").code == 0


def test_all_pages_are_listed(server: RunningServer, cli: Run) -> None:
    """More apps than a page holds are listed all the same, for people and for programs."""
    names = [f"app-{number:02}" for number in range(55)]
    for name in names:
        server.new_app(name)
    heading, *lines = cli("apps", "list").out.splitlines()
    assert heading.split()[:2] == ["API", "KEY"]
    assert [line.split()[0] for line in lines] == [*names, "dev"]
    assert [app["api_key"] for app in cli("apps", "list", "--json").json["apps"]] == [*names, "dev"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "--set", "max_tll=1h"), "for --set: no setting is called 'max_tll': did you mean max_ttl?"),
        (("update", "dev", "--set", "max_ttl"), "for --set: 'max_ttl' is not NAME=VALUE"),
        (("update", "dev"), "for --set: name at least one setting to change"),
        (("get",), "KEY"),
    ],
)
def test_wrong_usage_is_told_before_any_call(arguments: tuple[str, ...], sentence: str, offline: Run) -> None:
    """A mistake in a setting ends with exit code 2 and the nearest name."""
    ended = offline("apps", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err


def test_what_the_service_refuses_is_told(cli: Run) -> None:
    """Settings out of bounds, names that are taken and apps that are not there."""
    beyond = cli("apps", "create", "--set", "clock_skew=10m")
    assert (beyond.code, "  settings.clock_skew: " in beyond.err) == (1, True)
    assert cli("apps", "create", "--api-key", "dev").err.startswith("APP_EXISTS: ")
    assert cli("apps", "get", "nosuch").err.startswith("APP_NOT_FOUND: ")
