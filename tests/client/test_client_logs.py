"""The loggers of a client: its own, quiet while all goes well, and never at the cost of the program's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from authsvc.client import AsyncAuthClient, AuthClient, InvalidRequest, Unavailable
from authsvc.client.logs import make_client_logs
from authsvc.client.retries import NO_RETRIES
from authsvc.errors import Reason
from authsvc.errors import Unavailable as ServiceUnavailable
from authsvc.logs import CLIENT_SCOPES, Level, LogSettingError, SentrySink, sentry_client
from authsvc.rpc.status import status_of
from authsvc.v1 import auth_pb2
from tests.client.conftest import CREDENTIAL
from tests.client.halves import Half, validate
from tests.client.scripted import ScriptedServer, aborts, ends_with
from tests.logs.keeping import Keeping
from tests.logs.sentry_transport import DSN, KeepingTransport

DRAINING = ends_with(status_of(ServiceUnavailable(Reason.DRAINING)))


def fields(event: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    """Those fields of an event."""
    return tuple(event[name] for name in names)


def test_success_is_silent_at_info(half: Half, scripted: ScriptedServer) -> None:
    """Nothing is said about a call that is answered; at debug it is one line, with what it took."""
    sink = Keeping()
    with half(scripted.target, CREDENTIAL, log_options={"default": {"sink": sink}}) as do:
        do(validate)
        assert sink.calls == []
        do.client.logs.configure_loggers({"client": {"level": "debug"}})
        do(validate)
    ((level, message, event),) = sink.calls
    assert (level, message, event["scope"]) == (Level.DEBUG, "call", "client")
    assert fields(event, "method", "code", "reason", "count") == ("ValidateToken", "OK", "", 1)
    assert event["duration_ms"] > 0


def test_a_repeat_is_told(half: Half, scripted: ScriptedServer, pauses: list[float]) -> None:
    """Each repeat says why; the call that succeeded after it says nothing more."""
    sink = Keeping()
    scripted.script = [DRAINING, DRAINING]
    with half(scripted.target, CREDENTIAL, log_options={"default": {"sink": sink}}, pauses=pauses) as do:
        do(validate)
    assert [(level, message) for level, message, _ in sink.calls] == [(Level.INFO, "the call is repeated")] * 2
    assert fields(sink.calls[0][2], "method", "code", "reason") == ("ValidateToken", "UNAVAILABLE", "DRAINING")


def test_a_failure_is_the_callers(half: Half, scripted: ScriptedServer) -> None:
    """What is raised is not told a second time, but for whoever looks at debug."""
    sink = Keeping()
    scripted.script = [DRAINING, DRAINING]
    options = {"default": {"sink": sink}}
    with half(scripted.target, CREDENTIAL, log_options=options, retries=NO_RETRIES) as do:
        with pytest.raises(Unavailable):
            do(validate)
        assert sink.calls == []
        do.client.logs.configure_levels({"client": "debug"})
        with pytest.raises(Unavailable):
            do(validate)
    assert fields(sink.event, "method", "code", "reason") == ("ValidateToken", "UNAVAILABLE", "DRAINING")


def test_no_line_holds_a_secret(half: Half, scripted: ScriptedServer) -> None:
    """At the finest level, through repeats and failures, neither credential nor tokens are in what is written."""
    sink = Keeping()
    secrets = ("canary-token", "art1_canary-refresh")
    scripted.script = [DRAINING, aborts(grpc.StatusCode.INVALID_ARGUMENT, "canary-token is bad")]
    options = {"default": {"sink": sink, "level": "trace"}}
    with half(scripted.target, CREDENTIAL, log_options=options, pauses=[]) as do:
        with pytest.raises(InvalidRequest):
            do(lambda client: client.validate_token(auth_pb2.ValidateTokenRequest(token=secrets[0])))
        do(lambda client: client.refresh_token(auth_pb2.RefreshTokenRequest(refresh_token=secrets[1])))
    assert len(sink.calls) == 3
    assert not [secret for secret in (CREDENTIAL, *secrets) if secret in repr(sink.calls)]


@pytest.mark.parametrize("kind", [AuthClient, AsyncAuthClient])
def test_each_client_has_its_own(kind: type[AuthClient | AsyncAuthClient]) -> None:
    """Configuring one client changes no other; options are merged into what was, and restored to the built-in."""
    first, second = Keeping(), Keeping()
    one = kind("127.0.0.1:1", log_options={"default": {"sink": first}, "client.tokens": {"level": "trace"}})
    two = kind("127.0.0.1:1", log_options={"default": {"sink": second, "level": "error"}})
    one.logs.configure_loggers({"client.tokens": {"sink": second}})
    one.logs.get_logger("client.tokens").trace("x")
    one.logs.get_logger("client.user").info("y")
    two.logs.get_logger("client.user").info("z")
    assert (first.messages, second.messages) == (["y"], ["x"])
    one.logs.restore_defaults()
    assert set(one.logs.levels().values()) == {Level.INFO}
    assert two.logs.levels()["default"] is Level.ERROR


@pytest.mark.parametrize("kind", [AuthClient, AsyncAuthClient])
@pytest.mark.parametrize(
    ("options", "known"),
    [
        ({"client.token": {"level": "debug"}}, "client.tokens"),
        ({"client": {"level": "loud"}}, "trace, debug, info, warn, error"),
        ({"client": {"levels": "debug"}}, "level, sink"),
        ({"client": {"sink": "stderr"}}, "callable"),
    ],
)
def test_a_wrong_option_names_what_is_known(kind: type[AuthClient | AsyncAuthClient], options: Any, known: str) -> None:
    """A misspelt scope, level or key stops the construction, and says what it could have been."""
    with pytest.raises(LogSettingError, match=known):
        kind("127.0.0.1:1", log_options=options)


def test_clients_that_work_together_share_a_system() -> None:
    """Given a system instead of options, a client writes through it."""
    logs = make_client_logs({"client": {"level": "error"}})
    assert AuthClient("127.0.0.1:1", log_options=logs).logs is logs
    assert set(logs.scopes) == {*CLIENT_SCOPES, "default"}


def test_a_client_reports_to_sentry(scripted: ScriptedServer) -> None:
    """The Sentry sink takes a client's events: here those of a service that drains."""
    transport = KeepingTransport()
    sentry = sentry_client(DSN, release="1", transport=transport)
    scripted.script = [DRAINING]
    sink = SentrySink(sentry.capture_event, minimum=Level.INFO)
    with AuthClient(
        scripted.target, CREDENTIAL, log_options={"client": {"sink": sink}}, pause=lambda _: None
    ) as client:
        validate(client)
    sentry.close()
    (event,) = transport.events
    assert (event["message"], event["logger"]) == ("the call is repeated", "authsvc.client")
    assert event["extra"]["reason"] == "DRAINING"
    assert CREDENTIAL.encode() not in transport.wire


