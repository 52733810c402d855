"""``authsvc apps create --secret-file``: an app made from a key and secret that exist already."""

from __future__ import annotations

from pathlib import Path

import pytest

from authsvc.model import Algorithm
from authsvc.signing import algorithms
from tests.cli.conftest import Run
from tests.signing.handmade import b64

SECRET = b"an imported secret of more than 32 bytes"


def vendor_token(secret: bytes) -> str:
    """A token as the seed vendor's server SDKs mint it."""
    parts = (b'{"alg":"HS256","typ":"JWT"}', b'{"user_id":"sara"}')
    message = ".".join(map(b64, parts))
    return f"{message}.{b64(algorithms.sign(Algorithm.HS256, secret, message.encode()))}"


def imported(cli: Run, file: str, *more: str, given: bytes | None = None) -> dict[str, str]:
    """The facts of a new app made from the secret in that file."""
    arguments = ("--api-key", "old", "--secret-file", file, "--set", "accept_unmanaged_tokens=true", *more)
    ended = cli("apps", "create", *arguments, given=given)
    assert ended.code == 0, ended.err
    return ended.facts


@pytest.mark.parametrize("newline", [b"", b"\n", b"\r\n"])
def test_the_secret_is_what_the_file_says(cli: Run, tmp_path: Path, newline: bytes) -> None:
    """The newline at the end that an editor adds is no part of the secret, and tokens under it are accepted."""
    file = tmp_path / "secret"
    file.write_bytes(SECRET + newline)
    facts = imported(cli, str(file))
    assert (facts["algorithm"], facts["secret"], facts["ever non-expiring"]) == ("HS256", "imported", "yes")
    assert cli("token", "validate", "--app", "old", vendor_token(SECRET)).code == 0
    assert cli("token", "validate", "--app", "old", vendor_token(SECRET + b"\n")).facts["status"] == "SIGNATURE_INVALID"


def test_one_newline_only_is_taken_away(cli: Run) -> None:
    """A second newline belongs to the secret; standard input is read as it is."""
    imported(cli, "-", given=SECRET + b"\n\n")
    assert cli("token", "validate", "--app", "old", vendor_token(SECRET + b"\n")).code == 0
    assert cli("token", "validate", "--app", "old", vendor_token(SECRET)).facts["status"] == "SIGNATURE_INVALID"


@pytest.mark.parametrize(("length", "weak"), [(31, True), (32, False)])
def test_a_weak_secret_is_warned_of(cli: Run, length: int, weak: bool) -> None:
    """Beside the answer, on standard error, and in every later look at the app; a strong one is not."""
    made = cli("apps", "create", "--api-key", "old", "--secret-file", "-", given=b"s" * length)
    assert (made.code, made.facts["secret"]) == (0, "imported, weak" if weak else "imported")
    assert made.err.startswith("WARNING: ") is weak
    assert (cli("apps", "get", "old").facts["secret"] == "imported, weak") is weak
    listed = {line.split()[0]: line for line in cli("apps", "list").out.splitlines()}
    assert ("imported, weak" in listed["old"]) is weak
    assert "imported" not in listed["dev"]
    assert cli("apps", "get", "old", "--json").json["app"]["weak_secret"] is weak


def test_the_warning_does_not_disturb_programs(cli: Run) -> None:
    """With --json standard output holds the one document all the same."""
    made = cli("apps", "create", "--api-key", "old", "--secret-file", "-", "--json", given=b"short")
    assert (made.json["app"]["imported_secret"], made.json["app"]["weak_secret"]) == (True, True)
    assert made.err.startswith("WARNING: ")


def test_the_secret_is_shown_nowhere(cli: Run) -> None:
    """Neither the answer nor the warning repeats what was read."""
    made = cli("apps", "create", "--api-key", "old", "--secret-file", "-", given=b"hush-hush")
    assert made.code == 0
    assert "hush-hush" not in made.out + made.err


@pytest.mark.parametrize(("content", "sentence"), [(b"", "is empty"), (b"\n", "is empty"), (None, "cannot be read")])
def test_no_secret_is_wrong_usage(offline: Run, tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """An empty file or none does not silently become an app with a key of its own."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    ended = offline("apps", "create", "--secret-file", str(file))
    assert (ended.code, ended.out) == (2, "")
    assert f"for --secret-file: {sentence}" in ended.err


def test_what_is_no_secret_is_the_services_to_refuse(cli: Run) -> None:
    """The text of a key, and one that is too long, are refused by field; nothing is made."""
    for secret in (b"-----BEGIN PUBLIC KEY-----\nMFkw", b"x" * 1025):
        ended = cli("apps", "create", "--api-key", "old", "--secret-file", "-", given=secret)
        assert (ended.code, "  secret: " in ended.err) == (1, True)
    assert cli("apps", "get", "old").err.startswith("APP_NOT_FOUND: ")


def test_never_expiring_tokens_cost_is_shown(cli: Run) -> None:
    """An app that once allowed tokens without an end says so, also after it stopped."""
    assert cli("apps", "get", "dev").facts["ever non-expiring"] == "no"
    cli("apps", "update", "dev", "--set", "allow_never_expires=true")
    assert cli("apps", "update", "dev", "--set", "allow_never_expires=false").facts["ever non-expiring"] == "yes"
