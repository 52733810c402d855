"""Callers and the profiles they ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from authsvc.accounts.authenticate import Authenticator
from authsvc.accounts.requests import AccountProfile
from authsvc.errors import CallerUnauthenticated
from authsvc.model import AccountId, ApiKey, Permission, Principal

EVERYTHING = frozenset(Permission)


def a_principal(permissions: Iterable[Permission] = EVERYTHING, *, apps: Iterable[str] | None = None) -> Principal:
    """A caller; on all apps unless some are named."""
    return Principal(
        account_id=AccountId("caller"),
        name="caller",
        permissions=frozenset(permissions),
        all_apps=apps is None,
        apps=frozenset(map(ApiKey, apps or ())),
        audiences=(),
    )


def a_profile(name: str = "edge", **changes: Any) -> AccountProfile:
    """A profile without faults."""
    profile = AccountProfile(name, ("tokens.issue", "tokens.validate"), apps=("acme",))
    return replace(profile, **changes)


def gets_in(authenticator: Authenticator, credential: str) -> bool:
    """Whether a call with that credential has a caller."""
    try:
        authenticator.authenticate([f"Bearer {credential}"])
    except CallerUnauthenticated:
        return False
    return True
