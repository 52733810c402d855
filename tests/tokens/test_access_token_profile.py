"""The profile of RFC 9068 beside the classic one: what is minted and accepted, and that a change logs nobody out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authsvc.model import Profile, TokenStatus
from authsvc.signing.jws import sign_compact
from authsvc.signing.strict_json import write_object
from tests.tokens.service import Service, payload_of, segment


def test_what_it_says(desk: Service) -> None:
    """An at+jwt token names the user plainly, its client and an audience, under its own typ (RFC 9068, 2.1 and 2.2)."""
    app = desk.app(profile=Profile.AT_JWT)
    text = desk.issue(app).minted.text
    assert json.loads(segment(text, 0))["typ"] == "at+jwt"
    said = payload_of(text)
    assert (said["sub"], said["user_id"], said["client_id"], said["aud"]) == ("sara", "sara", app, app)
    assert {"iss", "iat", "exp", "jti"} <= said.keys()
    assert desk.validate(app, text).active


@pytest.mark.parametrize(("asked", "default", "said"), [(("a", "b"), ("c",), ["a", "b"]), ((), ("c",), "c")])
def test_its_audience(desk: Service, asked: tuple[str, ...], default: tuple[str, ...], said: object) -> None:
    """The request's audience wins over the app's default, which wins over the app itself."""
    app = desk.app(profile=Profile.AT_JWT, default_audience=default)
    assert payload_of(desk.issue(app, audience=asked).minted.text)["aud"] == said


def test_a_change_of_profile_logs_nobody_out(service: Service) -> None:
    """Tokens of both profiles are accepted by their own rules, whichever the app mints now; sessions go on."""
    app = service.app()
    issued = service.issue(app, refreshable=True)
    service.set(app, profile=Profile.AT_JWT)
    refreshed = service.refresh(issued.refresh_token)
    assert json.loads(segment(refreshed.minted.text, 0))["typ"] == "at+jwt"
    service.set(app, profile=Profile.CLASSIC)
    for text in (issued.minted.text, refreshed.minted.text, service.issue(app).minted.text):
        assert service.validate(app, text).active


def test_a_change_of_issuer_logs_nobody_out(service: Service) -> None:
    """A token of the issuer before is accepted, and its session goes on under the new one."""
    app = service.app(issuer="https://old")
    issued = service.issue(app, refreshable=True)
    mask = ("issuer",)
    wishes: dict[str, Any] = {"issuer": "https://new"}
    service.domain.apps.update(service.principal, app, wishes, mask, etag_version=None)
    assert service.validate(app, issued.minted.text).active
    assert payload_of(service.refresh(issued.refresh_token).minted.text)["iss"] == "https://new"


@pytest.mark.parametrize(
    "change",
    [{"sub": "user/sara"}, {"client_id": "another"}, {"client_id": None}, {"aud": None}, {"aud": []}, {"scope": "x"}],
)
def test_its_claims_are_strict(desk: Service, change: dict[str, Any]) -> None:
    """A subject in the other profile's form, another or no client, and no audience are invalid; its twin is good."""
    app = desk.app(profile=Profile.AT_JWT)
    said = payload_of(desk.issue(app).minted.text)
    trust = desk.domain.view.app(app)
    assert trust is not None

    def signed(claims: dict[str, Any]) -> str:
        kept = {name: value for name, value in claims.items() if value is not None}
        return sign_compact(trust.ring.signing_key(), typ="at+jwt", payload=write_object(kept))

    assert desk.validate(app, signed(said)).active
    assert desk.validate(app, signed({**said, **change})).status is TokenStatus.CLAIM_INVALID
