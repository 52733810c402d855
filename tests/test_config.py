"""Settings: where they come from, which ones there are, and the sentence for each that is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from authsvc.config import NOT_SERVED, Settings, SettingsInvalid, load_settings
from authsvc.logs import Level, SecretText

SECRET = "postgresql://user:canary-password@db/authsvc"

# Every setting of this version, and a value that is not its default.
VALUES: dict[str, tuple[str, str, Any]] = {
    "AUTHSVC_LISTEN": ("[::1]:0", "listen", "[::1]:0"),
    "AUTHSVC_STATE_DIR": ("/srv/state", "state_dir", Path("/srv/state")),
    "AUTHSVC_STORE": ("sqlite:////srv/a.db", "store", "sqlite:////srv/a.db"),
    "AUTHSVC_KEK_FILE": ("/run/kek", "kek_file", Path("/run/kek")),
    "AUTHSVC_ISSUER": ("https://issuer.example", "issuer", "https://issuer.example"),
    "AUTHSVC_REFLECTION": ("true", "reflection", True),
    "AUTHSVC_ALLOW_PLAINTEXT": ("true", "allow_plaintext", True),
    "AUTHSVC_ALLOW_DEVELOPMENT_TOKENS": ("true", "allow_development_tokens", True),
    "AUTHSVC_TRUSTED_PROXIES": ("10.0.0.0/8, fd00::/8", "trusted_proxies", "10.0.0.0/8, fd00::/8"),
    "AUTHSVC_LOG_LEVELS": ("default=warn,storage=debug", "log_levels", "default=warn,storage=debug"),
    "AUTHSVC_LOG_FORMAT": ("console", "log_format", "console"),
    "AUTHSVC_AUDIT_LOG": ("/var/log/audit.jsonl", "audit_log", Path("/var/log/audit.jsonl")),
    "AUTHSVC_SENTRY_DSN": ("https://key@sentry.invalid/7", "sentry_dsn", SecretText("https://key@sentry.invalid/7")),
    "AUTHSVC_SHUTDOWN_GRACE": ("90", "shutdown_grace", timedelta(seconds=90)),
    "AUTHSVC_LAME_DUCK": ("0s", "lame_duck", timedelta(0)),
    "AUTHSVC_MAX_STALENESS": ("1s", "max_staleness", timedelta(seconds=1)),
}
PAIR = {"AUTHSVC_TLS_CERT": "/tls/crt", "AUTHSVC_TLS_KEY": "/tls/key"}


def refusal(environ: dict[str, str]) -> str:
    """The sentences that these settings are refused with."""
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(environ)
    return str(refused.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a configuration file may be written."""
    return tmp_path / "authsvc.toml"


def with_file(file: Path, text: str, **environ: str) -> dict[str, str]:
    """An environment that names a configuration file with that text."""
    file.write_text(text)
    return {"AUTHSVC_CONFIG_FILE": str(file), **environ}


def test_an_empty_environment_gives_the_published_defaults() -> None:
    """What a server does when nobody says anything."""
    settings = load_settings({})
    assert settings.model_dump() == {
        "listen": "127.0.0.1:50051",
        "state_dir": Path("var"),
        "store": "",
        "kek_file": None,
        "issuer": "authsvc",
        "reflection": False,
        "allow_plaintext": False,
        "trusted_proxies": "",
        "allow_development_tokens": False,
        "tls_cert": None,
        "tls_key": None,
        "log_levels": "",
        "log_format": "json",
        "audit_log": None,
        "sentry_dsn": None,
        "shutdown_grace": timedelta(seconds=15),
        "lame_duck": timedelta(seconds=2),
        "max_staleness": timedelta(seconds=5),
    }
    assert settings.store_url == "sqlite:///var/authsvc.db"


@pytest.mark.parametrize("variable", VALUES)
def test_each_setting_is_read_from_the_environment(variable: str) -> None:
    """Under its published name; all others keep their defaults."""
    value, name, expected = VALUES[variable]
    assert load_settings({variable: value}) == Settings(**{name: expected})


@pytest.mark.parametrize(
    ("value", "networks"),
    [
        ("", []),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("192.0.2.7", ["192.0.2.7/32"]),
        ("10.0.0.0/8,fd00::/8 , ::1", ["10.0.0.0/8", "fd00::/8", "::1/128"]),
    ],
)
def test_trusted_proxies_are_networks(value: str, networks: list[str]) -> None:
    """Networks and single addresses of both families, between commas; none by default."""
    assert list(map(str, load_settings({"AUTHSVC_TRUSTED_PROXIES": value}).proxies)) == networks


