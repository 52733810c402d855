"""`pip install authsvc` into an empty environment: the client, what it needs, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import authsvc.client as sdk
from authsvc import __version__
from authsvc.clock import system_clock
from tests.conftest import HandClock, RunningServer
from tests.packaging.conftest import INSTALLING_S, PIP, RUNNING_S, Environment
from tools.locks import ROOT

pytestmark = pytest.mark.timeout(300)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

LIVE = """
import sys
from authsvc.client import AuthClient, NotFound
from authsvc.v1 import auth_pb2

with AuthClient(*sys.argv[1:]) as client:
    user = auth_pb2.User(id="sara")
    issued = client.issue_token(auth_pb2.IssueTokenRequest(api_key="dev", user=user, refreshable=True))
    renewed = client.refresh_token(auth_pb2.RefreshTokenRequest(refresh_token=issued.refresh_token))
    verdict = client.validate_token(auth_pb2.ValidateTokenRequest(api_key="dev", token=renewed.token))
    print(verdict.active, verdict.info.user.id)
    try:
        client.issue_token(auth_pb2.IssueTokenRequest(api_key="nosuch", user=user))
    except NotFound as error:
        print(error.reason)
"""

AWAITED = """
import asyncio, sys
from authsvc.client import AsyncAuthClient
from authsvc.v1 import auth_pb2

async def main():
    async with AsyncAuthClient(*sys.argv[1:]) as client:
        wish = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"))
        print(len((await client.issue_token(wish)).token.split(".")))

asyncio.run(main())
"""

BACKEND = """
import asyncio
from examples.token_backend import COOKIE, from_environment

async def main():
    scope = {"type": "http", "method": "GET", "path": "/api/token", "query_string": b"", "root_path": ""}
    scope["headers"] = [(b"cookie", COOKIE.encode() + b"=cookie-of-sara")]

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            print(message["status"])

    await from_environment()(scope, receive, send)

asyncio.run(main())
"""

EVERYTHING = """
import json, sys
import authsvc.client as sdk
for name in sdk.__all__:
    getattr(sdk, name)
print(json.dumps([__import__("authsvc").__file__, sorted(sdk.__all__)]))
"""

INSTALLED = """
import json
from importlib.metadata import distributions
print(json.dumps([distribution.name for distribution in distributions()]))
"""


@pytest.fixture
def clock() -> HandClock:
    """The server's clock begins at the time that other processes see."""
    return HandClock(system_clock())


def files_of(wheel: Path) -> set[str]:
    """The names of what the wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_package_and_its_types(wheel: Path) -> None:
    """Every module of the package, its types for type checkers, and nothing that is not the package's."""
    package = {
        str(path.relative_to(ROOT)) for path in (ROOT / "authsvc").rglob("*.py*") if "__pycache__" not in str(path)
    }
    held = files_of(wheel)
    assert {"authsvc/py.typed", "authsvc/v1/auth_pb2.pyi", "authsvc/v1/descriptors.binpb"} <= held
    assert package <= held
    assert {name.partition("/")[0] for name in held} == {"authsvc", f"authsvc-{__version__}.dist-info"}


def test_the_wheel_says_what_each_part_needs(wheel: Path) -> None:
    """The plain requirements are the client's; what the server needs stands under its extra."""
    (name,) = (name for name in files_of(wheel) if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        metadata = Metadata.from_email(archive.read(name))
    plain = {str(each).lower() for each in metadata.requires_dist or () if each.marker is None}
    assert plain == {str(Requirement(each)).lower() for each in PROJECT["dependencies"]}
    assert set(metadata.provides_extra or ()) == set(PROJECT["optional-dependencies"])


def test_nothing_of_the_server_is_installed(client_only: Environment) -> None:
    """The environment holds what the client asks for and none of the packages that an extra names."""
    installed = {canonicalize_name(name) for name in json.loads(client_only.python(INSTALLED))}
    extras = PROJECT["optional-dependencies"]
    of_extras = {canonicalize_name(Requirement(each).name) for name in extras for each in extras[name]}
    of_client = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]}
    assert {"authsvc", *of_client} <= installed
    assert len(of_extras) > 10
    assert not installed & (of_extras - of_client)


def test_all_that_the_client_offers_is_there(client_only: Environment) -> None:
    """Each name can be imported from the installed package, which is not this tree."""
    file, names = json.loads(client_only.python(EVERYTHING))
    assert Path(file).is_relative_to(client_only.folder)
    assert names == sorted(sdk.__all__)


@pytest.mark.parametrize(("program", "said"), [(LIVE, "True sara\nAPP_NOT_FOUND\n"), (AWAITED, "3\n")])
def test_a_program_does_the_main_job(client_only: Environment, server: RunningServer, program: str, said: str) -> None:
    """Tokens are issued, renewed and checked by what was installed."""
    assert client_only.python(program, server.target, server.credential) == said


@pytest.fixture
def examples(client_only: Environment, server: RunningServer) -> dict[str, str]:
    """The programs beside the environment, and what they are told; an app that lets everyone watch."""
    shutil.copytree(ROOT / "examples", client_only.folder / "examples", dirs_exist_ok=True)
    server.new_app("stage", anonymous_enabled=True, public_anonymous_cids=("livestream:*",))
    return {
        "AUTHSVC_TARGET": server.target,
        "AUTHSVC_CREDENTIAL": server.credential,
        "AUTHSVC_API_KEY": "stage",
        "SHOP_SESSIONS": "cookie-of-sara=sara",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("livestream_viewer", "livestream:1"), "!anon may watch livestream:1"),
        (("orders_service", "127.0.0.1:0"), "orders on 127.0.0.1:"),
        (("worker", "session"), "worked with a token of "),
    ],
)
def test_the_examples_run(client_only: Environment, examples: dict[str, str], line: tuple[str, ...], said: str) -> None:
    """With what was installed and nothing else; those that go on are told to end."""
    name, *arguments = line
    with client_only.started("python", "-m", f"examples.{name}", *arguments, **examples) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        if name != "livestream_viewer":
            program.terminate()
        rest = program.communicate(timeout=RUNNING_S)
        assert (first.startswith(said), program.returncode) == (True, 0), rest


def test_the_backend_runs_with_starlette(client_only: Environment, examples: dict[str, str]) -> None:
    """Which is all that has to be installed beside the client."""
    beside = client_only.folder / "starlette"
    command = [*PIP, "--python", str(client_only.program("python")), "install", "--target", str(beside), "starlette"]
    subprocess.run(command, check=True, timeout=INSTALLING_S)
    path = f"{beside}:{client_only.folder}"
    done = client_only.run("python", "-c", BACKEND, PYTHONPATH=path, **examples)
    assert (done.stdout, done.stderr) == ("200\n", "")


@pytest.mark.parametrize("command", [("authsvc", "--version"), ("authsvc",), ("python", "-m", "authsvc", "serve")])
def test_the_command_says_what_to_install(client_only: Environment, command: tuple[str, ...]) -> None:
    """The command of such an installation ends with one line that helps."""
    done = client_only.run(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the authsvc command needs the server extra: pip install 'authsvc[server]'\n"
