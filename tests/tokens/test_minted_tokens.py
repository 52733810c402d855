"""What a token of ours looks like: header, claims, ids and times, to the byte."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta

import joserfc.jwt
import pytest
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from authsvc.model import Algorithm, TokenStatus, session_text
from authsvc.signing import base64url
from authsvc.tokens.requests import (
    AnonymousSubject,
    GuestSubject,
    IssueRequest,
    ScopeRequest,
    Seconds,
    Ttl,
    UserSubject,
)
from tests.tokens.service import SARA, Service, a_principal, payload_of, segment, session_id_of

SCOPE = ScopeRequest(("video:1", "audio:2"), ("chat:3",))
FULL = UserSubject(
    "sara", "host", "Šára ~>?", "https://x.example/y?z=1", {"plan": "gold", "seats": 3.0, "deep": {"l": [1.0]}}
)


def seconds(service: Service) -> int:
    return int(service.clock().timestamp())


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.HS256])
def test_the_header(desk: Service, algorithm: Algorithm) -> None:
    """A header has exactly alg, kid and typ: the key's algorithm, the key's id, and JWT."""
    app = desk.app(algorithm=algorithm)
    trust = desk.domain.view.app(app)
    assert trust is not None
    key = trust.ring.signing_key()
    header = json.loads(segment(desk.issue(app).minted.text, 0))
    assert header == {"alg": algorithm.value, "kid": key.key_id, "typ": "JWT"}


def test_the_least_token(desk: Service) -> None:
    """A token of which nothing but the user was asked has the seven claims that are always there."""
    app = desk.app(issuer="https://issuer.example")
    said = payload_of(desk.issue(app).minted.text)
    now = seconds(desk)
    jti = said.pop("jti")
    assert said == {
        "iss": "https://issuer.example",
        "sub": "user/sara",
        "user_id": "sara",
        "iat": now - 5,
        "exp": now + 3600,
    }
    assert len(base64url.decode(jti)) == 20


def test_the_fullest_token(desk: Service) -> None:
    """A token says all that was asked, under the names of the profile and in plain JSON types."""
    app = desk.app()
    issued = desk.issue(
        app,
        FULL,
        scope=SCOPE,
        lifetime=Ttl(Seconds(60)),
        audience=("a", "b"),
        custom_claims={"tier": 2.0, "ratio": 0.5, "flags": [True, None, "x"]},
        refreshable=True,
    )
    said = payload_of(issued.minted.text)
    session_id = session_id_of(issued)
    assert session_id is not None
    assert {name: value for name, value in said.items() if name not in ("jti", "iat")} == {
        "iss": "authsvc",
        "sub": "user/sara",
        "user_id": "sara",
        "exp": seconds(desk) + 60,
        "role": "host",
        "name": "Šára ~>?",
        "image": "https://x.example/y?z=1",
        "custom": {"plan": "gold", "seats": 3, "deep": {"l": [1]}},
        "call_cids": ["video:1", "audio:2"],
        "channel_cids": ["chat:3"],
        "aud": ["a", "b"],
        "sid": session_text(session_id),
        "tier": 2,
        "ratio": 0.5,
        "flags": [True, None, "x"],
    }


def test_a_guest_s_token(desk: Service) -> None:
    """A guest's id is `guest-<uuid>-<hint>` and the role is guest."""
    app = desk.app(guests_enabled=True)
    said = payload_of(desk.issue(app, GuestSubject("bob", "Bob")).minted.text)
    assert re.fullmatch(r"guest-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-bob", said["user_id"])
    assert (said["sub"], said["role"], said["name"]) == (f"user/{said['user_id']}", "guest", "Bob")


def test_an_anonymous_token(desk: Service) -> None:
    """An anonymous token is of `!anon`, with the app's role and the scope asked for."""
    app = desk.app(anonymous_enabled=True)
    said = payload_of(desk.issue(app, AnonymousSubject(), scope=ScopeRequest(("video:1",))).minted.text)
    assert (said["user_id"], said["sub"], said["role"]) == ("!anon", "user/!anon", "viewer")
    assert said["call_cids"] == ["video:1"]
    assert "channel_cids" not in said


def test_one_audience_is_a_text_and_several_are_a_list(desk: Service) -> None:
    """RFC 7519, 4.1.3: a single audience may be a text, and is."""
    app = desk.app()
    assert payload_of(desk.issue(app, audience=("one",)).minted.text)["aud"] == "one"
    assert payload_of(desk.issue(app, audience=("one", "two")).minted.text)["aud"] == ["one", "two"]


def test_the_default_audience_is_the_app_s(desk: Service) -> None:
    """Without an audience in the request the app's default is taken, and a request's replaces it."""
    app = desk.app(default_audience=("api",))
    assert payload_of(desk.issue(app).minted.text)["aud"] == "api"
    assert payload_of(desk.issue(app, audience=("web",)).minted.text)["aud"] == "web"


