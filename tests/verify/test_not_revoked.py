"""What was found not to be revoked is not looked for again until something is learnt."""

from __future__ import annotations

import pytest

from authsvc.model import Gone, Revision, Subject, TokenStatus
from authsvc.signing.rejected import Rejected
from authsvc.trust.packed import PackedMap
from authsvc.verify.questions import Questions
from authsvc.verify.revocation import NotRevoked
from tests.verify.workshop import APP, ES_APP, REVISION, World, claims, jti, token


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that revocations are looked through for, as they are."""
    seen: list[str] = []
    get = PackedMap.get

    def noted(self: PackedMap, key: str) -> str | None:
        seen.append(key)
        return get(self, key)

    monkeypatch.setattr(PackedMap, "get", noted)
    return seen


def test_it_is_looked_for_once(world: World, looks: list[str]) -> None:
    """A token shown again is not looked for, another is, and so are both when something was learnt."""
    world.revoke_token(jti(77))
    looks.clear()
    verifier = world.verifier()
    ours, another = token(), token(claims(jti=jti(8)))
    counts = []
    for text in (ours, ours, another, another, ours):
        assert verifier.verify(text, api_key=APP, questions=Questions()).active
        counts.append(len(looks))
    world.revoke_token(jti(78))
    looks.clear()
    for text in (ours, another, ours, another):
        assert verifier.verify(text, api_key=APP, questions=Questions()).active
        counts.append(len(looks))
    assert counts == [3, 3, 6, 6, 6, 3, 6, 6, 6]


def test_what_is_revoked_is_looked_for_each_time(world: World) -> None:
    """Only good news is remembered: what is revoked stays so, and is good again when that was taken back."""
    world.revoke_token(jti())
    verifier = world.verifier()
    for _ in range(3):
        assert verifier.verify(token(), api_key=APP, questions=Questions()).status is TokenStatus.REVOKED
    world.view.clear_token(Gone(Subject.TOKEN, APP, jti(), Revision(REVISION + 2)))
    assert verifier.verify(token(), api_key=APP, questions=Questions()).active


def test_an_app_says_nothing_of_another(world: World) -> None:
    """The same token under another app is looked for there."""
    known = NotRevoked(world.view)
    ours = world.verdict(token()).token
    assert ours is not None
    for api_key in (APP, ES_APP):
        world.revoke_token(jti(77), api_key=api_key)
    world.revoke_token(jti(), api_key=ES_APP)
    known.check(ours.claims, b"digest", api_key=APP)
    with pytest.raises(Rejected):
        known.check(ours.claims, b"digest", api_key=ES_APP)


def test_it_is_bounded(world: World) -> None:
    """What is remembered does not grow with the number of tokens."""
    known = NotRevoked(world.view, capacity=10)
    ours = world.verdict(token()).token
    assert ours is not None
    world.revoke_token(jti(77))
    sizes = []
    for number in range(100):
        known.check(ours.claims, number.to_bytes(2, "big"), api_key=APP)
        sizes.append(len(known._found[1]))
    assert (max(sizes), sizes[:3]) == (10, [1, 2, 3])
