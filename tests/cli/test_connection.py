"""Which server a command talks to, and what is said when there is none."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest

from authsvc.cli.refusals import CommandFailed
from authsvc.cli.target import NOT_CONNECTED, Server, find_server
from tests.cli.conftest import Run
from tests.client.scripted import aborts, scripted_server
from tests.conftest import RunningServer

DEV = {"target": "127.0.0.1:50051", "api_key": "dev", "credential": "ask1_dev"}


def refusal(environ: dict[str, str]) -> str:
    """The sentence that the environment is refused with."""
    with pytest.raises(CommandFailed) as failed:
        find_server(environ)
    assert failed.value.reason == NOT_CONNECTED
    return failed.value.message


def test_the_environment_names_the_server() -> None:
    """Target and credential of the environment are taken together, with no app of their own."""
    environ = {"AUTHSVC_TARGET": "auth:443", "AUTHSVC_CREDENTIAL": "ask1_x"}
    assert find_server(environ) == Server("auth:443", "ask1_x")


def test_a_credential_is_read_from_its_file(tmp_path: Path) -> None:
    """The credential of a file is taken without the line end that editors and we put there."""
    (tmp_path / "credential").write_text("ask1_x\n")
    environ = {"AUTHSVC_TARGET": "auth:443", "AUTHSVC_CREDENTIAL_FILE": str(tmp_path / "credential")}
    assert find_server(environ).credential == "ask1_x"


@pytest.mark.parametrize(("word", "allowed"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_plaintext_is_allowed_by_the_servers_own_word(word: str, allowed: bool) -> None:
    """One setting says for both ends that plaintext is meant."""
    environ = {"AUTHSVC_TARGET": "auth:1", "AUTHSVC_CREDENTIAL": "x", "AUTHSVC_ALLOW_PLAINTEXT": word}
    assert find_server(environ).allow_plaintext is allowed


def test_without_a_target_the_development_server_is_taken(tmp_path: Path) -> None:
    """What `serve --dev` has written is enough, its app included."""
    (tmp_path / "dev.json").write_text(json.dumps(DEV))
    assert find_server({"AUTHSVC_STATE_DIR": str(tmp_path)}) == Server("127.0.0.1:50051", "ask1_dev", "dev")


def test_the_state_directory_is_var_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server keeps its state by default, the command looks for it."""
    monkeypatch.chdir(tmp_path)
    assert "var/dev.json is not there: start a server with `make run`" in refusal({})


@pytest.mark.parametrize("variable", ["AUTHSVC_CREDENTIAL", "AUTHSVC_CREDENTIAL_FILE"])
def test_a_credential_is_never_sent_to_another_server(variable: str, tmp_path: Path) -> None:
    """A credential without a target is not tried on whatever server happens to be found."""
    (tmp_path / "dev.json").write_text(json.dumps(DEV))
    assert "AUTHSVC_TARGET" in refusal({variable: "x", "AUTHSVC_STATE_DIR": str(tmp_path)})


@pytest.mark.parametrize(
    "credentials", [{}, {"AUTHSVC_CREDENTIAL": "a", "AUTHSVC_CREDENTIAL_FILE": "b"}], ids=["none", "both"]
)
def test_a_target_wants_exactly_one_credential(credentials: dict[str, str]) -> None:
    """None is too few, and of two it is not clear which."""
    assert "set one of AUTHSVC_CREDENTIAL" in refusal({"AUTHSVC_TARGET": "auth:443", **credentials})


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b'{"target": "x"}', b'{"target": 1, "api_key": "a", "credential": "c"}', b"\xff\xfe"],
)
def test_a_spoilt_dev_json_is_told(content: bytes, tmp_path: Path) -> None:
    """Whatever the file holds, the command says which file is wrong, and who writes it."""
    (tmp_path / "dev.json").write_bytes(content)
    sentence = refusal({"AUTHSVC_STATE_DIR": str(tmp_path)})
    assert str(tmp_path / "dev.json") in sentence
    assert sentence.endswith("; a development server writes it anew when it starts (`make run`)")


