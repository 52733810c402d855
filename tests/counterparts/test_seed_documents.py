"""The tokens that are printed in the seed documents, read from there: inspected, and answered by the verifier."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from authsvc.model import Algorithm, ApiKey, Kind, TokenStatus
from authsvc.signing import algorithms, base64url
from tests.cli.conftest import run_command
from tests.conftest import HandClock
from tests.counterparts.vendor import SECRET, accepted
from tests.tokens.service import Service, open_service, payload_of

DOCUMENTS = Path(os.environ.get("SEED_DOCUMENTS", Path(__file__).parents[3] / "shared" / "seeds"))
WHOLE = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
CUT = re.compile(r"eyJ[\w-]+\.\.\.")
ANONYMOUS_PAYLOAD = re.compile(r'\{[^{}]*"user_id": "!anon"[^{}]*\}')


def found(pattern: re.Pattern[str]) -> Sequence[str]:
    """What the documents print in that form; without them a test is skipped, and fails where CI must have them."""
    texts = [path.read_text() for path in sorted(DOCUMENTS.glob("*.txt"))]
    if not texts:
        reason = "the seed documents are not beside the project (SEED_DOCUMENTS names their folder)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    matches = list(dict.fromkeys(match for text in texts for match in pattern.findall(text)))
    assert matches, "the documents print none in this form"
    return matches


def resigned(signing_input: str) -> str:
    """The same header and payload under a secret that we hold."""
    return (
        f"{signing_input}.{base64url.encode(algorithms.sign(Algorithm.HS256, SECRET.encode(), signing_input.encode()))}"
    )


@contextmanager
def at(seconds: int, directory: Path) -> Iterator[tuple[Service, ApiKey]]:
    """An app with that secret, at that time."""
    with open_service(directory, HandClock(datetime.fromtimestamp(seconds, UTC))) as service:
        yield service, service.app(secret=SECRET.encode(), accept_unmanaged_tokens=True)


def inspected(text: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the document of ``token inspect``."""
    ended = run_command("token", "inspect", "-", "--json", environ={}, given=text)
    return ended.code, ended.json


def test_printed_tokens_are_inspected() -> None:
    """Each is recognised as the vendor's, shown as unverified, with what it says; the excerpts are no tokens."""
    for text in found(WHOLE):
        code, document = inspected(text)
        assert (code, document["kind"], document["verified"]) == (0, "unmanaged_token", False)
        assert document["claims"] == payload_of(text)
        assert document["claims"]["sub"] == f"user/{document['claims']['user_id']}"
    for text in found(CUT):
        code, document = inspected(text)
        assert (code, document["kind"]) == (1, "unknown")


def test_printed_tokens_are_under_another_secret(tmp_path: Path) -> None:
    """Whoever imports another secret refuses their signature; an app without an imported one knows no key of theirs."""
    for number, text in enumerate(found(WHOLE)):
        with at(payload_of(text)["iat"] + 10, tmp_path / str(number)) as (service, app):
            assert service.validate(app, text).status is TokenStatus.SIGNATURE_INVALID
            assert service.validate(service.app(), text).status is TokenStatus.KEY_UNKNOWN
            for excerpt in found(CUT):
                assert service.validate(app, excerpt).status is TokenStatus.MALFORMED


def test_printed_tokens_are_good_under_our_secret(tmp_path: Path) -> None:
    """Header and payload as printed, signed with the secret that was imported: ACTIVE for that user until its end."""
    for number, text in enumerate(found(WHOLE)):
        said = payload_of(text)
        with at(said["iat"] + 10, tmp_path / str(number)) as (service, app):
            token = resigned(text.rpartition(".")[0])
            claims = accepted(service, app, token)
            assert (claims.user.id, claims.issuer, claims.expires_at) == (said["user_id"], said["iss"], said["exp"])
            assert claims.custom_claims == {"validity_in_seconds": said["validity_in_seconds"]}
            service.clock.move(seconds=said["exp"] - said["iat"] + 60)
            assert service.validate(app, token).status is TokenStatus.EXPIRED


def test_the_printed_payload_of_a_visitor_is_good(tmp_path: Path) -> None:
    """The anonymous payload of the documents, signed with the imported secret, is good for its call and no other."""
    for number, payload in enumerate(found(ANONYMOUS_PAYLOAD)):
        said = json.loads(payload)
        header = base64url.encode(b'{"alg":"HS256","typ":"JWT"}')
        token = resigned(f"{header}.{base64url.encode(payload.encode())}")
        with at(said["iat"] + 10, tmp_path / str(number)) as (service, app):
            claims = accepted(service, app, token, call_cid=said["call_cids"][0])
            assert (claims.kind, claims.user.role) == (Kind.ANONYMOUS, said["role"])
            assert service.validate(app, token, call_cid="livestream:other").status is TokenStatus.SCOPE_DENIED
            assert service.validate(app, token).status is TokenStatus.SCOPE_DENIED
