"""The KEK file: who may read it, what it may be, and in which forms it may hold its 32 bytes."""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path

import pytest

from authsvc.signing.sealing import KekUnusable, load_kek

SECRET = bytes(range(200, 232))
HEX = SECRET.hex().encode()
STANDARD = base64.b64encode(b"\xfb\xef\xff" * 10 + b"\xfb\xef")
URLSAFE = base64.urlsafe_b64encode(b"\xfb\xef\xff" * 10 + b"\xfb\xef")


def kek_file(directory: Path, content: bytes = HEX, mode: int = 0o600) -> Path:
    path = directory / "kek"
    path.write_bytes(content)
    path.chmod(mode)
    return path


FORMS = {
    "raw": (SECRET, SECRET),
    "raw, all of it white space": (b" \n\t\r" * 8, b" \n\t\r" * 8),
    "raw, ending in a newline": (SECRET[:-1] + b"\n", SECRET[:-1] + b"\n"),
    "hexadecimal": (HEX, SECRET),
    "hexadecimal and newline": (HEX + b"\n", SECRET),
    "hexadecimal and CRLF": (HEX + b"\r\n", SECRET),
    "hexadecimal, upper case": (HEX.upper(), SECRET),
    "base64": (STANDARD, b"\xfb\xef\xff" * 10 + b"\xfb\xef"),
    "base64 and newline": (STANDARD + b"\n", b"\xfb\xef\xff" * 10 + b"\xfb\xef"),
    "base64url": (URLSAFE, b"\xfb\xef\xff" * 10 + b"\xfb\xef"),
    "base64url without padding": (URLSAFE.rstrip(b"="), b"\xfb\xef\xff" * 10 + b"\xfb\xef"),
    "base64url without padding, newline": (URLSAFE.rstrip(b"=") + b"\n", b"\xfb\xef\xff" * 10 + b"\xfb\xef"),
}


@pytest.mark.parametrize(("content", "secret"), FORMS.values(), ids=FORMS.keys())
def test_forms(tmp_path: Path, content: bytes, secret: bytes) -> None:
    """32 bytes may be given raw, as 64 hex digits, or as base64 of either alphabet."""
    assert load_kek(kek_file(tmp_path, content)).secret == secret


NOT_32_BYTES = {
    "empty": b"",
    "a newline": b"\n",
    "31 bytes": SECRET[:-1],
    "33 bytes": SECRET + b"\0",
    "raw and a newline": SECRET + b"\n",
    "32 hex digits, half a key": HEX[:32],
    "63 hex digits": HEX[:-1],
    "65 hex digits": HEX + b"0",
    "66 hex digits": HEX + b"00",
    "hex digits with a space within": HEX[:32] + b" " + HEX[32:],
    "hex with a prefix": b"0x" + HEX,
    "base64 of 31 bytes": base64.b64encode(SECRET[:-1]),
    "base64 of 33 bytes": base64.b64encode(SECRET + b"\0"),
    "base64 with stray bits": URLSAFE.rstrip(b"=")[:-1] + b"9",
    "two lines": HEX + b"\n" + HEX,
    "a PEM": b"-----BEGIN PRIVATE KEY-----\n" + STANDARD + b"\n-----END PRIVATE KEY-----\n",
    "letters that are none of ASCII": "é".encode() * 20,
    "a megabyte": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("content", NOT_32_BYTES.values(), ids=NOT_32_BYTES.keys())
def test_what_is_not_32_bytes_is_refused(tmp_path: Path, content: bytes) -> None:
    """Anything else is refused with a sentence that says what the file must hold, and not what it holds."""
    with pytest.raises(KekUnusable, match="must hold 32 bytes") as refused:
        load_kek(kek_file(tmp_path, content))
    assert HEX.decode() not in str(refused.value)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640, 0o700])
def test_modes_that_do(tmp_path: Path, mode: int) -> None:
    """Owner and group may read it: containers are given secrets through a group."""
    assert load_kek(kek_file(tmp_path, mode=mode)).secret == SECRET


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o644, 0o666, 0o620, 0o660, 0o777])
def test_modes_that_do_not(tmp_path: Path, mode: int) -> None:
    """A file that others can touch at all, or that the group can write, is refused, and how to mend it is said."""
    with pytest.raises(KekUnusable, match="chmod 600"):
        load_kek(kek_file(tmp_path, mode=mode))


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A chain of links, as Kubernetes mounts secrets, leads to the file."""
    (tmp_path / "..2026").mkdir()
    kek_file(tmp_path / "..2026")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "kek").symlink_to("..data/kek")
    assert load_kek(tmp_path / "kek").secret == SECRET


def test_the_file_behind_the_link_is_judged(tmp_path: Path) -> None:
    """A link to a file that is open to others is refused, although the link is in a closed place."""
    target = kek_file(tmp_path, mode=0o644)
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(KekUnusable, match="open to others"):
        load_kek(tmp_path / "link")


def test_a_missing_file(tmp_path: Path) -> None:
    """A missing file and a link to nowhere are refused by name."""
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("missing", "link", "kek/below"):
        with pytest.raises(KekUnusable, match=f"{name} cannot be read"):
            load_kek(tmp_path / name)


def test_a_directory_is_no_kek(tmp_path: Path) -> None:
    """A directory is refused in the same way as any other thing that cannot be a KEK."""
    tmp_path.chmod(0o700)
    with pytest.raises(KekUnusable, match="not a regular file"):
        load_kek(tmp_path)


def test_a_pipe_is_no_kek_and_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes to is refused at once."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KekUnusable, match="not a regular file"):
        load_kek(tmp_path / "pipe")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """However the file was judged, it is closed again."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"short")
    bad.chmod(0o600)
    load_kek(kek_file(tmp_path))
    for path in (bad, tmp_path):
        with pytest.raises(KekUnusable):
            load_kek(path)
    assert not open_below(tmp_path)
    with bad.open():
        assert open_below(tmp_path) == [bad]


def open_below(directory: Path) -> list[Path]:
    """What this process has open in a directory, or the directory itself."""
    paths = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since the listing was made
            paths.append(descriptor.readlink())
    return [path for path in paths if path == directory or directory in path.parents]
