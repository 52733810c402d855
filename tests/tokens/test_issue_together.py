"""Issuing several tokens at once: each gets what it would get alone, and what is refused is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.issue import IssuedToken
from authsvc.tokens.issue_together import IssueTogether, IssueWish
from authsvc.tokens.requests import AnonymousSubject, IssueRequest, ScopeRequest, Seconds, Ttl, UserSubject
from tests.tokens.service import SARA, Service, a_principal, payload_of


def issue(service: Service, *requests: IssueRequest, **who: Any) -> list[IssuedToken | None]:
    """Issue all of them at once, as ``principal`` where that is given."""
    audit = TokenAudit(service.domain.logs.get_logger("audit"))
    together = IssueTogether(service.issuing, service.mint, audit, service.lines)
    return together.issue([IssueWish(who.get("principal", service.principal), request) for request in requests])


def test_each_gets_the_token_that_it_would_get_alone(service: Service) -> None:
    """The tokens say the same, but for their ids, are good, and the audit has a line of each, in order."""
    app, other = service.app(), service.app(secret=bytes(32), anonymous_enabled=True)
    requests = [
        IssueRequest(api_key=app, subject=UserSubject("sara", "admin", "Sara", custom={"a": 1.0})),
        IssueRequest(api_key=app, subject=UserSubject("tom"), lifetime=Ttl(Seconds(60)), audience=("shop", "desk")),
        IssueRequest(api_key=other, subject=AnonymousSubject(), scope=ScopeRequest(("video:1",), ("chat:1",))),
        IssueRequest(api_key=app, subject=SARA, custom_claims={"plan": "gold"}),
    ]
    lines = len(service.logged())
    answers = issue(service, *requests)
    told = [(event["app"], event["user_id"]) for _, message, event in service.logged()[lines:]]
    assert told == [(app, "sara"), (app, "tom"), (other, "!anon"), (app, "sara")]
    for request, answer in zip(requests, answers, strict=True):
        assert answer is not None
        alone = service.issuing.issue(service.principal, request)
        assert {**payload_of(answer.minted.text), "jti": ""} == {**payload_of(alone.minted.text), "jti": ""}
        assert answer.minted.token.claims.token_id != alone.minted.token.claims.token_id
        asked = {"call_cid": "video:1"} if request.scope else {}
        audience = "shop" if request.audience else None
        assert service.validate(request.api_key, answer.minted.text, audience=audience, **asked).active


def no_such_app(service: Service, app: str) -> dict[str, Any]:
    return {"api_key": "nobody"}


def a_bad_user(service: Service, app: str) -> dict[str, Any]:
    return {"subject": UserSubject("white space")}


def too_large(service: Service, app: str) -> dict[str, Any]:
    return {"custom_claims": {"text": "x" * 4_000}}


def suspended(service: Service, app: str) -> dict[str, Any]:
    return {"api_key": service.app(suspended=True)}


@pytest.mark.parametrize("change", [no_such_app, a_bad_user, too_large, suspended])
def test_what_is_refused_is_left_alone(service: Service, change: Callable[[Service, str], dict[str, Any]]) -> None:
    """It gets no token and no line, and those beside it get theirs."""
    app = service.app()
    good, lines = IssueRequest(api_key=app, subject=SARA), len(service.logged())
    answers = issue(service, good, good._replace(**change(service, app)), good)
    assert [answer is not None for answer in answers] == [True, False, True]
    assert len(service.logged()) == lines + 2


def test_a_caller_gets_nothing_for_the_app_of_another(service: Service) -> None:
    """Whose wish it is decides, for each by itself."""
    app = service.app()
    stranger = a_principal("stranger", apps=frozenset({service.app()}))
    assert issue(service, IssueRequest(api_key=app, subject=SARA), principal=stranger) == [None]


@pytest.mark.parametrize("level", ["debug", "info"])
def test_each_token_is_told_to_who_looks_for_it(service: Service, level: str) -> None:
    """At debug the scope ``tokens`` says by which key each was minted; at info it says nothing."""
    app = service.app()
    service.domain.logs.configure_levels({"tokens": level})
    minted = issue(service, *(IssueRequest(api_key=app, subject=UserSubject(user)) for user in ("sara", "tom")))
    told = [(message, event["kid"]) for _, message, event in service.logged("tokens")]
    wanted = [("token minted", answer.minted.token.key_id) for answer in minted if answer is not None]
    assert told == (wanted if level == "debug" else [])
    assert len(wanted) == 2
