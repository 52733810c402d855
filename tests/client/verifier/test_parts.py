"""The parts of a verifier, each by itself: updates made by hand, clocks moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from authsvc.client import Failure, TokenNotActive, TrustStale, Unavailable
from authsvc.client.errors import InvalidRequest
from authsvc.client.verifier.age import Age
from authsvc.client.verifier.asking import Asking
from authsvc.client.verifier.following import make_judge
from authsvc.client.verifier.pauses import FIRST, LONGEST, Pauses
from authsvc.client.verifier.trusted import Trusted
from authsvc.trust.view import TrustView
from authsvc.v1 import auth_pb2
from authsvc.v1 import trust_pb2 as v1
from authsvc.verify.signatures import digest_of
from tests.client.tokens.made import Machine
from tests.client.verifier.made import APP, Heard, policy, revocations, token
from tests.signing.handmade import b64

SECOND = 1_000_000_000
LOST = Unavailable(Failure("UNAVAILABLE", "UNAVAILABLE", "gone"))


def status(heard: Heard, text: str) -> str:
    """The verdict by what was heard."""
    try:
        heard.judge.judge(text, digest_of(text), heard.judge.nothing_asked)
    except TokenNotActive as refused:
        return refused.status
    return "ACTIVE"


# -- age -------------------------------------------------------------------------------------------


def test_nothing_known_is_infinitely_old() -> None:
    """Until a first update there is no age."""
    assert Age(Machine().monotonic).nanoseconds == float("inf")


def test_age_is_counted_by_a_clock_that_is_never_set() -> None:
    """From the moment something was heard, whatever the wall clocks of both sides say."""
    machine = Machine()
    age, service = Age(machine.monotonic), datetime(2031, 1, 1, tzinfo=UTC)
    age.began()
    age.told(service)
    assert age.nanoseconds == 0
    machine.clock.move(seconds=4)
    assert age.nanoseconds == 4 * SECOND
    age.told(service + timedelta(seconds=4))
    assert age.nanoseconds == 0


def test_a_service_that_does_not_see_its_store_makes_a_verifier_older() -> None:
    """Heartbeats whose ``as_of`` stands still, or goes back, are no news."""
    machine = Machine()
    age, service = Age(machine.monotonic), datetime(2026, 1, 1, tzinfo=UTC)
    age.began()
    age.told(service)
    for back in (0, 30):
        machine.clock.move(seconds=5)
        age.told(service - timedelta(seconds=back))
    assert age.nanoseconds == 10 * SECOND


def test_updates_that_were_held_back_do_not_look_new() -> None:
    """A line that delivers late: the service's moments moved less than our time did."""
    machine = Machine()
    age, service = Age(machine.monotonic), datetime(2026, 1, 1, tzinfo=UTC)
    age.began()
    age.told(service)
    machine.clock.move(seconds=60)
    age.told(service + timedelta(seconds=5))
    assert age.nanoseconds == 55 * SECOND
    age.began()  # another stream, perhaps of a worker whose clock is another
    age.told(service + timedelta(seconds=6))
    assert age.nanoseconds == 0


# -- pauses ----------------------------------------------------------------------------------------


def test_pauses_double_up_to_a_bound_and_are_random() -> None:
    """From half to the whole of what grows; something heard begins anew."""
    least, most = Pauses(lambda size: b"\0" * size), Pauses(lambda size: b"\xff" * size)
    grown = [(least.seconds(), most.seconds()) for _ in range(6)]
    assert [high for _, high in grown] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    assert [low for low, _ in grown] == pytest.approx([high / 2 for _, high in grown])
    most.succeeded()
    assert most.seconds() == pytest.approx(FIRST)
    assert FIRST < LONGEST


# -- snapshots and deltas --------------------------------------------------------------------------