@pytest.mark.parametrize(
    "value", ["10.0.0.1/8", "10.0.0.0/33", "10.0.0", "proxy.internal", "10.0.0.0/8,", ",", " ", "10.0.0.0/8;fd00::/8"]
)
def test_what_is_no_network_is_refused(value: str) -> None:
    """A mistake would mean that everyone behind the proxy is one address, so it stops the start."""
    assert refusal({"AUTHSVC_TRUSTED_PROXIES": value}).startswith("AUTHSVC_TRUSTED_PROXIES: must be networks")


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::/0", "10.0.0.0/8,::/0"])
def test_not_all_the_world_is_trusted(value: str) -> None:
    """Whoever trusts every peer believes every caller."""
    assert refusal({"AUTHSVC_TRUSTED_PROXIES": value}).startswith(
        "AUTHSVC_TRUSTED_PROXIES: must not hold every address"
    )


def test_the_pair_of_tls_files_is_read() -> None:
    """Both files of the pair, by their paths."""
    settings = load_settings(PAIR)
    assert (settings.tls_cert, settings.tls_key) == (Path("/tls/crt"), Path("/tls/key"))


@pytest.mark.parametrize("alone", PAIR)
def test_half_a_pair_of_tls_files_is_refused(alone: str) -> None:
    """A certificate without a key, or the reverse, would silently serve in the clear."""
    assert refusal({alone: "/x"}) == "AUTHSVC_TLS_CERT and AUTHSVC_TLS_KEY go together: set both or neither"


def test_an_address_that_may_hold_a_password_is_not_printed() -> None:
    """Settings may be shown in a traceback: the store's address is not."""
    assert "canary" not in repr(load_settings({"AUTHSVC_STORE": SECRET}))


def test_the_dsn_of_sentry_is_not_printed(file: Path) -> None:
    """It holds a key, wherever it comes from; an empty one is none."""
    for environ in ({"AUTHSVC_SENTRY_DSN": SECRET}, with_file(file, f'sentry_dsn = "{SECRET}"')):
        settings = load_settings(environ)
        assert settings.sentry_dsn == SecretText(SECRET)
        assert "canary" not in f"{settings!r} {settings.model_dump()}"
    assert load_settings({"AUTHSVC_SENTRY_DSN": ""}).sentry_dsn is None


@pytest.mark.parametrize("value", ["", "stderr"])
def test_the_audit_goes_to_stderr_unless_told(value: str) -> None:
    """So said, or with nothing said, it has no file: not one of that name in the working directory."""
    assert load_settings({"AUTHSVC_AUDIT_LOG": value}).audit_log is None


def test_nothing_is_read_behind_the_callers_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is the one that is passed in, and settings made by hand read none at all."""
    monkeypatch.setenv("AUTHSVC_STORE", SECRET)
    monkeypatch.setenv("AUTHSVC_MISSPELT", "x")
    assert load_settings({}).store == ""
    assert Settings().store == ""


def test_settings_do_not_change() -> None:
    """They are decided once, at the start."""
    settings = load_settings({})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, "listen", "0.0.0.0:1")  # noqa: B010 - the type checker knows already


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", timedelta(seconds=90)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("1d", timedelta(days=1)),
        (" 5s ", timedelta(seconds=5)),
        ("0", timedelta(0)),
    ],
)
def test_a_duration_has_a_unit(text: str, expected: timedelta) -> None:
    """Seconds, minutes, hours or days; seconds where none is written."""
    assert load_settings({"AUTHSVC_SHUTDOWN_GRACE": text}).shutdown_grace == expected


@pytest.mark.parametrize("text", ["", "-5s", "5 s", "1.5h", "1h30m", "5w", "five", "PT5S", "٥", "1e3"])
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    """With the forms that would be right."""
    assert refusal({"AUTHSVC_LAME_DUCK": text}) == "AUTHSVC_LAME_DUCK: must be a duration such as 15s, 5m or 1h"


@pytest.mark.parametrize("text", ["2d", "999999999d", "86401"])
def test_a_duration_beyond_a_day_is_refused(text: str) -> None:
    """A server that ends tomorrow is a mistake."""
    assert refusal({"AUTHSVC_SHUTDOWN_GRACE": text}) == "AUTHSVC_SHUTDOWN_GRACE: must be a duration from 0s to 1d"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("AUTHSVC_LISTEN", "50051", "must be host:port, such as 127.0.0.1:50051 or [::1]:50051"),
        ("AUTHSVC_LISTEN", "127.0.0.1:65536", "must be host:port, such as 127.0.0.1:50051 or [::1]:50051"),
        ("AUTHSVC_LISTEN", "unix:/tmp/x", "must be host:port, such as 127.0.0.1:50051 or [::1]:50051"),
        ("AUTHSVC_LISTEN", "", "must be host:port, such as 127.0.0.1:50051 or [::1]:50051"),
        ("AUTHSVC_LISTEN", "127.0.0.1:50051\n", "must be host:port, such as 127.0.0.1:50051 or [::1]:50051"),
        ("AUTHSVC_ISSUER", "", "must be 1 to 256 visible ASCII characters"),
        ("AUTHSVC_ISSUER", "two words", "must be 1 to 256 visible ASCII characters"),
        ("AUTHSVC_ISSUER", "ä", "must be 1 to 256 visible ASCII characters"),
        ("AUTHSVC_ISSUER", "x" * 257, "must be 1 to 256 visible ASCII characters"),
        ("AUTHSVC_REFLECTION", "maybe", "must be yes or no (true or false)"),
        ("AUTHSVC_LOG_FORMAT", "xml", "Input should be 'json' or 'console'"),
        (
            "AUTHSVC_LOG_LEVELS",
            "default=loud",
            "unknown level 'loud'. Known: trace, debug, info, warn, error",
        ),
    ],
)
def test_a_value_that_is_wrong_is_named_with_what_would_be_right(variable: str, value: str, sentence: str) -> None:
    """The setting's name and one sentence."""
    assert refusal({variable: value}) == f"{variable}: {sentence}"


