"""``authsvc accounts`` against the real service, and ``bootstrap`` on a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.processes import serving
from tests.cli.conftest import Run, run_command
from tests.conftest import RunningServer


def made(cli: Run, *arguments: str) -> dict[str, str]:
    """The facts of a new account called shop."""
    return cli("accounts", "create", "--name", "shop", "--permission", "tokens.issue", *arguments).facts


def test_a_credential_is_shown_once_and_works(server: RunningServer, cli: Run, offline: Run) -> None:
    """The credential of a new account is printed on a line of its own, and never again."""
    ended = cli("accounts", "create", "--name", "shop", "--permission", "tokens.issue", "--app", "dev")
    credential = ended.out.splitlines()[-1]
    own = {"AUTHSVC_TARGET": server.target, "AUTHSVC_CREDENTIAL": credential}
    assert offline("token", "issue", "--user", "sara", **own).facts["app"] == "dev"
    shown = cli("accounts", "get", ended.facts["id"], "--json").out + cli("accounts", "list").out
    assert credential.startswith("ask1_")
    assert credential not in shown


def test_a_credential_goes_to_a_private_file(server: RunningServer, cli: Run, tmp_path: Path) -> None:
    """Named a file, the command shows the credential nowhere, and the file is its owner's only."""
    path = tmp_path / "secrets" / "shop"
    ended = cli("accounts", "create", "--name", "shop", "--permission", "tokens.issue", "--credential-file", str(path))
    assert (ended.code, path.stat().st_mode & 0o777) == (0, 0o600)
    credential = path.read_text().strip()
    assert credential not in ended.out + ended.err
    named = {"AUTHSVC_TARGET": server.target, "AUTHSVC_CREDENTIAL_FILE": str(path)}
    assert cli("apps", "list", **named).err.startswith("PERMISSION_MISSING")


def test_json_names_the_file_instead_of_the_credential(cli: Run, tmp_path: Path) -> None:
    """Programs find either the credential or the file that has it, never both."""
    path = tmp_path / "shop"
    arguments = ("accounts", "create", "--permission", "tokens.issue", "--json")
    with_file = cli(*arguments, "--name", "a", "--credential-file", str(path)).json
    without = cli(*arguments, "--name", "b").json
    assert (with_file["credential_file"], "credential" in with_file) == (str(path), False)
    assert without["credential"].startswith("ask1_")


def test_a_file_that_is_there_is_kept(cli: Run, tmp_path: Path) -> None:
    """No file is overwritten, and no account is made whose credential had nowhere to go."""
    path = tmp_path / "taken"
    path.write_text("mine")
    ended = cli("accounts", "create", "--name", "shop", "--permission", "tokens.issue", "--credential-file", str(path))
    assert (ended.code, ended.err.partition(":")[0], path.read_text()) == (1, "FILE_UNUSABLE", "mine")
    assert "shop" not in cli("accounts", "list").out


def test_a_refused_account_leaves_no_file(cli: Run, tmp_path: Path) -> None:
    """When the service says no, the file that was reserved is gone again."""
    made(cli)
    path = tmp_path / "second"
    ended = cli("accounts", "create", "--name", "shop", "--permission", "tokens.issue", "--credential-file", str(path))
    assert (ended.code, ended.err.partition(":")[0], path.exists()) == (1, "SERVICE_ACCOUNT_EXISTS", False)


def test_a_credential_that_cannot_be_kept_is_told_as_lost(server: RunningServer, cli: Run, tmp_path: Path) -> None:
    """A name too long for the draft beside it: the command says that a credential was made and is lost."""
    path = tmp_path / ("n" * 252)
    ended = cli("accounts", "create", "--name", "shop", "--permission", "tokens.issue", "--credential-file", str(path))
    assert (ended.code, ended.err.partition(":")[0], path.exists()) == (1, "FILE_UNUSABLE", False)
    assert "so it is lost" in ended.err


def test_an_account_is_changed_as_a_whole_list(cli: Run) -> None:
    """Lists are replaced, what is not named stays, and apps and all apps exclude each other."""
    account = made(cli, "--app", "dev", "--audience", "chat")
    changed = cli("accounts", "update", account["id"], "--permission", "tokens.validate", "--name", "store").facts
    assert (changed["permissions"], changed["name"], changed["apps"], changed["audiences"]) == (
        "tokens.validate",
        "store",
        "dev",
        "chat",
    )
    assert cli("accounts", "update", account["id"], "--all-apps", "--audience", "").facts["apps"] == "all"
    last = cli("accounts", "update", account["id"], "--app", "").facts
    assert (last["apps"], last["audiences"]) == ("none", "-")


