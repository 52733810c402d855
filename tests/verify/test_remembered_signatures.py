"""The memory of verified signatures: what is in it, what is not, and that it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from authsvc.model import Algorithm, ApiKey, KeyId, KeyState, TokenStatus
from authsvc.signing.keyring import RingKey
from authsvc.signing.keys import VerificationKey
from authsvc.verify.questions import Questions
from authsvc.verify.signatures import VerifiedSignatures, digest_of
from authsvc.verify.verdict import VerifiedToken
from authsvc.verify.verifier import Verifier
from tests.signing.handmade import PRIVATE
from tests.verify.workshop import APP, ES_APP, World, claims, elliptic_token, jti, token


class CountingKey:
    """The elliptic public key, counting what it is asked to verify."""

    curve = PRIVATE.curve

    def __init__(self) -> None:
        self.asked = 0

    def verify(self, signature: bytes, message: bytes, algorithm: ec.EllipticCurveSignatureAlgorithm) -> None:
        self.asked += 1
        PRIVATE.public_key().verify(signature, message, algorithm)


@pytest.fixture
def key(world: World) -> CountingKey:
    """The key of the elliptic app."""
    counting = CountingKey()
    verification = VerificationKey(KeyId("es-key"), Algorithm.ES256, counting)
    world.view.put_keys(ES_APP, [RingKey(verification, KeyState.ACTIVE, "")])
    return counting


def look(verifier: Verifier, text: str) -> TokenStatus:
    return verifier.verify(text, api_key=ES_APP, questions=Questions()).status


def numbered() -> Iterator[str]:
    """Good tokens, each another one."""
    number = 0
    while True:
        yield elliptic_token(claims(jti=jti(number)))
        number += 1


def test_a_token_shown_again_costs_no_cryptography(world: World, key: CountingKey) -> None:
    """However often a good token is shown, its signature is verified once."""
    verifier, text = world.verifier(), elliptic_token()
    assert {look(verifier, text) for _ in range(10)} == {TokenStatus.ACTIVE}
    assert key.asked == 1


def test_a_forgery_shown_again_is_verified_again(world: World, key: CountingKey) -> None:
    """What does not fit is not remembered: neither as good nor as bad."""
    verifier, text = world.verifier(), elliptic_token(sign=lambda message: bytes(63) + b"\1")
    assert {look(verifier, text) for _ in range(10)} == {TokenStatus.SIGNATURE_INVALID}
    assert key.asked == 10


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_flood_of_forgeries_pushes_nothing_out(world: World, key: CountingKey, capacity: int) -> None:
    """A memory that is full of good tokens still is after any number of forgeries, of every sort."""
    verifier, tokens = world.verifier(signatures=VerifiedSignatures(capacity)), numbered()
    good = [next(tokens) for _ in range(capacity)]
    for text in good:
        look(verifier, text)
    for number in range(300):
        look(verifier, elliptic_token(claims(jti=jti(number)), lambda message: bytes(64)))
        look(verifier, elliptic_token(claims(iss=f"elsewhere {number}")))
        look(verifier, elliptic_token(claims(jti=number)))
        look(verifier, f"{number}.{number}.{number}")
    before = key.asked
    assert {look(verifier, text) for text in good} == {TokenStatus.ACTIVE}
    assert key.asked == before


def test_it_is_bounded(world: World, key: CountingKey) -> None:
    """With room for two, of three good tokens the first is forgotten and the others are not."""
    verifier, tokens = world.verifier(signatures=VerifiedSignatures(2)), numbered()
    first, second, third = (next(tokens) for _ in range(3))
    for text in (first, second, third, third, second):
        look(verifier, text)
    assert key.asked == 3
    look(verifier, first)
    assert key.asked == 4


def test_it_never_holds_more_than_its_capacity(world: World) -> None:
    """However many are kept, and kept again, there are at most so many."""
    verified = world.verdict(token()).token
    assert isinstance(verified, VerifiedToken)
    memory = VerifiedSignatures(10)
    sizes = set()
    for number in range(100):
        for _ in range(2):
            memory.keep(APP, digest_of(str(number)), verified)
            sizes.add(len(memory))
    assert sizes == set(range(1, 11))


def test_it_never_holds_more_than_its_budget(world: World) -> None:
    """However large tokens are, what is kept of their texts stays within the budget, and the newest are kept."""
    verified = world.verdict(token()).token
    assert isinstance(verified, VerifiedToken)
    memory = VerifiedSignatures(1_000, budget=10_000)
    for number in range(100):
        memory.keep(APP, digest_of(str(number)), verified, 4_000)
    assert len(memory) == 2
    assert memory.find(APP, digest_of("99")) is verified
    for number in range(100):
        memory.keep(APP, digest_of(f"small {number}"), verified, 100)
    assert len(memory) == 100


def test_it_is_safe_to_share_between_threads(world: World) -> None:
    """Threads that keep at the same time never make it larger than its capacity, nor lose its count."""
    verified = world.verdict(token()).token
    assert verified is not None
    memory, start = VerifiedSignatures(50), threading.Barrier(4)

    def keep(thread: int) -> None:
        start.wait(10)
        for number in range(2_000):
            memory.keep(APP, digest_of(f"{thread} {number}"), verified)

    threads = [threading.Thread(target=keep, args=(thread,)) for thread in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(memory) == 50


def test_it_remembers_by_app_and_text(world: World) -> None:
    """Two apps, or two texts that differ in one character, are two places."""
    verified = world.verdict(token()).token
    assert verified is not None
    memory = VerifiedSignatures(10)
    memory.keep(ApiKey("a"), digest_of("bc"), verified)
    others = [("ab", "c"), ("a", "bC"), ("a", "b\udc00c"), ("ab", "bc")]
    assert {memory.find(ApiKey(api_key), digest_of(text)) for api_key, text in others} == {None}
    assert memory.find(ApiKey("a"), digest_of("bc")) is verified


def test_it_does_not_hold_the_text(world: World) -> None:
    """What is remembered by is a digest: a token cannot be read from the memory."""
    text = token()
    memory = VerifiedSignatures(1)
    verified = world.verdict(text).token
    assert verified is not None
    memory.keep(APP, digest_of(text), verified)
    assert text not in repr(vars(memory))
    assert text.rpartition(".")[2] not in repr(vars(memory))


def test_what_one_app_accepted_another_does_not(world: World, key: CountingKey) -> None:
    """A remembered token is remembered for its app only."""
    verifier, text = world.verifier(), elliptic_token()
    assert look(verifier, text) is TokenStatus.ACTIVE
    assert verifier.verify(text, api_key=APP, questions=Questions()).status is TokenStatus.KEY_UNKNOWN
