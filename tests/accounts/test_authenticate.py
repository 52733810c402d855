"""From the metadata of a call to its principal."""

from __future__ import annotations

import hmac
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from authsvc.accounts.admin import AccountsAdmin
from authsvc.accounts.authenticate import Authenticator
from authsvc.accounts.credentials import new_credential
from authsvc.clock import system_randomness
from authsvc.errors import CallerUnauthenticated, Reason
from authsvc.model import AccountId, ApiKey, Permission, Principal
from tests.accounts.people import a_profile, gets_in


@dataclass(frozen=True)
class Cast:
    """Credentials by what became of them. ``first`` and ``second`` are both good, of one account."""

    first: str
    second: str
    revoked: str
    disabled: str
    unknown: str

    @property
    def refused(self) -> tuple[str, ...]:
        return self.revoked, self.disabled, self.unknown


@pytest.fixture
def cast(accounts: AccountsAdmin, root: Principal) -> Cast:
    """One credential of each fate."""
    edge = accounts.create(root, a_profile("edge"))
    second = accounts.rotate(root, edge.account.id)
    gone = accounts.create(root, a_profile("gone"))
    accounts.revoke_credential(root, gone.account.id, gone.credential.id)
    off = accounts.create(root, a_profile("off"))
    accounts.set_disabled(root, off.account.id, True, etag_version=None)
    unknown = new_credential(AccountId("a" * 16), system_randomness)
    return Cast(edge.credential.text, second.credential.text, gone.credential.text, off.credential.text, unknown.text)


def _refused(authenticator: Authenticator, authorization: Sequence[str | bytes]) -> CallerUnauthenticated:
    with pytest.raises(CallerUnauthenticated) as raised:
        authenticator.authenticate(authorization)
    return raised.value


def test_a_credential_names_its_account(accounts: AccountsAdmin, authenticator: Authenticator, root: Principal) -> None:
    """The principal is the account: id, name, permissions, apps, audiences, and which credential it came with."""
    profile = a_profile("edge", permissions=("tokens.issue",), apps=("acme", "other"), audiences=("https://edge",))
    made = accounts.create(root, profile)
    assert authenticator.authenticate([f"Bearer {made.credential.text}"]) == Principal(
        made.account.id,
        "edge",
        frozenset({Permission.TOKENS_ISSUE}),
        all_apps=False,
        apps=frozenset({ApiKey("acme"), ApiKey("other")}),
        audiences=("https://edge",),
        credential=made.account.credentials[0].id,
    )


def test_no_value_is_a_missing_credential(authenticator: Authenticator) -> None:
    """A call without ``authorization`` is told that one is missing."""
    assert _refused(authenticator, []).reason is Reason.CREDENTIAL_MISSING


VALUES: dict[str, Callable[[str], Sequence[str | bytes]]] = {
    "twice the same": lambda good: [f"Bearer {good}", f"Bearer {good}"],
    "a good one and another": lambda good: [f"Bearer {good}", "Basic eDp5"],
    "two in one value": lambda good: [f"Bearer {good}, Bearer {good}"],
    "bytes": lambda good: [f"Bearer {good}".encode()],
    "nothing": lambda _: [""],
    "the scheme alone": lambda _: ["Bearer"],
    "the scheme and a space": lambda _: ["Bearer "],
    "no scheme": lambda good: [good],
    "another scheme": lambda good: [f"Basic {good}"],
    "no space": lambda good: [f"Bearer{good}"],
    "two spaces": lambda good: [f"Bearer  {good}"],
    "a tab": lambda good: [f"Bearer\t{good}"],
    "a space behind": lambda good: [f"Bearer {good} "],
    "cut": lambda good: [f"Bearer {good[:-1]}"],
    "extended": lambda good: [f"Bearer {good}A"],
    "in capitals": lambda good: [f"Bearer {good.upper()}"],
    "over-long": lambda good: [f"Bearer {good * 1000}"],
    "not ASCII": lambda good: [f"Bearer {good[:-1]}é"],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_anything_but_one_bearer_credential_is_invalid(
    authenticator: Authenticator, cast: Cast, value: Callable[[str], Sequence[str | bytes]]
) -> None:
    """Exactly one value, exactly ``Bearer <credential>``: a good credential in any other wrapping is refused."""
    assert _refused(authenticator, value(cast.first)).reason is Reason.CREDENTIAL_INVALID
    assert gets_in(authenticator, cast.first)


def test_every_refusal_of_a_credential_reads_the_same(authenticator: Authenticator, cast: Cast) -> None:
    """Revoked, disabled, unknown: a caller learns no more than that it is not let in."""
    refusals = [_refused(authenticator, [f"Bearer {credential}"]) for credential in cast.refused]
    assert {(refusal.reason, refusal.text, refusal.detail) for refusal in refusals} == {
        (Reason.CREDENTIAL_INVALID, refusals[0].text, refusals[0].detail)
    }
    assert [dict(refusal.metadata) for refusal in refusals] == [{}, {}, {}]


def test_the_secret_must_be_of_that_account(
    authenticator: Authenticator, accounts: AccountsAdmin, root: Principal
) -> None:
    """A well-formed credential of a known account with a secret it never had is refused."""
    known = accounts.create(root, a_profile("edge")).account
    stranger = new_credential(known.id, system_randomness)
    assert _refused(authenticator, [f"Bearer {stranger.text}"]).reason is Reason.CREDENTIAL_INVALID


def test_an_account_change_counts_from_the_next_call(
    authenticator: Authenticator, accounts: AccountsAdmin, root: Principal
) -> None:
    """New permissions, disabling and enabling are seen by the very next call."""
    made = accounts.create(root, a_profile("edge"))
    accounts.update(root, made.account.id, a_profile(permissions=("trust.read",)), ("permissions",), etag_version=None)
    caller = authenticator.authenticate([f"Bearer {made.credential.text}"])
    assert caller.permissions == {Permission.TRUST_READ}
    accounts.set_disabled(root, made.account.id, True, etag_version=None)
    assert not gets_in(authenticator, made.credential.text)
    accounts.set_disabled(root, made.account.id, False, etag_version=None)
    assert gets_in(authenticator, made.credential.text)


def _comparisons(work: Callable[[], object]) -> int:
    """How often ``hmac.compare_digest`` is called meanwhile; only looks on."""
    called: list[object] = []
    sys.setprofile(lambda _, event, function: called.append(function) if event == "c_call" else None)
    try:
        work()
    finally:
        sys.setprofile(None)
    return called.count(hmac.compare_digest)


@pytest.mark.parametrize("fate", ["first", "second", "revoked", "disabled", "unknown"])
def test_every_caller_costs_two_comparisons(authenticator: Authenticator, cast: Cast, fate: str) -> None:
    """Known or not, by its first credential or its second: two comparisons in constant time, so time tells nothing."""
    assert _comparisons(lambda: gets_in(authenticator, getattr(cast, fate))) == 2


def test_comparisons_are_counted(authenticator: Authenticator) -> None:
    """The count sees what is compared and nothing else: a malformed credential is compared with none."""
    assert _comparisons(lambda: hmac.compare_digest(b"a", b"b")) == 1
    assert _comparisons(lambda: gets_in(authenticator, "nonsense")) == 0
