"""Verdicts kept as bytes are what would be encoded anew, for each status, and few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.model import TokenStatus
from authsvc.rpc.convert import validate_response
from authsvc.rpc.verdicts import EncodedVerdicts
from authsvc.v1 import auth_pb2 as pb
from authsvc.verify.verdict import Verdict, VerifiedToken
from tests.conftest import HandClock
from tests.tokens.service import Service, open_service


@pytest.fixture
def desk(state_dir: Path, clock: HandClock) -> Iterator[Service]:
    """A service that mints."""
    with open_service(state_dir, clock) as service:
        yield service


def some_token(desk: Service) -> VerifiedToken:
    """A verified token, another one each time."""
    app = desk.app()
    token = desk.validate(app, desk.issue(app).minted.text).token
    assert token is not None
    return token


@pytest.mark.parametrize("shown", [1, 3])
def test_each_status_of_a_token_has_its_own_answer(desk: Service, shown: int) -> None:
    """Whatever was answered about a token before, the answer is that of this verdict."""
    encoded, token = EncodedVerdicts(), some_token(desk)
    for status in TokenStatus:
        verdict = Verdict(status, token)
        for _ in range(shown):
            found = encoded.of(verdict)
            (result,) = pb.BatchValidateTokensResponse.FromString(found).results
            assert result.response == validate_response(verdict)


def test_two_tokens_are_two(desk: Service) -> None:
    """Tokens that differ in their ids alone are not taken for each other."""
    encoded, tokens = EncodedVerdicts(), [some_token(desk) for _ in range(8)]
    for token in tokens * 2:
        answer = pb.BatchValidateTokensResponse.FromString(encoded.of(Verdict(TokenStatus.ACTIVE, token)))
        assert answer.results[0].response.info.token_id == token.claims.token_id


def test_a_token_shown_again_is_not_encoded_again(desk: Service) -> None:
    """The second answer is the very bytes of the first; another status makes new ones."""
    encoded, token = EncodedVerdicts(), some_token(desk)
    first = encoded.of(Verdict(TokenStatus.ACTIVE, token))
    assert encoded.of(Verdict(TokenStatus.ACTIVE, token)) is first
    assert encoded.of(Verdict(TokenStatus.EXPIRED, token)) is not first


def test_what_is_kept_is_bounded(desk: Service) -> None:
    """Never more than its capacity, and nothing of tokens that were not verified."""
    encoded = EncodedVerdicts(capacity=3)
    sizes = []
    for _ in range(8):
        encoded.of(Verdict(TokenStatus.ACTIVE, some_token(desk)))
        encoded.of(Verdict(TokenStatus.MALFORMED))
        sizes.append(len(encoded))
    assert sizes == [1, 2, 3, 1, 2, 3, 1, 2]
