"""``authsvc accounts``: the backend services that may call."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from authsvc.cli.account_output import show, show_all, show_with_credential
from authsvc.cli.connection import connected
from authsvc.cli.credential_file import NewCredentialFile
from authsvc.cli.options import AsJson, CredentialFile, Etag
from authsvc.cli.output import print_facts, print_json
from authsvc.cli.refusals import CommandFailed, refusals
from authsvc.model import Permission
from authsvc.v1 import admin_pb2 as v1

accounts = typer.Typer(help="Service accounts: the backends that may call this service.", no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(metavar="ID", help="The account's id.", show_default=False)]
Permissions = Annotated[
    list[Permission] | None, typer.Option("--permission", help="What it may do. Several times for several.")
]
Apps = Annotated[
    list[str] | None, typer.Option("--app", metavar="KEY", help="An app it may act for. Several times for several.")
]
AllApps = Annotated[bool, typer.Option("--all-apps", help="It may act for every app, also for later ones.")]
Audiences = Annotated[
    list[str] | None,
    typer.Option("--audience", metavar="NAME", help="A name it goes by as an audience. Several times for several."),
]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="What people call the account.")]
CredentialFileOnTheStore = Annotated[
    Path, typer.Option("--credential-file", metavar="FILE", help="A new file for its credential, made with mode 0600.")
]


@accounts.command()
def bootstrap(name: Name, credential_file: CredentialFileOnTheStore, as_json: AsJson = False) -> None:
    """Make the first account, with every permission on all apps. On the store, once, while there is none."""
    from authsvc.app import bootstrap as make_first_account

    with refusals(as_json), _refused_as("BOOTSTRAP_REFUSED"):
        account_id = make_first_account(name=name, credential_file=credential_file)
    _tell({"account_id": account_id}, name, credential_file, as_json)


@accounts.command()
def recover(name: Name, credential_file: CredentialFileOnTheStore, as_json: AsJson = False) -> None:
    """Let an account do everything again, by one new credential. On the store, for whoever is locked out.

    It is enabled, gets every permission on all apps, and its earlier credentials end; where no account has the name,
    one is made, and the answer says so. Servers may run meanwhile: they follow.
    """
    from authsvc.app import recover as recover_account

    with refusals(as_json), _refused_as("RECOVERY_REFUSED"):
        done = recover_account(name=name, credential_file=credential_file)
    outcome = "made" if done.made else "recovered"
    _tell({"account_id": done.account_id, "outcome": outcome}, name, credential_file, as_json)
    if done.made and done.others:
        print(
            f"NOTE: no account was called {name}, so another one was made, which may do everything. There are also: "
            f"{', '.join(done.others)}. If one of them was meant, recover it, and disable this one.",
            file=sys.stderr,
        )


@accounts.command()
def create(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What people call it; no two are the same.")],
    permissions: Permissions = None,
    apps: Apps = None,
    all_apps: AllApps = False,
    audiences: Audiences = None,
    credential_file: CredentialFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an account. Its credential is shown now and never again."""
    _check_apps(apps, all_apps)
    request = v1.CreateServiceAccountRequest(
        name=name, permissions=permissions, all_apps=all_apps, apps=apps, audiences=audiences
    )
    with connected(as_json) as connection, NewCredentialFile(credential_file) as file:
        answer = connection.client.admin.create_service_account(request)
        file.keep(answer.credential)
    show_with_credential(answer, credential_file, as_json)


@accounts.command()
def get(account_id: AccountArgument, as_json: AsJson = False) -> None:
    """Show an account."""
    with connected(as_json) as connection:
        show(connection.client.admin.get_service_account(v1.GetServiceAccountRequest(id=account_id)), as_json)


@accounts.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List all accounts."""
    with connected(as_json) as connection:
        found = list(connection.client.admin.service_accounts())
    show_all(found, as_json)


@accounts.command()
def update(
    account_id: AccountArgument,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="A new name.")] = None,
    permissions: Permissions = None,
    apps: Apps = None,
    all_apps: AllApps = False,
    audiences: Audiences = None,
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Change what is given; lists as a whole. An empty --app or --audience empties the list."""
    _check_apps(apps, all_apps)
    changes: dict[str, object] = {"name": name, "permissions": permissions, "audiences": _listed(audiences)}
    if apps is not None or all_apps:
        # Both always: an account of all apps names none.
        changes |= {"all_apps": all_apps, "apps": _listed(apps) or []}
    given = {field: value for field, value in changes.items() if value is not None}
    if not given:
        raise typer.BadParameter("give at least one of --name, --permission, --app, --all-apps, --audience")
    request = v1.UpdateServiceAccountRequest(id=account_id, etag=etag, update_mask=FieldMask(paths=list(given)))
    request.MergeFrom(v1.UpdateServiceAccountRequest(**given))  # type: ignore[arg-type]
    with connected(as_json) as connection:
        show(connection.client.admin.update_service_account(request), as_json)


@accounts.command()
def disable(account_id: AccountArgument, etag: Etag = "", as_json: AsJson = False) -> None:
    """Accept none of an account's credentials until it is enabled."""
    request = v1.DisableServiceAccountRequest(id=account_id, etag=etag)
    with connected(as_json) as connection:
        show(connection.client.admin.disable_service_account(request), as_json)


@accounts.command()
def enable(account_id: AccountArgument, etag: Etag = "", as_json: AsJson = False) -> None:
    """Accept the credentials of a disabled account again."""
    request = v1.EnableServiceAccountRequest(id=account_id, etag=etag)
    with connected(as_json) as connection:
        show(connection.client.admin.enable_service_account(request), as_json)


@accounts.command()
def rotate(account_id: AccountArgument, credential_file: CredentialFile = None, as_json: AsJson = False) -> None:
    """Make a second credential. The first is good until it is revoked."""
    with connected(as_json) as connection, NewCredentialFile(credential_file) as file:
        answer = connection.client.admin.rotate_credential(v1.RotateCredentialRequest(id=account_id))
        file.keep(answer.credential)
    show_with_credential(answer, credential_file, as_json)


@accounts.command()
def revoke_credential(
    account_id: AccountArgument,
    credential_id: Annotated[str, typer.Argument(metavar="CREDENTIAL_ID", help="Its id.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """End one credential of an account, at once and for ever."""
    request = v1.RevokeCredentialRequest(id=account_id, credential_id=credential_id)
    with connected(as_json) as connection:
        show(connection.client.admin.revoke_credential(request), as_json)


@contextmanager
def _refused_as(reason: str) -> Iterator[None]:
    from authsvc.app import Refused

    try:
        yield
    except Refused as refused:
        raise CommandFailed(reason, str(refused)) from None


def _tell(found: Mapping[str, str], name: str, credential_file: Path, as_json: bool) -> None:
    if as_json:
        print_json({**found, "credential_file": str(credential_file)})
        return
    facts = [("account", found["account_id"]), ("name", name), ("credential file", str(credential_file))]
    print_facts([*([("outcome", found["outcome"])] if "outcome" in found else []), *facts])


def _check_apps(apps: list[str] | None, all_apps: bool) -> None:
    if apps and all_apps:
        raise typer.BadParameter("give either apps or --all-apps, not both", param_hint="--app")


def _listed(values: list[str] | None) -> list[str] | None:
    return [] if values == [""] else values
