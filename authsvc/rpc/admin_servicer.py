"""``AdminService``: decode, call, encode."""

from __future__ import annotations

from authsvc.accounts.admin import AccountsAdmin
from authsvc.apps.admin import AppsAdmin
from authsvc.keys.admin import KeysAdmin
from authsvc.model import App
from authsvc.operations.audit import AuditAdmin
from authsvc.operations.logging import LoggingAdmin
from authsvc.operations.revocations import RevocationsAdmin
from authsvc.rpc import convert_operations
from authsvc.rpc.call import Call
from authsvc.rpc.convert_admin import (
    account_message,
    app_message,
    logging_change_of,
    profile_of,
    scope_message,
    version_of,
    wishes_of,
)
from authsvc.rpc.convert_keys import key_message, key_place
from authsvc.rpc.paging import page_of, question_of, read_page
from authsvc.v1 import admin_pb2 as pb


class AdminServicer:
    """Each method is served by one use case of apps, keys, accounts or operations."""

    def __init__(
        self,
        apps: AppsAdmin,
        keys: KeysAdmin,
        accounts: AccountsAdmin,
        logging: LoggingAdmin,
        revocations: RevocationsAdmin,
        audit: AuditAdmin,
    ) -> None:
        self._apps = apps
        self._keys = keys
        self._accounts = accounts
        self._logging = logging
        self._revocations = revocations
        self._audit = audit

    def CreateApp(self, request: pb.CreateAppRequest, call: Call) -> pb.CreateAppResponse:
        """``admin.write``, all apps."""
        wishes = wishes_of(request.settings)
        app = self._apps.create(call.caller, request.api_key, wishes, secret=request.secret, deadline=call.deadline)
        call.about(app.api_key)
        return pb.CreateAppResponse(app=self._shown(app))

    def GetApp(self, request: pb.GetAppRequest, call: Call) -> pb.GetAppResponse:
        """``admin.read``."""
        call.about(request.api_key)
        return pb.GetAppResponse(app=self._shown(self._apps.get(call.caller, request.api_key)))

    def ListApps(self, request: pb.ListAppsRequest, call: Call) -> pb.ListAppsResponse:
        """``admin.read``."""
        page = page_of(
            self._apps.all(call.caller),
            lambda app: app.api_key,
            question="apps",
            principal=call.caller,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListAppsResponse(apps=map(self._shown, page.items), next_page_token=page.next_token)

    def UpdateApp(self, request: pb.UpdateAppRequest, call: Call) -> pb.UpdateAppResponse:
        """``admin.write``."""
        call.about(request.api_key)
        app = self._apps.update(
            call.caller,
            request.api_key,
            wishes_of(request.settings),
            tuple(request.update_mask.paths),
            etag_version=version_of(request.etag),
            deadline=call.deadline,
        )
        return pb.UpdateAppResponse(app=self._shown(app))

    def SuspendApp(self, request: pb.SuspendAppRequest, call: Call) -> pb.SuspendAppResponse:
        """``admin.write``."""
        call.about(request.api_key)
        app = self._apps.set_suspended(
            call.caller, request.api_key, True, etag_version=version_of(request.etag), deadline=call.deadline
        )
        return pb.SuspendAppResponse(app=self._shown(app))

    def ResumeApp(self, request: pb.ResumeAppRequest, call: Call) -> pb.ResumeAppResponse:
        """``admin.write``."""
        call.about(request.api_key)
        app = self._apps.set_suspended(
            call.caller, request.api_key, False, etag_version=version_of(request.etag), deadline=call.deadline
        )
        return pb.ResumeAppResponse(app=self._shown(app))

    def ListKeys(self, request: pb.ListKeysRequest, call: Call) -> pb.ListKeysResponse:
        """``admin.read``."""
        call.about(request.api_key)
        page = page_of(
            self._keys.all(call.caller, request.api_key, deadline=call.deadline),
            key_place,
            question=question_of(request),
            principal=call.caller,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListKeysResponse(keys=map(key_message, page.items), next_page_token=page.next_token)

    def RotateKey(self, request: pb.RotateKeyRequest, call: Call) -> pb.RotateKeyResponse:
        """``admin.write``."""
        call.about(request.api_key)
        key = self._keys.rotate(call.caller, request.api_key, at_once=request.now, deadline=call.deadline)
        return pb.RotateKeyResponse(key=key_message(key))

    def ActivateKey(self, request: pb.ActivateKeyRequest, call: Call) -> pb.ActivateKeyResponse:
        """``admin.write``."""
        call.about(request.api_key)
        key = self._keys.activate(
            call.caller,
            request.api_key,
            request.key_id,
            at_once=request.now,
            etag_version=version_of(request.etag),
            deadline=call.deadline,
        )
        return pb.ActivateKeyResponse(key=key_message(key))

    def RevokeKey(self, request: pb.RevokeKeyRequest, call: Call) -> pb.RevokeKeyResponse:
        """``admin.write``."""
        call.about(request.api_key)
        key = self._keys.revoke(
            call.caller,
            request.api_key,
            request.key_id,
            etag_version=version_of(request.etag),
            deadline=call.deadline,
        )
        return pb.RevokeKeyResponse(key=key_message(key))

    def GetJwks(self, request: pb.GetJwksRequest, call: Call) -> pb.GetJwksResponse:
        """``admin.read``."""
        call.about(request.api_key)
        text = self._keys.key_set(call.caller, request.api_key, deadline=call.deadline)
        return pb.GetJwksResponse(jwks=text.decode("ascii"))

    def CreateServiceAccount(
        self, request: pb.CreateServiceAccountRequest, call: Call
    ) -> pb.CreateServiceAccountResponse:
        """``admin.write``, all apps. The one answer, with RotateCredential, that holds a credential."""
        made = self._accounts.create(call.caller, profile_of(request), deadline=call.deadline)
        return pb.CreateServiceAccountResponse(
            service_account=account_message(made.account),
            credential_id=made.credential.id,
            credential=made.credential.text,
        )

    def GetServiceAccount(self, request: pb.GetServiceAccountRequest, call: Call) -> pb.GetServiceAccountResponse:
        """``admin.read``, all apps."""
        account = self._accounts.get(call.caller, request.id, deadline=call.deadline)
        return pb.GetServiceAccountResponse(service_account=account_message(account))

    def ListServiceAccounts(self, request: pb.ListServiceAccountsRequest, call: Call) -> pb.ListServiceAccountsResponse:
        """``admin.read``, all apps."""
        page = page_of(
            self._accounts.all(call.caller),
            lambda account: account.id,
            question="service_accounts",
            principal=call.caller,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListServiceAccountsResponse(
            service_accounts=map(account_message, page.items), next_page_token=page.next_token
        )

    def UpdateServiceAccount(
        self, request: pb.UpdateServiceAccountRequest, call: Call
    ) -> pb.UpdateServiceAccountResponse:
        """``admin.write``, all apps."""
        account = self._accounts.update(
            call.caller,
            request.id,
            profile_of(request),
            tuple(request.update_mask.paths),
            etag_version=version_of(request.etag),
            deadline=call.deadline,
        )
        return pb.UpdateServiceAccountResponse(service_account=account_message(account))

    def DisableServiceAccount(
        self, request: pb.DisableServiceAccountRequest, call: Call
    ) -> pb.DisableServiceAccountResponse:
        """``admin.write``, all apps."""
        account = self._accounts.set_disabled(
            call.caller, request.id, True, etag_version=version_of(request.etag), deadline=call.deadline
        )
        return pb.DisableServiceAccountResponse(service_account=account_message(account))

    def EnableServiceAccount(
        self, request: pb.EnableServiceAccountRequest, call: Call
    ) -> pb.EnableServiceAccountResponse:
        """``admin.write``, all apps."""
        account = self._accounts.set_disabled(
            call.caller, request.id, False, etag_version=version_of(request.etag), deadline=call.deadline
        )
        return pb.EnableServiceAccountResponse(service_account=account_message(account))

    def RotateCredential(self, request: pb.RotateCredentialRequest, call: Call) -> pb.RotateCredentialResponse:
        """``admin.write``, all apps."""
        made = self._accounts.rotate(call.caller, request.id, deadline=call.deadline)
        return pb.RotateCredentialResponse(
            service_account=account_message(made.account),
            credential_id=made.credential.id,
            credential=made.credential.text,
        )

    def RevokeCredential(self, request: pb.RevokeCredentialRequest, call: Call) -> pb.RevokeCredentialResponse:
        """``admin.write``, all apps."""
        account = self._accounts.revoke_credential(
            call.caller, request.id, request.credential_id, deadline=call.deadline
        )
        return pb.RevokeCredentialResponse(service_account=account_message(account))

    def GetLogging(self, _: pb.GetLoggingRequest, call: Call) -> pb.GetLoggingResponse:
        """``admin.read``, all apps."""
        return pb.GetLoggingResponse(scopes=map(scope_message, self._logging.get(call.caller)))

    def ConfigureLogging(self, request: pb.ConfigureLoggingRequest, call: Call) -> pb.ConfigureLoggingResponse:
        """``admin.write``, all apps."""
        states = self._logging.configure(call.caller, logging_change_of(request), deadline=call.deadline)
        return pb.ConfigureLoggingResponse(scopes=map(scope_message, states))

    def ClearRevocation(self, request: pb.ClearRevocationRequest, call: Call) -> pb.ClearRevocationResponse:
        """``admin.write``."""
        call.about(request.api_key)
        wanted = convert_operations.clear_request(request)
        revision = self._revocations.clear(call.caller, wanted, deadline=call.deadline)
        return convert_operations.cleared_response(revision)

    def ListRevocations(self, request: pb.ListRevocationsRequest, call: Call) -> pb.ListRevocationsResponse:
        """``admin.read``."""
        call.about(request.api_key)
        query, deadline = convert_operations.revocation_query(request), call.deadline
        page = read_page(
            lambda after, most: self._revocations.listed(
                call.caller, query, after=after, limit=most, deadline=deadline
            ),
            convert_operations.revocation_key,
            convert_operations.revocation_place,
            question=question_of(request),
            principal=call.caller,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListRevocationsResponse(
            revocations=map(convert_operations.revocation_message, page.items), next_page_token=page.next_token
        )

    def ListAuditEvents(self, request: pb.ListAuditEventsRequest, call: Call) -> pb.ListAuditEventsResponse:
        """``admin.read``."""
        call.about(request.api_key)
        query, deadline = convert_operations.audit_query(request), call.deadline
        page = read_page(
            lambda before, most: self._audit.listed(call.caller, query, before=before, limit=most, deadline=deadline),
            convert_operations.audit_key,
            convert_operations.audit_place,
            question=question_of(request),
            principal=call.caller,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListAuditEventsResponse(
            audit_events=map(convert_operations.event_message, page.items), next_page_token=page.next_token
        )

    def _shown(self, app: App) -> pb.App:
        return app_message(self._apps.describe(app))
