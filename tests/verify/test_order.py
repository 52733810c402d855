"""Cheap checks come before expensive ones, and the first failure decides: proven for every two faults together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest

from authsvc.model import KeyState, TokenStatus
from authsvc.verify.verdict import Verdict
from tests.signing.handmade import Sign, hs256, json_bytes
from tests.verify.workshop import HOUR, NOW, SARA, Change, Claims, FirstLook, World, claims, header, jti, token


@dataclass
class Recipe:
    """A token in the making, and the world it will be shown to."""

    head: Claims = field(default_factory=header)
    said: Claims = field(default_factory=lambda: claims(call_cids=["video:1"], aud="acme"))
    after_payload: bytes = b""
    sign: Sign = hs256
    edits: list[Callable[[str], str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    questions: dict[str, Any] = field(default_factory=lambda: {"call_cid": "video:1"})

    def text(self) -> str:
        """The token: edits that belong to early checks are made last."""
        text = token(json_bytes(self.said) + self.after_payload, self.head, self.sign)
        for edit in reversed(self.edits):
            text = edit(text)
        return text

    def judged_by(self, judge: FirstLook) -> Verdict:
        for change in self.changes:
            change(judge.world)
        return judge.verdict(self.text(), **self.questions)


Fault = Callable[[Recipe], object]


def edit(change: Callable[[str], str]) -> Fault:
    return lambda recipe: recipe.edits.append(change)


def say(**said: object) -> Fault:
    return lambda recipe: recipe.said.update(said)


def head(**members: object) -> Fault:
    return lambda recipe: recipe.head.update(members)


def change(of_world: Change) -> Fault:
    return lambda recipe: recipe.changes.append(of_world)


def ask(**questions: object) -> Fault:
    return lambda recipe: recipe.questions.update(questions)


def swell(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] + "A" * 8192 + text[middle:]


def plus(text: str) -> str:
    dot = text.index(".")
    return text[: dot - 1] + "+" + text[dot:]


def stray_bits(text: str) -> str:
    return text[:-1] + chr(ord(text[-1]) + 1)


# In the order of the checks.
FAULTS: dict[str, tuple[TokenStatus, Fault]] = {
    "app suspended": (TokenStatus.APP_SUSPENDED, change(lambda world: world.settings(suspended=True))),
    "size": (TokenStatus.MALFORMED, edit(swell)),
    "development": (TokenStatus.DEVELOPMENT_TOKENS_DISABLED, edit(lambda text: text + ".devtoken")),
    "another kind": (TokenStatus.WRONG_TYPE, edit(lambda text: "art1_" + text)),
    "dots": (TokenStatus.MALFORMED, edit(lambda text: text.replace(".", "..", 1))),
    "alphabet": (TokenStatus.MALFORMED, edit(plus)),
    "canonical form": (TokenStatus.MALFORMED, edit(stray_bits)),
    "header": (TokenStatus.MALFORMED, head(crit=["exp"])),
    "typ": (TokenStatus.WRONG_TYPE, head(typ="svc+jwt")),
    "key unknown": (TokenStatus.KEY_UNKNOWN, head(kid="nobody")),
    "key revoked": (TokenStatus.KEY_REVOKED, change(lambda world: world.key(state=KeyState.REVOKED))),
    "algorithm": (TokenStatus.ALGORITHM_MISMATCH, head(alg="none")),
    "signature": (
        TokenStatus.SIGNATURE_INVALID,
        lambda recipe: setattr(recipe, "sign", lambda message: hs256(message)[::-1]),
    ),
    "payload": (TokenStatus.MALFORMED, lambda recipe: setattr(recipe, "after_payload", b" ")),
    "issuer": (TokenStatus.ISSUER_MISMATCH, say(iss="elsewhere")),
    "server token": (TokenStatus.WRONG_TYPE, say(server=True)),
    "claim types": (TokenStatus.CLAIM_INVALID, say(role=1)),
    "no expiry": (TokenStatus.CLAIM_INVALID, lambda recipe: recipe.said.pop("exp", None)),
    "expired": (TokenStatus.EXPIRED, say(exp=NOW - HOUR, iat=NOW - 2 * HOUR)),
    "not yet": (TokenStatus.NOT_YET_VALID, say(nbf=NOW + HOUR)),
    "issued in future": (TokenStatus.ISSUED_IN_FUTURE, say(iat=NOW + 60)),
    "audience": (TokenStatus.AUDIENCE_MISMATCH, ask(audience="elsewhere")),
    "token revoked": (TokenStatus.REVOKED, change(lambda world: world.revoke_token(jti()))),
    "session revoked": (TokenStatus.SESSION_REVOKED, change(lambda world: world.revoke_session())),
    "user revoked": (TokenStatus.REVOKED, change(lambda world: world.revoke_all(SARA))),
    "app revoked": (TokenStatus.REVOKED, change(lambda world: world.revoke_all(None))),
    "call": (TokenStatus.SCOPE_DENIED, ask(call_cid="video:2")),
    "channel": (TokenStatus.SCOPE_DENIED, ask(channel_cid="chat:1")),
    "role": (TokenStatus.ROLE_DENIED, ask(any_role_of=("admin",))),
}

# One token cannot have both: they want the same member to say two things.
IMPOSSIBLE = {
    ("key unknown", "key revoked"),
    ("no expiry", "expired"),
    ("no expiry", "issued in future"),
    ("expired", "issued in future"),
}
PAIRS = [pair for pair in combinations(FAULTS, 2) if pair not in IMPOSSIBLE]


def judged(judge: FirstLook, *names: str) -> Verdict:
    recipe = Recipe()
    for name in names:
        FAULTS[name][1](recipe)
    return recipe.judged_by(judge)


def test_without_a_fault_it_passes(judge: FirstLook) -> None:
    """The token of all these tests is ACTIVE."""
    assert judged(judge).active


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone_has_its_status(judge: FirstLook, name: str) -> None:
    """Each fault alone is noticed."""
    assert judged(judge, name).status is FAULTS[name][0]


@pytest.mark.parametrize("first", list(FAULTS)[:-1])
def test_of_two_faults_the_first_decides(judge: FirstLook, first: str) -> None:
    """A token with two faults gets exactly the verdict that it would get for the first alone, whatever the second."""
    alone = judged(judge, first)
    differing = {}
    for _, second in (pair for pair in PAIRS if pair[0] == first):
        both = judged(type(judge)(World()), first, second)
        if (both.status, both.detail, both.token is None) != (alone.status, alone.detail, alone.token is None):
            differing[second] = both.status
    assert differing == {}
