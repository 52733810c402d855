"""Settings: the environment, then a TOML file, then defaults; what is unsafe, unknown or misspelt stops the start.

Only the composition root and the command line read settings; everything else is given values.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from authsvc.logs import Level, LogSettingError, SecretText, parse_levels

PREFIX = "AUTHSVC_"
# Those of commands and programs that talk to a server.
CLIENT_NAMES = frozenset(
    f"{PREFIX}{name}"
    for name in ("TARGET", "CREDENTIAL", "CREDENTIAL_FILE", "API_KEY", "TLS_CA", "CLIENT_CERT", "CLIENT_KEY")
)
# Settings of the contract that this version does not act on: set, they would be promises it does not keep.
NOT_SERVED = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "MTLS_LISTEN",
        "HTTP_LISTEN",
        "TLS_CLIENT_CA",
        "WORKERS",
    )
)
# Kubernetes sets these for every service called "authsvc" in the namespace.
_OF_KUBERNETES = (f"{PREFIX}SERVICE_", f"{PREFIX}PORT")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)
_COULD_BE_LEVELS = re.compile(r"[A-Za-z0-9_.=, -]{0,128}", re.ASCII)
# What the library says in words for programmers.
_OUR_WORDS = dict.fromkeys(("bool_parsing", "bool_type"), "must be yes or no (true or false)")
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.*-]+):(?P<port>\d{1,5})", re.ASCII)


class SettingsInvalid(ValueError):
    """The settings do not let the server start; the text names each setting and what would be right."""


def span(value: object) -> object:
    """A duration: ``90``, ``90s``, ``15m``, ``1h`` or ``14d``."""
    if not isinstance(value, str):
        return value
    parts = _SPAN.fullmatch(value.strip())
    if parts is None:
        raise ValueError("must be a duration such as 15s, 5m or 1h")
    return timedelta(seconds=int(parts[1]) * _UNITS[parts[2]])


def _within_a_day(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= timedelta(days=1):
        raise ValueError("must be a duration from 0s to 1d")
    return value


def _a_second_or_more(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("must be at least 1s: changes are looked for four times a second")
    return value


def _a_file_or_stderr(value: object) -> object:
    return None if value in ("", "stderr") else value


def _secret(value: object) -> object:
    """A text that nothing prints; an empty one is none."""
    return (SecretText(value) if value else None) if isinstance(value, str) else value


Span = Annotated[timedelta, BeforeValidator(span), AfterValidator(_within_a_day)]


def networks(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Networks in CIDR notation, between commas; raises ``ValueError`` for what is none, and for all the world."""
    entries = [entry.strip() for entry in value.split(",")] if value else []
    try:
        found = tuple(map(ipaddress.ip_network, entries))
    except ValueError:
        raise ValueError("must be networks between commas, such as 10.0.0.0/8, 192.0.2.7, fd00::/8") from None
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("must not hold every address: then anyone could say to be anyone")
    return found


