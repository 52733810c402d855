"""What ``authsvc.client`` offers, found when it is asked for."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import authsvc.client as sdk
from authsvc.clock import system_randomness
from authsvc.model import Algorithm
from authsvc.signing.keys import generate

SOURCE = ast.parse(Path(sdk.__file__).read_text("utf-8"))


def names_for_type_checkers() -> dict[str, str]:
    """Each name imported under TYPE_CHECKING, and from where."""
    (block,) = (
        node
        for node in SOURCE.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_type_checkers_and_programs_see_the_same() -> None:
    """A name is imported for type checkers, listed for readers and found at run time, or none of the three."""
    assert names_for_type_checkers() == sdk._HOMES
    assert sorted(sdk._HOMES) == sorted(sdk.__all__)
    assert len(set(sdk.__all__)) == len(sdk.__all__)


@pytest.mark.parametrize("name", sdk.__all__)
def test_every_name_is_there(name: str) -> None:
    """Whatever is listed can be imported, and is what its module holds under that name."""
    assert getattr(sdk, name) is getattr(sys.modules[sdk._HOMES[name]], name)
    assert name in dir(sdk)


def test_other_names_are_not() -> None:
    """A misspelt name is the error it is everywhere."""
    with pytest.raises(ImportError, match="AuthClinet"):
        from authsvc.client import AuthClinet  # type: ignore[attr-defined]  # noqa: F401 - never bound
    assert not hasattr(sdk, "AuthClinet")


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    """Importing the package loads neither gRPC nor a module of its own; asking for a name loads what it needs."""
    program = """if True:
        import sys
        import authsvc.client
        print([name for name in sys.modules if name == "grpc" or name.startswith("authsvc.client.")])
        authsvc.client.AuthClient
        print({"grpc", "authsvc.client.auth"} <= set(sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "True"]


def published(algorithm: Algorithm) -> str:
    """A public key as a service tells of it."""
    made = generate(algorithm, system_randomness)
    return json.dumps({**json.loads(made.public_jwk), "alg": algorithm, "kid": made.key_id})


def test_what_is_dear_waits_until_it_is_needed() -> None:
    """All that the client offers is imported without structlog, PyJWT and X.509; a logger and a key bring theirs."""
    program = """if True:
        import sys
        import authsvc.client as sdk
        from authsvc.signing.jwk import parse_key

        def tell():
            print(*sorted({"structlog", "jwt", "cryptography.x509"} & set(sys.modules)))

        for name in sdk.__all__:
            getattr(sdk, name)
        tell()
        parse_key(sys.argv[1])
        tell()
        parse_key(sys.argv[2])
        tell()
        sdk.AuthClient("127.0.0.1:1").close()
        tell()
    """
    keys = [published(algorithm) for algorithm in (Algorithm.ES256, Algorithm.EDDSA)]
    command = [sys.executable, "-c", program, *keys]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    with_key = "cryptography.x509 jwt"
    assert done.stdout.splitlines() == ["", "", with_key, f"{with_key} structlog"]
