"""Unmanaged tokens: what others mint with an imported secret, and what they cannot do with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authsvc.errors import InvalidRequest, NotFound
from authsvc.model import Algorithm, Kind, TokenStatus
from authsvc.signing import algorithms, base64url
from tests.tokens.service import Service

SECRET = b"an-imported-secret-of-40-bytes-or-so-----"
HEADER = {"alg": "HS256", "typ": "JWT"}


def minted(claims: dict[str, Any], header: dict[str, Any] | None = None, secret: bytes = SECRET) -> str:
    """A token as the vendor's server SDKs mint it."""
    parts = [base64url.encode(json.dumps(part).encode()) for part in (HEADER if header is None else header, claims)]
    message = ".".join(parts)
    signature = algorithms.sign(Algorithm.HS256, secret, message.encode())
    return f"{message}.{base64url.encode(signature)}"


@pytest.fixture
def app(service: Service) -> str:
    """An app made from the secret that accepts what others mint with it."""
    return service.app(secret=SECRET, accept_unmanaged_tokens=True)


def test_a_user_is_enough(service: Service, app: str) -> None:
    """A token with nothing but user_id is ACTIVE for that user, and never expires."""
    verdict = service.validate(app, minted({"user_id": "sara"}))
    assert verdict.active
    assert verdict.token is not None
    assert (verdict.token.claims.user.id, verdict.token.claims.expires_at) == ("sara", None)


def test_all_that_it_says_is_read(service: Service, app: str) -> None:
    """Issuer, times, role, scope and unknown claims are read as those of a token of ours are."""
    now = int(service.clock().timestamp())
    claims = {
        "user_id": "!anon",
        "sub": "user/!anon",
        "role": "viewer",
        "iss": "https://elsewhere",
        "iat": now,
        "exp": now + 60,
        "call_cids": ["livestream:1"],
        "validity_in_seconds": 60,
    }
    verdict = service.validate(app, minted(claims), call_cid="livestream:1")
    assert verdict.active
    assert verdict.token is not None
    read = verdict.token.claims
    assert (read.kind, read.user.role, read.issuer) == (Kind.ANONYMOUS, "viewer", "https://elsewhere")
    assert (read.issued_at, read.expires_at) == (now, now + 60)
    assert read.custom_claims == {"validity_in_seconds": 60}
    assert service.validate(app, minted(claims)).status is TokenStatus.SCOPE_DENIED
    service.clock.move(seconds=91)
    assert service.validate(app, minted(claims), call_cid="livestream:1").status is TokenStatus.EXPIRED


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"user_id": "sara", "server": True}, TokenStatus.WRONG_TYPE),
        ({"server": True}, TokenStatus.WRONG_TYPE),
        ({}, TokenStatus.WRONG_TYPE),
        ({"user_id": 7}, TokenStatus.CLAIM_INVALID),
        ({"user_id": "sara", "sub": "sara"}, TokenStatus.CLAIM_INVALID),
        ({"user_id": "sara", "exp": 1.5}, TokenStatus.CLAIM_INVALID),
        ({"user_id": "sara", "exp": True}, TokenStatus.CLAIM_INVALID),
        ({"user_id": "sara", "iat": 2, "exp": 1}, TokenStatus.CLAIM_INVALID),
        ({"user_id": "sara", "iat": 4102444800}, TokenStatus.ISSUED_IN_FUTURE),
    ],
)
def test_a_bad_claim_is_told(service: Service, app: str, claims: dict[str, Any], status: TokenStatus) -> None:
    """A server token is of the wrong type; a claim of a wrong type or out of range is invalid."""
    assert service.validate(app, minted(claims)).status is status


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"alg": "HS256"}, TokenStatus.ACTIVE),
        ({"alg": "HS256", "typ": "at+jwt"}, TokenStatus.KEY_UNKNOWN),
        ({"alg": "HS256", "typ": "jwt"}, TokenStatus.WRONG_TYPE),
        ({"alg": "HS512", "typ": "JWT"}, TokenStatus.ALGORITHM_MISMATCH),
        ({"alg": "none", "typ": "JWT"}, TokenStatus.ALGORITHM_MISMATCH),
        ({"alg": "HS256", "typ": "JWT", "cty": "x"}, TokenStatus.MALFORMED),
    ],
)
def test_its_header_is_strict(service: Service, app: str, header: dict[str, Any], status: TokenStatus) -> None:
    """The header names HS256, a typ of JWT or none, and nothing else."""
    assert service.validate(app, minted({"user_id": "sara"}, header)).status is status


def test_another_secret_is_refused(service: Service, app: str) -> None:
    """A token under another secret has an invalid signature."""
    token = minted({"user_id": "sara"}, secret=SECRET[::-1])
    assert service.validate(app, token).status is TokenStatus.SIGNATURE_INVALID


