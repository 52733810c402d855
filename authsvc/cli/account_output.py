"""Service accounts on a terminal, and the one moment in which a new credential is seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from authsvc.cli.output import Fact, json_of, print_facts, print_json, print_listing, print_secret
from authsvc.cli.words import timestamp_words, yes_or_no
from authsvc.clock import system_clock
from authsvc.v1 import admin_pb2 as v1

AccountAnswer = (
    v1.GetServiceAccountResponse
    | v1.UpdateServiceAccountResponse
    | v1.DisableServiceAccountResponse
    | v1.EnableServiceAccountResponse
    | v1.RevokeCredentialResponse
)
NewCredentialAnswer = v1.CreateServiceAccountResponse | v1.RotateCredentialResponse


def show(answer: AccountAnswer, as_json: bool) -> None:
    """Print the account of an answer."""
    if as_json:
        print_json(json_of(answer))
    else:
        print_facts(_facts(answer.service_account))


def show_with_credential(answer: NewCredentialAnswer, file: Path | None, as_json: bool) -> None:
    """Print the account, and either its new credential or the file that holds it."""
    if as_json:
        document = json_of(answer)
        if file is not None:
            del document["credential"]
            document["credential_file"] = str(file)
        print_json(document)
        return
    kept = [("credential file", str(file))] if file is not None else []
    print_facts([*_facts(answer.service_account), ("new credential", answer.credential_id), *kept])
    if file is None:
        print_secret("credential, shown only now", answer.credential)


def show_all(found: Sequence[v1.ServiceAccount], as_json: bool) -> None:
    """Print accounts, a line each."""
    if as_json:
        print_json(json_of(v1.ListServiceAccountsResponse(service_accounts=found)))
    else:
        print_listing(("ID", "NAME", "PERMISSIONS", "APPS", "CREDENTIALS", "DISABLED"), map(_row, found))


def _facts(account: v1.ServiceAccount) -> list[Fact]:
    now = system_clock()
    credentials = [
        ("credential", f"{each.id}, made {timestamp_words(each, 'created_at', now)}") for each in account.credentials
    ]
    return [
        ("id", account.id),
        ("name", account.name),
        ("permissions", ", ".join(account.permissions)),
        ("apps", _apps(account)),
        ("audiences", ", ".join(account.audiences) or "-"),
        ("disabled", yes_or_no(account.disabled)),
        *credentials,
        ("etag", account.etag),
        ("created", timestamp_words(account, "created_at", now)),
        ("updated", timestamp_words(account, "updated_at", now)),
    ]


def _apps(account: v1.ServiceAccount) -> str:
    return "all" if account.all_apps else ", ".join(account.apps) or "none"


def _row(account: v1.ServiceAccount) -> list[str]:
    permissions, credentials = ", ".join(account.permissions), str(len(account.credentials))
    return [account.id, account.name, permissions, _apps(account), credentials, yes_or_no(account.disabled)]