def test_a_snapshot_counts_as_a_whole_once_its_end_has_come() -> None:
    """Before, nothing is known; after, tokens are judged."""
    heard = Heard()
    good = token(heard.clock)
    assert not heard.update(snapshot_start=v1.SnapshotStart())
    assert not heard.update(policy=policy())
    assert heard.judge.stale
    assert heard.update("1-1", snapshot_end=v1.SnapshotEnd())
    assert (status(heard, good), heard.judge.stale) == ("ACTIVE", False)


def test_a_snapshot_takes_the_place_of_what_was_known_in_one_step() -> None:
    """While a second one comes the first is what counts, and what is not in the second is forgotten."""
    heard = Heard()
    first, second = b64(bytes(8) + b"first token "), b64(bytes(8) + b"second token")
    one, two = token(heard.clock, jti=first), token(heard.clock, jti=second)
    heard.snapshot("1-1", revoked=(first,))
    assert [status(heard, each) for each in (one, two)] == ["REVOKED", "ACTIVE"]
    heard.update(snapshot_start=v1.SnapshotStart())
    heard.update(policy=policy(2))
    heard.update(revocations=revocations(second))
    assert [status(heard, each) for each in (one, two)] == ["REVOKED", "ACTIVE"]
    heard.update("1-2", snapshot_end=v1.SnapshotEnd())
    assert [status(heard, each) for each in (one, two)] == ["ACTIVE", "REVOKED"]


def test_half_a_snapshot_is_worth_nothing() -> None:
    """A stream that ends in one leaves what was known, and its cursor."""
    heard = Heard()
    heard.snapshot("1-7")
    heard.update(snapshot_start=v1.SnapshotStart())
    heard.update(policy=policy(9, suspended=True))
    heard.following.ended(LOST)
    assert status(heard, token(heard.clock)) == "ACTIVE"
    assert heard.following.request().cursor == "1-7"
    with pytest.raises(ValueError, match="not begun"):
        heard.update("1-9", snapshot_end=v1.SnapshotEnd())


def test_an_older_snapshot_is_refused() -> None:
    """Of the same store: nothing that was revoked is forgotten. A store that was restored is another one."""
    heard = Heard()
    name = b64(bytes(8) + b"twelve bytes")
    ended = token(heard.clock, jti=name)
    heard.snapshot("1-7", revoked=(name,))
    with pytest.raises(ValueError, match="older"):
        heard.snapshot("1-6")
    heard.following.ended(None)
    assert (status(heard, ended), heard.following.request().cursor) == ("REVOKED", "1-7")
    heard.snapshot("2-1")
    assert (status(heard, ended), heard.following.request().cursor) == ("ACTIVE", "2-1")


def test_a_delta_is_learnt_at_once_and_what_was_remembered_with_it() -> None:
    """A token that was found good is looked at again after any change."""
    heard = Heard()
    name = b64(bytes(8) + b"twelve bytes")
    text = token(heard.clock, jti=name)
    heard.snapshot()
    assert status(heard, text) == "ACTIVE"
    assert heard.judge.remembered(digest_of(text)) is not None
    heard.update("1-2", revocations=revocations(name))
    assert heard.judge.remembered(digest_of(text)) is None
    assert status(heard, text) == "REVOKED"
    restored = v1.Revocations(revocations=[v1.TrustRevocation(restored_token_id=name)])
    heard.update("1-3", revocations=restored)
    assert status(heard, text) == "ACTIVE"


def test_a_policy_replaces_the_earlier_one_but_not_a_newer() -> None:
    """A key that it does not name is no more; a policy of a worker that is behind is passed over."""
    heard = Heard()
    heard.snapshot(keys=(0, 1))
    old, new = token(heard.clock, signed_by=0), token(heard.clock, signed_by=1)
    heard.update("1-5", policy=policy(5, keys=(1,)))
    assert [status(heard, each) for each in (old, new)] == ["KEY_UNKNOWN", "ACTIVE"]
    heard.update("1-6", policy=policy(4, keys=(0,)))
    assert [status(heard, each) for each in (old, new)] == ["KEY_UNKNOWN", "ACTIVE"]


