"""Keys made from secrets that others hold: rotated like others, and they go on verifying what others mint."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from authsvc.model import Algorithm, KeyState, TokenStatus
from authsvc.signing.lifecycle import FEED_BOUND
from tests.keys.scene import Worker

SECRET = b"what a vendor's dashboard once showed to us"
ACTIVE, RETIRED, REVOKED = KeyState.ACTIVE, KeyState.RETIRED, KeyState.REVOKED


def unmanaged(secret: bytes = SECRET, **claims: object) -> str:
    """A token that a holder of the secret mints without us: no kid, no end."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"user_id": "sara", **claims}]
    message = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    tag = base64.urlsafe_b64encode(hmac.digest(secret, message, hashlib.sha256)).rstrip(b"=")
    return b".".join((message, tag)).decode()


@pytest.fixture
def importer(empty: Worker) -> Worker:
    """An app made from that secret, which accepts what others mint with it."""
    empty.new_app(secret=SECRET, algorithm=Algorithm.HS256, accept_unmanaged_tokens=True)
    return empty


def test_a_rotation_leaves_what_others_mint(importer: Worker) -> None:
    """After a rotation we sign with a secret of our own, and tokens of the imported one are good, old and new."""
    first, ours = importer.active(), importer.token()
    successor = importer.rotate()
    importer.clock.move(seconds=FEED_BOUND.total_seconds())
    assert importer.domain.keeper.look() == 1
    assert importer.states() == {first: RETIRED, successor: ACTIVE}
    assert {one.key.key_id: one.key.imported for one in importer.all()} == {first: True, successor: False}
    for token in (ours, unmanaged(), importer.token()):
        assert importer.status(token) is TokenStatus.ACTIVE
    importer.clock.move(days=3650)
    importer.domain.keeper.look()
    assert importer.status(unmanaged()) is TokenStatus.ACTIVE
    assert importer.status(unmanaged(b"some other secret that nobody imported.")) is TokenStatus.SIGNATURE_INVALID


def test_revoking_the_imported_key_ends_what_others_mint(importer: Worker) -> None:
    """Only its revocation ends an imported key, and then at once: for their tokens and for ours that it signed."""
    first, ours = importer.active(), importer.token()
    importer.revoke(first)
    assert sorted(importer.states().values()) == [ACTIVE, REVOKED]
    assert [importer.status(token) for token in (ours, unmanaged())] == [TokenStatus.KEY_REVOKED] * 2
    assert importer.status(importer.token()) is TokenStatus.ACTIVE


def test_another_algorithm_leaves_what_others_mint(importer: Worker) -> None:
    """An app that was imported may sign by a public key from now on; what others mint stays good."""
    importer.set(algorithm="ES256")
    importer.clock.move(minutes=10)
    assert importer.domain.keeper.look() == 1
    signed = importer.verdict(importer.token())
    assert (signed.status, signed.token and signed.token.algorithm) == (TokenStatus.ACTIVE, Algorithm.ES256)
    assert importer.status(unmanaged()) is TokenStatus.ACTIVE


def test_an_imported_key_waits_to_be_allowed_again(empty: Worker) -> None:
    """A retired imported key stays in the store past its tokens' end: once unmanaged tokens are accepted it verifies
    them."""
    empty.new_app(secret=SECRET, algorithm=Algorithm.HS256)
    first = empty.active()
    empty.rotate(at_once=True)
    empty.clock.move(days=365)
    assert empty.domain.keeper.look() == 0
    assert (empty.states()[first], empty.status(unmanaged())) == (RETIRED, TokenStatus.KEY_UNKNOWN)
    empty.set(accept_unmanaged_tokens=True)
    assert empty.status(unmanaged()) is TokenStatus.ACTIVE


def test_a_weak_secret_is_shown_with_its_key(empty: Worker) -> None:
    """An imported secret shorter than its hash is shown as weak, its successor is not."""
    empty.new_app(secret=b"short", algorithm=Algorithm.HS256)
    first, successor = empty.active(), empty.rotate()
    assert {one.key.key_id: one.weak for one in empty.all()} == {first: True, successor: False}
