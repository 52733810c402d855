"""Which parts of the records are kept as JSON text, because no statement looks into them. Shared by all backends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from authsvc.model import AppSettings, PastIssuer, ServiceAccount, Session, TokenScope, User, UserId
from authsvc.storage.codec import FieldsCodec


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a session's access tokens say beyond the user's id; each default means: not set."""

    role: str = ""
    name: str = ""
    image: str = ""
    custom: Mapping[str, object] | None = None
    call_cids: tuple[str, ...] = ()
    channel_cids: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    custom_claims: Mapping[str, object] | None = None


_SETTINGS = FieldsCodec(AppSettings)
_PAST_ISSUER = FieldsCodec(PastIssuer)
_RIGHTS = FieldsCodec(ServiceAccount, ("permissions", "all_apps", "apps", "audiences"))
_CLAIMS = FieldsCodec(_Claims, sparse=True)


def settings_text(settings: AppSettings) -> str:
    """An app's settings, each by name."""
    return _SETTINGS.encode(settings)


def settings_from(text: str) -> AppSettings:
    """The inverse of ``settings_text``; raises ``StoredDataInvalid``."""
    return AppSettings(**_SETTINGS.decode(text))


def past_issuers_text(issuers: Iterable[PastIssuer]) -> str:
    """An app's past issuers, newest first as given."""
    return _PAST_ISSUER.encode_all(issuers)


def past_issuers_from(text: str) -> tuple[PastIssuer, ...]:
    """The inverse of ``past_issuers_text``; raises ``StoredDataInvalid``."""
    return tuple(PastIssuer(**fields) for fields in _PAST_ISSUER.decode_all(text))


def rights_text(account: ServiceAccount) -> str:
    """What a service account may do, and for whom."""
    return _RIGHTS.encode(account)


def rights_from(text: str) -> dict[str, Any]:
    """``permissions``, ``all_apps``, ``apps`` and ``audiences`` of an account; raises ``StoredDataInvalid``."""
    return _RIGHTS.decode(text)


def claims_text(session: Session) -> str:
    """What a session's access tokens say beyond the user's id; most of it is seldom set and then takes no room."""
    user, scope = session.user, session.scope
    return _CLAIMS.encode(
        _Claims(
            role=user.role,
            name=user.name,
            image=user.image,
            custom=user.custom,
            call_cids=scope.call_cids,
            channel_cids=scope.channel_cids,
            audience=session.audience,
            custom_claims=session.custom_claims or None,
        )
    )


def claims_from(user_id: UserId, text: str) -> dict[str, Any]:
    """``user``, ``scope``, ``audience`` and ``custom_claims`` of a session; raises ``StoredDataInvalid``."""
    found = _CLAIMS.decode(text)
    return {
        "user": User(user_id, found["role"], found["name"], found["image"], found["custom"]),
        "scope": TokenScope(found["call_cids"], found["channel_cids"]),
        "audience": found["audience"],
        "custom_claims": found["custom_claims"] or {},
    }