@pytest.mark.parametrize("content", [None, b"ask1_secret\xff"], ids=["missing", "not text"])
def test_a_credential_file_that_cannot_be_read_is_told(content: bytes | None, tmp_path: Path) -> None:
    """The file is named, what is in it is not."""
    path = tmp_path / "credential"
    if content is not None:
        path.write_bytes(content)
    sentence = refusal({"AUTHSVC_TARGET": "auth:443", "AUTHSVC_CREDENTIAL_FILE": str(path)})
    assert str(path) in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(
    "target", ["127.0.0.1", "auth.example", "http://auth:443", "https://auth.example", "auth:0", "auth:65536", "auth:",
               ":443", "auth:https", "auth:443/x", "dns:///auth", "ipv4:127.0.0.1", "[::1]", "::1", "a b:1", "a@b:1"]
)  # fmt: skip
def test_a_target_is_a_host_with_a_port(target: str) -> None:
    """What would be taken for port 443, or for the name of a host, is refused; it may hold a password by mistake."""
    sentence = refusal({"AUTHSVC_TARGET": target, "AUTHSVC_CREDENTIAL": "ask1_x"})
    assert sentence == "AUTHSVC_TARGET: write host:port, such as auth.example:443 or 127.0.0.1:50051"


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1:50051", "auth.example:443", "[::1]:50051", "dns:///auth.example:443", "dns:auth:443",
     "dns://192.0.2.1/auth:443", "ipv4:127.0.0.1:1,127.0.0.1:2", "ipv6:[::1]:1", "unix:/run/authsvc", "unix:socket"],
)  # fmt: skip
def test_every_form_of_a_target_is_taken(target: str) -> None:
    """Those of gRPC that name their port, or need none."""
    assert find_server({"AUTHSVC_TARGET": target, "AUTHSVC_CREDENTIAL": "ask1_x"}).target == target


@pytest.mark.parametrize(
    ("misspelt", "meant"), [("AUTHSVC_TARGTE", "AUTHSVC_TARGET"), ("AUTHSVC_CREDENTIALFILE", "AUTHSVC_CREDENTIAL_FILE")]
)
def test_a_misspelt_name_is_refused(misspelt: str, meant: str, tmp_path: Path) -> None:
    """As the server does, with the nearest name: the command would talk to a server that was not meant."""
    (tmp_path / "dev.json").write_text(json.dumps(DEV))
    sentence = refusal({misspelt: "canary", "AUTHSVC_STATE_DIR": str(tmp_path)})
    assert sentence == f"{misspelt} is not a setting; did you mean {meant}?"


def test_the_servers_own_settings_are_no_slips(tmp_path: Path) -> None:
    """One environment may serve both, and a cluster has names of its own."""
    (tmp_path / "dev.json").write_text(json.dumps(DEV))
    others = {
        "AUTHSVC_LISTEN": "127.0.0.1:1",
        "AUTHSVC_PORT_50051_TCP": "tcp://10.0.0.1:50051",
        "AUTHSVC_KEK_FILE": "k",
    }
    assert find_server({"AUTHSVC_STATE_DIR": str(tmp_path), **others}).target == DEV["target"]


def test_a_word_that_is_neither_yes_nor_no_is_refused() -> None:
    """A misspelt `true` is not taken for `false`."""
    environ = {"AUTHSVC_TARGET": "auth:1", "AUTHSVC_CREDENTIAL": "x", "AUTHSVC_ALLOW_PLAINTEXT": "treu"}
    assert refusal(environ) == "AUTHSVC_ALLOW_PLAINTEXT: must be yes or no (true or false)"


def test_the_environment_names_the_app(tmp_path: Path) -> None:
    """Beside a target, and before that of a development server."""
    (tmp_path / "dev.json").write_text(json.dumps(DEV))
    named = {"AUTHSVC_TARGET": "auth:443", "AUTHSVC_CREDENTIAL": "ask1_x"}
    assert find_server({**named, "AUTHSVC_API_KEY": "shop"}).api_key == "shop"
    assert find_server({"AUTHSVC_STATE_DIR": str(tmp_path), "AUTHSVC_API_KEY": "shop"}).api_key == "shop"


@pytest.mark.parametrize("variable", ["AUTHSVC_TLS_CA", "AUTHSVC_CLIENT_CERT", "AUTHSVC_CLIENT_KEY"])
def test_tls_is_for_a_server_that_is_named(variable: str, tmp_path: Path) -> None:
    """A development server speaks plaintext: whoever asks for TLS means another one."""
    (tmp_path / "dev.json").write_text(json.dumps(DEV))
    sentence = refusal({variable: "x", "AUTHSVC_STATE_DIR": str(tmp_path)})
    assert sentence == f"{variable} is set, but AUTHSVC_TARGET does not say for which server"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"CLIENT_CERT": "c"}, "AUTHSVC_CLIENT_CERT and AUTHSVC_CLIENT_KEY go together"),
        ({"CLIENT_KEY": "k"}, "AUTHSVC_CLIENT_CERT and AUTHSVC_CLIENT_KEY go together"),
        ({"TLS_CA": "ca", "ALLOW_PLAINTEXT": "yes"}, "AUTHSVC_TLS_CA asks for TLS, and AUTHSVC_ALLOW_PLAINTEXT gives"),
        ({"CLIENT_CERT": "c", "CLIENT_KEY": "k", "ALLOW_PLAINTEXT": "1"}, "AUTHSVC_CLIENT_CERT asks for TLS"),
    ],
)
def test_settings_of_tls_that_do_not_go_together_are_refused(settings: dict[str, str], sentence: str) -> None:
    """What is asked for is never half done."""
    named = {"AUTHSVC_TARGET": "auth:443", "AUTHSVC_CREDENTIAL": "ask1_x"}
    assert sentence in refusal({**named, **{f"AUTHSVC_{name}": value for name, value in settings.items()}})


