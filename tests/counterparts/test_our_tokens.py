"""Tokens minted here, as PyJWT, jsonwebtoken and the seed vendor's own decoders read them."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authsvc.model import ApiKey
from authsvc.tokens.requests import UserSubject
from tests.counterparts.packages import PROGRAMS, run_node
from tests.counterparts.vendor import SECRET
from tests.tokens.service import Service, payload_of

pytestmark = pytest.mark.timeout(300)  # the packages may have to be fetched first

PROFILES = 10_000
# Every kind of character, those that base64url writes with - and _ most of all.
CHARACTERS = [*map(chr, range(32, 128)), *">>>???~~~\x7f\x7f", "\n", "é", "ß", "Ж", "漢", "\u2028", "🎉", "\U0010ffff"]


def text(chance: random.Random, longest: int) -> str:
    return "".join(chance.choices(CHARACTERS, k=chance.randint(1, longest)))


def profile(chance: random.Random) -> UserSubject:
    """A user with random data."""
    alphabet = "ABCxyz019@_.:|+=~-"
    user_id = "u" + "".join(chance.choices(alphabet, k=chance.randint(0, 40)))
    custom = {text(chance, 8): text(chance, 20), "n": float(chance.randint(1 - 2**53, 2**53 - 1)), "f": chance.random()}
    return UserSubject(user_id, "host", text(chance, 30), f"https://example.com/?{chance.random()}~", custom)


def public_pem(service: Service, app: ApiKey) -> str:
    """The app's public key as others would be given it."""
    trust = service.domain.view.app(app)
    assert trust is not None
    key_id = trust.ring.signing_key().key_id
    handle = trust.ring.verification_key(key_id, now=service.clock(), retired_for=None).handle
    assert isinstance(handle, ec.EllipticCurvePublicKey)
    return handle.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_no_payload_needs_the_url_alphabet(service: Service, app: ApiKey) -> None:
    """The payloads of 10,000 random profiles hold neither - nor _, and the vendor's decoders read every one of them."""
    chance = random.Random(20261120)
    wanted = [profile(chance) for _ in range(PROFILES)]
    tokens = [service.issue(app, subject).minted.text for subject in wanted]
    payloads = [token.split(".")[1] for token in tokens]
    assert not [payload for payload in payloads if "-" in payload or "_" in payload]
    found = run_node("read.mjs", {"key": SECRET, "algorithm": "HS256", "tokens": tokens})
    assert len(found) == PROFILES
    for subject, token, read in zip(wanted, tokens, found, strict=True):
        said = payload_of(token)
        assert (said["user_id"], said["name"], said["custom"]) == (subject.id, subject.name, subject.custom)
        assert read == {"user": subject.id, "claims": said, "verified": said}


def test_the_decoders_would_stumble(service: Service) -> None:
    """The control: the same data as plain JSON needs - or _, and the vendor's decoder does not read it back."""
    claims = {"user_id": "sara", "name": "???>>>~~~"}
    token = jwt.encode(claims, SECRET)
    assert {"-", "_"} & set(token.split(".")[1])
    (read,) = run_node("read.mjs", {"key": SECRET, "algorithm": "HS256", "tokens": [token]})
    assert read["verified"] == claims
    assert read["claims"] != claims


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_others_verify_them(service: Service, app: ApiKey, algorithm: str) -> None:
    """PyJWT and jsonwebtoken accept our tokens, with their end, and refuse them under another key."""
    if algorithm == "ES256":
        app = service.app()
    key = SECRET if algorithm == "HS256" else public_pem(service, app)
    token = service.issue(app).minted.text
    said = payload_of(token)
    assert jwt.decode(token, key, algorithms=[algorithm], options={"require": ["exp", "iat", "iss", "jti"]}) == said
    found = run_node("read.mjs", {"key": key, "algorithm": algorithm, "tokens": [token, spoilt(token)]})
    assert found[0] == {"user": "sara", "claims": said, "verified": said}
    assert found[1]["verified"] == "JsonWebTokenError: invalid signature"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(spoilt(token), key, algorithms=[algorithm])


def spoilt(token: str) -> str:
    """The token with one bit of its signature changed."""
    rest, _, signature = token.rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)))
    raw[-1] ^= 1
    return f"{rest}.{base64.urlsafe_b64encode(bytes(raw)).decode().rstrip('=')}"


def test_the_lock_names_no_address() -> None:
    """The lock pins every package by its hash and holds no address, so that any registry can serve it."""
    packages: dict[str, Any] = json.loads((PROGRAMS / "package-lock.json").read_text())["packages"]
    assert len(packages) > 3
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert "omit-lockfile-registry-resolved=true" in Path(PROGRAMS / ".npmrc").read_text().splitlines()
