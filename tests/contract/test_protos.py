"""The wire contract: what callers depend on is there, explained, guarded and frozen."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    SourceCodeInfo,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import status_pb2

from authsvc.errors import Reason
from authsvc.v1 import access_pb2, admin_pb2, auth_pb2, guest_pb2, trust_pb2
from tools import proto

# The fields of AuthService's messages: number, label, type, name, and the oneof they are part of.
MESSAGES = {
    "IssueTokenRequest": """
        1 string api_key
        2 User user in subject
        3 Guest guest in subject
        4 Anonymous anonymous in subject
        5 TokenScope scope
        6 google.protobuf.Duration ttl in lifetime
        7 google.protobuf.Timestamp expires_at in lifetime
        8 bool never_expires in lifetime
        9 bool refreshable
        10 repeated string audience
        11 google.protobuf.Struct custom_claims
        12 string request_id
        13 int64 after_revision
    """,
    "User": """
        1 string id
        2 string role
        3 string name
        4 string image
        5 google.protobuf.Struct custom
    """,
    "Guest": """
        1 string id_hint
        2 string name
        3 string image
        4 google.protobuf.Struct custom
    """,
    "Anonymous": """
        1 string role
    """,
    "TokenScope": """
        1 repeated string call_cids
        2 repeated string channel_cids
    """,
    "IssueTokenResponse": """
        1 string token
        2 TokenInfo info
        3 string refresh_token
        4 google.protobuf.Timestamp refresh_expires_at
    """,
    "TokenInfo": """
        1 string token_id
        2 string session_id
        3 string api_key
        4 TokenKind kind
        5 User user
        6 TokenScope scope
        7 repeated string audience
        8 google.protobuf.Timestamp issued_at
        9 google.protobuf.Timestamp expires_at
        10 string key_id
        11 string algorithm
        12 string issuer
        13 google.protobuf.Struct custom_claims
    """,
    "RefreshTokenRequest": """
        1 string refresh_token
        2 string request_id
        3 google.protobuf.Duration ttl
        4 User user
        5 TokenScope scope
    """,
    "RefreshTokenResponse": """
        1 string token
        2 TokenInfo info
        3 string refresh_token
        4 google.protobuf.Timestamp refresh_expires_at
        5 RefreshOutcome outcome
    """,
    "ValidateTokenRequest": """
        1 string api_key
        2 string token
        3 optional string call_cid
        4 optional string channel_cid
        5 optional string audience
        6 RoleCheck roles
        7 Consistency consistency
        8 int64 after_revision
    """,
    "RoleCheck": """
        1 repeated string any_of
    """,
    "BatchIssueTokensRequest": """
        1 string api_key
        2 repeated IssueTokenRequest requests
    """,
    "BatchIssueTokensResponse": """
        1 repeated BatchIssueTokensResult results
    """,
    "BatchIssueTokensResult": """
        1 IssueTokenResponse response in result
        2 google.rpc.Status status in result
    """,
    "BatchValidateTokensRequest": """
        1 string api_key
        2 repeated ValidateTokenRequest requests
    """,
    "BatchValidateTokensResponse": """
        1 repeated BatchValidateTokensResult results
    """,
    "BatchValidateTokensResult": """
        1 ValidateTokenResponse response in result
        2 google.rpc.Status status in result
    """,
    "ValidateTokenResponse": """
        1 bool active
        2 TokenStatus status
        3 string message
        4 int32 error_code
        5 TokenInfo info
    """,
    "RevokeTokensRequest": """
        1 string api_key
        2 string user_id in target
        3 string session_id in target
        4 string token in target
        5 string token_id in target
        6 string refresh_token in target
        7 bool all_users in target
        8 google.protobuf.Timestamp issued_before
    """,
    "RevokeTokensResponse": """
        1 int64 revision
    """,
    "ListSessionsRequest": """
        1 string api_key
        2 string user_id
        3 bool include_ended
        4 int32 page_size
        5 string page_token
    """,
    "ListSessionsResponse": """
        1 repeated Session sessions
        2 string next_page_token
    """,
    "Session": """
        1 string session_id
        2 TokenKind kind
        3 User user
        4 TokenScope scope
        5 repeated string audience
        6 SessionState state
        7 google.protobuf.Timestamp created_at
        8 google.protobuf.Timestamp refreshed_at
        9 int64 refreshes
        10 google.protobuf.Timestamp idle_expires_at
        11 google.protobuf.Timestamp absolute_expires_at
        12 string opened_by
    """,
}

# The values of AuthService's enums in the order of their numbers, which begin at 0.
ENUMS = {
    "TokenKind": "UNSPECIFIED USER GUEST ANONYMOUS DEVELOPMENT",
    "RefreshOutcome": "UNSPECIFIED ROTATED REPLAYED",
    "Consistency": "UNSPECIFIED CACHED STRONG",
    "SessionState": "UNSPECIFIED LIVE REVOKED EXPIRED",
    "TokenStatus": """
        UNSPECIFIED ACTIVE EXPIRED NOT_YET_VALID ISSUED_IN_FUTURE SIGNATURE_INVALID MALFORMED KEY_UNKNOWN
        KEY_REVOKED ALGORITHM_MISMATCH WRONG_TYPE ISSUER_MISMATCH AUDIENCE_MISMATCH CLAIM_INVALID REVOKED
        SESSION_REVOKED DEVELOPMENT_TOKENS_DISABLED SCOPE_DENIED ROLE_DENIED APP_SUSPENDED
    """,
}

# The number that clients switch on, as the comment of each status states it.
ERROR_CODES = {
    0: "ACTIVE",
    5: "MALFORMED WRONG_TYPE ISSUER_MISMATCH CLAIM_INVALID",
    17: "AUDIENCE_MISMATCH SCOPE_DENIED ROLE_DENIED",
    40: "EXPIRED KEY_REVOKED REVOKED SESSION_REVOKED",
    41: "NOT_YET_VALID",
    42: "ISSUED_IN_FUTURE",
    43: "SIGNATURE_INVALID KEY_UNKNOWN ALGORITHM_MISMATCH DEVELOPMENT_TOKENS_DISABLED",
    99: "APP_SUSPENDED",
}

# An app's settings under the names that the command line uses too, in the order they are listed.
SETTINGS = """
    issuer algorithm profile default_ttl max_ttl allow_never_expires default_audience session_idle_ttl
    session_max_ttl refresh_grace refresh_replay_ttl clock_skew issued_at_backdate allow_development_tokens
    guests_enabled anonymous_enabled public_guests public_anonymous_cids anonymous_role anonymous_roles
    allow_unscoped_anonymous accept_unmanaged_tokens key_rotation_age suspended