@pytest.mark.parametrize("secret", [b"", SECRET])
def test_an_app_must_accept_them(service: Service, secret: bytes) -> None:
    """Without the setting, and without an imported secret, a token without a kid has no key."""
    app = service.app(secret=secret)
    assert service.validate(app, minted({"user_id": "sara"})).status is TokenStatus.KEY_UNKNOWN


def test_taking_the_setting_back_ends_them_at_once(service: Service, app: str) -> None:
    """A token that was accepted, and is remembered, is refused once the app no longer accepts such tokens."""
    token = minted({"user_id": "sara"})
    assert service.validate(app, token).active
    service.set(app, accept_unmanaged_tokens=False)  # type: ignore[arg-type]
    assert service.validate(app, token).status is TokenStatus.KEY_UNKNOWN


def test_revoking_by_user_ends_what_was_issued_up_to_that_second(service: Service, app: str) -> None:
    """Tokens without a revision of ours are ended by their iat, and for ever where they have none."""
    now = int(service.clock().timestamp())
    old, none, new = (minted({"user_id": "sara", **more}) for more in ({"iat": now}, {}, {"iat": now + 1}))
    assert all(service.validate(app, token).active for token in (old, none, new))
    service.revoke_all(app, "sara")  # type: ignore[arg-type]
    statuses = [service.validate(app, token).status for token in (old, none, new)]
    assert statuses == [TokenStatus.REVOKED, TokenStatus.REVOKED, TokenStatus.ACTIVE]


def test_ours_pass_too(service: Service, app: str) -> None:
    """The app's own tokens, minted with the same secret, are managed as ever."""
    text = service.issue(app).minted.text
    assert service.validate(app, text).active
    service.revoke_all(app, "sara")  # type: ignore[arg-type]
    assert service.validate(app, text).status is TokenStatus.REVOKED


def test_one_app_s_secret_is_not_another_s(service: Service, app: str) -> None:
    """A token of one app's secret is nothing in another app with a secret of its own."""
    other = service.app(secret=SECRET[::-1], accept_unmanaged_tokens=True)
    token = minted({"user_id": "sara"})
    assert service.validate(app, token).active
    assert service.validate(other, token).status is TokenStatus.SIGNATURE_INVALID


def wishes(**chosen: Any) -> dict[str, Any]:
    from authsvc.apps.requests import SETTINGS

    return {**dict.fromkeys(SETTINGS), **chosen}


@pytest.mark.parametrize(
    ("secret", "chosen", "field"),
    [
        (b"-----BEGIN PUBLIC KEY-----\nMFkw", {}, "secret"),
        (b'{"kty":"oct","k":"x"}', {}, "secret"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", {}, "secret"),
        (b"x" * 1025, {}, "secret"),
        (SECRET, {"algorithm": "ES256"}, "settings.algorithm"),
        (b"", {"accept_unmanaged_tokens": True}, "settings.accept_unmanaged_tokens"),
    ],
)
def test_a_bad_import_makes_nothing(service: Service, secret: bytes, chosen: dict[str, Any], field: str) -> None:
    """Key text, an oversized secret, another algorithm, and unmanaged tokens without a secret are told by name."""
    with pytest.raises(InvalidRequest) as refused:
        service.domain.apps.create(service.principal, "new", wishes(**chosen), secret=secret)
    assert [violation.field for violation in refused.value.violations] == [field]
    with pytest.raises(NotFound):
        service.domain.apps.get(service.principal, "new")


@pytest.mark.parametrize(("secret", "weak"), [(b"short", True), (b"x" * 31, True), (b"x" * 32, False)])
def test_a_short_secret_is_accepted_and_shown_as_weak(service: Service, secret: bytes, weak: bool) -> None:
    """An imported secret shorter than the hash works and is shown as weak."""
    app = service.domain.apps.create(service.principal, "new", wishes(), secret=secret)
    shown = service.domain.apps.describe(app)
    assert (shown.imported_secret, shown.weak_secret, app.settings.algorithm) == (True, weak, Algorithm.HS256)
    assert service.validate("new", service.issue("new").minted.text).active


def test_accepting_them_makes_the_app_remember_for_ever(service: Service) -> None:
    """What others mint may live for ever: the app is ever_non_expiring from then on, also when it stops."""
    apps = service.domain.apps
    app = apps.create(service.principal, "new", wishes(accept_unmanaged_tokens=True), secret=SECRET)
    assert app.ever_non_expiring
    mask = ("accept_unmanaged_tokens",)
    assert apps.update(service.principal, "new", wishes(), mask, etag_version=None).ever_non_expiring
