"""What an access token says, for people."""

from __future__ import annotations

from datetime import datetime

from authsvc.cli.output import Fact
from authsvc.cli.words import enum_word, struct_words, timestamp_words
from authsvc.v1.auth_pb2 import IssueTokenResponse, RefreshTokenResponse, TokenInfo, User


def info_facts(info: TokenInfo, now: datetime) -> list[Fact]:
    """What the token says; what it does not say is left out, but for the end that it may not have."""
    facts = [
        ("kind", enum_word(info, "kind").lower()),
        ("app", info.api_key),
        *_user_facts(info.user),
        ("calls", ", ".join(info.scope.call_cids)),
        ("channels", ", ".join(info.scope.channel_cids)),
        ("audience", ", ".join(info.audience)),
        ("issuer", info.issuer),
        ("issued", timestamp_words(info, "issued_at", now, unset="")),
        ("expires", timestamp_words(info, "expires_at", now, unset="never")),
        ("custom claims", struct_words(info.custom_claims) if info.HasField("custom_claims") else ""),
        ("token id", info.token_id),
        ("session", info.session_id),
        ("key", " ".join(filter(None, (info.key_id, info.algorithm)))),
    ]
    return [(name, value) for name, value in facts if value]


def pair_facts(answer: IssueTokenResponse | RefreshTokenResponse, now: datetime) -> list[Fact]:
    """What a newly minted token says, and when its session ends."""
    facts = info_facts(answer.info, now)
    if answer.HasField("refresh_expires_at"):
        facts.append(("refresh by", timestamp_words(answer, "refresh_expires_at", now)))
    return facts


def _user_facts(user: User) -> list[Fact]:
    return [
        ("user", user.id),
        ("role", user.role),
        ("name", user.name),
        ("image", user.image),
        ("custom", struct_words(user.custom) if user.HasField("custom") else ""),
    ]