class Settings(BaseSettings):
    """What an operator chooses for a server; frozen."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False, arbitrary_types_allowed=True
    )

    listen: str = "127.0.0.1:50051"
    state_dir: Path = Path("var")
    store: str = Field(default="", repr=False)  # an address may hold a password
    kek_file: Path | None = None
    issuer: str = "authsvc"
    reflection: bool = False
    allow_plaintext: bool = False
    allow_development_tokens: bool = False
    trusted_proxies: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    log_levels: str = ""
    log_format: Literal["json", "console"] = "json"
    audit_log: Annotated[Path | None, BeforeValidator(_a_file_or_stderr)] = None
    sentry_dsn: Annotated[SecretText | None, BeforeValidator(_secret)] = None
    max_staleness: Annotated[Span, AfterValidator(_a_second_or_more)] = timedelta(seconds=5)
    shutdown_grace: Span = timedelta(seconds=15)
    lame_duck: Span = timedelta(seconds=2)

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = _ADDRESS.fullmatch(value)
        if parts is None or int(parts["port"]) > 65_535:
            raise ValueError("must be host:port, such as 127.0.0.1:50051 or [::1]:50051")
        return value

    @field_validator("issuer")
    @classmethod
    def _is_issuer(cls, value: str) -> str:
        if re.fullmatch(r"[!-~]{1,256}", value, re.ASCII) is None:
            raise ValueError("must be 1 to 256 visible ASCII characters")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks(value)
        return value

    @field_validator("log_levels")
    @classmethod
    def _are_levels(cls, value: str) -> str:
        try:
            parse_levels(value)
        except LogSettingError as fault:
            # What could be names is repeated, so that the slip is seen; an address pasted here by mistake is not.
            named = _COULD_BE_LEVELS.fullmatch(value) is not None
            raise ValueError(str(fault) if named else "must be <scope>=<level>, such as default=info") from None
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature, here and below
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but what is passed in: it is ``load_settings`` that reads the process."""
        return (init_settings,)

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("AUTHSVC_TLS_CERT and AUTHSVC_TLS_KEY go together: set both or neither")
        return self

    @property
    def store_url(self) -> str:
        """The store's address: the setting, or a database in the state directory."""
        return self.store or f"sqlite:///{self.state_dir / 'authsvc.db'}"

    @property
    def proxies(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The networks of proxies that are believed when they say whom they speak for."""
        return networks(self.trusted_proxies)

    @property
    def levels(self) -> Mapping[str, Level]:
        """Log levels by scope."""
        return parse_levels(self.log_levels)

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        host = self.listen.rpartition(":")[0].strip("[]")
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings of a process from its environment and from the file that this names.

    Raises ``SettingsInvalid`` for a name that is misspelt, one that this version does not act on, a value that does
    not parse, and a file that cannot be read or names something unknown.
    """
    check_names(environ)
    try:
        return Settings(**{**_of_file(environ.get(f"{PREFIX}CONFIG_FILE")), **_of_environment(environ)})
    except ValidationError as fault:
        raise SettingsInvalid("\n".join(map(_sentence, fault.errors()))) from None


def _of_environment(environ: Mapping[str, str]) -> Mapping[str, Any]:
    names = {name: f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    return {name: environ[variable] for name, variable in names.items() if variable in environ}


def _of_file(file: str | None) -> Mapping[str, Any]:
    if not file:
        return {}
    if not Path(file).is_file():
        raise SettingsInvalid(f"{PREFIX}CONFIG_FILE: there is no file {file}")
    try:
        return TomlConfigSettingsSource(Settings, Path(file))()
    except ValueError as fault:  # what a TOML parser says names a line, never a value
        raise SettingsInvalid(f"{PREFIX}CONFIG_FILE: {fault}") from None


def check_names(environ: Mapping[str, str]) -> None:
    """Raise ``SettingsInvalid`` for each name that is misspelt or that this version does not act on."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{PREFIX}CONFIG_FILE"}
    faults = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known | CLIENT_NAMES or name.startswith(_OF_KUBERNETES):
            continue
        if name in NOT_SERVED:
            faults.append(f"{name} is not supported by this version: unset it")
        else:
            nearest = difflib.get_close_matches(name.upper(), known | CLIENT_NAMES, n=1, cutoff=0.0)
            faults.append(f"{name} is not a setting; did you mean {nearest[0]}?")
    if faults:
        raise SettingsInvalid("\n".join(faults))


def _sentence(fault: Any) -> str:
    name = "_".join(str(part) for part in fault["loc"])
    variable = f"{PREFIX}{name.upper()}"
    if fault["type"] == "extra_forbidden":
        if variable in NOT_SERVED:
            return f"{name} in {PREFIX}CONFIG_FILE is not supported by this version: leave it out"
        nearest = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.0)
        return f"{name} in {PREFIX}CONFIG_FILE is not a setting; did you mean {nearest[0]}?"
    text: str = _OUR_WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
    return f"{variable}: {text}" if name else text
