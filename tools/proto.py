"""Generates `authsvc/v1` from `protos/`, and keeps what was published as it was.

python -m tools.proto generate   rewrites authsvc/v1 and protos/baseline.binpb
python -m tools.proto check      proves that authsvc/v1 is what the protos say
python -m tools.proto breaking   proves that nothing frozen in the baseline changed, and that all
                                 the protos have is frozen

Everything runs offline with the programs of the virtual environment that runs this module.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
PROTOS = Path("protos")
VENDORED = Path("third_party")  # imported by ours; their Python comes with an installed package
PACKAGE = Path("authsvc/v1")
BASELINE = PROTOS / "baseline.binpb"
INIT = '"""Generated from protos/authsvc/v1 by `make proto`: do not edit."""\n'
BREAKING_FOUND = 100  # buf's exit status for "it ran, and there are findings"


def generate(root: Path) -> list[str]:
    """Rewrite the generated package and the baseline; change neither if a frozen part broke."""
    if (root / BASELINE).exists() and (faults := broken_promises(root)):
        return [*faults, f"{BASELINE} and {PACKAGE} were left as they are"]
    with tempfile.TemporaryDirectory() as scratch:
        written = _compile(root, Path(scratch))
    target = root / PACKAGE
    target.mkdir(parents=True, exist_ok=True)
    for name in _generated_files(target).keys() - written.keys():
        (target / name).unlink()
    for name, content in written.items():
        (target / name).write_bytes(content)
    (root / BASELINE).write_bytes(_image(root))
    return []


def check(root: Path) -> list[str]:
    """Name each committed file of the generated package that is not what the protos say."""
    with tempfile.TemporaryDirectory() as scratch:
        expected = _compile(root, Path(scratch))
    found = _generated_files(root / PACKAGE)
    names = sorted(expected.keys() | found.keys())
    stale = [name for name in names if expected.get(name) != found.get(name)]
    return [f"{PACKAGE / name} is not what the protos say; run: make proto" for name in stale]


def breaking(root: Path) -> list[str]:
    """Name each change that breaks the frozen contract, and each addition not frozen yet."""
    if not (root / BASELINE).exists():
        return [f"{BASELINE} is missing; run: make proto"]
    return broken_promises(root) or unfrozen_additions(root)


def broken_promises(root: Path) -> list[str]:
    """Name each change since the baseline that breaks callers, with the buf rule it offends."""
    against = ["breaking", str(PROTOS), "--against", str(BASELINE), "--error-format", "json"]
    ran = _run(root, [str(_program("buf")), *against], accept=(0, BREAKING_FOUND))
    return [
        f"{finding.get('path', PROTOS)}: {finding['type']}: {finding['message']}"
        for finding in map(json.loads, ran.decode().splitlines())
    ]


def unfrozen_additions(root: Path) -> list[str]:
    """Name what the protos have and the baseline lacks; comments are not part of it."""
    frozen, current = (root / BASELINE).read_bytes(), _image(root)
    if frozen == current:
        return []
    missing = set(_names(current)) - set(_names(frozen))
    return [f"{BASELINE} lacks {name}; run: make proto" for name in sorted(missing)] or [
        f"{BASELINE} has other options than the protos; run: make proto"
    ]


def _compile(root: Path, scratch: Path) -> dict[str, bytes]:
    """Run protoc into an empty folder and return the generated package by file name."""
    (scratch / PACKAGE).mkdir(parents=True)
    sources = sorted(path.relative_to(root / PROTOS) for path in (root / PROTOS).rglob("*.proto"))
    plugins = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    outputs = ("python", "grpc_python", "mypy", "mypy_grpc")
    _run(
        root,
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{VENDORED}"),
            *(f"--plugin={name}={_program(name)}" for name in plugins),
            *(f"--{name}_out={scratch}" for name in outputs),
            *("--include_imports", "--include_source_info"),
            f"--descriptor_set_out={scratch / PACKAGE / 'descriptors.binpb'}",
            *map(str, sources),
        ],
    )
    (scratch / PACKAGE / "__init__.py").write_text(INIT)
    return _generated_files(scratch / PACKAGE)


def _generated_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}


def _image(root: Path) -> bytes:
    """Build the protos as a buf image without comments, so that rewording one changes nothing."""
    build = ["build", str(PROTOS), "--exclude-source-info", "-o", "-#format=binpb"]
    return _run(root, [str(_program("buf")), *build])


def _names(image: bytes) -> Iterator[str]:
    """Yield the full name, with its number where it has one, of each thing a caller may use."""
    for file in FileDescriptorSet.FromString(image).file:
        yield file.name
        for message in file.message_type:
            yield from _names_in_message(file.package, message)
        for enum in file.enum_type:
            yield from _names_in_enum(file.package, enum)
        for extension in file.extension:
            yield f"{file.package}.{extension.name} = {extension.number}"
        for service in file.service:
            yield f"{file.package}.{service.name}"
            yield from (f"{file.package}.{service.name}.{rpc.name}" for rpc in service.method)


def _names_in_message(scope: str, message: DescriptorProto) -> Iterator[str]:
    name = f"{scope}.{message.name}"
    yield name
    yield from (f"{name}.{field.name} = {field.number}" for field in message.field)
    for nested in message.nested_type:
        yield from _names_in_message(name, nested)
    for enum in message.enum_type:
        yield from _names_in_enum(name, enum)


def _names_in_enum(scope: str, enum: EnumDescriptorProto) -> Iterator[str]:
    yield f"{scope}.{enum.name}"
    yield from (f"{scope}.{enum.name}.{value.name} = {value.number}" for value in enum.value)


def _program(name: str) -> Path:
    """The path of a program in the virtual environment that runs this module."""
    return Path(sys.executable).with_name(name)


def _run(root: Path, command: list[str], *, accept: tuple[int, ...] = (0,)) -> bytes:
    """Run a command in the project's folder and return its output; end with its words if it fails."""
    ran = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if ran.returncode not in accept:
        raise SystemExit((ran.stderr + ran.stdout).decode().strip())
    return ran.stdout


ACTIONS = {"generate": generate, "check": check, "breaking": breaking}


def main() -> int:
    """Do what the command line asks; 1 if there is something to complain about."""
    parser = argparse.ArgumentParser(prog="python -m tools.proto")
    parser.add_argument("action", choices=ACTIONS)
    complaints = ACTIONS[parser.parse_args().action](ROOT)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
