"""No secret comes out, whatever way: each kind of secret was used by a server and put where it does not belong, and
then looked for in each place; in each place a marker that is no secret is found, so the search sees what is there."""

from __future__ import annotations

import base64
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canaries.hunting import Hunt
from tests.canaries.places import Seen, in_a_process, in_this_process

IN_THIS_PROCESS = (
    *("JSON lines", "console lines", "Sentry events", "spans", "metrics", "what callers are told"),
    *("errors that are raised", "texts of objects", "pickles of objects", "database", "database after the end"),
)
IN_A_PROCESS = (
    *("output of a process", "files of a process", "files of a process after its end"),
    *("environment of a process", "what callers of a process are told"),
)


@pytest.fixture(scope="module")
def seen_here() -> Iterator[Seen]:
    with tempfile.TemporaryDirectory(prefix="authsvc-canaries-") as folder:
        yield in_this_process(Path(folder))


@pytest.fixture(scope="module")
def seen_there() -> Iterator[Seen]:
    with tempfile.TemporaryDirectory(prefix="authsvc-canaries-") as folder:
        yield in_a_process(Path(folder))


@pytest.fixture(scope="module")
def hunt_here(seen_here: Seen) -> Hunt:
    return Hunt(seen_here.kinds.secrets)


@pytest.fixture(scope="module")
def hunt_there(seen_there: Seen) -> Hunt:
    return Hunt(seen_there.kinds.secrets)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("place", IN_THIS_PROCESS)
def test_nothing_comes_out_of_a_server(seen_here: Seen, hunt_here: Hunt, place: str) -> None:
    """No eight bytes of any secret are in that place, raw, in hex, in base64 or as a repr."""
    assert hunt_here.found(seen_here.places[place]) == set()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("place", IN_A_PROCESS)
def test_nothing_comes_out_of_a_process(seen_there: Seen, hunt_there: Hunt, place: str) -> None:
    """The same of a server process with TLS, which was run as operators do."""
    assert hunt_there.found(seen_there.places[place]) == set()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("place", IN_THIS_PROCESS)
def test_control_what_is_there_is_found(seen_here: Seen, place: str) -> None:
    """The marker, which went the same ways, is found in that place by the same search."""
    assert Hunt({"marker": [seen_here.marker.encode()]}).found(seen_here.places[place])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("place", IN_A_PROCESS)
def test_control_what_is_there_is_found_of_a_process(seen_there: Seen, place: str) -> None:
    """The same for the places of a process."""
    assert Hunt({"marker": [seen_there.marker.encode()]}).found(seen_there.places[place])


@pytest.mark.timeout(180)
def test_there_are_kinds_enough(seen_here: Seen, seen_there: Seen) -> None:
    """At least 25 kinds of secrets were looked for in the places of each server, and no place was left out."""
    assert len(seen_here.kinds.secrets) >= 25, sorted(seen_here.kinds.secrets)
    assert len(seen_there.kinds.secrets) >= 25, sorted(seen_there.kinds.secrets)
    assert set(seen_here.places) == set(IN_THIS_PROCESS)
    assert set(seen_there.places) == set(IN_A_PROCESS)
    assert all(len(value) >= 12 for values in seen_here.kinds.secrets.values() for value in values)


@pytest.mark.timeout(180)
def test_the_objects_are_those_that_hold_secrets(seen_here: Seen) -> None:
    """Among the objects whose texts and pickles were taken are those that hold keys, tokens and credentials."""
    assert seen_here.types >= {
        *("Kek", "Sealer", "SigningKey", "VerificationKey", "RefreshTokens", "DerivedIds"),
        *("Call", "IssueRequest", "RefreshRequest", "ValidateRequest", "MintedToken", "IssuedToken", "RefreshedToken"),
        *("TrustView", "Mint", "RpcServer", "SentrySink", "SecretText", "SecretBytes", "Bearer"),
    }


@pytest.mark.parametrize(
    "disguise",
    [
        bytes,
        lambda secret: secret.hex().encode(),
        lambda secret: secret.hex().upper().encode(),
        base64.b64encode,
        base64.urlsafe_b64encode,
        lambda secret: base64.b64encode(b"x" + secret),
        lambda secret: base64.b64encode(b"xy" + secret),
        lambda secret: repr(secret).encode(),
        lambda secret: repr(list(secret)).encode(),
        lambda secret: secret[5:13],
        lambda secret: secret[:8].hex().encode(),
        lambda secret: secret[-8:],
    ],
    ids=["raw", "hex", "HEX", "b64", "b64url", "b64+1", "b64+2", "repr", "numbers", "part", "start", "end"],
)
def test_control_every_disguise_is_seen_through(disguise: object) -> None:
    """A secret of random bytes, or eight bytes of it, is found in a heap of other bytes in each form."""
    secret = secrets.token_bytes(32)
    heap = secrets.token_bytes(1000) + disguise(secret) + secrets.token_bytes(1000)  # type: ignore[operator]
    assert Hunt({"secret": [secret]}).found(heap)
    assert not Hunt({"secret": [secrets.token_bytes(32)]}).found(heap)
