"""Taking a compact token apart: one form, its size judged before anything else is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.model import TokenStatus
from authsvc.signing.jws import MAX_MINTED_BYTES, MAX_PARSED_BYTES, parse_compact, sign_compact
from authsvc.signing.rejected import Rejected
from tests.properties import QUICK
from tests.signing.handmade import HS_SIGNING, b64, compact, outcome

HEADER = {"alg": "HS256", "kid": "hs-key", "typ": "JWT"}
VALID = compact(HEADER, b'{"user_id":"sara"}')
HEAD, BODY, TAG = VALID.split(".")


class TouchedError(Exception):
    """The text was looked into."""


class Untouchable(str):
    """A token whose length may be asked and nothing else."""

    __slots__ = ()

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        raise TouchedError

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        raise TouchedError


def well_signed(size: int) -> str:
    """A good token of exactly that size."""
    for kid in ("k", "kk", "kkk"):
        header = {**HEADER, "kid": kid}
        room = size - len(compact(header, b""))
        if room % 4 != 1:  # as long as no base64url text is
            return compact(header, b"x" * (room * 3 // 4))
    raise AssertionError(size)


def test_the_twin_of_all_attacks_is_taken_apart() -> None:
    """The untouched token gives its header, what was signed, its payload and its signature."""
    token = parse_compact(VALID)
    assert (token.header.alg, token.header.kid, token.header.typ) == ("HS256", "hs-key", "JWT")
    assert token.signing_input == f"{HEAD}.{BODY}".encode()
    assert token.payload == b'{"user_id":"sara"}'
    assert (b64(token.signature), len(token.signature)) == (TAG, 32)


ATTACKS: dict[str, Callable[[], object]] = {
    "nothing": lambda: "",
    "one segment": lambda: HEAD,
    "two segments": lambda: f"{HEAD}.{BODY}",
    "four segments": lambda: f"{VALID}.{TAG}",
    "five segments": lambda: f"{VALID}.{TAG}.{TAG}",
    "a trailing dot": lambda: VALID + ".",
    "a leading dot": lambda: "." + VALID,
    "dots alone": lambda: "..",
    "a million dots": lambda: "." * 1_000_000,
    "8,000 dots": lambda: "." * 8_000,
    "no header": lambda: f".{BODY}.{TAG}",
    "JSON serialization, flattened": lambda: json.dumps({"protected": HEAD, "payload": BODY, "signature": TAG}),
    "JSON serialization, general": lambda: json.dumps(
        {"payload": BODY, "signatures": [{"protected": HEAD, "signature": TAG}]}
    ),
    "detached payload as a full-width dot": lambda: f"{HEAD}\uff0e{BODY}\uff0e{TAG}",
    "ideographic full stops": lambda: VALID.replace(".", "\u3002"),
    "a leading space": lambda: " " + VALID,
    "a trailing space": lambda: VALID + " ",
    "a trailing newline": lambda: VALID + "\n",
    "a carriage return and newline": lambda: VALID + "\r\n",
    "a space after a dot": lambda: f"{HEAD}. {BODY}.{TAG}",
    "a tab before a dot": lambda: f"{HEAD}\t.{BODY}.{TAG}",
    "folded lines": lambda: f"{HEAD}.\n{BODY}.\n{TAG}",
    "a no-break space": lambda: VALID + "\u00a0",
    "a zero-width space": lambda: f"{HEAD}.{BODY}\u200b.{TAG}",
    "a byte order mark": lambda: "\ufeff" + VALID,
    "a trailing NUL": lambda: VALID + "\0",
    "a NUL within": lambda: f"{HEAD}.{BODY}\0.{TAG}",
    "a percent escape": lambda: f"{HEAD}%2E{BODY}%2E{TAG}",
    "a percent-escaped letter": lambda: f"{HEAD}.%{ord(BODY[0]):02X}{BODY[1:]}.{TAG}",
    "a padded header": lambda: f"{HEAD}{'=' * (-len(HEAD) % 4 or 4)}.{BODY}.{TAG}",
    "a padded payload": lambda: f"{HEAD}.{BODY}{'=' * (-len(BODY) % 4 or 4)}.{TAG}",
    "a padded signature": lambda: f"{HEAD}.{BODY}.{TAG}=",
    "padding within": lambda: f"{HEAD}.{BODY[:4]}={BODY[4:]}.{TAG}",
    "stray bits in the signature": lambda: VALID[:-1] + chr(ord(VALID[-1]) + 1),
    "a full-width letter": lambda: chr(ord(HEAD[0]) + 0xFEE0) + VALID[1:],
    "a Cyrillic letter": lambda: VALID.replace("a", "\u0430", 1),
    "a Kelvin sign": lambda: VALID.replace("J", "\u212a", 1),
    "a lone surrogate": lambda: VALID[:-1] + "\ud800",
    "quotes around it": lambda: f'"{VALID}"',
    "a scheme before it": lambda: "Bearer " + VALID,
    "an impossible length": lambda: f"{HEAD}.{BODY}.{TAG}AA",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_no_other_form_is_a_token(attack: Callable[[], object]) -> None:
    """What is not the one form is MALFORMED, although it is built around a token that is accepted."""
    assert outcome(VALID) is TokenStatus.ACTIVE
    assert outcome(str(attack())) is TokenStatus.MALFORMED


@pytest.mark.parametrize("standard", ["+", "/"])
def test_the_standard_alphabet_is_not_ours(standard: str) -> None:
    """A signature spelt with `+` or `/` is MALFORMED, the same signature with `-` or `_` is accepted."""
    ours = {"+": "-", "/": "_"}[standard]
    text = next(
        text for number in range(200) if ours in (text := compact({**HEADER, "kid": str(number)})).split(".")[2]
    )
    head, body, tag = text.split(".")
    assert outcome(text) is TokenStatus.ACTIVE
    assert outcome(f"{head}.{body}.{tag.replace(ours, standard)}") is TokenStatus.MALFORMED


def test_too_long_is_said_before_anything_is_read() -> None:
    """Of a text above 8 KiB only the length is looked at; one of 8 KiB is looked into."""
    with pytest.raises(Rejected) as refused:
        parse_compact(Untouchable("." * (MAX_PARSED_BYTES + 1)))
    assert refused.value.status is TokenStatus.MALFORMED
    with pytest.raises(TouchedError):
        parse_compact(Untouchable("." * MAX_PARSED_BYTES))


def test_8_kib_is_the_bound() -> None:
    """A good token of 8,192 characters is accepted and one of 8,193 is not."""
    largest, too_large = well_signed(8192), well_signed(8193)
    assert (len(largest), len(too_large)) == (8192, 8193)
    assert outcome(largest) is TokenStatus.ACTIVE
    assert outcome(too_large) is TokenStatus.MALFORMED


def test_what_is_minted_can_be_parsed() -> None:
    """The bound of minting lies below the bound of parsing."""
    assert MAX_MINTED_BYTES == 4096 < MAX_PARSED_BYTES


@QUICK
@given(st.binary(max_size=200))
def test_a_signed_payload_comes_back_as_bytes(payload: bytes) -> None:
    """Signing any bytes gives the strict form, with exactly alg, kid and typ in the header."""
    token = parse_compact(sign_compact(HS_SIGNING, typ="JWT", payload=payload))
    assert token.payload == payload
    assert (token.header.alg, token.header.kid, token.header.typ) == ("HS256", "hs-key", "JWT")


@QUICK
@given(st.text(max_size=60) | st.text("eyJ.{}_-=", max_size=60))
def test_no_text_raises_anything_but_rejected(text: str) -> None:
    """Any text at all is taken apart or rejected as MALFORMED."""
    assert outcome(text) is TokenStatus.MALFORMED


@QUICK
@given(st.data())
def test_no_changed_token_is_accepted(data: st.DataObject) -> None:
    """A token changed in any one place is refused."""
    at = data.draw(st.integers(0, len(VALID) - 1))
    new = data.draw(st.text(st.characters(max_codepoint=0x2FF), max_size=2))
    changed = VALID[:at] + new + VALID[at + 1 :]
    assert changed == VALID or outcome(changed) is not TokenStatus.ACTIVE