def test_an_etag_that_is_out_of_date_is_refused(cli: Run) -> None:
    """Two operators do not overwrite each other when they say what they saw."""
    account = made(cli)
    assert cli("accounts", "update", account["id"], "--name", "a", "--etag", account["etag"]).code == 0
    ended = cli("accounts", "update", account["id"], "--name", "b", "--etag", account["etag"])
    assert (ended.code, ended.err.partition(":")[0]) == (1, "CONFLICT")


def test_an_account_is_disabled_and_enabled(cli: Run) -> None:
    """The account says which of the two it is."""
    account = made(cli)
    assert cli("accounts", "disable", account["id"]).facts["disabled"] == "yes"
    assert cli("accounts", "enable", account["id"]).facts["disabled"] == "no"


def test_a_credential_is_rotated_and_the_old_one_revoked(server: RunningServer, cli: Run, tmp_path: Path) -> None:
    """Both are good until the old one is revoked; then the new one alone."""
    account, path = made(cli, "--app", "dev"), tmp_path / "next"
    rotated = cli("accounts", "rotate", account["id"], "--credential-file", str(path))
    assert (rotated.code, rotated.facts["credential file"]) == (0, str(path))
    assert cli("accounts", "rotate", account["id"]).err.startswith("CREDENTIAL_LIMIT: ")
    assert cli("accounts", "revoke-credential", account["id"], account["new credential"]).code == 0
    left = cli("accounts", "get", account["id"], "--json").json["service_account"]["credentials"]
    assert [each["id"] for each in left] == [rotated.facts["new credential"]]
    named = {"AUTHSVC_TARGET": server.target, "AUTHSVC_CREDENTIAL_FILE": str(path)}
    assert cli("token", "issue", "--user", "sara", **named).code == 0


