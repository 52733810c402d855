"""What one caller writes to the claims of a token is seen by nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authsvc.client import CheckedToken
from authsvc.client.verifier.checked import checked_by_service
from authsvc.v1 import auth_pb2
from authsvc.verify.signatures import digest_of
from tests.client.verifier.made import Heard, token

CUSTOM = {"plan": "free", "tags": ["a", {"deep": [1]}], "address": {"city": "Delft"}}


def checked(**claims: Any) -> CheckedToken:
    """A token of sara, judged here."""
    heard = Heard()
    heard.snapshot()
    text = token(heard.clock, **claims)
    return heard.judge.judge(text, digest_of(text), heard.judge.nothing_asked)


def told() -> CheckedToken:
    """The same, as the service says it."""
    answer = auth_pb2.ValidateTokenResponse(active=True, status=auth_pb2.TOKEN_STATUS_ACTIVE)
    answer.info.kind = auth_pb2.TOKEN_KIND_USER
    for struct in (answer.info.user.custom, answer.info.custom_claims):
        struct.update({"plan": "free", "tags": ["a", {"deep": [1]}], "address": {"city": "Delft"}})
    return checked_by_service(answer)


def write_all_over(members: Any) -> None:
    """Write at every depth."""
    members["tags"][1]["deep"].append(2)
    members["tags"].clear()
    members["address"]["city"] = "Gouda"
    members["admin"] = True
    del members["plan"]


def test_claims_are_the_callers_own() -> None:
    """At every depth, whoever judged the token, and in every property that shows them."""
    here = checked(custom=CUSTOM, **{"https://acme.example/claims": CUSTOM})
    own = here.custom_claims
    assert own == {"https://acme.example/claims": CUSTOM}
    write_all_over(own["https://acme.example/claims"])
    assert here.custom_claims == {"https://acme.example/claims": CUSTOM}
    for each in (here, told()):
        write_all_over(each.custom)
        assert each.custom == CUSTOM
    service = told()
    write_all_over(service.custom_claims)
    assert service.custom_claims == CUSTOM
    verified = here.verified
    assert verified is not None
    write_all_over(verified.claims.user.custom)
    write_all_over(verified.claims.custom_claims["https://acme.example/claims"])
    assert (here.custom, here.custom_claims) == (CUSTOM, {"https://acme.example/claims": CUSTOM})


def test_tokens_that_say_nothing_more_share_nothing() -> None:
    """What is written to the claims of one is in those of no other, nor in its own when they are read again."""
    sara, tom = checked(), checked()
    for claims in (sara.custom, sara.custom_claims):
        claims["admin"] = True  # type: ignore[index]
        assert claims == {"admin": True}
    assert sara.verified is not None
    sara.verified.claims.custom_claims["admin"] = True  # type: ignore[index]
    for each in (sara, tom):
        assert (each.custom, each.custom_claims) == ({}, {})


@pytest.mark.parametrize("custom", [{}, CUSTOM])
def test_claims_are_plain_values(custom: dict[str, Any]) -> None:
    """They compare and can be written as JSON, and so do two looks at one token."""
    seen = checked(custom=custom)
    assert json.loads(json.dumps(seen.custom)) == custom
    assert seen.custom == seen.custom == custom
    assert seen.verified == seen.verified
