"""Hand-made tokens that must not pass, each beside a twin that does, on both paths."""

from __future__ import annotations

import pytest

from authsvc.model import Algorithm, KeyId, KeyState, TokenStatus
from authsvc.signing.keys import SigningKey
from tests.signing.handmade import SECRET, hs256
from tests.verify.attacks import ATTACKS, Attack
from tests.verify.forged_signatures import FORGED
from tests.verify.workshop import APP, ES_APP, FAMILY_APPS, FirstLook, header, ring_key, token

ALL = [*ATTACKS, *FORGED]


@pytest.mark.parametrize("attack", ALL, ids=[attack.name for attack in ALL])
def test_it_does_not_pass_and_its_twin_does(judge: FirstLook, attack: Attack) -> None:
    """The token gets the status that names its fault, and what differs from it in the fault alone is ACTIVE."""
    assert judge.status(attack.twin, **attack.questions) is TokenStatus.ACTIVE
    assert judge.status(attack.text, **attack.questions) is attack.status


def test_there_are_many() -> None:
    """No two attacks are the same text, none is its own twin, there are at least 400 of them, of each algorithm too."""
    assert len({attack.text for attack in ALL}) == len(ALL)
    assert len(ATTACKS) >= 400
    assert all(attack.text != attack.twin for attack in ALL)
    assert {attack.questions["api_key"] for attack in FORGED} == set(FAMILY_APPS.values())


def test_another_app_with_the_same_kid_and_the_same_user(judge: FirstLook) -> None:
    """A token of an app that shares kid and user ids with this one is SIGNATURE_INVALID here, and good there."""
    theirs = b"their own secret of 32 bytes ...."
    foreign = SigningKey(KeyId("hs-key"), Algorithm.HS256, theirs)
    judge.world.view.put_keys(ES_APP, [ring_key(foreign)])
    text = token(sign=lambda message: hs256(message, theirs))
    assert judge.status(text, api_key=ES_APP) is TokenStatus.ACTIVE
    assert judge.status(text, api_key=APP) is TokenStatus.SIGNATURE_INVALID
    assert judge.status(token(), api_key=ES_APP) is TokenStatus.SIGNATURE_INVALID


@pytest.mark.parametrize("state", KeyState)
def test_the_key_s_state_is_that_of_the_key_named(judge: FirstLook, state: KeyState) -> None:
    """Naming a good key does not help a token that a revoked key signed, nor the other way round."""
    judge.world.another_key("other", SECRET[::-1], state=state)
    other = header(kid="other")
    signed_by_other = token(head=other, sign=lambda message: hs256(message, SECRET[::-1]))
    expected = TokenStatus.KEY_REVOKED if state is KeyState.REVOKED else TokenStatus.ACTIVE
    assert judge.status(signed_by_other) is expected
    claiming = token(sign=lambda message: hs256(message, SECRET[::-1]))
    assert judge.status(claiming) is TokenStatus.SIGNATURE_INVALID
    assert judge.status(token(head=other)) in (TokenStatus.KEY_REVOKED, TokenStatus.SIGNATURE_INVALID)


def test_a_verdict_never_raises(judge: FirstLook) -> None:
    """Whatever a text holds, the answer is a verdict: also for texts no wire would carry."""
    for text in ("\ud800", "\ud800.\udfff.", "\0" * 100, "." * 9000, "e" * 8193, "eyJ9.e30.\udcff"):
        assert judge.status(text) is TokenStatus.MALFORMED
