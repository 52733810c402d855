"""Where a server's lines go: the audit to a file of its own, errors to Sentry too."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from authsvc.app.sinks import make_logs, open_sinks
from authsvc.clock import system_clock
from authsvc.config import Settings, SettingsInvalid, load_settings
from authsvc.logs import LoggerSystem
from authsvc.v1 import auth_pb2 as pb
from authsvc.v1 import auth_pb2_grpc
from tests.app.processes import refusal, serving
from tests.logs.sentry_transport import DSN, KeepingTransport

ISSUE = pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"))


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@contextmanager
def logging_as(settings: Settings, transport: object = None) -> Iterator[LoggerSystem]:
    """The loggers of a server with these settings."""
    logs = make_logs(settings, system_clock)
    with open_sinks(settings, logs, transport=transport):
        yield logs


def test_the_audit_of_a_server_is_in_its_file(state_dir: Path, tmp_path: Path) -> None:
    """Issues are lines in the file, which is private, whatever the level of all else is; stderr has none of them."""
    state, file = state_dir / "state", tmp_path / "audit.jsonl"
    settings = {"AUTHSVC_AUDIT_LOG": str(file), "AUTHSVC_LOG_LEVELS": "default=error,server=info"}
    with serving(state, "--dev", **settings) as server:
        target = server.target()
        metadata = (("authorization", f"Bearer {json.loads((state / 'dev.json').read_text())['credential']}"),)
        with grpc.insecure_channel(target) as channel:
            auth_pb2_grpc.AuthServiceStub(channel).IssueToken(ISSUE, metadata=metadata, timeout=10)
        server.signal()
        assert server.exit_code() == 0
        assert {line["scope"] for line in lines_of(server.err)} == {"server"}
    assert [line["message"] for line in lines_of(file.read_text())] == ["token issued"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("what", ["a directory", "nowhere"])
def test_a_file_that_cannot_be_opened_stops_the_start(state_dir: Path, tmp_path: Path, what: str) -> None:
    """A server whose audit has no place does not serve, and says which file it is."""
    file = tmp_path if what == "a directory" else tmp_path / "nowhere" / "audit.jsonl"
    reason = "Is a directory" if what == "a directory" else "No such file or directory"
    said = refusal(state_dir / "state", "--dev", AUTHSVC_AUDIT_LOG=str(file))
    assert said == f"AUTHSVC_AUDIT_LOG: {file} cannot be opened for writing: {reason}"


def test_a_start_with_a_silenced_audit_says_so(state_dir: Path, tmp_path: Path) -> None:
    """The first line of the audit's file is then that it will have no others."""
    file = tmp_path / "audit.jsonl"
    settings = {"AUTHSVC_AUDIT_LOG": str(file), "AUTHSVC_LOG_LEVELS": "audit=error"}
    with serving(state_dir / "state", "--dev", **settings) as server:
        server.target()
        server.signal()
        assert server.exit_code() == 0
    (line,) = lines_of(file.read_text())
    assert (line["level"], line["setting"]) == ("error", "audit=error")


def test_errors_are_sent_to_sentry_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors of all scopes and nothing below, the audit's included; each line is where it would be without Sentry."""
    file, transport = tmp_path / "audit.jsonl", KeepingTransport()
    settings = load_settings({"AUTHSVC_SENTRY_DSN": DSN.reveal(), "AUTHSVC_AUDIT_LOG": str(file)})
    written: dict[str, list[dict[str, Any]]] = {}
    with logging_as(settings, transport) as logs:
        for scope in ("rpc", "audit"):
            log = logs.get_logger(scope)
            with log.together():
                log.info(f"{scope} informs")
                log.warn(f"{scope} warns")
                log.error(f"{scope} fails", error_id="e1")
                assert f"{scope} fails" not in file.read_text() + capsys.readouterr().err, "written at once, at the end"
            written[scope] = lines_of(file.read_text() if scope == "audit" else capsys.readouterr().err)
    assert [(event["message"], event["level"]) for event in transport.events] == [
        ("rpc fails", "error"),
        ("audit fails", "error"),
    ]
    assert transport.events[0]["extra"] == {"error_id": "e1"}
    assert {scope: [line["message"] for line in lines] for scope, lines in written.items()} == {
        scope: [f"{scope} informs", f"{scope} warns", f"{scope} fails"] for scope in ("rpc", "audit")
    }


def test_lines_go_back_to_stderr_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Outside of it nothing is sent, and no closed file is written to."""
    file, transport = tmp_path / "audit.jsonl", KeepingTransport()
    settings = load_settings({"AUTHSVC_SENTRY_DSN": DSN.reveal(), "AUTHSVC_AUDIT_LOG": str(file)})
    with logging_as(settings, transport) as logs:
        pass
    logs.get_logger("audit").error("late")
    assert [line["message"] for line in lines_of(capsys.readouterr().err)] == ["late"]
    assert (transport.envelopes, file.read_text()) == ([], "")


def test_without_the_extra_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, and not the DSN."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    settings = load_settings({"AUTHSVC_SENTRY_DSN": DSN.reveal()})
    with pytest.raises(SettingsInvalid, match=r"AUTHSVC_SENTRY_DSN: .*pip install 'authsvc\[sentry\]'") as refused:
        logging_as(settings).__enter__()
    assert "sentry.invalid" not in str(refused.value)


def test_what_is_no_dsn_is_refused(state_dir: Path) -> None:
    """A server does not start with it, and does not repeat it."""
    said = refusal(state_dir / "state", "--dev", AUTHSVC_SENTRY_DSN="canary://nonsense")
    assert said == "AUTHSVC_SENTRY_DSN must be a DSN of Sentry: https://<key>@<host>/<project>"