def test_a_policy_that_makes_no_sense_is_an_error() -> None:
    """A key under another kid, or that cannot be read: nothing is verified by guesses."""
    strange, foreign = policy(), policy(keys=(0, 1))
    strange.keys[0].public_jwk = "{}"
    foreign.keys[0].key_id = foreign.keys[1].key_id
    for wrong in (strange, foreign):
        with pytest.raises(ValueError, match="key"):
            Heard().update("1-1", policy=wrong)


@pytest.mark.parametrize(
    "update",
    [
        v1.TrustUpdate(cursor="1-9"),
        v1.TrustUpdate(cursor="1-9", revocations=v1.Revocations(revocations=[v1.TrustRevocation()])),
    ],
    ids=["a kind of update", "a kind of revocation"],
)
def test_what_a_newer_service_tells_is_not_passed_over(update: v1.TrustUpdate) -> None:
    """It may end a token: such an update is an error, and the cursor stays before it."""
    heard = Heard()
    heard.snapshot()
    before = heard.judge.trusted.cursor
    with pytest.raises(ValueError, match="does not know"):
        heard.judge.trusted.take(update)
    assert heard.judge.trusted.cursor == before


def test_a_secret_that_was_revoked_is_known_by_its_name() -> None:
    """Its tokens are told to be renewed, as by the service; one that nobody knows is not."""
    heard, known = Heard(), policy()
    known.keys.add(key_id="hs-key", algorithm="HS256", state=v1.TRUSTED_KEY_STATE_REVOKED)
    heard.update(snapshot_start=v1.SnapshotStart())
    heard.update(policy=known)
    heard.update("1-1", snapshot_end=v1.SnapshotEnd())
    from tests.verify.workshop import header
    from tests.verify.workshop import token as by_hand

    assert status(heard, by_hand()) == "KEY_REVOKED"
    assert status(heard, by_hand(head=header(kid="another"))) == "KEY_UNKNOWN"


# -- staleness -------------------------------------------------------------------------------------


def test_what_is_too_old_is_stale_and_fresh_again_once_heard() -> None:
    """At the bound, not before; remembered tokens are no exception."""
    heard = Heard(timedelta(seconds=10))
    text = token(heard.clock)
    heard.snapshot()
    assert status(heard, text) == "ACTIVE"
    heard.clock.move(seconds=10)
    assert (heard.judge.stale, heard.judge.remembered(digest_of(text)) is not None) == (False, True)
    heard.clock.move(seconds=0.001)
    assert (heard.judge.stale, heard.judge.remembered(digest_of(text))) == (True, None)
    assert heard.heartbeat()
    assert not heard.judge.stale


def test_who_fails_closed_says_stale_and_who_asks_asks() -> None:
    """And an answer that was given while nothing is heard is not kept."""
    heard = Heard()
    text = token(heard.clock)
    digest, nothing = digest_of(text), heard.judge.nothing_asked
    closed, asks = Asking(heard.judge, APP, "fail_closed"), Asking(heard.judge, APP, "ask_service")
    for _ in range(2):
        with pytest.raises(TrustStale):
            closed.here(text, digest, nothing)
        assert asks.here(text, digest, nothing) is None
        asked = asks.of_service(text, digest, nothing)
        assert (asked.request.token, asked.request.api_key, asked.digest) == (text, APP, None)
        heard.snapshot()
        for asking in (closed, asks):
            assert asking.here(text, digest, nothing) is not None
        heard.clock.move(seconds=11)


