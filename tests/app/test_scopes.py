"""A server that says all it can, through its main calls: each scope that the documents name has something to say."""

from __future__ import annotations

import json
import re
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from authsvc.v1 import admin_pb2, admin_pb2_grpc, auth_pb2_grpc
from authsvc.v1 import auth_pb2 as pb
from tests.app.processes import environment, serving
from tests.cli.conftest import run_command
from tests.logs.canaries import found
from tests.refusals import refusal_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "observability.md").read_text("utf-8")


def documented() -> set[str]:
    """The scopes in the first column of the table of log lines."""
    section = PAGE.partition("\n## Log lines\n")[2].partition("\n## ")[0]
    return {
        name for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)
    }


@dataclass
class Day:
    """What a server and a command wrote, and what of it must not be in there."""

    written: str = ""
    canaries: list[str] = field(default_factory=list)

    @property
    def lines(self) -> dict[str, list[dict[str, Any]]]:
        """The lines by scope."""
        by_scope = defaultdict[str, list[dict[str, Any]]](list)
        for line in map(json.loads, self.written.splitlines()):
            by_scope[line["scope"]].append(line)
        return by_scope

    def said(self, scope: str, message: str) -> list[dict[str, Any]]:
        """The lines of a scope with that message."""
        return [line for line in self.lines[scope] if line["message"] == message]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """A server at the finest level, called, and a command on its store."""
    state, day = tmp_path_factory.mktemp("day") / "state", Day()
    with serving(state, "--dev", AUTHSVC_LOG_LEVELS="default=trace") as server:
        target = server.target()
        credential = json.loads((state / "dev.json").read_text())["credential"]
        with grpc.insecure_channel(target) as channel:
            live(channel, credential, day)
        server.signal()
        assert server.exit_code() == 0
        day.written = server.err
    levels = {"AUTHSVC_LOG_LEVELS": "cli=debug"}
    day.written += run_command("migrate", "--check", environ=environment(state, levels) | levels).err
    return day


def live(channel: grpc.Channel, credential: str, day: Day) -> None:
    """The main calls, good ones and bad ones."""
    metadata = (("authorization", f"Bearer {credential}"),)
    auth, admin = auth_pb2_grpc.AuthServiceStub(channel), admin_pb2_grpc.AdminServiceStub(channel)
    names = [secrets.token_urlsafe(24) for _ in range(3)]

    def refreshed(token: str, request_id: str) -> pb.RefreshTokenResponse:
        request = pb.RefreshTokenRequest(refresh_token=token, request_id=request_id)
        return auth.RefreshToken(request, metadata=metadata, timeout=10)

    def validate(token: str) -> None:
        auth.ValidateToken(pb.ValidateTokenRequest(api_key="acme", token=token), metadata=metadata, timeout=10)

    admin.CreateApp(admin_pb2.CreateAppRequest(api_key="acme"), metadata=metadata, timeout=10)
    admin.RotateKey(admin_pb2.RotateKeyRequest(api_key="acme"), metadata=metadata, timeout=10)
    account = admin_pb2.CreateServiceAccountRequest(name="edge", permissions=["tokens.issue"], all_apps=True)
    made = admin.CreateServiceAccount(account, metadata=metadata, timeout=10)
    user = pb.User(id="sara", name="canary-name-of-sara")
    plain = auth.IssueToken(pb.IssueTokenRequest(api_key="acme", user=user), metadata=metadata, timeout=10)
    request = pb.IssueTokenRequest(api_key="acme", user=user, refreshable=True, request_id=names[0])
    first, again = [auth.IssueToken(request, metadata=metadata, timeout=10) for _ in range(2)]
    second, once_more = [refreshed(first.refresh_token, names[1]) for _ in range(2)]
    third = refreshed(second.refresh_token, names[2])
    validate(third.token)
    validate(plain.token[:-8] + "AAAAAAAA")
    refusal_of(lambda: refreshed(first.refresh_token, names[1]))  # spent long ago: a reuse, which ends the session
    validate(third.token)
    refusal_of(lambda: refreshed(third.refresh_token, ""))
    another = auth.IssueToken(request_of("tom"), metadata=metadata, timeout=10)
    for target in (
        pb.RevokeTokensRequest(api_key="acme", refresh_token=another.refresh_token),
        pb.RevokeTokensRequest(api_key="acme", user_id="sara"),
        pb.RevokeTokensRequest(api_key="acme", token=another.token),
    ):
        auth.RevokeTokens(target, metadata=metadata, timeout=10)
    refusal_of(lambda: auth.IssueToken(request, metadata=(("authorization", "Bearer nonsense"),), timeout=10))
    answers = (plain, first, again, second, once_more, third, another)
    texts = [text for answer in answers for text in (answer.token, answer.refresh_token) if text]
    day.canaries += [*texts, *names, user.name, *(text.split("_", 2)[2] for text in (credential, made.credential))]


