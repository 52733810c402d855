"""What a question about a token may be; what this version does not serve is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.errors import CallerForbidden, InvalidRequest, NotFound, Reason
from authsvc.model import TokenStatus
from authsvc.rpc.convert import validate_request
from authsvc.tokens.requests import ValidateRequest
from authsvc.v1 import auth_pb2 as pb
from tests.tokens.service import Service, a_principal


def faults(refused: InvalidRequest) -> list[str]:
    return sorted(violation.field for violation in refused.violations)


NO_QUESTION: dict[str, list[dict[str, Any]]] = {
    "call_cid": [{"call_cid": ""}, {"call_cid": "video"}, {"call_cid": "video:1:2"}],
    "channel_cid": [{"channel_cid": ""}, {"channel_cid": "*"}],
    "audience": [{"audience": ""}, {"audience": "a" * 257}],
    "roles": [{"any_role_of": ()}],
    "roles.any_of[0]": [{"any_role_of": ("",)}, {"any_role_of": ("Admin",)}],
    "roles.any_of[1]": [{"any_role_of": ("host", "no role")}],
    "consistency": [{"strong": None}],
    "after_revision": [{"after_revision": -1}],
}
REFUSED = [(field, ask) for field, asks in NO_QUESTION.items() for ask in asks]


@pytest.mark.parametrize(("field", "question"), REFUSED)
def test_no_questions(desk: Service, field: str, question: dict[str, Any]) -> None:
    """A question that is present but empty, or of a wrong form is refused by its field."""
    app = desk.app()
    text = desk.issue(app).minted.text
    assert desk.validate(app, text).active
    with pytest.raises(InvalidRequest) as refused:
        desk.validate(app, text, **question)
    assert faults(refused.value) == [field]


def test_all_faults_of_a_question_at_once(desk: Service) -> None:
    """A validation with several mistakes is answered with all of them."""
    with pytest.raises(InvalidRequest) as refused:
        desk.validate(
            desk.app(), "", call_cid="", channel_cid="x", audience="", any_role_of=(), strong=None, after_revision=-7
        )
    assert faults(refused.value) == ["after_revision", "audience", "call_cid", "channel_cid", "consistency", "roles"]


@pytest.mark.parametrize("consistency", [3, 77, -1])
def test_a_consistency_that_nobody_knows_is_refused(desk: Service, consistency: int) -> None:
    """Numbers that nobody knows are refused; unspecified and CACHED are the same."""
    app = desk.app()
    text = desk.issue(app).minted.text
    for served in (pb.CONSISTENCY_UNSPECIFIED, pb.CONSISTENCY_CACHED):
        request = validate_request(pb.ValidateTokenRequest(api_key=app, token=text, consistency=served))
        assert desk.validating.validate(a_principal(), request).active
    message = pb.ValidateTokenRequest(api_key=app, token=text)
    message.consistency = consistency  # type: ignore[assignment]
    with pytest.raises(InvalidRequest) as refused:
        desk.validating.validate(a_principal(), validate_request(message))
    assert faults(refused.value) == ["consistency"]


def test_a_bad_token_is_an_answer(desk: Service) -> None:
    """However bad a token is, asking about it is no error."""
    app = desk.app()
    for text in ("", "x", "." * 100_000, "\0", desk.issue(desk.app()).minted.text):
        assert not desk.validate(app, text).active


def test_the_caller_s_audiences_count(desk: Service) -> None:
    """A token meant for an audience that the calling service goes by is good without a question."""
    app = desk.app()
    text = desk.issue(app, audience=("api",)).minted.text
    request = ValidateRequest(token=text, api_key=app)
    assert desk.validating.validate(a_principal(), request).status is TokenStatus.AUDIENCE_MISMATCH
    assert desk.validating.validate(a_principal(audiences=("api",)), request).active


def test_which_app_may_be_asked_about(desk: Service) -> None:
    """A caller asks about its own apps, and learns of no other whether it exists."""
    app, other = desk.app(), desk.app()
    own = a_principal(apps=frozenset({app}))
    text = desk.issue(app).minted.text
    assert desk.validating.validate(own, ValidateRequest(token=text)).active
    for name in (other, "nobody"):
        with pytest.raises(CallerForbidden) as refused:
            desk.validating.validate(own, ValidateRequest(token=text, api_key=name))
        assert refused.value.reason is Reason.APP_NOT_ALLOWED
    with pytest.raises(NotFound):
        desk.validating.validate(a_principal(), ValidateRequest(token=text, api_key="nobody"))