def test_answers_of_the_service_are_kept_until_something_is_heard() -> None:
    """For half a minute at most, and never past the token's own end."""
    heard = Heard(timedelta(hours=1))
    heard.snapshot()
    heard.update("1-2", policy=_asking_policy(2))
    asking, text = Asking(heard.judge, APP, "fail_closed"), "whatever"
    digest, nothing = digest_of(text), heard.judge.nothing_asked
    answer = auth_pb2.ValidateTokenResponse(active=True, status=auth_pb2.TOKEN_STATUS_ACTIVE)
    answer.info.kind = auth_pb2.TOKEN_KIND_USER

    def told() -> Any:
        assert asking.here(text, digest, nothing) is None
        return asking.told(asking.of_service(text, digest, nothing), answer)

    assert heard.judge.remembered(digest) is None
    assert told() is heard.judge.remembered(digest)
    heard.clock.move(seconds=31)
    assert heard.judge.remembered(digest) is None
    told()
    heard.update("1-3", revocations=revocations("AAAA"))
    assert heard.judge.remembered(digest) is None
    bad = auth_pb2.ValidateTokenResponse(status=auth_pb2.TOKEN_STATUS_REVOKED)
    with pytest.raises(TokenNotActive, match="REVOKED"):
        asking.told(asking.of_service(text, digest, nothing), bad)


def _asking_policy(revision: int) -> v1.TrustPolicy:
    made = policy(revision)
    made.mode = v1.VERIFICATION_MODE_ASK_SERVICE
    return made


@pytest.mark.parametrize(
    "asked", [{"call_cid": ""}, {"channel_cid": "x"}, {"audience": ""}, {"any_role_of": []}, {"any_role_of": ["A B"]}]
)
def test_a_question_that_cannot_be_asked_is_an_error(asked: dict[str, Any]) -> None:
    """An empty cid is not the same as none: it would be a way round a scope."""
    all_of_them: dict[str, Any] = {"call_cid": None, "channel_cid": None, "audience": None, "any_role_of": None}
    with pytest.raises(InvalidRequest) as raised:
        Asking(Heard().judge, APP, "fail_closed").questions(**{**all_of_them, **asked})
    assert len(raised.value.violations) == 1
    with pytest.raises(TypeError, match="list"):
        Asking(Heard().judge, APP, "fail_closed").questions(**{**all_of_them, "any_role_of": "admin"})