"""

PERMISSIONS = {
    "AuthService": {
        "IssueToken": "tokens.issue",
        "RefreshToken": "tokens.refresh",
        "ValidateToken": "tokens.validate",
        "RevokeTokens": "tokens.revoke",
        "ListSessions": "tokens.revoke",
        "BatchIssueTokens": "tokens.issue",
        "BatchValidateTokens": "tokens.validate",
    },
    "AdminService": {
        "CreateApp": "admin.write",
        "GetApp": "admin.read",
        "ListApps": "admin.read",
        "UpdateApp": "admin.write",
        "SuspendApp": "admin.write",
        "ResumeApp": "admin.write",
        "ListKeys": "admin.read",
        "RotateKey": "admin.write",
        "ActivateKey": "admin.write",
        "RevokeKey": "admin.write",
        "GetJwks": "admin.read",
        "CreateServiceAccount": "admin.write",
        "GetServiceAccount": "admin.read",
        "ListServiceAccounts": "admin.read",
        "UpdateServiceAccount": "admin.write",
        "DisableServiceAccount": "admin.write",
        "EnableServiceAccount": "admin.write",
        "RotateCredential": "admin.write",
        "RevokeCredential": "admin.write",
        "GetLogging": "admin.read",
        "ConfigureLogging": "admin.write",
        "ClearRevocation": "admin.write",
        "ListRevocations": "admin.read",
        "ListAuditEvents": "admin.read",
    },
    "TrustService": {
        "GetTrustBundle": "trust.read",
        "WatchTrustBundle": "trust.read",
    },
}

OPEN = {"GuestService": ["IssueGuestToken", "RefreshGuestToken", "IssueAnonymousToken"]}

# What any call that needs a credential may be answered with besides.
OF_CREDENTIALS = {Reason.CREDENTIAL_MISSING, Reason.CREDENTIAL_INVALID, Reason.PERMISSION_MISSING}

# What any call may be answered with, whatever it asks for.
EVERYWHERE = {
    Reason.INVALID_REQUEST,
    Reason.RATE_LIMITED,
    Reason.OVERLOADED,
    Reason.REQUEST_TOO_LARGE,
    Reason.DEADLINE_TOO_SHORT,
    Reason.DEADLINE_EXCEEDED,
    Reason.STORE_UNAVAILABLE,
    Reason.STALE,
    Reason.DRAINING,
    Reason.INTERNAL,
}

# What a stream is not answered with: it has no deadline but the caller's own, which ends it without a word of ours.
OF_DEADLINES = {Reason.DEADLINE_TOO_SHORT, Reason.DEADLINE_EXCEEDED}
STREAMS = {"TrustService.WatchTrustBundle"}


def shipped() -> FileDescriptorSet:
    """The descriptor set of the package, which reflection serves."""
    return FileDescriptorSet.FromString(resources.files("authsvc.v1").joinpath("descriptors.binpb").read_bytes())


def our_files() -> list[FileDescriptorProto]:
    """The shipped files that are ours."""
    return [file for file in shipped().file if file.package == "authsvc.v1"]


def written(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    """A field as the tables above write it."""
    plain = {value.number: value.name.removeprefix("TYPE_").lower() for value in field.Type.DESCRIPTOR.values}
    kind = field.type_name.removeprefix(".").removeprefix("authsvc.v1.") or plain[field.type]
    repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    label = "optional " if field.proto3_optional else "repeated " if repeated else ""
    alternatives = field.HasField("oneof_index") and not field.proto3_optional
    group = f" in {message.oneof_decl[field.oneof_index].name}" if alternatives else ""
    return f"{field.number} {label}{kind} {field.name}{group}"


def comments(file: FileDescriptorProto) -> dict[str, str]:
    """Each thing of a file that has a name, and the comment that stands before it."""
    locations = {tuple(location.path): location for location in file.source_code_info.location}
    return {name: locations.get(path, SourceCodeInfo.Location()).leading_comments.strip() for name, path in paths(file)}


def paths(file: FileDescriptorProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each thing of a file that has a name, and where `source_code_info` keeps its comment."""
    number = {field.name: field.number for field in FileDescriptorProto.DESCRIPTOR.fields}
    for index, message in enumerate(file.message_type):
        yield from message_paths(message, message.name, (number["message_type"], index))
    for index, enum in enumerate(file.enum_type):
        yield from enum_paths(enum, enum.name, (number["enum_type"], index))
    for index, extension in enumerate(file.extension):
        yield extension.name, (number["extension"], index)
    for index, service in enumerate(file.service):
        here = (number["service"], index)
        yield service.name, here
        yield from ((f"{service.name}.{rpc.name}", (*here, 2, i)) for i, rpc in enumerate(service.method))


