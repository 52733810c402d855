"""Pages of a list: a page token goes on where the last page ended, for the same caller and the same question."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from authsvc.errors import InvalidRequest, Violation
from authsvc.model import Principal
from authsvc.signing import base64url

DEFAULT_SIZE = 50
LARGEST_SIZE = 1_000
_BINDING_BYTES = 9

Item = TypeVar("Item")
Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list; ``next_token`` is empty on the last page."""

    items: Sequence[Item]
    next_token: str


def page_of(
    items: Sequence[Item],
    key_of: Callable[[Item], str],
    *,
    question: str,
    principal: Principal,
    size: int,
    token: str,
) -> Page[Item]:
    """The page of ``items``, which are ordered by ``key_of``, that comes after the one ``token`` ended.

    ``size`` 0 means 50. Raises ``InvalidRequest`` for a size out of range and a token of another caller or question.
    """

    def after(last: str | None, most: int) -> Sequence[Item]:
        return [item for item in items if last is None or key_of(item) > last][:most]

    return read_page(after, key_of, str, question=question, principal=principal, size=size, token=token)


def read_page(
    read: Callable[[Place | None, int], Sequence[Item]],
    key_of: Callable[[Item], str],
    place_of: Callable[[str], Place],
    *,
    question: str,
    principal: Principal,
    size: int,
    token: str,
) -> Page[Item]:
    """As ``page_of``, for a list that is not in memory.

    ``read`` gets the place of the last item read (None at the beginning) and how many items to read at most;
    ``place_of`` makes it of that item's key, and raises ``ValueError`` for what is no key: a caller may send any.
    """
    if not 0 <= size <= LARGEST_SIZE:
        raise InvalidRequest([Violation("page_size", f"must be 0 (for {DEFAULT_SIZE}) to {LARGEST_SIZE}")])
    binding = hashlib.sha256(f"{question}\0{principal.account_id}".encode()).digest()[:_BINDING_BYTES]
    most = size or DEFAULT_SIZE
    place = _read_token(token, binding, place_of) if token else None
    found = read(place, most + 1)  # one more says whether there is a next page
    chosen = found[:most]
    more = len(found) > most
    return Page(chosen, base64url.encode(binding + key_of(chosen[-1]).encode()) if more else "")


def question_of(request: Message) -> str:
    """What a request asks, all but for which page: whoever changes the question begins anew."""
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("page_size")
    asked.ClearField("page_token")
    return f"{request.DESCRIPTOR.name} {asked.SerializeToString(deterministic=True).hex()}"


def _read_token(token: str, binding: bytes, place_of: Callable[[str], Place]) -> Place:
    try:
        raw = base64url.decode(token)
        if raw[:_BINDING_BYTES] == binding:
            return place_of(raw[_BINDING_BYTES:].decode())
    except ValueError:
        pass
    raise InvalidRequest([Violation("page_token", "must be the next_page_token of this list, for this caller")])
