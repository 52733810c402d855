"""The keys that a verifier is given pass the same strict parser as every other key."""

from __future__ import annotations

import json

import pytest

from authsvc.client.verifier.trusted import Trusted
from authsvc.model import ApiKey
from authsvc.trust.view import TrustView
from authsvc.v1 import trust_pb2 as v1
from tests.client.verifier.made import APP, key, policy
from tests.signing.forgeries import SMALL_ORDER
from tests.signing.handmade import b64


def learnt(**changes: object) -> Trusted:
    """What a verifier knows after a policy whose key has those members changed."""
    trusted = Trusted(TrustView())
    trusted.take(v1.TrustUpdate(snapshot_start=v1.SnapshotStart()))
    told = policy()
    told.keys[0].public_jwk = json.dumps({**json.loads(told.keys[0].public_jwk), **changes})
    trusted.take(v1.TrustUpdate(policy=told))
    trusted.take(v1.TrustUpdate(cursor="1-1", snapshot_end=v1.SnapshotEnd()))
    return trusted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        *(({"x": b64(point)}, "its x is a point of small order") for point in SMALL_ORDER.values()),
        ({"use": "enc"}, "its use is not sig"),
        ({"key_ops": ["verify", "encrypt"]}, "its key_ops must be verify, sign or both"),
        ({"alg": "HS256"}, "its kty is not that of its alg"),
    ],
)
def test_a_weak_key_is_not_learnt(changes: dict[str, object], said: str) -> None:
    """A policy with a key that would be refused anywhere is refused whole, for the reason that the parser gives."""
    with pytest.raises(ValueError, match=f"^a key of the policy cannot be used: {said}"):
        learnt(**changes)
    known = learnt().view.app(ApiKey(APP))
    assert known is not None
    assert list(known.ring.keys) == [key(0)[0].key_id]
