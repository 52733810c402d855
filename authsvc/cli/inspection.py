"""``authsvc token inspect``: what kind of token a text is and what it says, offline and unverified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from authsvc.accounts.credentials import PREFIX as CREDENTIAL_PREFIX
from authsvc.accounts.credentials import read_credential
from authsvc.cli import strictness
from authsvc.cli.lenient import lenient_object
from authsvc.cli.output import Fact
from authsvc.cli.words import moment_words
from authsvc.signing.strict_json import JsonObject
from authsvc.tokens.refresh_token import PREFIX as REFRESH_PREFIX

MAX_INSPECTED = 64 * 1024
WARNING = "NOT VERIFIED: only decoded, and anyone can write what is shown. `authsvc token validate` asks the service."

_KINDS = {
    "access_token": "an access token as authsvc mints them",
    "unmanaged_token": "as the vendor's server SDKs mint them: without a kid, good only where unmanaged tokens are",
    "development_token": "a development token: unsigned, anyone can make one; good only where server and app allow it",
    "server_token": "a server's own token, which speaks for no user",
    "service_token": "a service's own token (svc+jwt), which speaks for no user",
    "refresh_token": "a refresh token: opaque, only the service can read it; it is not shown here",
    "credential": "a service credential, the secret of a backend; it is not shown here",
    "encrypted_token": "an encrypted token (JWE): only the holder of its key can read it",
    "other_token": "a JSON Web Token, but none that authsvc mints",
    "unknown": "no token",
}
_TIMES = ("iat", "nbf", "exp")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a text. ``findings``: what a strict verifier would refuse."""

    kind: str
    now: datetime
    header: JsonObject | None = None
    claims: JsonObject | None = None
    more: tuple[Fact, ...] = ()
    findings: tuple[str, ...] = field(default=())

    @property
    def warning(self) -> str:
        """What must be said before anything else."""
        return WARNING

    @property
    def readable(self) -> bool:
        """Whether it is a token at all."""
        return self.kind != "unknown"

    def document(self) -> dict[str, Any]:
        """All of it for programs."""
        return {
            "verified": False,
            "warning": WARNING,
            "kind": self.kind,
            "description": _KINDS[self.kind],
            **dict(self.more),
            "header": self.header,
            "claims": self.claims,
            "times": {name: moment.isoformat() for name, moment in _moments(self.claims)},
            "findings": list(self.findings),
        }

    def facts(self) -> list[Fact]:
        """All of it for people."""
        return [
            ("kind", _KINDS[self.kind]),
            *((name.replace("_", " "), value) for name, value in self.more),
            *_members("header", self.header),
            *_members("claim", self.claims),
            *((f"time {name}", moment_words(moment, self.now)) for name, moment in _moments(self.claims)),
            *(("a strict verifier refuses", finding) for finding in self.findings),
        ]


def inspect_text(text: str, now: datetime) -> Inspection:
    """Look into a text; never raises, whatever it holds."""
    scheme, _, rest = text.strip().partition(" ")
    bearer = scheme.lower() == "bearer"
    found = _inspect(rest.strip() if bearer else text.strip(), now)
    if not bearer:
        return found
    note = "it begins with 'Bearer ', which belongs to the header that carries it"
    return Inspection(found.kind, now, found.header, found.claims, found.more, (note, *found.findings))


def _inspect(text: str, now: datetime) -> Inspection:
    if text.startswith(REFRESH_PREFIX):
        return Inspection("refresh_token", now)
    if text.startswith(CREDENTIAL_PREFIX):
        return _credential(text, now)
    if len(text) > MAX_INSPECTED:
        return Inspection("unknown", now, findings=(f"it is longer than {MAX_INSPECTED} characters",))
    segments = text.split(".")
    if len(segments) == 5:
        return Inspection("encrypted_token", now, lenient_object(segments[0]), findings=("it has five segments",))
    if len(segments) != 3:
        return Inspection(
            "unknown", now, findings=(f"it has {len(segments)} segments between dots, a token has three",)
        )
    return _signed(segments, now)


def _credential(text: str, now: datetime) -> Inspection:
    known = read_credential(text)
    if known is None:
        return Inspection("credential", now, findings=("its form or its checksum is wrong: a part may be missing",))
    return Inspection("credential", now, more=(("account_id", known.account_id),))


def _signed(segments: list[str], now: datetime) -> Inspection:
    header, claims = lenient_object(segments[0]), lenient_object(segments[1])
    if header is None or claims is None:
        missing = "header" if header is None else "payload"
        return Inspection(
            "unknown", now, header, claims, findings=(f"its {missing} is not a JSON object in base64url",)
        )
    kind = _kind(segments[2], header, claims)
    return Inspection(kind, now, header, claims, findings=tuple(_findings(kind, segments, header, claims, now)))


def _kind(signature: str, header: JsonObject, claims: JsonObject) -> str:
    if signature == "devtoken":
        return "development_token"
    if header.get("typ") == "svc+jwt":
        return "service_token"
    if "server" in claims:
        return "server_token"
    if "kid" in header and {"user_id", "jti"} <= claims.keys():
        return "access_token"
    return "unmanaged_token" if "kid" not in header and "user_id" in claims else "other_token"


def _findings(kind: str, segments: list[str], header: JsonObject, claims: JsonObject, now: datetime) -> Iterator[str]:
    if kind == "development_token":
        # Its payload is padded, its header fixed and its signature a word: the rules for signed tokens are not its own.
        if claims.keys() != {"user_id"}:
            yield "a development token has the claim user_id alone"
        return
    yield from strictness.form_faults(segments)
    yield from strictness.header_faults(segments[0], header)
    yield from strictness.payload_faults(segments[1])
    if kind != "unmanaged_token":
        yield from strictness.type_faults(header)
        yield from strictness.claim_faults(claims, header.get("typ"))
    yield from strictness.time_faults(claims, now)


def _members(what: str, members: JsonObject | None) -> Iterator[Fact]:
    for name, value in (members or {}).items():
        yield f"{what} {json.dumps(name)[1:-1]}", json.dumps(value)


def _moments(claims: JsonObject | None) -> Iterator[tuple[str, datetime]]:
    """The times of a token that are moments at all."""
    for name in _TIMES:
        value = (claims or {}).get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                yield name, datetime.fromtimestamp(value, UTC)
            except (ValueError, OverflowError, OSError):
                continue
