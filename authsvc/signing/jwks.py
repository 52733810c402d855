"""What others verify an app's tokens by: its public keys as a JWK set (RFC 7517, section 5), always the same bytes."""

from __future__ import annotations

from datetime import datetime, timedelta

from authsvc.signing.keyring import KeyRing, RingKey
from authsvc.signing.strict_json import JsonObject, read_object, write_object


def key_set(ring: KeyRing, *, now: datetime, retired_for: timedelta | None) -> bytes:
    """The set of the keys that verify now, ordered by kid: pending ones, so that verifiers know a key before it signs,
    the active one, and retired ones for ``retired_for`` (None: for ever).

    Nothing of an HMAC key is in it: its one half is the secret.
    """
    keys = (key for _, key in sorted(ring.keys.items()) if key.public_jwk)
    return write_object({"keys": [_public(key) for key in keys if key.verifies(now=now, retired_for=retired_for)]})


def public_key_text(key: RingKey) -> str:
    """One key as it stands in the set; empty for a secret."""
    return write_object(_public(key)).decode("ascii") if key.public_jwk else ""


def _public(key: RingKey) -> JsonObject:
    # The text was written from the public half alone, and never had another member than that has.
    members = read_object(key.public_jwk.encode("ascii"))
    return {**members, "alg": key.verification.algorithm, "kid": key.key_id, "use": "sig"}
