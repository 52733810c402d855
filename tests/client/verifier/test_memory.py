"""The memory of a verifier: bounded in number and in text, and what was kept last is in it."""

from __future__ import annotations

import threading

from authsvc.client.verifier.checked import CheckedToken, kept
from authsvc.client.verifier.memory import NEVER, Known, Memory, Signatures
from authsvc.model import ApiKey
from tests.client.verifier.made import Heard, token

ACME, OTHER = ApiKey("acme"), ApiKey("other")


def a_token() -> CheckedToken:
    heard = Heard()
    heard.snapshot()
    text = token(heard.clock)
    return heard.judge.judge(text, b"digest", heard.judge.nothing_asked)


def known(checked: CheckedToken, number: int = 0) -> Known:
    return Known(number, 0.0, NEVER, checked)


def test_it_never_holds_more_than_its_capacity() -> None:
    """However many are kept, there are at most so many, and they are those that were kept last."""
    memory, checked = Memory(10), a_token()
    for number in range(100):
        memory.keep(b"%d" % number, known(checked, number), 100)
        assert len(memory) <= 10
        found = [memory.find(b"%d" % before) for before in range(number + 1)]
        assert [one.changes for one in found if one is not None] == list(range(max(0, number - 9), number + 1))


def test_it_never_holds_more_text_than_its_budget() -> None:
    """Tokens that are large take the room of many."""
    memory, checked = Memory(1_000, budget=10_000), a_token()
    for number in range(100):
        memory.keep(b"%d" % number, known(checked), 2_000)
        assert len(memory) == min(number + 1, 5)
    assert memory.find(b"99") is not None


def test_a_signature_is_found_for_its_own_app_only() -> None:
    """And not where nothing was verified here: an answer of the service is no signature."""
    checked = a_token()
    assert checked.verified is not None
    memory = Memory(10)
    memory.keep(b"here", known(checked), 100)
    memory.keep(b"there", known(CheckedToken(checked.verified, verified_here=False)), 100)
    signatures = Signatures(memory)
    assert signatures.find(ACME, b"here") is kept(checked)
    assert [signatures.find(OTHER, b"here"), signatures.find(ACME, b"there"), signatures.find(ACME, b"x")] == [None] * 3


def test_threads_may_keep_and_find_at_once() -> None:
    """Nothing is raised, nothing else is found, and the bound holds when they are through."""
    memory, checked, wrong = Memory(64), a_token(), list[object]()

    def work(first: int) -> None:
        for number in range(first, 20_000, 4):
            memory.keep(b"%d" % number, known(checked, number), 100)
            found = memory.find(b"%d" % number)
            if found is not None and found.changes != number:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(memory) == 64


def test_what_a_token_says_is_compared_and_shown_but_not_hashed() -> None:
    """Two are equal when they say the same, whoever verified them; the text form shows what it says."""
    checked = a_token()
    assert checked.verified is not None
    again = CheckedToken(checked.verified, verified_here=False)
    assert checked == again
    assert checked != a_token()
    assert "user_id='sara'" in repr(checked)
    assert CheckedToken.__hash__ is None
