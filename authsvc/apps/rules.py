"""What each setting of an app may be: one place for create, update and the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from authsvc.apps.requests import SETTINGS, Span, Wish, Wishes
from authsvc.errors import Faults
from authsvc.model import APP_ALGORITHMS, LONGEST_CLOCK_SKEW, Algorithm, AppSettings, Profile
from authsvc.signing.jwk import KeyRefused, not_key_text
from authsvc.verify.cid_patterns import MAX_PATTERNS, PATTERN_FORM, is_pattern
from authsvc.verify.identifiers import ROLE_FORM, check_audience, is_role

API_KEY_FORM = "1 to 64 of A-Z a-z 0-9 _ -, beginning with a letter or digit"
ISSUER_FORM = "1 to 256 visible ASCII characters"

MAX_ROLES = 20
MAX_SECRET_BYTES = 1024
_LONG = timedelta(days=3650)
_SECOND = timedelta(seconds=1)
_NOTHING = timedelta(0)

_API_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_ISSUER = re.compile(r"[!-~]{1,256}", re.ASCII)

_BOUNDS: Mapping[str, tuple[timedelta, timedelta]] = {
    "default_ttl": (_SECOND, _LONG),
    "max_ttl": (_SECOND, _LONG),
    "session_idle_ttl": (_SECOND, _LONG),
    "session_max_ttl": (_SECOND, _LONG),
    "refresh_grace": (_NOTHING, timedelta(seconds=60)),
    "refresh_replay_ttl": (_NOTHING, timedelta(hours=24)),
    "clock_skew": (_NOTHING, LONGEST_CLOCK_SKEW),
    "issued_at_backdate": (_NOTHING, timedelta(seconds=300)),
    # Keys that were rotated out are kept while their tokens can live: a shorter age would heap them up.
    "key_rotation_age": (timedelta(hours=1), _LONG),
}
_LONGEST = frozenset({"max_ttl", "session_max_ttl"})
_CHOICES: Mapping[str, Mapping[str, Algorithm | Profile]] = {
    "algorithm": {member.value: member for member in APP_ALGORITHMS},
    "profile": {member.value: member for member in Profile},
}
_LISTS: Mapping[str, tuple[int, Callable[[str], bool], str]] = {
    "anonymous_roles": (MAX_ROLES, is_role, f"roles: {ROLE_FORM}"),
    "public_anonymous_cids": (MAX_PATTERNS, is_pattern, f"patterns: {PATTERN_FORM}"),
}
_DEFAULTS = AppSettings()


def check_api_key(api_key: str, faults: Faults) -> None:
    """An api_key is of the form of api_keys."""
    if _API_KEY.fullmatch(api_key) is None:
        faults.add("api_key", f"must be {API_KEY_FORM}, or empty for one to be made")


def check_secret(secret: bytes, settings: AppSettings, faults: Faults) -> None:
    """An imported secret is for HS256, of a bounded size, and not the text of an asymmetric key."""
    if not secret:
        return
    if settings.algorithm is not Algorithm.HS256:
        faults.add("settings.algorithm", "must be HS256, or left out, where a secret is imported")
    if len(secret) > MAX_SECRET_BYTES:
        faults.add("secret", f"must have at most {MAX_SECRET_BYTES} bytes")
    try:
        not_key_text(secret)
    except KeyRefused as refused:
        faults.add("secret", f"is refused: {refused}")


def check_unmanaged(settings: AppSettings, *, imported: bool, faults: Faults) -> None:
    """Unmanaged tokens are verified by an imported secret: without one there is nothing to accept."""
    if settings.accept_unmanaged_tokens and not imported:
        faults.add("settings.accept_unmanaged_tokens", "needs an app that was made from an imported secret")


def check_mask(mask: tuple[str, ...], faults: Faults) -> None:
    """A mask names at least one setting, and only settings there are."""
    if not mask:
        faults.add("update_mask", "must name the settings to change")
    for index, path in enumerate(mask):
        if path not in SETTINGS:
            faults.add(f"update_mask.paths[{index}]", "is not the name of a setting")


def settings_with(
    current: AppSettings, wishes: Wishes, names: Iterable[str], *, server_issuer: str, faults: Faults
) -> AppSettings:
    """``current`` with the named settings as wished; every fault is noted under ``settings.<name>``."""
    changed = {name: _value(name, wishes[name], server_issuer, faults) for name in names}
    # The names are those of the fields and the values of their types; only mypy cannot see it.
    settings: AppSettings = replace(current, **changed)  # type: ignore[arg-type]
    _check_together(settings, faults)
    return settings


def _value(name: str, wish: Wish, server_issuer: str, faults: Faults) -> object:
    default = server_issuer if name == "issuer" else getattr(_DEFAULTS, name)
    if not wish:  # a Span is never falsy: a duration of zero is a value
        return default
    match wish:
        case Span():
            return _duration(name, wish, faults)
        case str() if name in _CHOICES:
            return _choice(name, wish, faults)
        case str():
            _check_text(name, wish, faults)
        case tuple():
            _check_texts(name, wish, faults)
    return wish


def _duration(name: str, wish: Span, faults: Faults) -> timedelta:
    lowest, highest = _BOUNDS[name]
    if wish.nanos != 0:
        faults.add(f"settings.{name}", "must be whole seconds")
    elif not lowest.total_seconds() <= wish.seconds <= highest.total_seconds():
        limits = f"{int(lowest.total_seconds())} to {int(highest.total_seconds())} seconds"
        faults.add(f"settings.{name}", f"must be {limits}")
    else:
        return timedelta(seconds=wish.seconds)
    # Stands in for a faulty wish and fits whatever it is compared with, so that no fault follows from another.
    return highest if name in _LONGEST else lowest


def _choice(name: str, wish: str, faults: Faults) -> Algorithm | Profile:
    known = _CHOICES[name]
    if wish not in known:
        faults.add(f"settings.{name}", f"must be one of {', '.join(known)}: this version has no other")
    return known.get(wish, next(iter(known.values())))


def _check_text(name: str, wish: str, faults: Faults) -> None:
    if name == "issuer" and _ISSUER.fullmatch(wish) is None:
        faults.add("settings.issuer", f"must be {ISSUER_FORM}")
    if name == "anonymous_role" and not is_role(wish):
        faults.add("settings.anonymous_role", f"must be {ROLE_FORM}")


def _check_texts(name: str, wish: tuple[str, ...], faults: Faults) -> None:
    field = f"settings.{name}"
    if name == "default_audience":
        check_audience(wish, faults, field)
        return
    most, fits, form = _LISTS[name]
    if len(wish) > most:
        faults.add(field, f"must have at most {most} entries")
    if len(set(wish)) != len(wish):
        faults.add(field, "lists an entry twice")
    if not all(map(fits, wish)):
        faults.add(field, f"must list {form}")


def _check_together(settings: AppSettings, faults: Faults) -> None:
    if settings.default_ttl > settings.max_ttl:
        faults.add("settings.default_ttl", "must not be longer than max_ttl")
    if settings.session_idle_ttl > settings.session_max_ttl:
        faults.add("settings.session_idle_ttl", "must not be longer than session_max_ttl")