def test_the_token_id_begins_with_the_revision(service: Service) -> None:
    """A jti is the revision that the issuer had seen, as eight bytes, and twelve random bytes."""
    app = service.app()
    revision = service.domain.view.revision
    assert revision > 0
    ids = [base64url.decode(payload_of(service.issue(app).minted.text)["jti"]) for _ in range(50)]
    assert {raw[:8] for raw in ids} == {revision.to_bytes(8, "big")}
    assert {len(raw) for raw in ids} == {20}
    assert len({raw[8:] for raw in ids}) == 50
    service.app()
    later = base64url.decode(payload_of(service.issue(app).minted.text)["jti"])
    assert int.from_bytes(later[:8], "big") == service.domain.view.revision > revision


@pytest.mark.parametrize("backdate", [0, 5, 300])
def test_iat_lies_back(desk: Service, backdate: int) -> None:
    """iat is now less the app's back-dating, exp is counted from now, both in whole seconds."""
    app = desk.app(issued_at_backdate=timedelta(seconds=backdate))
    said = payload_of(desk.issue(app).minted.text)
    assert desk.clock().microsecond > 0
    assert (said["iat"], said["exp"]) == (seconds(desk) - backdate, seconds(desk) + 3600)
    assert isinstance(said["iat"], int)


def test_a_fresh_token_is_good_on_a_clock_that_is_behind(service: Service) -> None:
    """Because of the back-dating a verifier without any skew whose clock is five seconds behind accepts it."""
    app = service.app(clock_skew=timedelta(0))
    text = service.issue(app).minted.text
    service.clock.move(seconds=-5)
    assert service.validate(app, text).active
    service.clock.move(seconds=-1)
    assert service.validate(app, text).status is TokenStatus.ISSUED_IN_FUTURE


def test_the_payload_is_ascii_sorted_dense_json(desk: Service) -> None:
    """A payload is one canonical text, and its segment holds neither `-` nor `_`."""
    app = desk.app()
    text = desk.issue(app, FULL, custom_claims={"a>b?c~d\x7f": "é\U0001f600>>>???~~~\x7f"}).minted.text
    raw = segment(text, 1)
    assert raw.isascii()
    assert raw == json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":")).encode().replace(
        b">", b"\\u003e"
    ).replace(b"?", b"\\u003f").replace(b"~", b"\\u007e").replace(b"\x7f", b"\\u007f")
    assert text.split(".")[1].isalnum()
    assert base64.b64decode(text.split(".")[1] + "==") == raw, "a decoder of the standard alphabet reads it"


def test_what_is_answered_is_what_was_signed(desk: Service) -> None:
    """The answer describes the token exactly as a validation of it does."""
    app = desk.app()
    issued = desk.issue(app, FULL, scope=SCOPE, audience=(app,), custom_claims={"n": 1.0}, refreshable=True)
    verdict = desk.validate(app, issued.minted.text, call_cid="video:1", channel_cid="chat:3")
    assert verdict.active
    assert verdict.token == issued.minted.token


def test_a_token_does_not_print(desk: Service) -> None:
    """Neither the answer of an issue nor that of a refresh shows a token when it is printed."""
    issued = desk.issue(desk.app(), refreshable=True)
    refreshed = desk.refresh(issued.refresh_token)
    for answer in (issued, refreshed):
        assert "eyJ" not in repr(answer)
        assert "art1_" not in repr(answer)
    assert issued.refresh_token.startswith("art1_")


def test_a_line_is_audited_for_each_issue(service: Service) -> None:
    """An issue leaves one line: who, for whom, which app, the end, eight digits of the request id's hash."""
    app = service.app()
    issued = service.issuing.issue(
        a_principal("svc-7"), IssueRequest(api_key=app, subject=SARA, request_id="r" * 22, refreshable=True)
    )
    [(level, message, event)] = service.logged()
    session_id = session_id_of(issued)
    assert session_id is not None
    assert (level, message) == ("info", "token issued")
    assert {name: event[name] for name in ("principal", "app", "user_id", "session_id", "outcome")} == {
        "principal": "svc-7",
        "app": app,
        "user_id": "sara",
        "session_id": session_text(session_id),
        "outcome": "issued",
    }
    assert re.fullmatch("[0-9a-f]{8}", event["request_id_hash"])
    assert "r" * 22 not in repr(event)
    assert "eyJ" not in repr(event)
    assert "art1_" not in repr(event)


def test_nothing_is_kept_of_a_token_without_session(service: Service) -> None:
    """An issue without a session writes no row anywhere."""
    app = service.app()
    before = service.rows()
    service.issue(app)
    assert service.rows() == before
    service.issue(app, refreshable=True)
    assert service.rows() == {**before, "sessions": before["sessions"] + 1}


def test_an_independent_verifier_accepts_it(desk: Service) -> None:
    """A library that knows nothing of us verifies a token by the public key the app publishes, and reads the same."""
    app, other = desk.app(), desk.app()
    keys = []
    for name in (app, other):
        trust = desk.domain.view.app(name)
        assert trust is not None
        [key] = trust.ring.keys.values()
        keys.append(ECKey.import_key(json.loads(key.public_jwk)))
    text = desk.issue(app, FULL, refreshable=True).minted.text
    assert joserfc.jwt.decode(text, keys[0]).claims == payload_of(text)
    with pytest.raises(BadSignatureError):
        joserfc.jwt.decode(text, keys[1])