def test_all_wrong_settings_are_named_at_once() -> None:
    """One line each, so that they are mended in one go."""
    lines = refusal({"AUTHSVC_LISTEN": "x", "AUTHSVC_LAME_DUCK": "y", "AUTHSVC_ISSUER": ""}).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["AUTHSVC_LISTEN", "AUTHSVC_ISSUER", "AUTHSVC_LAME_DUCK"]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("AUTHSVC_LISTN", "AUTHSVC_LISTEN"),
        ("AUTHSVC_LOGLEVELS", "AUTHSVC_LOG_LEVELS"),
        ("AUTHSVC_KEKFILE", "AUTHSVC_KEK_FILE"),
        ("AUTHSVC_STATEDIR", "AUTHSVC_STATE_DIR"),
        ("AUTHSVC_CONFIG", "AUTHSVC_CONFIG_FILE"),
        ("AUTHSVC_CREDENTIALS", "AUTHSVC_CREDENTIAL"),
        ("AUTHSVC_Listen", "AUTHSVC_LISTEN"),
    ],
)
def test_a_misspelt_name_stops_the_start(misspelt: str, meant: str) -> None:
    """With the nearest name; a switch that is silently not thrown is worse than none."""
    assert refusal({misspelt: "canary"}) == f"{misspelt} is not a setting; did you mean {meant}?"


def test_a_name_like_nothing_stops_it_too() -> None:
    """However far away the nearest name is."""
    assert refusal({"AUTHSVC_ZZZ": "1"}).startswith("AUTHSVC_ZZZ is not a setting; did you mean AUTHSVC_")


@pytest.mark.parametrize("variable", sorted(NOT_SERVED))
def test_a_setting_of_another_version_is_refused_by_name(variable: str) -> None:
    """What this version does not act on is never accepted and ignored."""
    assert refusal({variable: "x"}) == f"{variable} is not supported by this version: unset it"


@pytest.mark.parametrize("variable", sorted(NOT_SERVED))
def test_a_setting_of_another_version_is_refused_in_a_file_too(file: Path, variable: str) -> None:
    """With the words of a file."""
    name = variable.removeprefix("AUTHSVC_").lower()
    expected = f"{name} in AUTHSVC_CONFIG_FILE is not supported by this version: leave it out"
    assert refusal(with_file(file, f'{name} = "x"')) == expected


@pytest.mark.parametrize("value", ["0", "0s"])
def test_memory_is_fresh_for_a_second_at_least(value: str) -> None:
    """A bound that looking four times a second cannot keep would be a server that never answers."""
    assert refusal({"AUTHSVC_MAX_STALENESS": value}) == (
        "AUTHSVC_MAX_STALENESS: must be at least 1s: changes are looked for four times a second"
    )


def test_what_is_served_and_what_is_not_are_apart() -> None:
    """No setting is both."""
    assert NOT_SERVED.isdisjoint(f"AUTHSVC_{name.upper()}" for name in Settings.model_fields)