@pytest.mark.parametrize("wrong", [{"api_key": ""}, {"max_staleness": timedelta(0)}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """An app without a name, a bound that nothing can keep; and another word for when it is stale."""
    machine = Machine()
    parts: dict[str, Any] = {"api_key": APP, "max_staleness": timedelta(seconds=1), "audiences": ()}
    with pytest.raises(ValueError, match=r"app|max_staleness"):
        make_judge(**{**parts, **wrong}, clock=machine.clock, monotonic=machine.monotonic)
    with pytest.raises(ValueError, match="when_stale"):
        Asking(Heard().judge, APP, "hope")  # type: ignore[arg-type]


# -- following -------------------------------------------------------------------------------------


def test_the_end_of_a_stream_is_a_resume_from_the_cursor() -> None:
    """With a pause that grows, said once at warn and once when it is over; ordinary ends are not worth a word."""
    heard = Heard()
    assert heard.following.request().cursor == ""
    heard.snapshot("1-4")
    assert heard.following.ended(None) == pytest.approx(FIRST)
    assert heard.log == []
    pauses = [heard.following.ended(LOST) for _ in range(3)]
    assert pauses == sorted(pauses)
    assert heard.following.request() == v1.WatchTrustBundleRequest(api_key=APP, cursor="1-4")
    heard.heartbeat("1-5")
    assert heard.log == [("warn", "the service is not heard"), ("info", "the service is heard again")]
    assert heard.following.ended(ValueError("nonsense")) == pytest.approx(FIRST)
    assert heard.following.request().cursor == "1-5"


def test_each_stream_is_compared_with_its_own_beginning() -> None:
    """A worker whose clock is half a minute behind makes nobody stale who goes over to it; held back updates do."""
    heard = Heard(timedelta(seconds=10))
    heard.following.request()
    heard.snapshot()
    heard.clock.move(seconds=60)
    heard.following.ended(LOST)
    heard.following.request()
    assert heard.heartbeat(held_back=30)
    heard.clock.move(seconds=60)
    assert not heard.heartbeat(held_back=60)


def test_what_the_stream_did_not_tell_is_found_by_asking() -> None:
    """Once a minute; a policy that is newer is taken, and said."""
    heard = Heard()
    heard.snapshot()
    assert heard.following.reconciling() is None
    heard.clock.move(seconds=60)
    assert heard.following.reconciling() == v1.GetTrustBundleRequest(api_key=APP)
    assert heard.following.reconciling() is None
    text = token(heard.clock)
    for revision, verdict in ((1, "ACTIVE"), (2, "APP_SUSPENDED")):
        bundle = v1.GetTrustBundleResponse(policy=policy(revision, suspended=True))
        bundle.as_of.FromDatetime(heard.clock())
        heard.following.reconcile(bundle)
        assert status(heard, text) == verdict
    assert heard.log == [("warn", "a change was not told by the stream")]


def test_what_no_longer_matters_is_forgotten() -> None:
    """By the service's clock and by ours: one that is wrong must not make a revocation look old."""
    heard = Heard()
    heard.snapshot()
    session = v1.RevokedSession(session_id="00010203-0405-0607-0809-0a0b0c0d0e0f")
    session.until.FromDatetime(heard.clock() + timedelta(hours=1))
    heard.update("1-2", revocations=v1.Revocations(revocations=[v1.TrustRevocation(session=session)]))
    view, bundle = heard.judge.trusted.view, v1.GetTrustBundleResponse(policy=policy())
    bundle.as_of.FromDatetime(heard.clock() + timedelta(hours=30))
    heard.following.reconcile(bundle)
    assert view.count_revoked() == 1
    bundle.as_of.FromDatetime(heard.clock())
    heard.clock.move(hours=30)
    heard.following.reconcile(bundle)
    assert view.count_revoked() == 1
    bundle.as_of.FromDatetime(heard.clock())
    heard.following.reconcile(bundle)
    assert view.count_revoked() == 0


def test_a_first_snapshot_is_waited_for_but_not_for_ever() -> None:
    """Who never hears one is not waited for at each call."""
    heard = Heard()
    assert heard.following.patience == 5
    heard.clock.move(seconds=2)
    assert heard.following.patience == pytest.approx(3)
    heard.clock.move(seconds=9)
    assert heard.following.patience == 0


# -- what is remembered ----------------------------------------------------------------------------


def test_time_alone_ends_what_is_remembered() -> None:
    """At the token's end with the skew, and where our clock is set back behind the look."""
    heard = Heard(timedelta(days=2))
    text = token(heard.clock, life=100)
    heard.snapshot()
    assert status(heard, text) == "ACTIVE"
    known = digest_of(text)
    heard.clock.move(seconds=-1)
    assert heard.judge.remembered(known) is None
    heard.clock.move(seconds=130)
    assert heard.judge.remembered(known) is not None
    heard.clock.move(seconds=1)
    assert (heard.judge.remembered(known), status(heard, text)) == (None, "EXPIRED")


def test_a_hundred_thousand_tokens_are_not_remembered_at_once() -> None:
    """The memory has a bound, and what is beyond it makes nothing grow."""
    heard = Heard(timedelta(days=2))
    heard.snapshot()
    bound = 32_768
    checked = heard.judge.judge(text := token(heard.clock), digest_of(text), heard.judge.nothing_asked)
    sizes = set[int]()
    for number in range(100_000):
        heard.judge.keep_answer(number.to_bytes(32, "big"), heard.judge.changes, checked)
        sizes.add(len(heard.judge))
    assert max(sizes) == bound


def test_a_view_of_its_own_is_all_it_knows() -> None:
    """Nothing but the app's public keys and what is revoked: no account, no secret, no other app."""
    trusted = Trusted(TrustView())
    trusted.take(v1.TrustUpdate(cursor="1-1", policy=policy()))
    assert [app.api_key for app in trusted.view.apps()] == [APP]
    (ring_key,) = (key for app in trusted.view.apps() for key in _keys(trusted, app.api_key))
    assert (trusted.view.accounts(), ring_key.signing) == ((), None)


def _keys(trusted: Trusted, api_key: Any) -> list[Any]:
    known = trusted.view.app(api_key)
    return [] if known is None else list(known.ring.keys.values())
