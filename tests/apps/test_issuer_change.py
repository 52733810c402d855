"""An app under a new issuer: what it minted before stays good while it can live."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.v1 import admin_pb2, auth_pb2
from authsvc.v1.auth_pb2 import TokenStatus
from tests.conftest import RunningServer

LIFE, SKEW = timedelta(hours=24), timedelta(seconds=30)


@pytest.fixture(autouse=True)
def acme(server: RunningServer) -> None:
    """An app whose issuer is ``a``."""
    server.new_app("acme", issuer="a")


def _issue(server: RunningServer, **lifetime: object) -> str:
    request = auth_pb2.IssueTokenRequest(api_key="acme", user=auth_pb2.User(id="sara"), **lifetime)  # type: ignore[arg-type]
    return server.auth().IssueToken(request, metadata=server.metadata).token


def _update(server: RunningServer, **settings: object) -> None:
    request = admin_pb2.UpdateAppRequest(api_key="acme", settings=admin_pb2.AppSettings(**settings))  # type: ignore[arg-type]
    request.update_mask.paths.extend(settings)
    server.admin().UpdateApp(request, metadata=server.metadata)


def _status(server: RunningServer, token: str) -> tuple[str, str]:
    """The verdict's status, and the issuer that the token names."""
    request = auth_pb2.ValidateTokenRequest(api_key="acme", token=token)
    answer = server.auth().ValidateToken(request, metadata=server.metadata)
    return TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_"), answer.info.issuer


def test_new_tokens_name_the_new_issuer(server: RunningServer) -> None:
    """From the change on tokens are minted under the new issuer, and both kinds are good."""
    old = _issue(server)
    _update(server, issuer="b")
    assert _status(server, _issue(server)) == ("ACTIVE", "b")
    assert _status(server, old) == ("ACTIVE", "a")


def test_the_last_three_issuers_are_accepted(server: RunningServer) -> None:
    """Two changes leave the first issuer's tokens good; the third ends them and leaves the other three issuers'."""
    tokens = {}
    for issuer in "abc":
        _update(server, issuer=issuer)
        tokens[issuer] = _issue(server)
    assert [_status(server, token)[0] for token in tokens.values()] == ["ACTIVE"] * 3
    _update(server, issuer="d")
    assert [_status(server, token)[0] for token in tokens.values()] == ["ISSUER_MISMATCH", "ACTIVE", "ACTIVE"]


def test_an_issuer_that_comes_back_ends_nobody(server: RunningServer) -> None:
    """Going back and forth between two issuers uses up no place: the third is accepted still."""
    tokens = {}
    for issuer in "cab":
        _update(server, issuer=issuer)
        tokens[issuer] = _issue(server)
    for issuer in "abab":
        _update(server, issuer=issuer)
    assert [_status(server, token)[0] for token in tokens.values()] == ["ACTIVE"] * 3


def test_a_past_issuer_is_known_as_long_as_its_last_token_can_live(server: RunningServer) -> None:
    """The longest-lived token minted just before the change is good to its end; only then its issuer is forgotten."""
    token = _issue(server, ttl=LIFE)
    _update(server, issuer="b")
    left = server.clock()
    expires = (left + LIFE + SKEW).replace(microsecond=0)
    server.clock.move(seconds=(expires - server.clock()).total_seconds(), microseconds=-1)
    assert _status(server, token) == ("ACTIVE", "a")
    server.clock.move(microseconds=1)
    assert _status(server, token) == ("EXPIRED", "a")
    server.clock.move(seconds=(left + LIFE + SKEW - server.clock()).total_seconds())
    assert _status(server, token)[0] == "ISSUER_MISMATCH"


def test_a_shorter_lifetime_takes_nothing_from_older_tokens(server: RunningServer) -> None:
    """A past issuer is known for the longest life that was ever allowed, not for the one allowed now."""
    token = _issue(server, ttl=LIFE)
    _update(server, issuer="b", default_ttl=timedelta(minutes=1), max_ttl=timedelta(minutes=1))
    server.clock.move(hours=23)
    assert _status(server, token) == ("ACTIVE", "a")


def test_a_token_without_an_end_keeps_its_issuer_known(server: RunningServer) -> None:
    """Where tokens without an end were ever allowed, a past issuer is known for ever, also once they are not."""
    _update(server, allow_never_expires=True)
    token = _issue(server, never_expires=True)
    _update(server, issuer="b", allow_never_expires=False)
    server.clock.move(days=10_000)
    assert _status(server, token) == ("ACTIVE", "a")
