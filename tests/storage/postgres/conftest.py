"""What the tests of the PostgreSQL backend share: its database, and connections of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from authsvc.storage.postgres.database import Database, database_at
from tests.storage.places import PostgresPlace

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def place(postgres_place: PostgresPlace) -> PostgresPlace:
    """The backend under test."""
    return postgres_place


@pytest.fixture
def database(place: PostgresPlace) -> Database:
    """The database as the backend sees it."""
    return database_at(place.url)


@pytest.fixture
def raw(place: PostgresPlace) -> Iterator[Connection]:
    """A connection that is not the store's; each statement is a transaction unless it says otherwise."""
    with psycopg.connect(place.url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def rival(place: PostgresPlace) -> Iterator[Connection]:
    """Another one."""
    with psycopg.connect(place.url, autocommit=True) as connection:
        yield connection
