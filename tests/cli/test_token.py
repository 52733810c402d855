"""``authsvc token issue|validate|refresh`` against the real service."""

from __future__ import annotations

import pytest

from authsvc.clock import system_clock
from tests.cli.conftest import Ended, Run
from tests.conftest import HandClock, RunningServer


def issued(cli: Run, *arguments: str) -> dict[str, object]:
    """The answer to an issue, as JSON."""
    ended = cli("token", "issue", *arguments, "--json")
    assert ended.code == 0, ended.err
    answer: dict[str, object] = ended.json
    return answer


def test_the_main_job_for_people(cli: Run) -> None:
    """Issue, validate and refresh without a word about servers, apps or credentials."""
    made = cli("token", "issue", "--user", "sara", "--name", "Sara [bold]", "--refreshable")
    assert (made.facts["user"], made.facts["name"], made.facts["app"]) == ("sara", "Sara [bold]", "dev")
    lines = made.out.splitlines()
    token, refresh_token = lines[lines.index("token:") + 1], lines[lines.index("refresh token:") + 1]
    verdict = cli("token", "validate", token)
    assert (verdict.code, verdict.facts["active"], verdict.facts["status"]) == (0, "yes", "ACTIVE")
    renewed = cli("token", "refresh", refresh_token)
    assert (renewed.code, renewed.facts["outcome"]) == (0, "ROTATED")


def test_a_subject_with_everything(cli: Run) -> None:
    """Each option of a user's token arrives where it belongs."""
    answer = issued(
        cli, "--app", "dev", "--user", "sara", "--role", "admin", "--name", "Sara", "--image", "https://x/y.png",
        "--custom", '{"level": 3}', "--call", "default:1", "--call", "default:2", "--channel", "chat:1",
        "--ttl", "15m", "--audience", "a", "--audience", "b", "--claims", '{"tenant": {"id": 7, "rate": 1.5}}',
    )  # fmt: skip
    info = answer["info"]
    assert isinstance(info, dict)
    assert info["user"] == {
        "id": "sara", "role": "admin", "name": "Sara", "image": "https://x/y.png", "custom": {"level": 3},
    }  # fmt: skip
    assert info["scope"] == {"call_cids": ["default:1", "default:2"], "channel_cids": ["chat:1"]}
    assert (info["audience"], info["custom_claims"]) == (["a", "b"], {"tenant": {"id": 7, "rate": 1.5}})
    assert str(info["custom_claims"]["tenant"]["id"]) == "7"


def test_guests_and_visitors(cli: Run) -> None:
    """A guest with and without a hint, and an anonymous visitor of a call."""
    assert cli("token", "issue", "--guest", "sam", "--name", "Sam").facts["user"].endswith("-sam")
    assert cli("token", "issue", "--guest", "--ttl", "5m").facts["kind"] == "guest"
    visitor = cli("token", "issue", "--anonymous", "--call", "default:1")
    assert (visitor.facts["user"], visitor.facts["calls"]) == ("!anon", "default:1")


def test_lifetimes(server: RunningServer, cli: Run) -> None:
    """For a while, until a moment, and for ever where the app allows it."""
    server.new_app("forever", allow_never_expires=True)
    at = "2026-11-20T14:00:00Z"
    assert issued(cli, "--user", "sara", "--expires-at", at)["info"]["expires_at"] == at  # type: ignore[index]
    endless = cli("token", "issue", "--app", "forever", "--user", "sara", "--never-expires")
    assert endless.facts["expires"] == "never"


def test_a_request_is_repeated_by_its_name(cli: Run) -> None:
    """The same --request-id gives the same session."""
    again = ("--user", "sara", "--refreshable", "--request-id", "r" * 22)
    assert issued(cli, *again)["refresh_token"] == issued(cli, *again)["refresh_token"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give exactly one of --user ID, --guest [HINT], --anonymous"),
        (("--user", "a", "--guest"), "give exactly one of"),
        (("--user", "a", "b"), "what does 'b' mean?"),
        (("--guest", "--role", "admin"), "for --role: does not go with --guest"),
        (("--anonymous", "--name", "x"), "for --name: does not go with --anonymous"),
        (("--anonymous", "--custom", "{}"), "for --custom: does not go with --anonymous"),
        (("--user", "a", "--ttl", "1h", "--never-expires"), "give at most one of --ttl"),
        (("--user", "a", "--ttl", "soon"), "for --ttl: 'soon' is not a duration"),
        (("--user", "a", "--expires-at", "tomorrow"), "for --expires-at: 'tomorrow' is not a moment such as 2026"),
        (("--user", "a", "--expires-at", "2026-11-20"), "for --expires-at: '2026-11-20' is not a moment"),
        (("--user", "a", "--custom", "[1]"), "for --custom: is not a JSON object"),
        (("--user", "a", "--custom", "{"), "for --custom: is not a JSON object"),
        (("--user", "a", "--custom", '{"a":1,"a":2}'), "for --custom: is not a JSON object: duplicate name"),
        (("--user", "a", "--claims", '{"a":NaN}'), "for --claims: is not a JSON object: not a JSON number"),
        (("--user", "a", "--claims", '{"a":[{"b":9007199254740993}]}'), "for --claims: has a whole number beyond 2^53"),
        (("--user", "a", "--claims", '{"a":"\\ud800"}'), "for --claims: is not a JSON object"),
        (("--usr", "a"), "No such option: --usr"),
    ],
)
def test_wrong_usage_is_told_before_any_call(arguments: tuple[str, ...], sentence: str, offline: Run) -> None:
    """What cannot be meant ends with exit code 2 and a sentence, whether there is a server or not."""
    ended = offline("token", "issue", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--user", ""), "user.id"),
        (("--user", "a", "--custom", "{}"), "user.custom"),
        (("--user", "a", "--claims", "{}"), "custom_claims"),
        (("--user", "a", "--ttl", "0"), "ttl"),
        (("--user", "a", "--call", "nonsense"), "scope.call_cids[0]"),
        (("--user", "a", "--request-id", "short"), "request_id"),
        (("--anonymous",), "scope"),
        (("--guest", "x" * 200), "guest.id_hint"),
    ],
)
def test_what_is_present_but_wrong_is_the_services_to_refuse(arguments: tuple[str, ...], field: str, cli: Run) -> None:
    """The command does not guess the rules: it sends what was typed and tells the service's answer."""
    ended = cli("token", "issue", *arguments)
    assert ended.code == 1
    assert f"  {field}: " in ended.err


