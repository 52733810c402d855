"""``authsvc audit list`` against the real service."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tests.conftest import RunningServer


def actions(cli: Run, *arguments: str) -> list[str]:
    """What was done, newest first."""
    ended = cli("audit", "list", *arguments, "--json")
    assert ended.code == 0, ended.err
    return [event["action"] for event in ended.json["audit_events"]]


@pytest.fixture
def busy(cli: Run) -> Run:
    """A service on which an app was made and a user revoked."""
    cli("apps", "create", "--api-key", "stage")
    cli("revocations", "add", "--app", "stage", "--user", "sara")
    return cli


def test_newest_first(busy: Run) -> None:
    """Everything that was changed, the last change on top."""
    assert actions(busy)[:2] == ["user.revoked", "app.created"]
    table = busy("audit", "list", "--limit", "1")
    assert table.out.splitlines()[0].split() == ["ID", "AT", "ACTION", "BY", "APP", "SUBJECT", "OUTCOME", "REASON"]
    assert table.out.splitlines()[1].split()[-4:] == ["stage", "sara", "revoked", "-"]
    assert "only the first 1 are shown" in table.err


def test_each_option_narrows_it(busy: Run, server: RunningServer) -> None:
    """By app, account, action, subject, outcome and time; together they all count."""
    assert actions(busy, "--app", "stage") == ["user.revoked", "app.created"]
    assert actions(busy, "--app", "stage", "--action", "app.created") == ["app.created"]
    assert actions(busy, "--subject", "sara") == ["user.revoked"]
    assert actions(busy, "--outcome", "revoked", "--principal", server.account_id) == ["user.revoked"]
    assert actions(busy, "--principal", "nobody") == []
    assert actions(busy, "--app", "stage", "--since", "2026-11-20T12:00:00Z") == ["user.revoked", "app.created"]
    assert actions(busy, "--since", "2026-11-20T12:00:01Z") == []
    assert actions(busy, "--until", "2026-11-20T12:00:00Z") == []


def test_a_span_that_cannot_be_is_refused(cli: Run, offline: Run) -> None:
    """By the service where it is read as moments, and as wrong usage where it is not."""
    moment = "2026-11-20T12:00:00Z"
    assert "until: must be after since" in cli("audit", "list", "--since", moment, "--until", moment).err
    ended = offline("audit", "list", "--since", "yesterday")
    assert (ended.code, "how long ago, such as 15m" in ended.err) == (2, True)


def test_an_app_of_others_is_not_told(cli: Run, server: RunningServer, busy: Run) -> None:
    """An account for one app sees what was done to it, and nothing else."""
    credential = server.new_credential("narrow", permissions=("admin.read",), apps=("stage",))
    own = {"AUTHSVC_TARGET": server.target, "AUTHSVC_CREDENTIAL": credential}
    found = cli("audit", "list", "--json", **own).json["audit_events"]
    assert {event["api_key"] for event in found} == {"stage"}
    assert cli("audit", "list", "--app", "dev", **own).err.startswith("APP_NOT_ALLOWED")
