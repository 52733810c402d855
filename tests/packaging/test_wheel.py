"""`pip install authsvc` into an empty environment: the client, what it needs, and nothing else."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import authsvc.client as sdk
from authsvc import __version__
from tests.conftest import RunningServer
from tests.packaging.conftest import Environment
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


@pytest.mark.parametrize("command", [("authsvc", "--version"), ("authsvc",), ("python", "-m", "authsvc", "serve")])
def test_the_command_says_what_to_install(client_only: Environment, command: tuple[str, ...]) -> None:
    """The command of such an installation ends with one line that helps."""
    done = client_only.run(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the authsvc command needs the server extra: pip install 'authsvc[server]'\n"
