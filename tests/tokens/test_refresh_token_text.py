"""The refresh token's text: one for each generation of a session, and nothing else is read or looked up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import pickle
import string
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.errors import Reason, RefreshRefused
from authsvc.model import SessionId
from authsvc.tokens.refresh_token import RefreshTicket, RefreshTokens
from tests.properties import QUICK
from tests.tokens.service import Service
from tests.tokens.watched_store import WatchedStore
from tests.trust.rings import a_ring

KEY = bytes(range(100, 132))
TOKENS = RefreshTokens(a_ring({1: KEY}))
TICKET = RefreshTicket(3, SessionId(bytes(range(16))), 70_000)
TEXT = TOKENS.text_of(TICKET)
BODY = struct.pack(">BH16sI", 1, 3, bytes(range(16)), 70_000)


def by_hand(body: bytes, key: bytes = KEY, mac_bytes: int = 16) -> str:
    """A refresh token as the design describes it."""
    mac = hmac.digest(key, b"art1_" + body, hashlib.sha256)[:mac_bytes]
    return "art1_" + base64.urlsafe_b64encode(body + mac).decode().rstrip("=")


def refused(tokens: RefreshTokens, text: str) -> bool:
    try:
        tokens.read(text)
    except RefreshRefused as refusal:
        return refusal.reason is Reason.REFRESH_TOKEN_INVALID
    return False


TICKETS = st.builds(
    RefreshTicket,
    st.integers(0, 2**16 - 1),
    st.binary(min_size=16, max_size=16).map(SessionId),
    st.integers(0, 2**32 - 1),
)


@QUICK
@given(TICKETS)
def test_what_is_written_is_read(ticket: RefreshTicket) -> None:
    """Any epoch, session and generation come back."""
    assert TOKENS.read(TOKENS.text_of(ticket)) == ticket


@QUICK
@given(TICKETS, TICKETS)
def test_one_text_for_each(first: RefreshTicket, second: RefreshTicket) -> None:
    """The same session and generation always have the same text, and no two tickets share one."""
    assert TOKENS.text_of(first) == TOKENS.text_of(first)
    assert (TOKENS.text_of(first) == TOKENS.text_of(second)) is (first == second)


def test_its_layout() -> None:
    """Key number, epoch, session, generation and 16 bytes of HMAC-SHA-256: 39 bytes after `art1_`."""
    assert by_hand(BODY) == TEXT
    assert len(BODY) + 16 == 39
    assert len(TEXT) == 5 + 52


def test_every_character_matters() -> None:
    """A token with any one character exchanged for any other is refused."""
    assert TOKENS.read(TEXT) == TICKET
    alphabet = string.ascii_letters + string.digits + "-_+/=. \0é"
    changed = [TEXT[:at] + other + TEXT[at + 1 :] for at in range(len(TEXT)) for other in alphabet if other != TEXT[at]]
    assert len(changed) > 3000
    assert all(refused(TOKENS, text) for text in changed)


def test_every_bit_matters() -> None:
    """A token with any one bit of its 39 bytes turned is refused."""
    raw = base64.urlsafe_b64decode(TEXT[5:])
    for bit in range(len(raw) * 8):
        turned = bytearray(raw)
        turned[bit // 8] ^= 1 << bit % 8
        assert refused(TOKENS, "art1_" + base64.urlsafe_b64encode(bytes(turned)).decode())


FORGED = {
    "nothing": "",
    "the mark alone": "art1_",
    "cut": TEXT[:-1],
    "longer": TEXT + "A",
    "padded": TEXT + "=",
    "twice": TEXT * 2,
    "a space before": " " + TEXT,
    "a newline after": TEXT + "\n",
    "a NUL for the last": TEXT[:-1] + "\0",
    "without its mark": TEXT[5:],
    "another mark": "art2_" + TEXT[5:],
    "a service credential's mark": "ask1_" + TEXT[5:],
    "the mark in capitals": "ART1_" + TEXT[5:],
    "no MAC": "art1_" + base64.urlsafe_b64encode(BODY).decode(),
    "a MAC of zeros": "art1_" + base64.urlsafe_b64encode(BODY + bytes(16)).decode(),
    "a shorter MAC": by_hand(BODY, mac_bytes=15),
    "a longer MAC": by_hand(BODY, mac_bytes=17),
    "another key": by_hand(BODY, bytes(32)),
    "an empty key": by_hand(BODY, b""),
    "a key number that is not there": by_hand(b"\2" + BODY[1:]),
    "key number zero": by_hand(b"\0" + BODY[1:]),
    "a MAC without the mark": "art1_"
    + base64.urlsafe_b64encode(BODY + hmac.digest(KEY, BODY, hashlib.sha256)[:16]).decode(),
    "a plain hash": "art1_" + base64.urlsafe_b64encode(BODY + hashlib.sha256(KEY + BODY).digest()[:16]).decode(),
    "full-width letters": "".join(chr(ord(letter) + 0xFEE0) for letter in TEXT),
    "a lone surrogate": TEXT[:-1] + "\ud800",
    "a token": "eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
    "megabytes": "art1_" + "A" * 4_000_000,
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
def test_what_we_did_not_make_is_refused(text: str) -> None:
    """Text of any other form, length, key or MAC is REFRESH_TOKEN_INVALID."""
    assert refused(TOKENS, text)


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
def test_it_is_refused_before_the_store_is_asked(desk: Service, text: str) -> None:
    """For a forged token nothing is asked of the store: neither a session nor the epoch."""
    store = WatchedStore(desk.store)
    watched = desk.over(store)
    with pytest.raises(Exception, match=r"REFRESH_TOKEN_INVALID|INVALID_REQUEST"):
        watched.refresh(text)
    assert store.calls == []


def test_for_a_genuine_token_the_store_is_asked(desk: Service) -> None:
    """The counting notices: a genuine token of a session that is not there is looked up."""
    store = WatchedStore(desk.store)
    text = desk.refresh_tokens.text_of(RefreshTicket(desk.store.epoch, SessionId(bytes(16)), 0))
    with pytest.raises(RefreshRefused):
        desk.over(store).refresh(text)
    assert store.calls == ["epoch", "session_state"]


def test_every_character_of_a_live_token_matters(desk: Service) -> None:
    """No neighbour of a live refresh token reaches the store, and the token itself still turns."""
    text = desk.session(desk.app())
    store = WatchedStore(desk.store)
    watched = desk.over(store)
    for at in range(len(text)):
        other = "A" if text[at] != "A" else "B"
        with pytest.raises(RefreshRefused):
            watched.refresh(text[:at] + other + text[at + 1 :])
    assert store.calls == []
    assert watched.refresh(text).rotated


def test_two_keys_are_valid_at_once() -> None:
    """With two keys the newer one writes, and tokens of both are read."""
    both = RefreshTokens(a_ring({1: KEY, 2: bytes(32)}))
    assert both.read(TEXT) == both.read(both.text_of(TICKET)) == TICKET
    assert base64.urlsafe_b64decode(both.text_of(TICKET)[5:])[0] == 2
    assert refused(TOKENS, both.text_of(TICKET))


def test_the_keys_do_not_show() -> None:
    """Neither printing nor pickling shows a key."""
    assert repr(TOKENS) == str(TOKENS) == "RefreshTokens(***)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(TOKENS)
