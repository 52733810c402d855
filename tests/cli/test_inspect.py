"""``authsvc token inspect``: says what a token says, never more than is known, and never falls over."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.accounts.credentials import new_account_id, new_credential
from authsvc.cli.inspection import MAX_INSPECTED, Inspection, inspect_text
from authsvc.clock import system_randomness
from authsvc.model import Profile
from tests.cli.conftest import Run
from tests.conftest import RunningServer
from tests.properties import QUICK

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())
DEVELOPMENT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoibHVrZV9za3l3YWxrZXIifQ==.devtoken"

HEADER = {"alg": "ES256", "kid": "k1", "typ": "JWT"}
CLAIMS = {
    "exp": SECOND + 3600, "iat": SECOND - 5, "iss": "authsvc", "jti": "AAAAAAAAAAKfewXN5l2n9rZuyKc",
    "sub": "user/sara", "user_id": "sara",
}  # fmt: skip


def segment(content: object) -> str:
    """The base64url of JSON, or of text that stands for it."""
    text = content if isinstance(content, str) else json.dumps(content)
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def made(header: object = HEADER, claims: object = CLAIMS, signature: str = "c2lnbmF0dXJl") -> str:
    """A token of those parts."""
    return f"{segment(header)}.{segment(claims)}.{signature}"


def inspected(text: str) -> Inspection:
    """The inspection of a text at a fixed time; it can always be shown, to people and to programs."""
    found = inspect_text(text, NOW)
    json.dumps(found.document(), allow_nan=False)
    assert found.facts()
    return found


def test_the_first_line_says_that_nothing_was_verified(offline: Run) -> None:
    """Nobody can take what follows for the truth."""
    assert offline("token", "inspect", made()).out.startswith("NOT VERIFIED: ")
    assert offline("token", "inspect", "garbage").out.startswith("NOT VERIFIED: ")
    document = offline("token", "inspect", made(), "--json").json
    assert (document["verified"], document["warning"][:12]) == (False, "NOT VERIFIED")


@pytest.mark.parametrize("profile", Profile)
def test_our_own_tokens_have_no_fault(server: RunningServer, cli: Run, profile: Profile) -> None:
    """A token that the service has just minted, in either profile, passes every rule that can be checked offline."""
    server.new_app("minting", profile=profile)
    issued = cli("token", "issue", "--app", "minting", "--user", "sara", "--role", "admin", "--json").json["token"]
    found = inspect_text(issued, server.clock())
    assert (found.kind, found.findings) == ("access_token", ())


def test_times_are_shown_for_people() -> None:
    """The times stand in UTC with their distance, beside the numbers they come from."""
    facts = dict(inspected(made()).facts())
    assert facts["claim exp"] == str(SECOND + 3600)
    assert facts["time exp"] == "2026-11-20 13:00:00 UTC (in 1h)"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (made(), "access_token"),
        (DEVELOPMENT, "development_token"),
        (made({"alg": "HS256", "typ": "JWT"}, {"user_id": "sara"}), "unmanaged_token"),
        (made({"alg": "HS256"}, {"user_id": "sara", "iat": SECOND}), "unmanaged_token"),
        (made({"alg": "HS256", "typ": "JWT"}, {"server": True}), "server_token"),
        (made({"alg": "ES256", "kid": "k1", "typ": "svc+jwt"}, {"iss": "a", "sub": "a"}), "service_token"),
        (made({"alg": "RS256", "kid": "k1"}, {"sub": "someone", "exp": SECOND + 60}), "other_token"),
        ("art1_AQABWDySrgfaiPW", "refresh_token"),
        ("ask1_x", "credential"),
        ("eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn", "encrypted_token"),
        ("", "unknown"),
        ("..", "unknown"),
        ("garbage", "unknown"),
        ("not.a.token", "unknown"),
        (made([1, 2], CLAIMS), "unknown"),
        (made(HEADER, "[]"), "unknown"),
        ("a" * (MAX_INSPECTED + 1), "unknown"),
        ("." * MAX_INSPECTED, "unknown"),
    ],
)
def test_each_kind_is_recognised(text: str, kind: str) -> None:
    """What a text looks like decides what it is called, and whether it is a token at all."""
    found = inspected(text)
    assert (found.kind, found.readable) == (kind, kind != "unknown")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (made(signature="c2lnbmF0dXJlMQ=="), "the signature is padded with ="),
        (made(signature="a+/a"), "the signature is in the standard alphabet"),
        (made(signature="c2lnbmF0dXJlMR"), "the signature is not canonical base64url"),
        (made(signature="a b"), "the signature is not base64url"),
        (made({"alg": "none", "kid": "k", "typ": "JWT"}), "alg is none: nobody has signed it"),
        (made({"alg": "NoNe", "kid": "k", "typ": "JWT"}), "alg is none: nobody has signed it"),
        (made({"alg": "PS256", "kid": "k", "typ": "JWT"}), "alg is 'PS256': known are ES256"),
        (made({"alg": 7, "kid": "k", "typ": "JWT"}), "alg is a int: known are"),
        (made({"alg": "ES256", "kid": "k"}), "typ is missing"),
        (made({"alg": "ES256", "kid": "k", "typ": "AT+JWT"}), "typ is 'AT+JWT'"),
        (made({"alg": "ES256", "typ": "JWT"}, {"sub": "x"}), "kid is missing"),
        (made({**HEADER, "jku": "https://evil", "crit": ["b64"]}), "the header has crit, jku"),
        (made('{"alg":"ES256","alg":"none","kid":"k","typ":"JWT"}'), "the header is not strict JSON: duplicate name"),
        (made(claims='{"user_id":"a","user_id":"b","jti":"x"}'), "the payload is not strict JSON: duplicate name"),
        (made(claims={**CLAIMS, "iss": 7}), "the claim iss is missing, of the wrong type"),
        (made(claims={**CLAIMS, "jti": "short"}), "the claim jti is missing, of the wrong type"),
        (made(claims={**CLAIMS, "sub": "user/other"}), "the claim sub is missing, of the wrong type"),
        (made(claims={**CLAIMS, "scope": "all"}), "a reserved name is missing, of the wrong type, out of range or not"),
        (made(claims={**CLAIMS, "exp": SECOND - 60}), "exp has passed"),
        (made(claims={**CLAIMS, "nbf": SECOND + 60}), "nbf lies ahead"),
        (made(claims={**CLAIMS, "iat": SECOND + 60}), "iat lies ahead"),
        (made(claims={name: value for name, value in CLAIMS.items() if name != "exp"}), "exp is missing"),
        (made(claims={**CLAIMS, "custom": {"filler": "x" * 9000}}), "it is longer than 8192 bytes"),
        (f"Bearer {made()}", "it begins with 'Bearer '"),
        ("ask1_x", "its form or its checksum is wrong"),
    ],
)
def test_what_a_strict_verifier_refuses_is_pointed_out(text: str, finding: str) -> None:
    """An odd token is shown all the same, with what is odd about it."""
    found = inspected(text)
    assert found.readable
    assert any(told.startswith(finding) for told in found.findings), found.findings


def test_odd_tokens_are_decoded_all_the_same() -> None:
    """Padding, the standard alphabet and stray spaces hide nothing from the one who looks."""
    payload = b64encode(json.dumps({**CLAIMS, "name": "ÿþ~~~???"}).encode()).decode()
    found = inspected(f" {segment(HEADER)}=.{payload}.c2ln\n")
    assert (found.claims or {})["name"] == "ÿþ~~~???"


@pytest.mark.parametrize(
    "claims",
    [
        '{"user_id":"a","jti":"b","exp":NaN,"iat":Infinity,"nbf":-Infinity}',
        '{"user_id":"a","jti":"b","exp":1e999,"iat":1e300,"nbf":true}',
        '{"user_id":"a","jti":"b","exp":%s}' % ("9" * 4000),
        '{"user_id":"a","jti":"b","exp":-99999999999999,"iat":"soon","nbf":[]}',
        '{"user_id":"\\ud800","jti":"b","\\u001b[2J":"\\u001b[31m"}',
        '{"user_id":"a","jti":"b","custom":%s}' % ("[" * 20 + "]" * 20),
    ],
)
def test_claims_of_any_value_can_be_shown(claims: str) -> None:
    """Numbers that are no times, halves of characters and deep nests are shown or left out, never stumbled over."""
    assert inspected(made(claims=claims)).kind == "access_token"


@pytest.mark.parametrize(
    "claims", ["[" * 30000, '{"a":' * 9000 + "1" + "}" * 9000, '{"exp":%s}' % ("9" * 5000), "\ufeff{}"]
)
def test_claims_that_no_parser_survives_are_refused(claims: str) -> None:
    """Nests and numbers beyond what can be read make it no token, not a crash."""
    assert inspected(made(claims=claims)).kind == "unknown"


def test_secrets_are_never_shown(offline: Run) -> None:
    """A refresh token and a credential are named; of the credential its account, which is no secret."""
    account_id = new_account_id(system_randomness)
    credential = new_credential(account_id, system_randomness).text
    refresh_token = "art1_AQABpT7f2Va6hWqh53yx-R5WqAAAAABy2PLAScws_NlPPskQi6N2"
    for secret in (credential, refresh_token):
        for form in ((), ("--json",)):
            ended = offline("token", "inspect", secret, *form)
            assert ended.code == 0
            assert not any(secret[start : start + 8] in ended.out for start in range(23, len(secret) - 8))
    assert offline("token", "inspect", credential).facts["account id"] == account_id


def test_signatures_are_never_shown(offline: Run) -> None:
    """With its signature what is shown could be used as the token."""
    text = made(signature="c2lnbmF0dXJlLWNhbmFyeQ")
    assert "c2lnbmF0dXJl" not in offline("token", "inspect", text).out + offline("token", "inspect", text, "--json").out


def test_what_a_terminal_obeys_is_escaped(offline: Run) -> None:
    """A token made by an attacker cannot clear the screen of the one who inspects it."""
    hostile = made({**HEADER, "\x1b[2J": "\x1b]0;x\x07"}, {**CLAIMS, "name": "\x9b31m\u202e"})
    shown = offline("token", "inspect", hostile).out
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


def test_the_exit_code_tells_tokens_from_other_text(offline: Run) -> None:
    """0: something was read. 1: it is no token."""
    assert offline("token", "inspect", DEVELOPMENT).code == 0
    assert offline("token", "inspect", "garbage").code == 1


@pytest.mark.parametrize("given_bytes", [b"\xff\xfe\x00", b"", b"garbage\n", b"\xf0\x9f"])
def test_standard_input_may_hold_anything(given_bytes: bytes, offline: Run) -> None:
    """Bytes that are no text end as any other text that is no token."""
    ended = offline("token", "inspect", "-", given=given_bytes)
    assert (ended.code, ended.facts["kind"]) == (1, "no token")


def test_a_token_is_read_from_standard_input(offline: Run) -> None:
    """With `-` the token is in no list of processes; the line end behind it is not part of it."""
    assert (
        offline(
            "token",
            "inspect",
            "-",
            given=f"{made()}\n",
        ).facts["claim user_id"]
        == '"sara"'
    )


@QUICK
@given(st.text() | st.text('ae.=-_+/ {}[]":,0', max_size=200) | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_makes_it_fall_over(text: str) -> None:
    """Whatever is pasted, something is said about it."""
    inspected(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@QUICK
@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit"]) | st.text(), _JSON),
    st.dictionaries(
        st.sampled_from([*CLAIMS, "nbf", "aud", "sid", "server", "custom", "call_cids"]) | st.text(), _JSON
    ),
)
def test_no_json_makes_it_fall_over(header: dict[str, object], claims: dict[str, object]) -> None:
    """Whatever stands in a header or a payload, it is shown."""
    assert inspected(made(header, claims)).readable


@QUICK
@given(st.timedeltas(min_value=timedelta(days=-700_000), max_value=timedelta(days=2_900_000)))
def test_every_time_can_be_shown(ahead: timedelta) -> None:
    """Any moment that the calendar knows is shown with its distance."""
    seconds = SECOND + int(ahead.total_seconds())
    assert "time exp" in dict(inspected(made(claims={**CLAIMS, "exp": seconds})).facts())
