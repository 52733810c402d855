"""``AuthClient.admin``: the calls of operators. Reads are repeated while the service is unavailable, changes never."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import grpc

from authsvc.client.calls import Calls
from authsvc.v1 import admin_pb2 as v1
from authsvc.v1.admin_pb2_grpc import AdminServiceStub


class AdminCalls:
    """The methods of AdminService, one each; they raise ``AuthClientError``."""

    def __init__(self, channel: grpc.Channel, calls: Calls) -> None:
        self._calls = calls
        self._stub = AdminServiceStub(channel)

    def create_app(self, request: v1.CreateAppRequest, *, timeout: timedelta | None = None) -> v1.CreateAppResponse:
        """Make an app with its first signing key."""
        return self._calls.once(self._stub.CreateApp, request, timeout)

    def get_app(self, request: v1.GetAppRequest, *, timeout: timedelta | None = None) -> v1.GetAppResponse:
        """Read one app."""
        return self._calls.repeatable(self._stub.GetApp, request, timeout)

    def list_apps(self, request: v1.ListAppsRequest, *, timeout: timedelta | None = None) -> v1.ListAppsResponse:
        """Read one page of apps; ``apps`` reads all."""
        return self._calls.repeatable(self._stub.ListApps, request, timeout)

    def apps(self, *, page_size: int = 0, timeout: timedelta | None = None) -> Iterator[v1.App]:
        """All apps that the account may act for, ordered by api_key, read page by page; ``timeout`` is a page's."""
        request = v1.ListAppsRequest(page_size=page_size)
        while True:
            page = self.list_apps(request, timeout=timeout)
            yield from page.apps
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def update_app(self, request: v1.UpdateAppRequest, *, timeout: timedelta | None = None) -> v1.UpdateAppResponse:
        """Change the settings that ``update_mask`` names."""
        return self._calls.once(self._stub.UpdateApp, request, timeout)

    def suspend_app(self, request: v1.SuspendAppRequest, *, timeout: timedelta | None = None) -> v1.SuspendAppResponse:
        """Stop an app until it is resumed."""
        return self._calls.once(self._stub.SuspendApp, request, timeout)

    def resume_app(self, request: v1.ResumeAppRequest, *, timeout: timedelta | None = None) -> v1.ResumeAppResponse:
        """End the suspension of an app."""
        return self._calls.once(self._stub.ResumeApp, request, timeout)

    def create_service_account(
        self, request: v1.CreateServiceAccountRequest, *, timeout: timedelta | None = None
    ) -> v1.CreateServiceAccountResponse:
        """Make a service account; the answer alone shows its credential."""
        return self._calls.once(self._stub.CreateServiceAccount, request, timeout)

    def get_service_account(
        self, request: v1.GetServiceAccountRequest, *, timeout: timedelta | None = None
    ) -> v1.GetServiceAccountResponse:
        """Read one service account."""
        return self._calls.repeatable(self._stub.GetServiceAccount, request, timeout)

    def list_service_accounts(
        self, request: v1.ListServiceAccountsRequest, *, timeout: timedelta | None = None
    ) -> v1.ListServiceAccountsResponse:
        """Read one page of service accounts; ``service_accounts`` reads all."""
        return self._calls.repeatable(self._stub.ListServiceAccounts, request, timeout)

    def service_accounts(self, *, page_size: int = 0, timeout: timedelta | None = None) -> Iterator[v1.ServiceAccount]:
        """All service accounts, ordered by id, read page by page; ``timeout`` is a page's."""
        request = v1.ListServiceAccountsRequest(page_size=page_size)
        while True:
            page = self.list_service_accounts(request, timeout=timeout)
            yield from page.service_accounts
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def update_service_account(
        self, request: v1.UpdateServiceAccountRequest, *, timeout: timedelta | None = None
    ) -> v1.UpdateServiceAccountResponse:
        """Change what ``update_mask`` names."""
        return self._calls.once(self._stub.UpdateServiceAccount, request, timeout)

    def disable_service_account(
        self, request: v1.DisableServiceAccountRequest, *, timeout: timedelta | None = None
    ) -> v1.DisableServiceAccountResponse:
        """Refuse the account's credentials until it is enabled."""
        return self._calls.once(self._stub.DisableServiceAccount, request, timeout)

    def enable_service_account(
        self, request: v1.EnableServiceAccountRequest, *, timeout: timedelta | None = None
    ) -> v1.EnableServiceAccountResponse:
        """Accept the account's credentials again."""
        return self._calls.once(self._stub.EnableServiceAccount, request, timeout)

    def rotate_credential(
        self, request: v1.RotateCredentialRequest, *, timeout: timedelta | None = None
    ) -> v1.RotateCredentialResponse:
        """Make the account's second credential; the answer alone shows it."""
        return self._calls.once(self._stub.RotateCredential, request, timeout)

    def revoke_credential(
        self, request: v1.RevokeCredentialRequest, *, timeout: timedelta | None = None
    ) -> v1.RevokeCredentialResponse:
        """End one credential of an account for ever."""
        return self._calls.once(self._stub.RevokeCredential, request, timeout)

    def get_logging(self, request: v1.GetLoggingRequest, *, timeout: timedelta | None = None) -> v1.GetLoggingResponse:
        """Read what each part of the service logs now."""
        return self._calls.repeatable(self._stub.GetLogging, request, timeout)

    def configure_logging(
        self, request: v1.ConfigureLoggingRequest, *, timeout: timedelta | None = None
    ) -> v1.ConfigureLoggingResponse:
        """Let parts of the service log more, or less, for a while."""
        return self._calls.once(self._stub.ConfigureLogging, request, timeout)
