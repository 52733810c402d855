"""Between messages and values, for keys."""

from __future__ import annotations

from collections.abc import Mapping

from authsvc.clock import to_microseconds
from authsvc.keys.admin import KeyDescription
from authsvc.model import APP_ALGORITHMS, Algorithm, KeyState
from authsvc.rpc.convert import set_moment
from authsvc.rpc.convert_admin import etag_of
from authsvc.v1 import admin_pb2 as pb

_ALGORITHMS: Mapping[Algorithm, pb.Algorithm.ValueType] = {
    algorithm: pb.Algorithm.Value(f"ALGORITHM_{algorithm.value.upper()}") for algorithm in APP_ALGORITHMS
}
_STATES: Mapping[KeyState, pb.KeyState.ValueType] = {
    KeyState.PENDING: pb.KEY_STATE_PENDING,
    KeyState.ACTIVE: pb.KEY_STATE_ACTIVE,
    KeyState.RETIRED: pb.KEY_STATE_RETIRED,
    KeyState.REVOKED: pb.KEY_STATE_REVOKED,
}


def key_message(description: KeyDescription) -> pb.Key:
    """Encode."""
    key = description.key
    message = pb.Key(
        key_id=key.key_id,
        algorithm=_ALGORITHMS[key.algorithm],
        state=_STATES[key.state],
        imported=key.imported,
        weak=description.weak,
        public_jwk=key.public_jwk,
        etag=etag_of(key.revision),
    )
    set_moment(message.created_at, key.created_at)
    for name, moment in (
        ("activated_at", key.activated_at),
        ("retired_at", key.retired_at),
        ("revoked_at", key.revoked_at),
        ("signs_from", description.signs_from),
        ("verifies_until", description.verifies_until),
    ):
        if moment is not None:
            set_moment(getattr(message, name), moment)
    return message


def key_place(description: KeyDescription) -> str:
    """Where a key stands in the list of its app's, as text that is ordered as the list is."""
    return f"{to_microseconds(description.key.created_at):020d}/{description.key.key_id}"
