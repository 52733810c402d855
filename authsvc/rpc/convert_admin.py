"""Between messages and values, for administration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from authsvc.accounts.requests import AccountProfile
from authsvc.apps.admin import AppDescription
from authsvc.apps.requests import SETTINGS, Span, Wish, Wishes
from authsvc.logs import ScopeState
from authsvc.model import APP_ALGORITHMS, Algorithm, AppSettings, Profile, ServiceAccount
from authsvc.operations import logging
from authsvc.rpc.convert import set_moment
from authsvc.v1 import admin_pb2 as pb

_ENUM_NAMES = {
    "ALGORITHM_ES256": Algorithm.ES256.value,
    "ALGORITHM_HS256": Algorithm.HS256.value,
    "ALGORITHM_EDDSA": Algorithm.EDDSA.value,
    "ALGORITHM_RS256": Algorithm.RS256.value,
    "PROFILE_CLASSIC": Profile.CLASSIC.value,
    "PROFILE_AT_JWT": Profile.AT_JWT.value,
}
_ENUM_NUMBERS: Mapping[object, int] = {
    **{name: pb.Algorithm.Value(f"ALGORITHM_{name.value.upper()}") for name in APP_ALGORITHMS},
    Profile.CLASSIC: pb.PROFILE_CLASSIC,
    Profile.AT_JWT: pb.PROFILE_AT_JWT,
}


def etag_of(version: int) -> str:
    """The etag of a version."""
    return f"v{version}"


def version_of(etag: str) -> int | None:
    """The version an etag names; None for no etag, -1 (no version) for one that is not ours."""
    if not etag:
        return None
    number = etag.removeprefix("v")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else -1


def wishes_of(message: pb.AppSettings) -> Wishes:
    """Decode every setting of the contract."""
    return {name: _wish(message, name) for name in SETTINGS}


def app_message(description: AppDescription) -> pb.App:
    """Encode."""
    app = description.app
    message = pb.App(
        api_key=app.api_key,
        settings=_settings(app.settings),
        etag=etag_of(app.version),
        imported_secret=description.imported_secret,
        weak_secret=description.weak_secret,
        ever_non_expiring=app.ever_non_expiring,
    )
    message.longest_ttl_ever.FromTimedelta(app.longest_ttl_ever)
    set_moment(message.created_at, app.created_at)
    set_moment(message.updated_at, app.updated_at)
    return message


def profile_of(message: pb.CreateServiceAccountRequest | pb.UpdateServiceAccountRequest) -> AccountProfile:
    """Decode."""
    return AccountProfile(
        name=message.name,
        permissions=tuple(message.permissions),
        all_apps=message.all_apps,
        apps=tuple(message.apps),
        audiences=tuple(message.audiences),
    )


def account_message(account: ServiceAccount) -> pb.ServiceAccount:
    """Encode."""
    message = pb.ServiceAccount(
        id=account.id,
        name=account.name,
        permissions=sorted(account.permissions),
        all_apps=account.all_apps,
        apps=sorted(account.apps),
        audiences=account.audiences,
        disabled=account.disabled,
        etag=etag_of(account.version),
    )
    for credential in account.credentials:
        set_moment(message.credentials.add(id=credential.id).created_at, credential.created_at)
    set_moment(message.created_at, account.created_at)
    set_moment(message.updated_at, account.updated_at)
    return message


def logging_change_of(message: pb.ConfigureLoggingRequest) -> logging.LoggingChange:
    """Decode."""
    return logging.LoggingChange(
        levels=tuple(logging.WantedLevel(wanted.scope, wanted.level) for wanted in message.levels),
        span=logging.Span(message.duration.seconds, message.duration.nanos) if message.HasField("duration") else None,
        reset=message.reset,
    )


def scope_message(state: ScopeState) -> pb.LoggingScope:
    """Encode."""
    message = pb.LoggingScope(scope=state.scope, level=str(state.level), follows_default=state.follows_default)
    if state.until is not None:
        set_moment(message.expires_at, state.until)
    return message


def _wish(message: pb.AppSettings, name: str) -> Wish:
    field = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return Span(value.seconds, value.nanos) if message.HasField(name) else None  # type: ignore[arg-type]
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum_wish(field.enum_type, value)
    if field.is_repeated:
        return tuple(value)
    wish: str | bool = value
    return wish


def _enum_wish(enum: EnumDescriptor | None, number: int) -> Wish:
    if enum is None or number == 0:
        return None
    known = enum.values_by_number.get(number)
    return _ENUM_NAMES[known.name] if known is not None else f"number {number}"


def _settings(settings: AppSettings) -> pb.AppSettings:
    message = pb.AppSettings()
    for name in SETTINGS:
        value = getattr(settings, name)
        match value:
            case None:
                pass
            case timedelta():
                getattr(message, name).FromTimedelta(value)
            case tuple():
                getattr(message, name).extend(value)
            case Algorithm() | Profile():
                setattr(message, name, _ENUM_NUMBERS[value])
            case _:
                setattr(message, name, value)
    return message
