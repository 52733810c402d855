"""The shared table: tokens of every kind, the questions about them, and what happens to their app in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from authsvc.v1 import admin_pb2 as admin
from authsvc.v1 import auth_pb2 as pb
from tests.client.agreeing.pens import Pen
from tests.client.agreeing.stage import APPS, AUDIENCE, IMPORTED, Case, Stage
from tests.signing.handmade import json_bytes
from tests.verify.attacks import ATTACKS
from tests.verify.workshop import SESSION_TEXT, Remove

CID, TEAM = "video:1", "team:1"
QUESTIONS: tuple[Mapping[str, Any], ...] = (
    {},
    {"call_cid": CID},
    {"call_cid": "video:2"},
    {"channel_cid": TEAM},
    {"call_cid": CID, "channel_cid": TEAM},
    {"call_cid": ""},
    {"channel_cid": "no cid"},
    {"audience": AUDIENCE},
    {"audience": "elsewhere"},
    {"audience": ""},
    {"any_role_of": ["host", "admin"]},
    {"any_role_of": ["viewer"]},
    {"any_role_of": []},
    {"any_role_of": ["No Role"]},
)
DEVELOPMENT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoibHVrZV9za3l3YWxrZXIifQ==.devtoken"

HEADS: tuple[dict[str, object], ...] = (
    {"typ": "JWT"},
    {"typ": "at+jwt"},
    {"typ": "svc+jwt"},
    {"typ": Remove},
    {"kid": Remove},
    {"kid": "nobody's"},
    {"kid": 1},
    {"alg": "RS256"},
    {"alg": "none"},
    {"crit": ["b64"]},
)


def changed_claims(now: int) -> list[dict[str, Any]]:
    """What may differ from a good token's claims, good and bad."""
    times: list[object] = [
        now - 7200,
        now - 20,
        now,
        now + 20,
        now + 45,
        now + 9000,
        float(now),
        str(now),
        True,
        -1,
        2**53 + 1,
    ]
    custom: tuple[object, ...] = ({"level": 7, "deep": {"a": [1.5, None]}}, [], "x")
    return [
        {},
        *({name: value} for name in ("exp", "iat", "nbf") for value in (*times, Remove, None)),
        *({"iss": value} for value in ("authsvc-2", "elsewhere", 1, Remove)),
        *({"sub": value} for value in ("tom", "user/tom", 1, Remove)),
        *({"user_id": value} for value in ("tom", "guest-1", "!anon", "!else", "", "a b", 1, Remove)),
        *({"role": value} for value in ("admin", "", "Host", 1, Remove)),
        *({"aud": value} for value in (AUDIENCE, ["es"], ["ed", AUDIENCE], ["elsewhere"], [], "", 1, [1], ["a", "a"])),
        *({"call_cids": value} for value in ([CID], [], ["no cid"], CID, [CID, CID], ["video:2"])),
        {"channel_cids": [TEAM]},
        {"call_cids": [CID], "channel_cids": [TEAM]},
        *({"sid": value} for value in (Remove, "", SESSION_TEXT.upper(), "1" * 36)),
        *({"jti": value} for value in (Remove, "", "x", "A" * 27, "A" * 28)),
        *({"custom": value} for value in custom),
        *({"name": value} for value in ("Sara", 1)),
        *({name: 1} for name in ("server", "scope", "cnf", "plan")),
        {"client_id": "elsewhere"},
    ]


def texts_of(pen: Pen, api_key: str) -> Iterator[tuple[str, str]]:
    """Names and texts of tokens that were signed by the app, or nearly."""
    for changes in changed_claims(pen.now):
        yield f"{api_key} with {changes}", pen.token(api_key, **changes)
    good = pen.token(api_key)
    for head in HEADS:
        yield f"{api_key} under {head}", pen.token(api_key, head)
    for payload in (b"[]", b"{", b'{"a":1,"a":1}', json_bytes({"user_id": "sara"}), b"\xff"):
        yield f"{api_key} of {payload!r}", pen.sealed(api_key, payload)
    for name, text in {
        "truncated": good[:-1],
        "extended": f"{good}A",
        "padded": f"{good}=",
        "two parts": good.rpartition(".")[0],
        "changed": good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB"),
        "spaced": f" {good}",
        "nothing": "",
        "development": DEVELOPMENT,
        "refresh": "art1_" + "A" * 52,
    }.items():
        yield f"{api_key} {name}", text


def attacks() -> list[str]:
    """The hand-made tokens that must not pass anywhere, as far as the wire takes them."""
    texts = [attack.text for attack in ATTACKS if len(attack.text) < 9_000]
    return [text for text in texts if text.isprintable()]


