"""The form of a credential: what is minted reads back, and nothing else reads at all."""

from __future__ import annotations

import copy
import hashlib
import pickle
import random
import re
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authsvc.accounts.admin import WithCredential
from authsvc.accounts.credentials import (
    MAX_LENGTH,
    NewCredential,
    PresentedCredential,
    new_account_id,
    new_credential,
    read_credential,
)
from authsvc.clock import system_randomness
from authsvc.model import AccountId
from authsvc.signing import base64url
from tests.properties import QUICK
from tests.storage.records import an_account

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
credentials = st.integers(min_value=0).map(lambda seed: _minted(random.Random(seed)))


def _minted(source: random.Random) -> NewCredential:
    return new_credential(new_account_id(source.randbytes), source.randbytes)


def _checked(head: str) -> str:
    """``head`` with the checksum that fits it, as anyone can compute it: CRC-32, big-endian, base64url."""
    return head + base64url.encode(zlib.crc32(head.encode()).to_bytes(4, "big"))


@QUICK
@given(credentials)
def test_what_is_minted_reads_back(made: NewCredential) -> None:
    """A minted credential reads back as its account and the SHA-256 of its text."""
    presented = read_credential(made.text)
    assert presented is not None
    assert presented.account_id == made.text.split("_")[1]
    assert presented.digest == made.digest == hashlib.sha256(made.text.encode()).digest()


@QUICK
@given(credentials)
def test_every_credential_has_the_one_form(made: NewCredential) -> None:
    """It is ask1_, 16 characters of base32, an underscore, 43 of base64url and a checksum of six."""
    assert re.fullmatch(r"ask1_[a-z2-7]{16}_[A-Za-z0-9_-]{43}[A-Za-z0-9_-]{6}", made.text)
    assert made.text == _checked(made.text[:-6])


def test_two_credentials_of_an_account_differ() -> None:
    """Each credential has 32 random bytes and an id of its own, and each account an id of its own."""
    made = [new_credential(AccountId("a" * 16), system_randomness) for _ in range(100)]
    assert len({one.text for one in made}) == len({one.id for one in made}) == 100
    assert len({new_account_id(system_randomness) for _ in range(100)}) == 100


@QUICK
@given(credentials, st.data())
def test_one_changed_character_is_a_typo(made: NewCredential, data: st.DataObject) -> None:
    """Whatever one character becomes, the text is no credential any more."""
    place = data.draw(st.integers(0, len(made.text) - 1))
    other = data.draw(st.one_of(st.sampled_from(ALPHABET), st.characters()).filter(lambda c: c != made.text[place]))
    assert read_credential(made.text[:place] + other + made.text[place + 1 :]) is None


@QUICK
@given(credentials)
def test_a_cut_credential_is_refused(made: NewCredential) -> None:
    """No beginning and no end of a credential is one."""
    parts = [made.text[:length] for length in range(len(made.text))] + [
        made.text[-length:] for length in range(1, len(made.text))
    ]
    assert [part for part in parts if read_credential(part) is not None] == []


@QUICK
@given(credentials, st.text(min_size=1, max_size=100))
@example(_minted(random.Random(0)), "\n")
@example(_minted(random.Random(0)), "=")
@example(_minted(random.Random(0)), "\0")
@example(_minted(random.Random(0)), " ")
def test_an_extended_credential_is_refused(made: NewCredential, more: str) -> None:
    """Text before or behind a credential spoils it, invisible text too."""
    assert read_credential(made.text + more) is None
    assert read_credential(more + made.text) is None


@QUICK
@given(credentials)
def test_letters_in_another_case_are_refused(made: NewCredential) -> None:
    """Upper and lower case are different letters, in the whole and in any one place."""
    texts = {made.text.upper(), made.text.lower(), made.text.swapcase()}
    texts |= {made.text[:at] + letter.swapcase() + made.text[at + 1 :] for at, letter in enumerate(made.text)}
    assert [text for text in texts - {made.text} if read_credential(text) is not None] == []


@pytest.mark.parametrize(
    ("account_id", "secret"),
    [
        ("A" * 16, "s" * 43),
        ("a" * 15 + "1", "s" * 43),
        ("a" * 15, "s" * 43),
        ("a" * 17, "s" * 43),
        ("a" * 16, "s" * 42 + "+"),
        ("a" * 16, "s" * 42 + "/"),
        ("a" * 16, "s" * 42 + "="),
        ("a" * 16, "s" * 42 + "."),
        ("a" * 16, "s" * 42 + "\n"),
        ("a" * 16, "s" * 42 + "ß"),
        ("a" * 15 + "\u0430", "s" * 43),  # a Cyrillic letter
        ("a" * 16, "s" * 42 + "\uff13"),  # a full-width digit
        ("a" * 16, "s" * 42),
        ("a" * 16, "s" * 44),
    ],
)
def test_another_alphabet_is_refused(account_id: str, secret: str) -> None:
    """A checksum that fits saves no text whose parts have another alphabet or another length."""
    assert read_credential(_checked(f"ask1_{account_id}_{secret}")) is None
    assert read_credential(_checked(f"ask1_{'a' * 16}_{'s' * 43}")) is not None


@pytest.mark.parametrize("prefix", ["", "ask1", "ask1-", "ask2_", "ASK1_", "art1_", " ask1_"])
def test_another_prefix_is_refused(prefix: str) -> None:
    """Other kinds of tokens are told from a credential by their first five characters."""
    assert read_credential(_checked(f"{prefix}{'a' * 16}_{'s' * 43}")) is None


def test_an_endless_text_is_refused() -> None:
    """A text beyond the length limit is refused, whatever it begins with."""
    made = _minted(random.Random(0))
    assert len(made.text) < MAX_LENGTH
    assert read_credential(made.text * 100_000) is None


@QUICK
@given(st.text())
def test_any_other_text_is_no_credential(text: str) -> None:
    """Reading never raises, and finds a credential in no text that nobody minted."""
    assert read_credential(text) is None


@pytest.mark.parametrize("form", [repr, str, "{}".format, "%r".__mod__, lambda made: repr([made])])
def test_a_credential_does_not_print(form: Callable[[object], str]) -> None:
    """Neither a new credential nor what carries one shows its text or its digest."""
    made = _minted(random.Random(0))
    presented = PresentedCredential(AccountId("a" * 16), made.digest)
    for value in (made, presented, WithCredential(an_account(), made)):
        shown = form(value)
        for secret in (made.text, made.text[-49:-6], made.digest.hex(), repr(made.digest)):
            assert secret not in shown


@pytest.mark.parametrize("copying", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_credential_is_not_pickled(copying: Callable[[object], object]) -> None:
    """A new credential, and what carries one, leaves the process by no serializer."""
    made = _minted(random.Random(0))
    with pytest.raises(TypeError, match="not pickled"):
        copying(made)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(WithCredential(an_account(), made))
