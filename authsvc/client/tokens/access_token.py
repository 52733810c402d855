"""An access token as its holder sees it: read without a key, so nothing in it is believed, only used to plan with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

from authsvc.client.tokens.faults import TokenInvalid
from authsvc.logs import SecretText
from authsvc.signing import base64url
from authsvc.signing.strict_json import JsonObject, read_object

MAX_LENGTH = 8 * 1024  # no verifier of ours reads a longer one; what says so there would load all of cryptography
_FORM = re.compile(r"[!-~]+\.[!-~]+\.[!-~]+", re.ASCII)  # what metadata can carry, in three parts
_TO_URL_ALPHABET = str.maketrans("+/", "-_")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The text of a token, which does not print, and what it says. Times are seconds since 1970 UTC; None: not said."""

    secret: SecretText
    user_id: str
    issued_at: float | None = None
    expires_at: float | None = None
    call_cids: tuple[str, ...] = ()
    channel_cids: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The token as it is sent."""
        return self.secret.reveal()


def read_access_token(text: object) -> AccessToken:
    """Read a token of ours, of a seed SDK or of development; raises ``TokenInvalid``, in words that do not show it.

    Only the one who verifies a token knows whether it is good: here it has a user and a form that can be sent.
    """
    if not isinstance(text, str):
        raise TokenInvalid.saying(f"a token is text, not {type(text).__name__}")
    if len(text) > MAX_LENGTH or not _FORM.fullmatch(text):
        raise TokenInvalid.saying("the text is no access token: three parts in base64url with dots between them")
    members = _members(text.split(".", 2)[1])
    user_id = members.get("user_id")
    if not isinstance(user_id, str) or not user_id:
        raise TokenInvalid.saying("the token does not say whose it is: it has no user_id")
    return AccessToken(
        secret=SecretText(text),
        user_id=user_id,
        issued_at=_moment(members, "iat"),
        expires_at=_moment(members, "exp"),
        call_cids=_texts(members.get("call_cids")),
        channel_cids=_texts(members.get("channel_cids")),
        audience=_texts(members.get("aud")),
    )


def _members(segment: str) -> JsonObject:
    # Development tokens are written in standard base64 with padding; what is sent stays as it was given.
    try:
        return read_object(base64url.decode(segment.rstrip("=").translate(_TO_URL_ALPHABET)))
    except ValueError:
        raise TokenInvalid.saying("the middle part of the token is not the base64url of a JSON object") from None


def _moment(members: JsonObject, name: str) -> float | None:
    value = members.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise TokenInvalid.saying(f"{name} of the token is not a number of seconds")
    return float(value)


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(each for each in values if isinstance(each, str))
