"""The use cases for service accounts: create, update, disable, rotate and revoke credentials, and the first of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from authsvc.accounts.credentials import NewCredential, new_account_id, new_credential
from authsvc.accounts.requests import AccountProfile
from authsvc.accounts.rules import (
    EVERY_PERMISSION,
    check_all_apps,
    check_apps_exist,
    check_grant,
    check_mask,
    check_named,
    check_profile,
    known_account,
    masked,
    profile_of,
)
from authsvc.clock import Clock, Deadline, Randomness
from authsvc.errors import Conflict, Faults, NotFound, PreconditionFailed, Reason
from authsvc.logs import Logger
from authsvc.model import (
    AccountId,
    ApiKey,
    AuditEvent,
    Credential,
    CredentialId,
    Permission,
    Principal,
    Revision,
    ServiceAccount,
)
from authsvc.storage.base import Store
from authsvc.trust.view import TrustView

MAX_CREDENTIALS = 2


class _Already(Exception):
    """The account is what it shall become: nothing is written."""

    def __init__(self, account: ServiceAccount) -> None:
        super().__init__(account.id)
        self.account = account


@dataclass(frozen=True, slots=True)
class WithCredential:
    """An account and the credential just made for it, whose text is shown this once."""

    account: ServiceAccount
    credential: NewCredential = field(repr=False)


class AccountsAdmin:
    """Every method needs a principal with all apps (APP_NOT_ALLOWED) and raises what the store raises."""

    def __init__(self, view: TrustView, store: Store, log: Logger, *, clock: Clock, randomness: Randomness) -> None:
        self._view = view
        self._store = store
        self._log = log
        self._clock = clock
        self._randomness = randomness

    def get(self, principal: Principal, account_id: str, *, deadline: Deadline | None = None) -> ServiceAccount:
        """The account; raises ``NotFound`` (SERVICE_ACCOUNT_NOT_FOUND)."""
        check_all_apps(principal)
        faults = Faults()
        check_named("id", account_id, faults)
        faults.refuse_any()
        return known_account(self._view, account_id, deadline=deadline)

    def all(self, principal: Principal) -> tuple[ServiceAccount, ...]:
        """All accounts, by id."""
        check_all_apps(principal)
        return self._view.accounts()

    def create(
        self, principal: Principal, profile: AccountProfile, *, deadline: Deadline | None = None
    ) -> WithCredential:
        """Make an account with its first credential.

        Raises ``InvalidRequest``, ``NotFound`` (APP_NOT_FOUND), ``CallerForbidden`` (GRANT_EXCEEDS_OWN) and
        ``AlreadyExists`` (SERVICE_ACCOUNT_EXISTS).
        """
        check_all_apps(principal)
        _check(profile)
        check_apps_exist(profile, self._view, deadline=deadline)
        check_grant(principal, _permissions(profile))
        return self.create_as(principal.account_id, profile, deadline=deadline)

    def bootstrap(self, profile: AccountProfile) -> WithCredential:
        """Make the very first account, by whoever holds the store; raises ``AlreadyExists`` when there is any."""
        _check(profile)
        return self.create_as("bootstrap", profile, only_if_none=True)

    def update(
        self,
        principal: Principal,
        account_id: str,
        wanted: AccountProfile,
        mask: tuple[str, ...],
        *,
        etag_version: int | None,
        deadline: Deadline | None = None,
    ) -> ServiceAccount:
        """Change the fields that the mask names; raises as ``create`` does, and ``Conflict`` for an old etag."""
        check_all_apps(principal)
        faults = Faults()
        check_named("id", account_id, faults)
        check_mask(mask, faults)
        faults.refuse_any()
        if "apps" in mask:  # here and not in the edit: it may look at the store
            check_apps_exist(wanted, self._view, deadline=deadline)

        def edit(account: ServiceAccount) -> ServiceAccount:
            profile = masked(profile_of(account), wanted, mask)
            _check(profile)
            check_grant(principal, _permissions(profile))
            return _with_profile(account, profile)

        return self._edit(principal, account_id, "account.updated", edit, etag_version, deadline)

    def set_disabled(
        self,
        principal: Principal,
        account_id: str,
        disabled: bool,
        *,
        etag_version: int | None,
        deadline: Deadline | None = None,
    ) -> ServiceAccount:
        """Disable or enable an account; doing it twice is harmless."""
        self.get(principal, account_id, deadline=deadline)

        def edit(account: ServiceAccount) -> ServiceAccount:
            if not disabled:
                check_grant(principal, account.permissions)
            if account.disabled is disabled:  # looked at in the store: of calls made at once, one is audited
                raise _Already(account)
            return replace(account, disabled=disabled)

        action = "account.disabled" if disabled else "account.enabled"
        try:
            return self._edit(principal, account_id, action, edit, etag_version, deadline)
        except _Already as already:
            return already.account

    def rotate(self, principal: Principal, account_id: str, *, deadline: Deadline | None = None) -> WithCredential:
        """Give the account a second credential; the first stays valid until it is revoked.

        Raises ``PreconditionFailed`` (CREDENTIAL_LIMIT) when it has two, and ``CallerForbidden`` (GRANT_EXCEEDS_OWN)
        for an account that may do more than the caller: its credential would be a way up.
        """
        self.get(principal, account_id, deadline=deadline)
        made = new_credential(AccountId(account_id), self._randomness)

        def edit(account: ServiceAccount) -> ServiceAccount:
            check_grant(principal, account.permissions)
            if len(account.credentials) >= MAX_CREDENTIALS:
                raise PreconditionFailed(Reason.CREDENTIAL_LIMIT)
            return replace(account, credentials=(*account.credentials, self._stored(made)))

        return WithCredential(self._edit(principal, account_id, "credential.added", edit, None, deadline), made)

    def revoke_credential(
        self, principal: Principal, account_id: str, credential_id: str, *, deadline: Deadline | None = None
    ) -> ServiceAccount:
        """End a credential at once; raises ``NotFound`` (SERVICE_ACCOUNT_NOT_FOUND, CREDENTIAL_NOT_FOUND)."""
        check_all_apps(principal)
        faults = Faults()
        check_named("id", account_id, faults)
        check_named("credential_id", credential_id, faults)
        faults.refuse_any()

        def edit(account: ServiceAccount) -> ServiceAccount:
            kept = tuple(known for known in account.credentials if known.id != CredentialId(credential_id))
            if len(kept) == len(account.credentials):
                raise NotFound(Reason.CREDENTIAL_NOT_FOUND)
            return replace(account, credentials=kept)

        return self._edit(principal, account_id, "credential.revoked", edit, None, deadline)

    def recover(self, name: str, by: str) -> WithCredential:
        """Let the account with that name do everything, by one new credential; all earlier ones end.

        For whoever holds the store and is locked out: it is enabled where it was disabled, and made where it is not
        there. Raises ``InvalidRequest`` for what cannot be a name.
        """
        profile = AccountProfile(name, EVERY_PERMISSION, all_apps=True)
        _check(profile)
        known = next((account for account in self._view.accounts() if account.name == name), None)
        if known is None:
            return self.create_as(by, profile)
        made = new_credential(known.id, self._randomness)

        def edit(account: ServiceAccount) -> ServiceAccount:
            kept = replace(account, disabled=False, credentials=(self._stored(made),))
            return _with_profile(kept, replace(profile, audiences=account.audiences))

        event = self._event("account.recovered", by, known.id)
        return WithCredential(self._told(event, self._store.edit_account(known.id, edit, event)), made)

    def create_as(
        self, by: str, profile: AccountProfile, *, only_if_none: bool = False, deadline: Deadline | None = None
    ) -> WithCredential:
        """Make an account whose profile needs no judging."""
        account_id, now = new_account_id(self._randomness), self._clock()
        made = new_credential(account_id, self._randomness)
        account = ServiceAccount(
            id=account_id,
            name=profile.name,
            permissions=_permissions(profile),
            all_apps=profile.all_apps,
            apps=frozenset(map(ApiKey, profile.apps)),
            audiences=profile.audiences,
            disabled=False,
            credentials=(self._stored(made),),
            version=1,
            revision=Revision(0),
            created_at=now,
            updated_at=now,
        )
        event = self._event("account.created", by, account_id)
        kept = self._store.create_account(account, event, only_if_none=only_if_none, deadline=deadline)
        return WithCredential(self._told(event, kept), made)

    def _edit(
        self,
        principal: Principal,
        account_id: str,
        action: str,
        edit: Callable[[ServiceAccount], ServiceAccount],
        etag_version: int | None,
        deadline: Deadline | None,
    ) -> ServiceAccount:
        def checked(account: ServiceAccount) -> ServiceAccount:
            _check_etag(account, etag_version)
            return edit(account)

        event = self._event(action, principal.account_id, account_id)
        return self._told(event, self._store.edit_account(AccountId(account_id), checked, event, deadline=deadline))

    def _told(self, event: AuditEvent, account: ServiceAccount) -> ServiceAccount:
        self._log.info("account changed", action=event.action, account_id=account.id, principal=event.principal)
        return account

    def _stored(self, made: NewCredential) -> Credential:
        return Credential(made.id, made.digest, self._clock())

    def _event(self, action: str, by: str, account_id: str) -> AuditEvent:
        return AuditEvent(self._clock(), action, by, "", account_id, "done")


def _check(profile: AccountProfile) -> None:
    faults = Faults()
    check_profile(profile, faults)
    faults.refuse_any()


def _check_etag(account: ServiceAccount, etag_version: int | None) -> None:
    if etag_version is not None and account.version != etag_version:
        raise Conflict


def _permissions(profile: AccountProfile) -> frozenset[Permission]:
    return frozenset(map(Permission, profile.permissions))


def _with_profile(account: ServiceAccount, profile: AccountProfile) -> ServiceAccount:
    return replace(
        account,
        name=profile.name,
        permissions=_permissions(profile),
        all_apps=profile.all_apps,
        apps=frozenset(map(ApiKey, profile.apps)),
        audiences=profile.audiences,
    )
