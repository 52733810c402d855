"""How long a token may live: one of ttl, expires_at and never_expires, or the app's default."""

from __future__ import annotations

from datetime import datetime, timedelta

from authsvc.errors import CallerForbidden, Faults, Reason
from authsvc.model import AppSettings
from authsvc.tokens.mint import seconds_after
from authsvc.tokens.requests import ExpiresAt, Lifetime, NeverExpires, Seconds, Ttl


def expiry(lifetime: Lifetime | None, settings: AppSettings, now: datetime, faults: Faults) -> int | None:
    """The ``exp`` of a token with that lifetime, in seconds since 1970 UTC; None: it never expires.

    Zero, negative, past and fractional lifetimes are faults, and so is one beyond the app's max_ttl (TTL_TOO_LONG):
    a duration passed as a date, or a date in milliseconds, fails loudly. Raises ``CallerForbidden`` for
    never_expires where the app does not allow it.
    """
    match lifetime:
        case None:
            return seconds_after(now, settings.default_ttl)
        case Ttl(value):
            return int(now.timestamp()) + _checked(value, "ttl", value.seconds, settings, faults)
        case ExpiresAt(value):
            ahead = _checked(value, "expires_at", value.seconds - int(now.timestamp()), settings, faults)
            return int(now.timestamp()) + ahead
        case NeverExpires(value):
            _check_never(value, settings, faults)
            return None


def access_ttl(lifetime: Lifetime | None, settings: AppSettings) -> timedelta:
    """How long each access token of a session lives, given a lifetime that ``expiry`` found no fault with."""
    return timedelta(seconds=lifetime.value.seconds) if isinstance(lifetime, Ttl) else settings.default_ttl


def _checked(value: Seconds, field: str, ahead: int, settings: AppSettings, faults: Faults) -> int:
    """Seconds ahead of now, or 0 with a fault noted."""
    if value.nanos != 0:
        faults.add(field, "must be whole seconds")
    elif ahead <= 0:
        faults.add(field, "must lie in the future" if field == "expires_at" else "must be more than 0 seconds")
    elif ahead > settings.max_ttl.total_seconds():
        longest = int(settings.max_ttl.total_seconds())
        faults.add(field, f"must be at most {longest} seconds ahead (the app's max_ttl)", Reason.TTL_TOO_LONG)
    else:
        return ahead
    return 0


def _check_never(value: bool, settings: AppSettings, faults: Faults) -> None:
    if not value:
        faults.add("never_expires", "is present but false: leave it out")
    elif not settings.allow_never_expires:
        raise CallerForbidden(Reason.NEVER_EXPIRES_NOT_ALLOWED)
