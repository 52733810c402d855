"""``AuthClient.admin``: the calls of operators. Reads are repeated while the service is unavailable, changes never."""

from __future__ import annotations

from authsvc.client.methods import Awaiting, Pages, Unary, Waiting
from authsvc.v1 import admin_pb2 as v1
from authsvc.v1.admin_pb2_grpc import AdminServiceStub as Stub


class AppMethods:
    """The methods of AdminService that are about apps."""

    create_app = Unary[v1.CreateAppRequest, v1.CreateAppResponse](Stub, "CreateApp", repeats=False)
    """Make an app with its first signing key."""

    get_app = Unary[v1.GetAppRequest, v1.GetAppResponse](Stub, "GetApp", repeats=True)
    """Read one app."""

    list_apps = Unary[v1.ListAppsRequest, v1.ListAppsResponse](Stub, "ListApps", repeats=True)
    """Read one page of apps; ``apps`` reads all."""

    apps = Pages[v1.ListAppsRequest, v1.App](list_apps, v1.ListAppsRequest, "apps")
    """All apps that the account may act for, ordered by api_key."""

    update_app = Unary[v1.UpdateAppRequest, v1.UpdateAppResponse](Stub, "UpdateApp", repeats=False)
    """Change the settings that ``update_mask`` names."""

    suspend_app = Unary[v1.SuspendAppRequest, v1.SuspendAppResponse](Stub, "SuspendApp", repeats=False)
    """Stop an app until it is resumed."""

    resume_app = Unary[v1.ResumeAppRequest, v1.ResumeAppResponse](Stub, "ResumeApp", repeats=False)
    """End the suspension of an app."""


class KeyMethods:
    """The methods of AdminService that are about signing keys."""

    list_keys = Unary[v1.ListKeysRequest, v1.ListKeysResponse](Stub, "ListKeys", repeats=True)
    """Read one page of an app's keys; ``keys`` reads all."""

    keys = Pages[v1.ListKeysRequest, v1.Key](list_keys, v1.ListKeysRequest, "keys")
    """All keys of an app, oldest first."""

    rotate_key = Unary[v1.RotateKeyRequest, v1.RotateKeyResponse](Stub, "RotateKey", repeats=False)
    """Publish the next key of an app."""

    activate_key = Unary[v1.ActivateKeyRequest, v1.ActivateKeyResponse](Stub, "ActivateKey", repeats=False)
    """Let a pending key sign now."""

    revoke_key = Unary[v1.RevokeKeyRequest, v1.RevokeKeyResponse](Stub, "RevokeKey", repeats=False)
    """End a key at once and for ever."""

    get_jwks = Unary[v1.GetJwksRequest, v1.GetJwksResponse](Stub, "GetJwks", repeats=True)
    """Read the public keys of an app as a JWK set."""


class AccountMethods:
    """The methods of AdminService that are about service accounts."""

    create_service_account = Unary[v1.CreateServiceAccountRequest, v1.CreateServiceAccountResponse](
        Stub, "CreateServiceAccount", repeats=False
    )
    """Make a service account; the answer alone shows its credential."""

    get_service_account = Unary[v1.GetServiceAccountRequest, v1.GetServiceAccountResponse](
        Stub, "GetServiceAccount", repeats=True
    )
    """Read one service account."""

    list_service_accounts = Unary[v1.ListServiceAccountsRequest, v1.ListServiceAccountsResponse](
        Stub, "ListServiceAccounts", repeats=True
    )
    """Read one page of service accounts; ``service_accounts`` reads all."""

    service_accounts = Pages[v1.ListServiceAccountsRequest, v1.ServiceAccount](
        list_service_accounts, v1.ListServiceAccountsRequest, "service_accounts"
    )
    """All service accounts, ordered by id."""

    update_service_account = Unary[v1.UpdateServiceAccountRequest, v1.UpdateServiceAccountResponse](
        Stub, "UpdateServiceAccount", repeats=False
    )
    """Change what ``update_mask`` names."""

    disable_service_account = Unary[v1.DisableServiceAccountRequest, v1.DisableServiceAccountResponse](
        Stub, "DisableServiceAccount", repeats=False
    )
    """Refuse the account's credentials until it is enabled."""

    enable_service_account = Unary[v1.EnableServiceAccountRequest, v1.EnableServiceAccountResponse](
        Stub, "EnableServiceAccount", repeats=False
    )
    """Accept the account's credentials again."""

    rotate_credential = Unary[v1.RotateCredentialRequest, v1.RotateCredentialResponse](
        Stub, "RotateCredential", repeats=False
    )
    """Make the account's second credential; the answer alone shows it."""

    revoke_credential = Unary[v1.RevokeCredentialRequest, v1.RevokeCredentialResponse](
        Stub, "RevokeCredential", repeats=False
    )
    """End one credential of an account for ever."""


class OperatorMethods:
    """The methods of AdminService that are about the service itself."""

    get_logging = Unary[v1.GetLoggingRequest, v1.GetLoggingResponse](Stub, "GetLogging", repeats=True)
    """Read what each part of the service logs now."""

    configure_logging = Unary[v1.ConfigureLoggingRequest, v1.ConfigureLoggingResponse](
        Stub, "ConfigureLogging", repeats=False
    )
    """Let parts of the service log more, or less, for a while."""

    clear_revocation = Unary[v1.ClearRevocationRequest, v1.ClearRevocationResponse](
        Stub, "ClearRevocation", repeats=False
    )
    """Take back what was revoked by mistake, but for sessions."""

    list_revocations = Unary[v1.ListRevocationsRequest, v1.ListRevocationsResponse](
        Stub, "ListRevocations", repeats=True
    )
    """Read one page of revocations; ``revocations`` reads all."""

    revocations = Pages[v1.ListRevocationsRequest, v1.Revocation](
        list_revocations, v1.ListRevocationsRequest, "revocations"
    )
    """All that is revoked in an app and still matters: users, then sessions, then single tokens."""

    list_audit_events = Unary[v1.ListAuditEventsRequest, v1.ListAuditEventsResponse](
        Stub, "ListAuditEvents", repeats=True
    )
    """Read one page of the audit; ``audit_events`` reads all."""

    audit_events = Pages[v1.ListAuditEventsRequest, v1.AuditEvent](
        list_audit_events, v1.ListAuditEventsRequest, "audit_events"
    )
    """What was changed, by whom and how it ended, newest first."""


class AdminMethods(AppMethods, KeyMethods, AccountMethods, OperatorMethods):
    """The methods of AdminService."""


class AdminCalls(AdminMethods, Waiting):
    """The methods of AdminService, one each; they raise ``AuthClientError``."""


class AsyncAdminCalls(AdminMethods, Awaiting):
    """The methods of AdminService, awaited."""