def validated(cli: Run, *arguments: str, given: str | None = None) -> Ended:
    """The verdict on a token."""
    return cli("token", "validate", *arguments, given=given)


def test_a_token_is_validated_from_standard_input(cli: Run) -> None:
    """With `-` the token is in no list of processes."""
    token = str(issued(cli, "--user", "sara")["token"])
    assert validated(cli, "-", given=f"{token}\n").code == 0


def test_an_inactive_token_ends_with_1(cli: Run, clock: HandClock) -> None:
    """Scripts can ask by the exit code; the answer itself is on standard output, for it is an answer."""
    token = str(issued(cli, "--user", "sara", "--ttl", "1m")["token"])
    clock.move(minutes=5)
    ended = validated(cli, token)
    assert (ended.code, ended.facts["status"], ended.facts["error code"], ended.err) == (1, "EXPIRED", "40", "")
    document = validated(cli, token, "--json")
    assert (document.code, document.json["active"], document.json["status"]) == (1, False, "TOKEN_STATUS_EXPIRED")


def test_a_token_past_its_end_is_active_within_the_clock_skew(cli: Run, clock: HandClock) -> None:
    """The answer says why it is active still: the app's skew, or a clock that is wrong."""
    clock.move(seconds=(system_clock() - clock()).total_seconds() - 100)
    token = str(issued(cli, "--user", "sara", "--ttl", "90s")["token"])
    clock.move(seconds=100)
    ended = validated(cli, token)
    assert (ended.code, ended.facts["active"]) == (0, "yes")
    assert "clock_skew" in ended.facts["note"]
    clock.move(seconds=30)
    assert "note" not in validated(cli, token).facts, "it has expired"
    clock.move(hours=-1)
    assert (
        "one of them is wrong"
        in validated(cli, str(issued(cli, "--user", "sara", "--ttl", "1m")["token"])).facts["note"]
    )


def test_a_token_that_lives_has_no_note(cli: Run, clock: HandClock) -> None:
    """Where its end lies ahead, or where it has none, there is nothing to explain."""
    clock.move(seconds=(system_clock() - clock()).total_seconds())
    assert "note" not in validated(cli, str(issued(cli, "--user", "sara")["token"])).facts


def test_questions_are_asked(cli: Run) -> None:
    """Call, channel, audience and role are put to the token."""
    scoped = str(
        issued(cli, "--user", "sara", "--call", "default:1", "--channel", "chat:1", "--role", "admin")["token"]
    )
    assert validated(cli, scoped).facts["status"] == "SCOPE_DENIED"
    assert validated(cli, scoped, "--call", "default:1", "--channel", "chat:1").code == 0
    assert validated(cli, scoped, "--call", "default:1", "--role", "guest").facts["status"] == "ROLE_DENIED"
    assert validated(cli, scoped, "--call", "default:1", "--role", "guest", "--role", "admin").code == 0
    meant = str(issued(cli, "--user", "sara", "--audience", "billing")["token"])
    assert validated(cli, meant, "--audience", "chat").facts["status"] == "AUDIENCE_MISMATCH"
    assert validated(cli, meant, "--audience", "billing").code == 0


def test_a_replay_is_shown_as_one(cli: Run) -> None:
    """Refreshing twice with one token tells the second time that it was a repetition."""
    refresh_token = str(issued(cli, "--user", "sara", "--refreshable")["refresh_token"])
    assert cli("token", "refresh", "-", given=refresh_token).facts["outcome"] == "ROTATED"
    assert cli("token", "refresh", refresh_token).facts["outcome"] == "REPLAYED"


def test_a_refused_refresh_is_one_sentence(cli: Run) -> None:
    """The reason first, for programs; then what it means."""
    ended = cli("token", "refresh", "art1_forged")
    assert (ended.code, ended.err) == (1, "REFRESH_TOKEN_INVALID: the refresh token is not one of ours\n")


def test_another_app_can_be_named(server: RunningServer, cli: Run) -> None:
    """A token belongs to the app it was issued for, and to no other."""
    server.new_app("shop")
    token = str(issued(cli, "--app", "shop", "--user", "sara")["token"])
    assert validated(cli, token, "--api-key", "shop").code == 0
    assert validated(cli, token).facts["status"] == "KEY_UNKNOWN"