def test_accounts_are_listed(cli: Run) -> None:
    """A line for each, with what it may do."""
    account = made(cli, "--app", "dev")
    heading, *lines = cli("accounts", "list").out.splitlines()
    assert heading.split() == ["ID", "NAME", "PERMISSIONS", "APPS", "CREDENTIALS", "DISABLED"]
    assert any(line.split()[:4] == [account["id"], "shop", "tokens.issue", "dev"] for line in lines)
    assert len(cli("accounts", "list", "--json").json["service_accounts"]) == len(lines) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "--name", "x", "--permission", "tokens.isue"), "'tokens.isue' is not one of 'tokens.issue'"),
        (("create", "--permission", "tokens.issue"), "Missing option '--name'"),
        (("create", "--name", "x", "--app", "a", "--all-apps"), "not both"),
        (("update", "x"), "give at least one of --name, --permission, --app, --all-apps, --audience"),
        (("update", "x", "--app", "a", "--all-apps"), "not both"),
        (("revoke-credential", "x"), "CREDENTIAL_ID"),
    ],
)
def test_wrong_usage_is_told_before_any_call(arguments: tuple[str, ...], sentence: str, offline: Run) -> None:
    """What cannot be meant ends with exit code 2 and a sentence, whether there is a server or not."""
    ended = offline("accounts", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err


def bootstrap(offline: Run, tmp_path: Path, name: str, *more: str) -> tuple[int, str, str]:
    """Make the first account on a store in the directory, with a KEK beside it."""
    kek = tmp_path / "kek"
    if not kek.exists():
        kek.write_bytes(bytes(range(32)))
        kek.chmod(0o600)
    path = str(tmp_path / f"{name}.credential")
    arguments = ("accounts", "bootstrap", "--name", name, "--credential-file", path, *more)
    ended = offline(*arguments, AUTHSVC_KEK_FILE=str(kek))
    return ended.code, ended.out, ended.err


def test_the_first_account_is_made_on_the_store(offline: Run, tmp_path: Path) -> None:
    """Once: its credential is in the file, and a second time is refused with a sentence."""
    code, out, err = bootstrap(offline, tmp_path, "ops")
    assert err == "", "nobody asked for lines of a log"
    path = tmp_path / "ops.credential"
    assert (code, path.stat().st_mode & 0o777) == (0, 0o600)
    assert path.read_text().startswith(f"ask1_{out.split()[1]}_")
    again, _, err = bootstrap(offline, tmp_path, "more")
    assert (again, err.partition(":")[0], (tmp_path / "more.credential").exists()) == (1, "BOOTSTRAP_REFUSED", False)


def test_commands_on_the_store_log_what_is_asked_for(offline: Run, tmp_path: Path) -> None:
    """With levels in the settings a command says what it did, and how it ended, a refusal too."""
    bootstrap(offline, tmp_path, "ops")
    environ = {"AUTHSVC_KEK_FILE": str(tmp_path / "kek"), "AUTHSVC_LOG_LEVELS": "cli=debug"}
    for name, outcome, changed in (("ops", "done", ["account.recovered"]), ("", "refused", [])):
        arguments = ("accounts", "recover", "--name", name, "--credential-file", str(tmp_path / "again"))
        said = [json.loads(line) for line in offline(*arguments, **environ).err.splitlines() if line.startswith("{")]
        lines = [(line["message"], line["action"]) for line in said if line["scope"] == "cli"]
        assert lines == [("command begins", "accounts recover"), ("command ended", "accounts recover")]
        assert said[-1]["outcome"] == outcome
        assert [line["action"] for line in said if line["scope"] == "accounts"] == changed


def test_an_account_is_recovered_on_the_store(offline: Run, tmp_path: Path) -> None:
    """It keeps its id and gets a new credential in a new file; a refusal is told with a reason of its own."""
    _, out, _ = bootstrap(offline, tmp_path, "ops")
    path, key = tmp_path / "again", str(tmp_path / "kek")
    arguments = ("accounts", "recover", "--name", "ops", "--credential-file", str(path))
    ended = offline(*arguments, "--json", AUTHSVC_KEK_FILE=key)
    assert ended.json == {"account_id": out.split()[1], "outcome": "recovered", "credential_file": str(path)}
    assert ended.err == ""
    assert path.read_text() != (tmp_path / "ops.credential").read_text()
    assert offline(*arguments, AUTHSVC_KEK_FILE=key).err.startswith("RECOVERY_REFUSED: ")


def test_an_account_that_was_made_is_not_told_as_recovered(offline: Run, tmp_path: Path) -> None:
    """A misspelt name makes another account that may do everything: the answer says so, with the names there are."""
    bootstrap(offline, tmp_path, "ops")
    arguments = ("accounts", "recover", "--name", "opps", "--credential-file", str(tmp_path / "c"))
    ended = offline(*arguments, AUTHSVC_KEK_FILE=str(tmp_path / "kek"))
    assert (ended.code, ended.facts["outcome"], ended.facts["name"]) == (0, "made", "opps")
    assert ended.err.startswith("NOTE: no account was called opps, so another one was made, which may do everything.")
    assert "There are also: ops." in ended.err


def test_an_account_is_recovered_beside_a_running_server(state_dir: Path) -> None:
    """The server goes on, takes the new credential and refuses the old one."""
    state, path = state_dir / "var", state_dir / "credential"
    with serving(state, "--dev") as running:
        own = {"AUTHSVC_TARGET": running.target(), "AUTHSVC_CREDENTIAL_FILE": str(path)}
        old = json.loads((state / "dev.json").read_text())["credential"]
        on_the_store = {"AUTHSVC_STATE_DIR": str(state), "AUTHSVC_KEK_FILE": str(state / "kek")}
        arguments = ("accounts", "recover", "--name", "dev", "--credential-file", str(path))
        assert run_command(*arguments, environ=on_the_store).facts["outcome"] == "recovered"
        assert run_command("apps", "list", environ=own).code == 0
        path.write_text(old)
        assert run_command("apps", "list", environ=own).err.startswith("CREDENTIAL_INVALID")


def test_bootstrap_without_a_key_says_what_is_missing(offline: Run, tmp_path: Path) -> None:
    """A refusal of the store's side is told like any other, also as JSON."""
    ended = offline("accounts", "bootstrap", "--name", "ops", "--credential-file", str(tmp_path / "c"), "--json")
    assert (ended.code, ended.out) == (1, "")
    assert '"reason": "BOOTSTRAP_REFUSED"' in ended.err