GLOBALS = """if True:
    import asyncio, logging, os, signal, sys, threading, warnings
    import grpc, structlog

    def settings():
        root = logging.root
        named = {name: (logger.level, logger.handlers[:], logger.propagate, logger.disabled)
                 for name, logger in logging.Logger.manager.loggerDict.items() if isinstance(logger, logging.Logger)}
        return {
            "root logger": (root.level, root.handlers[:], root.filters[:], root.manager.disable),
            "named loggers": {name: named[name] for name in named if any(named[name][:2]) or not named[name][2]},
            "logger class": logging.getLoggerClass(),
            "structlog": (structlog.is_configured(), structlog.get_config()),
            "environment": dict(os.environ),
            "warnings": warnings.filters[:],
            "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook),
            "signals": [signal.getsignal(number) for number in signal.valid_signals()],
            "event loops": type(asyncio.get_event_loop_policy()),
            "streams": (sys.stdout, sys.stderr),
        }

    before = settings()
"""
USE = """
    from authsvc.client import AsyncAuthClient, AuthClient
    from authsvc.v1.auth_pb2 import ValidateTokenRequest

    async def awaited():
        async with AsyncAuthClient(sys.argv[1], log_options={"client": {"level": "debug"}}) as client:
            await client.validate_token(ValidateTokenRequest())

    with AuthClient(sys.argv[1], log_options={"client": {"level": "debug"}}) as client:
        client.validate_token(ValidateTokenRequest())
        client.logs.configure_loggers({"default": {"level": "trace"}})
        client.logs.restore_defaults()
    asyncio.run(awaited())
"""
TELL = """
    after = settings()
    print([name for name in before if before[name] != after[name]])
"""


def changed_globals(scripted: ScriptedServer, use: str) -> str:
    """What a program that does that has changed for the rest of itself."""
    command = [sys.executable, "-c", GLOBALS + use + TELL, scripted.target]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_nothing_global_is_touched(scripted: ScriptedServer) -> None:
    """A program finds its logging, structlog, environment, warnings, hooks and signals as it left them."""
    assert changed_globals(scripted, USE) == "[]"
    assert len(scripted.requests) == 2, "the clients were used"


@pytest.mark.parametrize(
    ("meddling", "noticed"),
    [
        ("logging.basicConfig()", "root logger"),
        ("logging.getLogger('grpc').setLevel(10)", "named loggers"),
        ("logging.getLogger('grpc').addHandler(logging.NullHandler())", "named loggers"),
        ("structlog.configure(cache_logger_on_first_use=True)", "structlog"),
        ("os.environ['GRPC_VERBOSITY'] = 'INFO'", "environment"),
        ("warnings.simplefilter('ignore')", "warnings"),
        ("sys.excepthook = print", "hooks"),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "signals"),
    ],
)
def test_meddling_would_be_noticed(scripted: ScriptedServer, meddling: str, noticed: str) -> None:
    """The control of the test above: each kind of it is seen."""
    assert changed_globals(scripted, f"    {meddling}") == f"['{noticed}']"