def table(stage: Stage) -> list[Case]:
    """All tokens without a question, and a few of each app with all questions."""
    pen, cases = Pen(stage.domain.view, stage.clock), []
    for api_key in APPS:
        texts = dict(texts_of(pen, api_key))
        cases += [Case(api_key, text, {}, name) for name, text in texts.items()]
        asked = [pen.token(api_key), pen.token(api_key, call_cids=[CID]), pen.token(api_key, channel_cids=[TEAM])]
        asked += [pen.token(api_key, aud=[AUDIENCE]), pen.token(api_key, role="viewer"), "rubbish"]
        cases += [Case(api_key, text, questions) for text in asked for questions in QUESTIONS]
        cases += [Case(other, pen.token(api_key), {}, f"{api_key} for {other}") for other in APPS if other != api_key]
        cases += [Case(api_key, text, {}) for text in issued(stage, api_key)]
    cases += [Case("es", text, {}) for text in attacks()]
    unmanaged = (
        {"user_id": "sara"},
        {"user_id": "sara", "exp": pen.now - 60},
        {"server": True},
        {"user_id": "guest-1"},
    )
    cases += [Case(app, pen.unmanaged(IMPORTED, **claims), {}) for claims in unmanaged for app in ("un", "hs", "es")]
    return cases


def issued(stage: Stage, api_key: str) -> list[str]:
    """What the service itself mints: a user's, a session's, a guest's and an anonymous token."""
    wishes: tuple[dict[str, Any], ...] = (
        {"user": pb.User(id="sara", role="host")},
        {"user": pb.User(id="tom"), "refreshable": True},
        {"guest": pb.Guest(id_hint="jack")},
        {"anonymous": pb.Anonymous()},
    )
    requests = [pb.IssueTokenRequest(api_key=api_key, **wish) for wish in wishes]
    answer = stage.client.batch_issue_tokens(pb.BatchIssueTokensRequest(requests=requests))
    return [result.response.token for result in answer.results]


# -- what happens to an app ----------------------------------------------------------------------

Step = Callable[[Stage, str], object]


def revoke(**target: Any) -> Step:
    """RevokeTokens."""
    return lambda stage, app: stage.client.revoke_tokens(pb.RevokeTokensRequest(api_key=app, **target))


def revoke_before(seconds: int, **target: Any) -> Step:
    """RevokeTokens of what was issued before a moment, so many seconds from now."""

    def step(stage: Stage, app: str) -> object:
        moment = Timestamp()
        moment.FromDatetime(stage.clock())
        moment.seconds += seconds
        return revoke(issued_before=moment, **target)(stage, app)

    return step


def end_sessions(stage: Stage, app: str) -> None:
    """RevokeTokens, for each session of the app."""
    for session in stage.client.sessions(pb.ListSessionsRequest(api_key=app)):
        revoke(session_id=session.session_id)(stage, app)


def clear(**target: Any) -> Step:
    """ClearRevocation."""
    return lambda stage, app: stage.client.admin.clear_revocation(admin.ClearRevocationRequest(api_key=app, **target))


def settings(**values: Any) -> Step:
    """UpdateApp."""

    def step(stage: Stage, app: str) -> object:
        wanted, mask = admin.AppSettings(**values), FieldMask(paths=sorted(values))
        return stage.client.admin.update_app(admin.UpdateAppRequest(api_key=app, settings=wanted, update_mask=mask))

    return step


def rotate(stage: Stage, app: str) -> object:
    """RotateKey, at once."""
    return stage.client.admin.rotate_key(admin.RotateKeyRequest(api_key=app, now=True))


def revoke_key(number: int) -> Step:
    """RevokeKey, of the so-manieth key of the app, the oldest first."""

    def step(stage: Stage, app: str) -> object:
        keys = list(stage.client.admin.keys(admin.ListKeysRequest(api_key=app)))
        key_id = keys[number % len(keys)].key_id
        return stage.client.admin.revoke_key(admin.RevokeKeyRequest(api_key=app, key_id=key_id))

    return step


def suspend(stage: Stage, app: str) -> object:
    """SuspendApp."""
    return stage.client.admin.suspend_app(admin.SuspendAppRequest(api_key=app))


def resume(stage: Stage, app: str) -> object:
    """ResumeApp."""
    return stage.client.admin.resume_app(admin.ResumeAppRequest(api_key=app))


def move(**by: float) -> Step:
    """Time passes, or is set back."""
    return lambda stage, _: stage.clock.move(**by)
