"""A failed call as the command tells it: what the service said, or why no service said anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from authsvc.cli.handshake import tls_fault
from authsvc.cli.refusals import CommandFailed
from authsvc.cli.target import Server
from authsvc.cli.words import moment_words
from authsvc.clock import system_clock

if TYPE_CHECKING:
    from authsvc.client import AuthClientError, Violation

# A fault of the request in the words of the command line: of the field, and what its sentence begins with.
_NO_APP = ("api_key", "must name the app")


def explained(error: AuthClientError, server: Server) -> CommandFailed:
    """The failure of a command whose call failed. Reason and code are the same where no authsvc answered."""
    message = _told(error) if error.reason != error.code else _without_an_answer(error, server)
    retry = None if error.retry_after is None else error.retry_after.total_seconds()
    more = {"code": error.code, "metadata": dict(error.metadata), "retry_after_seconds": retry}
    return CommandFailed(error.reason, message, violations=[_fault(each) for each in error.violations], more=more)


def _told(error: AuthClientError) -> str:
    """What the service said, in the command's words where one of its options is what helps."""
    if error.reason != "KEY_NOT_READY":
        return error.message
    try:
        signs_from = datetime.fromisoformat(error.metadata.get("signs_from", "")).astimezone(UTC)
    except ValueError:  # something else than its lead time is missing
        return error.message
    return (
        f"the key may sign from {moment_words(signs_from, system_clock())}, and does so by itself then; with --now it "
        "signs at once, and verifiers may not know it yet"
    )


def _fault(violation: Violation) -> Mapping[str, str]:
    field, description = violation.field, violation.description
    fault = {"field": field, "description": description, "reason": violation.reason}
    if field == _NO_APP[0] and description.startswith(_NO_APP[1]):
        return {**fault, "option": "--app", "description": f"{description}; say --app KEY, or set AUTHSVC_API_KEY"}
    return fault


def _without_an_answer(error: AuthClientError, server: Server) -> str:
    why = error.message.rpartition("last error: ")[2]
    match error.code:
        case "UNAVAILABLE":
            return _unavailable(server, why)
        case "DEADLINE_EXCEEDED":
            return f"{server.target} did not answer in time ({why})"
        case "UNIMPLEMENTED":
            return f"what answers at {server.target} is no authsvc, or an older one ({why})"
    return why


def _unavailable(server: Server, why: str) -> str:
    from authsvc.client.channel import is_loopback

    asked = any((server.roots, server.certificate))
    plaintext = server.allow_plaintext or (is_loopback(server.target) and not asked)
    fault = tls_fault(server, plaintext=plaintext)
    if fault:
        return (
            f"{server.target} {fault} ({why})" if plaintext else f"TLS with {server.target} failed: it {fault} ({why})"
        )
    if "handshake" in why:
        hint = "AUTHSVC_TLS_CA names the CA its certificate leads to, AUTHSVC_ALLOW_PLAINTEXT=true gives TLS up"
        return f"TLS with {server.target} failed: {hint} ({why})"
    start = f"no authsvc answers at {server.target}: start one with `make run`, or set AUTHSVC_TARGET"
    if server.dev_json is None:
        return f"{start} ({why})"
    return f"{start} and AUTHSVC_CREDENTIAL where another is meant than {server.dev_json} names ({why})"
