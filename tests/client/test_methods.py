"""The client has every method of the contract, once, under its name and with its messages."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import authsvc.v1
from authsvc.client.methods import Stream
from tests.client.surface import CALLS, SERVICES, contract, entries, listings

NAMES = sorted(contract())


def test_every_service_is_here() -> None:
    """A service of the contract that the client does not have fails this."""
    modules = [importlib.import_module(f"authsvc.v1.{each.name}") for each in pkgutil.iter_modules(authsvc.v1.__path__)]
    services = {
        name for module in modules for name in getattr(getattr(module, "DESCRIPTOR", None), "services_by_name", ())
    }
    assert services == set(SERVICES)


def test_every_method_is_there_once() -> None:
    """Neither a method is missing nor one written twice."""
    assert sorted(entry.name for entry in entries()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_method_is_what_the_contract_says(name: str) -> None:
    """Its name in Python is its name in the contract, and it takes and gives the messages of the contract."""
    method, entry = contract()[name], CALLS[name]
    assert entry.attribute == re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method.name).lower()
    request, answer = entry.types
    assert (method.input_type, method.output_type) == (request.DESCRIPTOR, answer.DESCRIPTOR)  # type: ignore[attr-defined]
    assert entry.method.stub.__name__ == f"{entry.service}Stub"
    assert isinstance(entry.method, Stream) == method.server_streaming


@pytest.mark.parametrize("name", [name for name in NAMES if "page_token" in contract()[name].input_type.fields_by_name])
def test_whatever_comes_in_pages_can_be_read_whole(name: str) -> None:
    """Each paged method has a reader of all pages beside it, named by what it lists."""
    found = {pages.page.name: (attribute, pages) for attribute, pages in listings()}
    attribute, pages = found[contract()[name].name]
    assert attribute in contract()[name].output_type.fields_by_name
    assert type(pages.first(None)) is CALLS[name].types[0]
    assert list(pages.items(CALLS[name].types[1]())) == []