def test_a_server_does_not_print_its_credential() -> None:
    """What was found can be logged without its secret."""
    assert "ask1_x" not in repr(Server("auth:443", "ask1_x"))


def test_a_command_without_a_server_says_how_to_start_one(offline: Run) -> None:
    """Nothing was set up yet: the first thing a newcomer reads is what to do."""
    ended = offline("apps", "list")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("NOT_CONNECTED: no server is named")
    assert "make run" in ended.err


def test_a_server_that_is_gone_is_named(offline: Run) -> None:
    """A refused connection says which target, and how to start a server, in one line."""
    with scripted_server() as gone:
        target = gone.target
    ended = offline("token", "validate", "x", AUTHSVC_TARGET=target, AUTHSVC_CREDENTIAL="ask1_x")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith(f"UNAVAILABLE: no authsvc answers at {target}: start one with `make run`")


def test_a_development_server_that_is_gone_is_named_with_its_file(offline: Run, tmp_path: Path) -> None:
    """Another server may serve the same folder: the way to it is named."""
    with scripted_server() as gone:
        (tmp_path / "dev.json").write_text(json.dumps({**DEV, "target": gone.target}))
    said = offline("apps", "list").err
    assert (
        f"set AUTHSVC_TARGET and AUTHSVC_CREDENTIAL where another is meant than {tmp_path / 'dev.json'} names" in said
    )


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED: what answers at {target} is no authsvc, or an older one"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED: {target} did not answer in time"),
        (grpc.StatusCode.UNKNOWN, "UNKNOWN: from elsewhere"),
    ],
)
def test_an_answer_that_is_not_ours_is_told_as_such(code: grpc.StatusCode, sentence: str, offline: Run) -> None:
    """What a proxy or another service says becomes one sentence too."""
    with scripted_server() as other:
        other.script = [aborts(code, "from elsewhere")]
        ended = offline("apps", "get", "x", AUTHSVC_TARGET=other.target, AUTHSVC_CREDENTIAL="ask1_x")
        assert ended.err.startswith(sentence.format(target=other.target))
    assert ended.code == 1


def test_a_credential_that_cannot_be_sent_is_refused(offline: Run) -> None:
    """A credential with a space is told before any call, without repeating it."""
    ended = offline("apps", "list", AUTHSVC_TARGET="127.0.0.1:1", AUTHSVC_CREDENTIAL="ask1 canary")
    assert (ended.code, ended.out) == (1, "")
    assert "canary" not in ended.err


def test_a_wrong_credential_is_the_services_to_refuse(server: RunningServer, offline: Run) -> None:
    """The reason of the service reaches the person who typed the command."""
    ended = offline("apps", "list", AUTHSVC_TARGET=server.target, AUTHSVC_CREDENTIAL="ask1_wrong")
    assert (ended.code, ended.err.partition(":")[0]) == (1, "CREDENTIAL_INVALID")


def test_errors_are_json_for_programs(cli: Run) -> None:
    """With --json an error is one document on standard error, and nothing is on standard output."""
    ended = cli("token", "issue", "--user", "!", "--role", "A B", "--json")
    error = json.loads(ended.err)["error"]
    assert (ended.code, ended.out) == (1, "")
    assert (error["reason"], error["code"]) == ("INVALID_REQUEST", "INVALID_ARGUMENT")
    assert {fault["field"] for fault in error["violations"]} == {"user.id", "user.role"}


def test_errors_name_each_field_for_people(cli: Run) -> None:
    """One line for the reason, one for each fault."""
    ended = cli("token", "issue", "--user", "!", "--role", "A B")
    reason, *faults = ended.err.splitlines()
    assert reason.startswith("INVALID_REQUEST: ")
    assert [fault.partition(": ")[0] for fault in faults] == ["  user.id", "  user.role"]


def test_a_missing_app_is_told_by_its_option(server: RunningServer, offline: Run) -> None:
    """On the command line the field is an option; programs are told the field. The environment may name the app."""
    server.new_app("shop")
    named = {"AUTHSVC_TARGET": server.target, "AUTHSVC_CREDENTIAL": server.credential}
    asked = ("token", "issue", "--user", "sara")
    assert "  --app: must name the app: the caller may act for several; say --app KEY, or set AUTHSVC_API_KEY\n" in (
        offline(*asked, **named).err
    )
    (fault,) = json.loads(offline(*asked, "--json", **named).err)["error"]["violations"]
    assert fault.keys() == {"field", "description", "reason"}
    assert fault["field"] == "api_key"
    assert offline(*asked, **named, AUTHSVC_API_KEY="shop").facts["app"] == "shop"
    assert offline(*asked, "--app", "dev", **named, AUTHSVC_API_KEY="shop").facts["app"] == "dev"