def message_paths(message: DescriptorProto, name: str, here: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The paths of a message, its fields, its written oneofs and what is nested in it."""
    number = {field.name: field.number for field in DescriptorProto.DESCRIPTOR.fields}
    yield name, here
    for index, field in enumerate(message.field):
        yield f"{name}.{field.name}", (*here, number["field"], index)
    made_by_optional = {field.oneof_index for field in message.field if field.proto3_optional}
    for index, oneof in enumerate(message.oneof_decl):
        if index not in made_by_optional:
            yield f"{name}.{oneof.name}", (*here, number["oneof_decl"], index)
    for index, nested in enumerate(message.nested_type):
        yield from message_paths(nested, f"{name}.{nested.name}", (*here, number["nested_type"], index))
    for index, enum in enumerate(message.enum_type):
        yield from enum_paths(enum, f"{name}.{enum.name}", (*here, number["enum_type"], index))


def enum_paths(enum: EnumDescriptorProto, name: str, here: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The paths of an enum and its values."""
    yield name, here
    yield from ((f"{name}.{value.name}", (*here, 2, index)) for index, value in enumerate(enum.value))


def all_comments() -> dict[str, str]:
    """The comments of all our files."""
    return {name: text for file in our_files() for name, text in comments(file).items()}


def our_methods() -> list[MethodDescriptor]:
    """The methods that the generated code knows."""
    modules = (access_pb2, auth_pb2, guest_pb2, admin_pb2, trust_pb2)
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    return [method for service in services for method in service.methods]


def promised_reasons(method: str) -> dict[str, set[str]]:
    """The reasons that a method's comment lists, by status."""
    listed = all_comments()[method].partition("Errors:")[2]
    by_status = re.findall(r"^ *([A-Z_]+):((?:.|\n(?! *[A-Z_]+:))*)", listed, re.MULTILINE)
    return {status: set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", reasons)) for status, reasons in by_status}


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_as_published(name: str) -> None:
    """A message of AuthService has exactly the published fields, numbers, types and oneofs."""
    (message,) = [m for file in our_files() for m in file.message_type if m.name == name]
    assert [written(field, message) for field in message.field] == [
        line.strip() for line in MESSAGES[name].strip().splitlines()
    ]


@pytest.mark.parametrize("name", ENUMS)
def test_enum_is_as_published(name: str) -> None:
    """An enum of AuthService has exactly the published values under the published numbers."""
    (enum,) = [e for file in our_files() for e in file.enum_type if e.name == name]
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
    assert [(value.name, value.number) for value in enum.value] == [
        (f"{prefix}_{value}", number) for number, value in enumerate(ENUMS[name].split())
    ]


def test_the_tables_miss_nothing() -> None:
    """auth.proto holds no message and no enum besides the published ones."""
    (file,) = [file for file in our_files() if file.name == "authsvc/v1/auth.proto"]
    assert {message.name for message in file.message_type} == set(MESSAGES)
    assert {enum.name for enum in file.enum_type} == set(ENUMS)


def test_each_status_states_its_error_code() -> None:
    """The comment of a token status names the number that clients switch on."""
    said = {
        name.removeprefix("TokenStatus.TOKEN_STATUS_"): re.findall(r"error_code (\d+)", text)
        for name, text in all_comments().items()
        if name.startswith("TokenStatus.")
    }
    expected = {status: [str(code)] for code, statuses in ERROR_CODES.items() for status in statuses.split()}
    assert said == {"UNSPECIFIED": [], **expected}


def test_app_settings_have_their_published_names() -> None:
    """AppSettings holds each setting of an app under its published name, in the published order."""
    assert [field.name for field in admin_pb2.AppSettings.DESCRIPTOR.fields] == SETTINGS.split()


def test_each_method_states_who_may_call_it() -> None:
    """Each method of ours carries an access rule, and it is the published one."""
    found: dict[str, dict[str, str]] = {}
    opened: dict[str, list[str]] = {}
    for method in our_methods():
        rule = method.GetOptions().Extensions[access_pb2.access]
        if rule.open:
            opened.setdefault(method.containing_service.name, []).append(method.name)
        else:
            assert rule.WhichOneof("rule") == "permission", method.full_name
            found.setdefault(method.containing_service.name, {})[method.name] = rule.permission
    assert (found, opened) == (PERMISSIONS, OPEN)


def test_the_access_rule_keeps_its_number() -> None:
    """Other programs read the access rule from the method option 50601."""
    assert access_pb2.DESCRIPTOR.extensions_by_name["access"].number == 50601


def test_each_method_has_messages_of_its_own() -> None:
    """No two methods share a request or a response, so each can grow alone."""
    used = [end.full_name for method in our_methods() for end in (method.input_type, method.output_type)]
    assert len(used) == len(set(used))


def test_everything_is_explained() -> None:
    """Each service, method, message, field, oneof, enum, value and extension has a comment that ships."""
    found = all_comments()
    assert {"access", "AuthService", "AuthService.IssueToken", "User.id", "IssueTokenRequest.subject"} <= found.keys()
    assert [name for name, text in found.items() if not text] == []


@pytest.mark.parametrize("method", [f"{service}.{rpc}" for service, rpcs in PERMISSIONS.items() for rpc in rpcs])
def test_a_method_documents_its_permission_and_errors(method: str) -> None:
    """A method's comment names the permission of its access rule and only reasons that exist."""
    service, _, rpc = method.partition(".")
    assert f"Permission: {PERMISSIONS[service][rpc]}\n" in all_comments()[method]
    reasons = set().union(*promised_reasons(method).values())
    assert reasons <= set(Reason)
    assert reasons >= (EVERYWHERE | OF_CREDENTIALS) - (OF_DEADLINES if method in STREAMS else set())
    assert method not in STREAMS or reasons.isdisjoint(OF_DEADLINES)


def test_the_streams_are_known() -> None:
    """A method that answers more than once is in the table of streams, and no other is."""
    streams = {f"{each.containing_service.name}.{each.name}" for each in our_methods() if each.server_streaming}
    assert streams == STREAMS


@pytest.mark.parametrize("method", [f"{service}.{rpc}" for service, rpcs in OPEN.items() for rpc in rpcs])
def test_an_open_method_says_so_and_documents_its_errors(method: str) -> None:
    """The comment of an open method says that no permission is needed, and promises no refusal of a credential."""
    assert "Permission: none, open to everyone\n" in all_comments()[method]
    reasons = set().union(*promised_reasons(method).values())
    assert set(Reason) >= reasons >= EVERYWHERE
    assert reasons.isdisjoint(OF_CREDENTIALS)


def test_a_reason_stands_under_one_status() -> None:
    """No two methods list the same reason under different statuses."""
    statuses: dict[str, set[str]] = {}
    for method in our_methods():
        for status, reasons in promised_reasons(f"{method.containing_service.name}.{method.name}").items():
            for reason in reasons:
                statuses.setdefault(reason, set()).add(status)
    assert {reason: under for reason, under in statuses.items() if len(under) > 1} == {}


def test_the_descriptor_set_stands_alone() -> None:
    """The shipped descriptor set loads into an empty pool: each file comes after those that it imports."""
    pool = DescriptorPool()
    for file in shipped().file:
        pool.AddSerializedFile(file.SerializeToString())
    assert pool.FindMethodByName("authsvc.v1.AuthService.IssueToken").input_type.name == "IssueTokenRequest"


def test_the_descriptor_set_and_the_code_agree() -> None:
    """What reflection describes is what the generated code speaks, access rules included."""
    spoken = FileDescriptorSet()
    for module in (access_pb2, admin_pb2, auth_pb2, guest_pb2, trust_pb2):
        module.DESCRIPTOR.CopyToProto(spoken.file.add())
    described = FileDescriptorSet(file=our_files())
    for file in described.file:
        file.ClearField("source_code_info")
    # Names in JSON follow from the names; generated code leaves them out.
    assert re.sub(r'\n *json_name: "\w+"', "", str(described)) == str(spoken)


def test_the_vendored_status_is_the_installed_one() -> None:
    """What our protos import from google.rpc is what the installed package speaks, and we generate no copy of it."""
    (vendored,) = [file for file in shipped().file if file.name == "google/rpc/status.proto"]
    vendored.ClearField("source_code_info")
    installed = FileDescriptorProto()
    status_pb2.DESCRIPTOR.CopyToProto(installed)
    assert re.sub(r'\n *json_name: "\w+"', "", str(vendored)) == str(installed)
    assert {path.name.partition("_pb2")[0] for path in (proto.ROOT / proto.PACKAGE).glob("*_pb2*.py")} == {
        Path(file.name).stem for file in our_files()
    }


@pytest.mark.parametrize("package", ["grpcio", "protobuf"])
def test_the_declared_floor_is_what_generated_code_demands(package: str) -> None:
    """pyproject.toml asks for no older grpcio and protobuf than the generated code refuses, and no newer."""
    declared = tomllib.loads((proto.ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (floor,) = [match[1] for line in declared if (match := re.match(rf"{package}>=([\d.]+)", line))]
    pattern = {
        "grpcio": r"GRPC_GENERATED_VERSION = '([\d.]+)'",
        "protobuf": r"# Protobuf Python Version: ([\d.]+)",
    }[package]
    sources = [path.read_text() for path in (proto.ROOT / proto.PACKAGE).glob("*.py")]
    assert {version for source in sources for version in re.findall(pattern, source)} == {floor}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the contract and of what was generated from it, to break."""
    for folder in (proto.PROTOS, proto.VENDORED):
        shutil.copytree(proto.ROOT / folder, tmp_path / folder)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(proto.ROOT / proto.PACKAGE, tmp_path / proto.PACKAGE, ignore=ignore)
    shutil.copy(proto.ROOT / "buf.yaml", tmp_path)
    return tmp_path


def edit(copy: Path, old: str, new: str, *, file: str = "auth.proto") -> None:
    """Replace a text that occurs exactly once."""
    path = copy / "protos/authsvc/v1" / file
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def contents(copy: Path) -> dict[str, bytes]:
    """What `generate` writes, by path."""
    paths = [copy / proto.BASELINE, *(copy / proto.PACKAGE).iterdir()]
    return {str(path.relative_to(copy)): path.read_bytes() for path in paths}


def test_the_contract_as_it_stands_is_frozen_and_generated(copy: Path) -> None:
    """The committed protos break nothing, are frozen in the baseline, and the generated code is theirs."""
    assert proto.breaking(copy) == []
    assert proto.check(copy) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "rule"),
    [
        ("auth.proto", "  string token = 2;", "  reserved 2;", "FIELD_NO_DELETE"),
        ("auth.proto", "string key_id = 10;", "string key_id = 20;", "FIELD_NO_DELETE"),
        ("auth.proto", "string key_id = 10;", "string key_name = 10;", "FIELD_SAME_NAME"),
        ("auth.proto", "int32 error_code = 4;", "string error_code = 4;", "FIELD_SAME_TYPE"),
        ("auth.proto", "TOKEN_STATUS_REVOKED = 14;", "TOKEN_STATUS_REVOKED = 20;", "ENUM_VALUE_NO_DELETE"),
        ("auth.proto", "optional string audience = 5;", "repeated string audience = 5;", "FIELD_SAME_CARDINALITY"),
        ("auth.proto", "rpc RefreshToken(", "rpc Refresh(", "RPC_NO_DELETE"),
        ("admin.proto", "  bool suspended = 24;", "  reserved 24;", "FIELD_NO_DELETE"),
    ],
)
def test_a_broken_promise_is_noticed(copy: Path, file: str, old: str, new: str, rule: str) -> None:
    """A change that breaks a caller is named with the rule it offends, and `generate` refuses to freeze it."""
    before = contents(copy)
    edit(copy, old, new, file=file)
    assert any(rule in complaint for complaint in proto.breaking(copy))
    assert any(rule in complaint for complaint in proto.generate(copy))
    assert contents(copy) == before


def test_an_addition_must_be_frozen(copy: Path) -> None:
    """A new field is a complaint until `generate` has frozen it."""
    edit(copy, "  string issuer = 12;", "  string issuer = 12;\n  // New.\n  string region = 14;")
    assert proto.breaking(copy) == ["protos/baseline.binpb lacks authsvc.v1.TokenInfo.region = 14; run: make proto"]
    assert proto.generate(copy) == []
    assert proto.breaking(copy) == []
    assert proto.check(copy) == []


def test_a_changed_access_rule_must_be_frozen(copy: Path) -> None:
    """Another permission on a method breaks no wire format, and is noticed all the same."""
    edit(copy, 'permission: "tokens.refresh"', 'permission: "tokens.issue"')
    assert proto.breaking(copy) == ["protos/baseline.binpb has other options than the protos; run: make proto"]


def test_without_a_baseline_nothing_is_frozen(copy: Path) -> None:
    """A missing baseline is a complaint, never a pass."""
    (copy / proto.BASELINE).unlink()
    assert proto.breaking(copy) == ["protos/baseline.binpb is missing; run: make proto"]


def test_a_comment_may_be_reworded(copy: Path) -> None:
    """Words are not frozen, but the generated package that ships them is stale until it is written again."""
    edit(copy, "// The token's own id", "// The own id of the token")
    assert proto.breaking(copy) == []
    assert any("descriptors.binpb" in complaint for complaint in proto.check(copy))
    assert proto.generate(copy) == []
    assert proto.check(copy) == []


def test_generated_files_are_compared_byte_by_byte(copy: Path) -> None:
    """An edited, a missing and a left-over generated file are each named, and `generate` mends all three."""
    package = copy / proto.PACKAGE
    with (package / "auth_pb2.py").open("a") as edited:
        edited.write("\n")
    (package / "admin_pb2.pyi").unlink()
    (package / "gone_pb2.py").write_text("")
    assert proto.check(copy) == [
        f"authsvc/v1/{name} is not what the protos say; run: make proto"
        for name in ("admin_pb2.pyi", "auth_pb2.py", "gone_pb2.py")
    ]
    assert proto.generate(copy) == []
    assert proto.check(copy) == []


def test_protos_that_do_not_compile_are_no_pass(copy: Path) -> None:
    """A syntax error ends each action with the compiler's words."""
    edit(copy, "string key_id = 10;", "string key_id 10;")
    with pytest.raises(SystemExit, match=r"auth\.proto"):
        proto.check(copy)
    assert any("auth.proto" in complaint for complaint in proto.breaking(copy))