@pytest.mark.parametrize(
    "variable",
    [
        "AUTHSVC_SERVICE_HOST",
        "AUTHSVC_SERVICE_PORT",
        "AUTHSVC_SERVICE_PORT_GRPC",
        "AUTHSVC_PORT",
        "AUTHSVC_PORT_50051_TCP_ADDR",
        "AUTHSVC_TARGET",
        "AUTHSVC_CREDENTIAL",
        "AUTHSVC_CREDENTIAL_FILE",
        "AUTHSVC_API_KEY",
        "AUTHSVC_TLS_CA",
        "AUTHSVC_CLIENT_CERT",
        "AUTHSVC_CLIENT_KEY",
        "OTHER_LISTEN",
        "authsvc_listen",
    ],
)
def test_names_of_others_are_ignored(variable: str) -> None:
    """Those that Kubernetes sets for a service of our name, those of our own client, those of anyone else."""
    assert load_settings({variable: "tcp://10.0.0.1:50051"}) == Settings()


def test_a_file_gives_settings(file: Path) -> None:
    """Under their names in lower case, with the types of TOML."""
    text = 'listen = "127.0.0.1:1"\nreflection = true\nshutdown_grace = 20\nlame_duck = "1m"\nkek_file = "kek"\n'
    assert load_settings(with_file(file, text)) == Settings(
        listen="127.0.0.1:1",
        reflection=True,
        shutdown_grace=timedelta(seconds=20),
        lame_duck=timedelta(minutes=1),
        kek_file=Path("kek"),
    )


def test_the_environment_wins_over_the_file(file: Path) -> None:
    """Setting by setting: what only the file names stays."""
    settings = load_settings(with_file(file, 'listen = "127.0.0.1:1"\nissuer = "file"\n', AUTHSVC_LISTEN="127.0.0.1:2"))
    assert (settings.listen, settings.issuer) == ("127.0.0.1:2", "file")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('lisen = "x"', "lisen in AUTHSVC_CONFIG_FILE is not a setting; did you mean listen?"),
        ('config_file = "x"', "config_file in AUTHSVC_CONFIG_FILE is not a setting; did you mean"),
        ('[server]\nlisten = "x"', "server in AUTHSVC_CONFIG_FILE is not a setting; did you mean"),
        ("listen = 5", "AUTHSVC_LISTEN: Input should be a valid string"),
        ("reflection = []", "AUTHSVC_REFLECTION: must be yes or no (true or false)"),
        ('listen = ["127.0.0.1:1"]', "AUTHSVC_LISTEN: Input should be a valid string"),
        ("lame_duck = -5", "AUTHSVC_LAME_DUCK: must be a duration from 0s to 1d"),
        ("lame_duck = inf", "AUTHSVC_LAME_DUCK: "),
        ("lame_duck = nan", "AUTHSVC_LAME_DUCK: "),
        ('listen = "canary', "AUTHSVC_CONFIG_FILE: Unterminated string"),
        ('issuer = "a"\nissuer = "canary"', "AUTHSVC_CONFIG_FILE: Cannot overwrite a value"),
        ("canary", "AUTHSVC_CONFIG_FILE: "),
    ],
)
def test_a_file_with_faults_is_refused(file: Path, text: str, sentence: str) -> None:
    """By the setting or the place in the file, never with what stands there."""
    found = refusal(with_file(file, text))
    assert found.startswith(sentence)
    assert "canary" not in found.removeprefix("canary in")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With its path; a directory is no file."""
    assert refusal({"AUTHSVC_CONFIG_FILE": f"{tmp_path}/none"}) == (
        f"AUTHSVC_CONFIG_FILE: there is no file {tmp_path}/none"
    )
    assert "there is no file" in refusal({"AUTHSVC_CONFIG_FILE": str(tmp_path)})


@pytest.mark.parametrize("variable", sorted([*VALUES, *NOT_SERVED, "AUTHSVC_STOR", "AUTHSVC_LISTN"]))
def test_no_sentence_repeats_a_value_that_may_be_secret(variable: str) -> None:
    """A connection string pasted into any setting is not printed back."""
    assert "canary" not in refusal({variable: SECRET, "AUTHSVC_LAME_DUCK": "x"})


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.9.10:1", True),
        ("localhost:50051", True),
        ("[::1]:50051", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        ("*:50051", False),
        ("10.0.0.1:50051", False),
        ("localhost.example:50051", False),
        ("[::ffff:10.0.0.1]:50051", False),
    ],
)
def test_loopback_is_told_from_the_network(address: str, loopback: bool) -> None:
    """Whether only this machine can reach the server."""
    assert load_settings({"AUTHSVC_LISTEN": address}).on_loopback is loopback


def test_log_levels_are_read_by_scope() -> None:
    """Each scope with its level."""
    settings = load_settings({"AUTHSVC_LOG_LEVELS": "default=warn,storage=debug"})
    assert settings.levels == {"default": Level.WARN, "storage": Level.DEBUG}
