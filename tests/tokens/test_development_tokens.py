"""Development tokens: made by anyone, accepted only behind both switches, never in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authsvc.model import Kind, TokenStatus
from authsvc.verify.development import HEADER, make_development_token
from tests.tokens.service import Service

LUKE = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoibHVrZV9za3l3YWxrZXIifQ==.devtoken"


def test_the_known_token_is_made() -> None:
    """The development token of luke_skywalker is the one the seed SDKs make."""
    assert make_development_token("luke_skywalker") == LUKE


@pytest.mark.parametrize("user_id", ["", "!anon", "guest-1", "has space", "x" * 129])
def test_only_a_user_has_one(user_id: str) -> None:
    """An id that no plain user can have makes no development token."""
    with pytest.raises(ValueError, match="user"):
        make_development_token(user_id)


def test_behind_both_switches_it_is_active(desk: Service) -> None:
    """Where the server and the app allow them, the token speaks for its user, as a development token."""
    verdict = desk.validate(desk.app(allow_development_tokens=True), LUKE)
    assert verdict.active
    assert verdict.token is not None
    assert (verdict.token.claims.kind, verdict.token.claims.user.id) == (Kind.DEVELOPMENT, "luke_skywalker")


@pytest.mark.parametrize(("server", "app"), [(False, False), (False, True), (True, False)])
def test_one_switch_is_not_enough(desk: Service, server: bool, app: bool) -> None:
    """Without the server's setting or the app's the answer is DEVELOPMENT_TOKENS_DISABLED, and it says nothing more."""
    verdict = replace(desk, development_tokens=server).validate(desk.app(allow_development_tokens=app), LUKE)
    assert (verdict.status, verdict.token) == (TokenStatus.DEVELOPMENT_TOKENS_DISABLED, None)


PAYLOAD = LUKE.split(".")[1]
OTHER_FORMS = {
    "no padding": f"{HEADER}.{PAYLOAD.rstrip('=')}.devtoken",
    "base64url": f"{HEADER}.eyJ1c2VyX2lkIjoibHVrZT8-In0.devtoken",
    "another header": f"eyJhbGciOiJub25lIn0.{PAYLOAD}.devtoken",
    "no header": f"{PAYLOAD}.devtoken",
    "four segments": f"{HEADER}.{PAYLOAD}.x.devtoken",
    "not JSON": f"{HEADER}.bm90IEpTT04=.devtoken",
    "only the suffix": ".devtoken",
    "stray bits": f"{HEADER}.eyJ1c2VyX2lkIjoibHVrZV9za3l3YWxrZXIifR==.devtoken",
}


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_another_form_is_malformed(desk: Service, name: str) -> None:
    """A token that ends like one and is not of the one exact form is MALFORMED."""
    app = desk.app(allow_development_tokens=True)
    assert desk.validate(app, OTHER_FORMS[name]).status is TokenStatus.MALFORMED
    assert desk.validate(app, LUKE).active


OTHER_CLAIMS = {
    "more than the user": "eyJ1c2VyX2lkIjoibHVrZSIsInJvbGUiOiJhZG1pbiJ9",
    "no user": "e30=",
    "a number": "eyJ1c2VyX2lkIjoxfQ==",
    "anonymous": "eyJ1c2VyX2lkIjoiIWFub24ifQ==",
    "a guest": "eyJ1c2VyX2lkIjoiZ3Vlc3QtMSJ9",
}


@pytest.mark.parametrize("name", OTHER_CLAIMS)
def test_it_holds_a_user_id_alone(desk: Service, name: str) -> None:
    """A development token that claims anything but a plain user's id is CLAIM_INVALID."""
    app = desk.app(allow_development_tokens=True)
    assert desk.validate(app, f"{HEADER}.{OTHER_CLAIMS[name]}.devtoken").status is TokenStatus.CLAIM_INVALID


def test_its_use_is_said_once_a_minute_and_app(service: Service) -> None:
    """However many are accepted, the log has one warning an app and minute; a refusal writes none."""
    app, other = (service.app(allow_development_tokens=True) for _ in range(2))
    closed = service.app()

    def warned() -> list[str]:
        return [event["app"] for level, message, event in service.log if level == "warn" and "development" in message]

    for _ in range(5):
        service.validate(app, LUKE)
    service.validate(other, LUKE)
    service.validate(closed, LUKE)
    assert warned() == [app, other]
    service.clock.move(seconds=60)
    service.validate(app, LUKE)
    assert warned() == [app, other, app]


def test_revoking_the_user_ends_them(service: Service) -> None:
    """A development token does not say when it was made, so revoking its user or its app ends it for good."""
    app = service.app(allow_development_tokens=True)
    assert service.validate(app, LUKE).active
    service.revoke_all(app, "luke_skywalker")
    service.clock.move(hours=1)
    assert service.validate(app, LUKE).status is TokenStatus.REVOKED
