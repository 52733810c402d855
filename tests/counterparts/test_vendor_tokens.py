"""Tokens that the seed vendor's own packages mint with an imported secret, as this service reads them."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.model import ApiKey, Kind, TokenStatus
from authsvc.verify.claims import AccessClaims
from tests.counterparts.vendor import CALLS, Vendor, accepted
from tests.tokens.service import Service

pytestmark = pytest.mark.timeout(300)  # the packages may have to be fetched first

SLACK = 60  # seconds between the moment a test begins and that at which a package looked at the clock

# name: user, whether it expires, whether it says when it was issued, role, calls, further claims
Says = tuple[str, bool, bool, str, list[str], dict[str, Any]]
PYTHON: dict[str, Says] = {
    "chat: plain": ("sara", False, False, "", [], {}),
    "chat: exp": ("sara", True, False, "", [], {}),
    "chat: iat": ("sara", False, True, "", [], {}),
    "chat: both": ("sara", True, True, "", [], {}),
    "chat: more claims": ("sara", False, False, "host", [], {"team": "red"}),
    "video: permanent": ("sara", False, True, "", [], {}),
    "video: expiring": ("sara", True, True, "", [], {}),
    "video: call": ("!anon", True, True, "viewer", CALLS, {}),
    "video: permanent call": ("sara", False, True, "", CALLS, {}),
    "jwt: subject": ("sara", False, False, "", [], {}),
}
NODE: dict[str, Says] = {
    "stream-chat: plain": ("sara", False, False, "", [], {}),
    "stream-chat: exp": ("sara", True, False, "", [], {}),
    "stream-chat: exp and iat": ("sara", True, True, "", [], {}),
    "stream-chat: more claims": ("sara", False, False, "host", [], {"team": "red"}),
    "node-sdk: user": ("sara", True, True, "", [], {"validity_in_seconds": 600}),
    "node-sdk: exp": ("sara", True, True, "", [], {}),
    "node-sdk: permanent": ("sara", False, True, "", [], {}),
    "node-sdk: call": ("!anon", True, True, "viewer", CALLS, {}),
    "node-sdk: old": ("sara", True, True, "", [], {}),
    "node-sdk: old call": ("sara", True, True, "host", CALLS, {}),
    "jsonwebtoken: plain": ("sara", False, False, "", [], {}),
    "jsonwebtoken: subject": ("sara", True, True, "", [], {}),
}
NOT_A_USER_S = {
    "chat: server": TokenStatus.WRONG_TYPE,
    "video: server": TokenStatus.WRONG_TYPE,  # says nothing at all: a token of no user
}
NODE_NOT_A_USER_S = {"stream-chat: server": TokenStatus.WRONG_TYPE, "node-sdk: server": TokenStatus.WRONG_TYPE}


def check(claims: AccessClaims, says: Says, vendor: Vendor, lifetime: int) -> None:
    """The claims are what the package was asked to say."""
    user, expires, issued, role, calls, more = says
    assert (claims.user.id, claims.user.role, list(claims.scope.call_cids)) == (user, role, calls)
    assert claims.kind is (Kind.ANONYMOUS if user == "!anon" else Kind.USER)
    assert claims.custom_claims == more
    assert (claims.expires_at is not None, claims.issued_at is not None) == (expires, issued)
    if claims.expires_at is not None:
        assert abs(claims.expires_at - (vendor.issued + lifetime)) <= SLACK
    if claims.issued_at is not None:
        assert abs(claims.issued_at - vendor.issued) <= SLACK


def questions(says: Says) -> dict[str, str]:
    """A token that is limited to calls is good for one of them only."""
    return {"call_cid": CALLS[1]} if says[4] else {}


@pytest.mark.parametrize("name", PYTHON)
def test_the_packages_for_python_mint_for_us(service: Service, app: ApiKey, vendor: Vendor, name: str) -> None:
    """Each token of theirs is ACTIVE for its user, with its scope and its end."""
    says = PYTHON[name]
    check(accepted(service, app, vendor.tokens[name], **questions(says)), says, vendor, 3600)


@pytest.mark.parametrize("name", NODE)
def test_the_packages_for_node_mint_for_us(service: Service, app: ApiKey, node_vendor: Vendor, name: str) -> None:
    """Each token of theirs is ACTIVE for its user, with its scope and its end."""
    says = NODE[name]
    lifetime = says[5].get("validity_in_seconds", 3600)
    check(accepted(service, app, node_vendor.tokens[name], **questions(says)), says, node_vendor, lifetime)


@pytest.mark.parametrize("name", NOT_A_USER_S)
def test_a_server_s_token_speaks_for_nobody(service: Service, app: ApiKey, vendor: Vendor, name: str) -> None:
    """What a server of theirs shows about itself is no user's token here."""
    assert service.validate(app, vendor.tokens[name]).status is NOT_A_USER_S[name]


@pytest.mark.parametrize("name", NODE_NOT_A_USER_S)
def test_a_node_server_s_token_speaks_for_nobody(service: Service, app: ApiKey, node_vendor: Vendor, name: str) -> None:
    """What a server of theirs shows about itself is of the wrong type here."""
    assert service.validate(app, node_vendor.tokens[name]).status is NODE_NOT_A_USER_S[name]


def test_each_token_is_asked_about(vendor: Vendor) -> None:
    """No token that the packages for Python mint is without a row."""
    assert vendor.tokens.keys() == PYTHON.keys() | NOT_A_USER_S.keys()


def test_each_token_of_node_is_asked_about(node_vendor: Vendor) -> None:
    """No token that the packages for Node.js mint is without a row."""
    assert node_vendor.tokens.keys() == NODE.keys() | NODE_NOT_A_USER_S.keys() | {"stream-chat: development"}


def test_a_call_token_is_for_its_calls_only(service: Service, app: ApiKey, vendor: Vendor) -> None:
    """Without a call, and for another one, it is denied."""
    token = vendor.tokens["video: call"]
    assert service.validate(app, token).status is TokenStatus.SCOPE_DENIED
    assert service.validate(app, token, call_cid="default:2").status is TokenStatus.SCOPE_DENIED


def test_an_expired_token_is_expired_here(service: Service, app: ApiKey, vendor: Vendor) -> None:
    """Their end is kept, and what has none outlives it."""
    service.clock.move(hours=2)
    assert service.validate(app, vendor.tokens["chat: both"]).status is TokenStatus.EXPIRED
    assert service.validate(app, vendor.tokens["chat: iat"]).active


def test_another_secret_is_refused(service: Service, vendor: Vendor) -> None:
    """What the packages mint is good under their secret, and under no other app's."""
    other = service.app(secret=b"another secret of more than thirty-two bytes", accept_unmanaged_tokens=True)
    assert service.validate(other, vendor.tokens["chat: plain"]).status is TokenStatus.SIGNATURE_INVALID


def test_their_development_token_is_ours(service: Service, app: ApiKey, node_vendor: Vendor) -> None:
    """The development token of stream-chat is, byte by byte, the one made here."""
    from authsvc.verify.development import make_development_token

    text = node_vendor.tokens["stream-chat: development"]
    assert text == make_development_token("sara")
    assert accepted(service, app, text).kind is Kind.DEVELOPMENT
