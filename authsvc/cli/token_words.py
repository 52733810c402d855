"""What an access token says, for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from authsvc.cli.output import Fact
from authsvc.cli.words import enum_word, struct_words, timestamp_words, yes_or_no
from authsvc.model import LONGEST_CLOCK_SKEW
from authsvc.v1.auth_pb2 import IssueTokenResponse, RefreshTokenResponse, TokenInfo, User, ValidateTokenResponse


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


def verdict_facts(answer: ValidateTokenResponse, now: datetime) -> list[Fact]:
    """The verdict, and what the token says where that is believed."""
    facts = [
        ("active", yes_or_no(answer.active)),
        ("status", enum_word(answer, "status")),
        ("message", answer.message),
        ("note", _note(answer, now)),
        ("error code", str(answer.error_code) if answer.error_code else ""),
    ]
    info = info_facts(answer.info, now) if answer.HasField("info") else []
    return [*((name, value) for name, value in facts if value or name == "message"), *info]


def _note(answer: ValidateTokenResponse, now: datetime) -> str:
    """Why a token is active though its end is past."""
    if not answer.active or not answer.info.HasField("expires_at"):
        return ""
    past = now - answer.info.expires_at.ToDatetime(UTC)
    if past <= timedelta(0):
        return ""
    if past < LONGEST_CLOCK_SKEW:
        return "its end is past, but not by more than the app's clock_skew allows: soon it is EXPIRED"
    return "its end is past by the clock of this machine, but not by the server's: one of them is wrong"


def _user_facts(user: User) -> list[Fact]:
    return [
        ("user", user.id),
        ("role", user.role),
        ("name", user.name),
        ("image", user.image),
        ("custom", struct_words(user.custom) if user.HasField("custom") else ""),
    ]
