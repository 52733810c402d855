"""What the seed vendor's packages minted, and how a token of theirs is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authsvc.model import ApiKey
from authsvc.verify.claims import AccessClaims
from tests.tokens.service import Service

SECRET = "the-secret-of-an-existing-app-of-the-vendor"
CALLS = ["livestream:123", "default:1"]


@dataclass(frozen=True)
class Vendor:
    """Tokens by name; ``issued`` and ``expires`` are seconds since the epoch."""

    tokens: Mapping[str, str]
    issued: int
    expires: int


def accepted(service: Service, app: ApiKey, token: str, **questions: str) -> AccessClaims:
    """The claims of a token that is ACTIVE."""
    verdict = service.validate(app, token, **questions)
    assert verdict.active, (verdict.status, verdict.detail)
    assert verdict.token is not None
    return verdict.token.claims
