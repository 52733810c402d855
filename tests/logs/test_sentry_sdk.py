"""The Sentry sink with the real sentry-sdk, whose transport keeps what it is given instead of sending it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope

from authsvc.logs import Level, LoggerSystem, SecretText, SentrySink, sentry_client
from authsvc.logs.sentry import SentryClient
from tests.logs.canaries import TEXT, found
from tests.logs.keeping import NOW, Keeping
from tests.logs.sentry_transport import DSN, KeepingTransport


@pytest.fixture
def transport() -> KeepingTransport:
    return KeepingTransport()


@pytest.fixture
def client(transport: KeepingTransport) -> Iterator[SentryClient]:
    """A client as the server makes it, but for its transport."""
    client = sentry_client(DSN, release="1.2.3", transport=transport)
    yield client
    client.close()


@pytest.fixture
def logs(client: SentryClient) -> LoggerSystem:
    """A system that sends warnings and errors of the scopes rpc and storage to Sentry."""
    return LoggerSystem(["rpc", "storage"], clock=lambda: NOW, built_in=SentrySink(client.capture_event))


def test_event_arrives(logs: LoggerSystem, transport: KeepingTransport) -> None:
    """An error arrives whole: message, level, scope, time, release and the fields of its line."""
    logs.get_logger("rpc", tags=["slow"]).error("it failed", code="INTERNAL", error_id="e1", duration_ms=1.5)
    (event,) = transport.events
    assert (event["message"], event["level"], event["logger"]) == ("it failed", "error", "authsvc.rpc")
    assert (event["release"], event["tags"]) == ("1.2.3", {"scope": "rpc"})
    assert event["timestamp"] == "2026-03-04T05:06:07.000089Z"
    assert event["extra"] == {"tags": ["slow"], "code": "INTERNAL", "error_id": "e1", "duration_ms": 1.5}


@pytest.mark.parametrize("level", Level)
def test_minimum_level(logs: LoggerSystem, transport: KeepingTransport, level: Level) -> None:
    """Warnings and errors arrive, whatever the scope writes elsewhere; nothing below does."""
    logs.configure_levels({"default": "trace"})
    getattr(logs.get_logger("rpc"), str(level))("x")
    assert len(transport.events) == (level >= Level.WARN)


def test_nothing_else_is_collected(logs: LoggerSystem, transport: KeepingTransport) -> None:
    """The event has no variables, stack, modules, arguments, breadcrumbs, request or user: only what was given."""
    password = TEXT  # a local variable that sentry-sdk would show by itself
    try:
        raise ValueError(password)
    except ValueError as fault:
        logs.get_logger("rpc").error("it failed", exception=fault)
    (event,) = transport.events
    assert event.keys() == {
        *("message", "level", "logger", "tags", "extra", "timestamp", "release"),
        *("event_id", "environment", "server_name", "sdk", "platform"),
    }
    assert event["extra"] == {"exception": "ValueError"}
    assert not found(TEXT, transport.wire)


def test_control_sentry_as_it_comes_collects_local_variables(transport: KeepingTransport) -> None:
    """The canary of the test above is found when sentry-sdk is used with its own defaults."""
    password = TEXT
    with sentry_sdk.Client(dsn=DSN.reveal(), transport=transport) as plain:
        try:
            raise ValueError(password)
        except ValueError:
            event, hint = sentry_sdk.utils.event_from_exception(sys.exc_info(), client_options=plain.options)
            plain.capture_event(event, hint=hint)
    assert found(TEXT, transport.wire)


def test_secrets_stay_hidden(logs: LoggerSystem, transport: KeepingTransport) -> None:
    """Secrets, fields that are not allowed and credentials in allowed fields arrive as `***`."""
    logs.get_logger("storage").error(
        "x", target=SecretText(TEXT), recipe=TEXT, detail=f"art1_{TEXT}", exception=OSError(TEXT)
    )
    (event,) = transport.events
    hidden = {"target": "***", "recipe": "***", "detail": "***", "exception": "OSError"}
    assert event["extra"] == hidden
    assert not found(TEXT, transport.wire)


def test_dsn_password_stays_here(logs: LoggerSystem, client: SentryClient, transport: KeepingTransport) -> None:
    """The password of the DSN is in no event and in no text form of the client or the sink."""
    logs.get_logger("rpc").error("x")
    shown = transport.wire + repr((client, SentrySink(client.capture_event))).encode()
    assert b"authsvc.rpc" in shown
    assert b"the-password-of-the-dsn" not in shown


def test_other_libraries_are_not_listened_to(client: SentryClient, transport: KeepingTransport) -> None:
    """What other code logs or reports to Sentry does not reach the client: it hooks nothing."""
    logging.getLogger("some.library").error("authorization: Bearer %s", TEXT)
    sentry_sdk.capture_message(TEXT)
    assert transport.envelopes == []
    client.capture_event({"message": "x"})
    assert len(transport.envelopes) == 1, "the client would have sent it"


def test_nothing_of_the_process_is_hooked(transport: KeepingTransport) -> None:
    """Making a client brings none of the integrations that change how a process ends, logs or starts its threads."""
    hooks = (sys.excepthook, logging.Logger.callHandlers, threading.Thread.start)
    client = sentry_client(DSN, release="1", transport=transport)
    client.capture_event({"message": "x"})
    client.close()
    assert (sys.excepthook, logging.Logger.callHandlers, threading.Thread.start) == hooks
    assert transport.events[0]["sdk"]["integrations"] == []


def test_breadcrumbs_of_the_program_stay_there(client: SentryClient, transport: KeepingTransport) -> None:
    """What a program notes for its own Sentry client goes with that one's events, and with none of this one's."""
    own = KeepingTransport()
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(sentry_sdk.Client(dsn=DSN.reveal(), transport=own, default_integrations=False))
        sentry_sdk.add_breadcrumb(message=TEXT)
        client.capture_event({"message": "ours"})
        sentry_sdk.capture_message("theirs")
    assert found(TEXT, own.wire)
    assert b"ours" in transport.wire
    assert not found(TEXT, transport.wire)


def test_sentrys_own_client_is_untouched(client: SentryClient) -> None:
    """Making a client does not become, or replace, the one a program has set Sentry up with."""
    assert not sentry_sdk.get_client().is_active()


def test_a_program_with_sentry_of_its_own(transport: KeepingTransport) -> None:
    """A program that has set Sentry up may give its `capture_event` to the sink."""
    own = sentry_sdk.Client(
        dsn=DSN.reveal(), transport=transport, default_integrations=False, auto_enabling_integrations=False
    )
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(own)
        sink = SentrySink(sentry_sdk.capture_event)
        LoggerSystem(["rpc"], clock=lambda: NOW, built_in=sink).get_logger("rpc").warn("seen")
    own.close()
    assert [event["message"] for event in transport.events] == ["seen"]


def test_line_beside_sentry(client: SentryClient, transport: KeepingTransport) -> None:
    """With another sink beside it, everything is written there and only what matters is sent."""
    local = Keeping()
    logs = LoggerSystem(["rpc"], clock=lambda: NOW, built_in=SentrySink(client.capture_event, then=local))
    logs.get_logger("rpc").info("quiet")
    logs.get_logger("rpc").error("loud")
    assert local.messages == ["quiet", "loud"]
    assert [event["message"] for event in transport.events] == ["loud"]


def test_a_transport_that_throws_costs_no_call(transport: KeepingTransport) -> None:
    """When the way out fails, the logger's caller goes on, and the built-in sink says so once."""

    class Broken(KeepingTransport):
        def capture_envelope(self, envelope: Envelope) -> None:
            raise OSError(TEXT)

    client, built_in = sentry_client(DSN, release="1", transport=Broken()), Keeping()
    logs = LoggerSystem(["rpc"], clock=lambda: NOW, built_in=built_in)
    logs.configure_loggers({"rpc": {"sink": SentrySink(client.capture_event)}})
    for _ in range(2):
        logs.get_logger("rpc").error("x")
    client.close()
    assert built_in.messages == ["a log sink throws: its events are lost, told once"]
    assert not found(TEXT, repr(built_in.calls))


def test_closing_ends_it(client: SentryClient, logs: LoggerSystem, transport: KeepingTransport) -> None:
    """After close nothing is sent any more, and logging goes on without a fault."""
    client.close()
    logs.get_logger("rpc").error("late")
    assert transport.envelopes == []