def request_of(user: str) -> pb.IssueTokenRequest:
    return pb.IssueTokenRequest(api_key="acme", user=pb.User(id=user), refreshable=True)


def test_each_documented_scope_has_a_line(day: Day) -> None:
    """No scope is a name alone, and no line is of a scope that the page does not name."""
    assert set(day.lines) == documented() - {"default"}


def test_no_secret_is_in_any_line(day: Day) -> None:
    """Neither a token nor a credential, a request id or a user's data; and the user's id, for control, is found."""
    assert len(day.canaries) > 15
    assert {canary: forms for canary in day.canaries if (forms := found(canary, day.written))} == {}
    assert "sara" in day.written
    assert [line for lines in day.lines.values() for line in lines if "***" in line.values()] == []


def test_sessions_say_what_becomes_of_them(day: Day) -> None:
    """Opened, found again, turned, replayed, refused and why, ended by reuse or by revocation: each by its id."""
    names = {
        "session opened": 2,
        "session found again": 1,
        "session turned": 2,
        "session replayed": 1,
        "session ended: a spent refresh token was presented again": 1,
        "session ended: revoked": 1,
        "sessions ended: all of a user": 1,
    }
    assert {name: len(day.said("sessions", name)) for name in names} == names
    assert [line["reason"] for line in day.said("sessions", "refresh refused")] == [
        "REFRESH_TOKEN_REUSED",
        "SESSION_REVOKED",
    ]
    (session_id,) = {line["session_id"] for line in day.said("sessions", "refresh refused")}
    assert session_id in {line["session_id"] for line in day.said("sessions", "session opened")}


def test_a_refused_token_is_explained(day: Day) -> None:
    """Why it is not good: under ``signing`` where its signature is not, under ``tokens`` where it is."""
    assert [line["reason"] for line in day.said("signing", "token not active")] == ["SIGNATURE_INVALID"]
    assert [line["reason"] for line in day.said("tokens", "token not active")] == ["SESSION_REVOKED"]
    assert len(day.said("tokens", "token minted")) == 1
    assert len(day.said("tokens", "token revoked")) == 1


def test_a_refused_credential_is_explained(day: Day) -> None:
    """What was wrong with it, and never what it was."""
    assert [line["detail"] for line in day.said("credentials", "credential refused")] == [
        "not of the form of a credential"
    ]


def test_changes_say_what_and_by_whom(day: Day) -> None:
    """Apps, accounts and keys: the action, the thing and who did it, at info."""
    (apps, accounts), keys = (day.lines[scope] for scope in ("apps", "accounts")), day.said("signing", "key changed")
    assert [(line["action"], line["app"]) for line in apps] == [("app.created", "dev"), ("app.created", "acme")]
    assert [line["action"] for line in accounts] == ["account.created"] * 2
    assert [(line["action"], line["app"]) for line in keys] == [("key.published", "acme")]
    operator = accounts[0]["account_id"]
    assert {line["level"] for line in (*apps, *accounts, *keys)} == {"info"}
    assert [line["principal"] for line in (*apps, *accounts, *keys)] == ["dev", operator, "dev", operator, operator]


def test_the_store_says_what_it_did(day: Day) -> None:
    """Each change by its kind and its time at debug, groups as they were committed, reading at trace alone."""
    changes = day.said("storage", "store changed")
    wanted = {"create_app", "create_account", "edit_keys", "open_session", "raise_watermark", "revoke_session"}
    assert wanted <= {line["action"] for line in changes}
    assert {line["level"] for line in (*changes, *day.said("storage", "changes committed"))} == {"debug"}
    assert all(line["count"] >= 1 and line["elapsed_ms"] >= 0 for line in day.said("storage", "changes committed"))
    reads = day.said("storage", "store read")
    assert {"session_state", "changes_since"} <= {line["action"] for line in reads}
    assert {line["level"] for line in reads} == {"trace"}


def test_trust_says_what_it_learnt(day: Day) -> None:
    """Each commit by its revision and what was in it."""
    known = day.said("trust", "changes are known")
    assert [line["detail"] for line in known if "App" in line["detail"]] == ["App KeyRecord"] * 2
    revisions = [line["revision"] for line in known]
    assert revisions == sorted(revisions)


def test_a_command_says_that_it_ran(day: Day) -> None:
    """What it was, how it ended and how long it took."""
    (line,) = day.said("cli", "command ended")
    assert (line["action"], line["outcome"]) == ("migrate --check", "done")
