"""Whatever following fails with, it goes on where it can, and whoever cannot be answered is told why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from authsvc.client import (
    AsyncAuthClient,
    AsyncTokenVerifier,
    AuthClient,
    AuthClientError,
    NotFound,
    PermissionDenied,
    TokenVerifier,
    TrustStale,
    Unauthenticated,
)
from authsvc.client.verifier.asking import Asking
from authsvc.v1 import trust_pb2 as v1
from authsvc.verify.signatures import digest_of
from tests.client.tokens.made import Machine
from tests.client.verifier.made import APP, Heard, policy, token
from tests.client.verifier.peer import Hold, Peer
from tests.client.verifier.test_parts import status
from tests.conftest import RunningServer
from tests.rpc.surface import eventually

FIELDS = ("message", "reason", "exception", "kid")


class Lines:
    """What a client logs at warn and above, each line by the fields that it has of those above."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.options: dict[str, Any] = {"default": {"level": "warn", "sink": self._write}}

    def _write(self, level: object, message: str, event: Mapping[str, Any]) -> None:
        said = {"message": message, **event}
        self.seen.append([str(said[name]) for name in FIELDS if name in said])


def strange_policy(revision: int = 1, *, keys: tuple[int, ...] = (0, 1), **changes: Any) -> v1.TrustPolicy:
    """One whose last key is as this version knows none."""
    made = policy(revision, keys=keys)
    for name, value in changes.items():
        setattr(made.keys[-1], name, value)
    return made


# -- keys of a newer service -----------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"state": 9}, {"state": 0}, {"algorithm": "ML-DSA-44"}])
def test_a_key_that_is_not_understood_verifies_nothing(change: dict[str, Any]) -> None:
    """The others go on verifying; it is said once, by the key's name; understood later, it is a key as any other."""
    heard = Heard()
    one, two = token(heard.clock, signed_by=0), token(heard.clock, signed_by=1)
    heard.snapshot(keys=(0, 1))
    assert [status(heard, each) for each in (one, two)] == ["ACTIVE", "ACTIVE"]
    for revision in (2, 3):
        heard.update(f"1-{revision}", policy=strange_policy(revision, **change))
        assert [status(heard, each) for each in (one, two)] == ["ACTIVE", "KEY_UNKNOWN"]
    assert heard.log == [("warn", "a key is of a newer service: nothing is verified by it")]
    heard.update("1-4", policy=policy(4, keys=(0, 1)))
    assert [status(heard, each) for each in (one, two)] == ["ACTIVE", "ACTIVE"]


def test_a_revoked_secret_of_an_unknown_kind_is_passed_over() -> None:
    """Its name is known and its algorithm is not: the policy counts all the same."""
    known = policy()
    known.keys.add(key_id="of tomorrow", algorithm="KMAC256", state=v1.TRUSTED_KEY_STATE_REVOKED)
    heard = Heard()
    heard.snapshot()
    heard.update("1-2", policy=known)
    assert status(heard, token(heard.clock)) == "ACTIVE"


def test_a_strange_key_does_not_end_following(hold: Hold, peer: Peer, machine: Machine) -> None:
    """Over the wire, as a newer service sends it."""
    peer.beginning = peer.snapshot(strange_policy(state=9))
    with hold(peer.target, machine) as held:
        assert held.ready()
        assert held.verify(token(machine.clock)).user_id == "sara"
        assert len(peer.opened) == 1


# -- whatever else is raised -----------------------------------------------------------------------


class Faulty:
    """The calls of verifiers by a client that has a fault nobody has foreseen."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


def test_nothing_that_is_raised_ends_following(hold: Hold, peer: Peer, machine: Machine) -> None:
    """It is logged with its class and told to whoever asks; the next attempt is made, and counts."""
    lines = Lines()
    with hold(peer.target, machine, logs=lines.options) as held:
        assert held.ready()
        good, held.client.trust = held.client.trust, Faulty()
        machine.clock.move(seconds=11)
        failed = ["the service is not heard", "KeyError", "KeyError"]
        assert eventually(lambda: lines.seen, lambda seen: failed in seen)[-1] == failed
        stale = told(held)
        assert (type(stale.__cause__), "too old: KeyError: " in stale.message) == (KeyError, True)
        peer.beginning = peer.snapshot()
        held.client.trust = good
        assert not eventually(lambda: held.stale, lambda stale: not stale)
        assert held.verify(token(machine.clock)).user_id == "sara"
        assert lines.seen.count(failed) == 1, "once, however many attempts it takes"


# -- why nobody can say ----------------------------------------------------------------------------


def told(held: Any) -> TrustStale:
    """What is raised."""
    with pytest.raises(TrustStale) as raised:
        held.verify("a.b.c")
    return raised.value


@pytest.mark.parametrize(
    ("app", "account", "error", "reason"),
    [
        ("nowhere", "all", NotFound, "APP_NOT_FOUND"),
        ("dev", "no rights", PermissionDenied, "PERMISSION_MISSING"),
        ("dev", "nobody's", Unauthenticated, "CREDENTIAL_INVALID"),
    ],
)
def test_whoever_cannot_be_answered_is_told_why(
    app: str, account: str, error: type[AuthClientError], reason: str, hold: Hold, server: RunningServer
) -> None:
    """An unknown app, a permission that is missing, a credential that is none: the last failure is the cause."""
    credential = {"all": server.credential, "nobody's": "ask1_nobody"}.get(account) or server.new_credential(account)
    machine = Machine()
    with hold(server.target, machine, app, credential=credential) as held:
        assert eventually(lambda: held.verifier._judge.unheard, bool) is not None
        machine.clock.move(seconds=6)  # longer than a first snapshot is waited for
        stale = told(held)
        assert (type(stale.__cause__), stale.reason) == (error, "STALE")
        assert stale.message.startswith(f"what this verifier knows is too old: {reason}: ")


def test_why_is_told_until_the_service_is_heard() -> None:
    """An old failure is no cause of what comes later."""
    heard = Heard()
    asking = Asking(heard.judge, APP, "fail_closed")

    def cause() -> object:
        with pytest.raises(TrustStale) as raised:
            asking.here("a.b.c", digest_of("a.b.c"), heard.judge.nothing_asked)
        return raised.value.__cause__

    assert cause() is None
    fault = ValueError("nonsense")
    heard.following.ended(fault)
    heard.following.ended(None)
    assert cause() is fault
    heard.snapshot()
    heard.clock.move(seconds=11)
    assert cause() is None


def test_a_closed_client_ends_following(hold: Hold, peer: Peer, machine: Machine) -> None:
    """It is said, to whoever asks too, and nothing follows any more; what is known counts until it is too old."""
    lines = Lines()
    with hold(peer.target, machine, logs=lines.options) as held:
        assert held.ready()
        assert held.follows
        held.close_client()
        assert not eventually(lambda: held.follows, lambda follows: not follows)
        assert lines.seen == [["the client is closed: the service is followed no more"]]
        assert held.verify(token(machine.clock)).user_id == "sara"
        machine.clock.move(seconds=11)
        assert told(held).message == "what this verifier knows is too old: the client is closed"


def test_nobody_waits_for_what_a_closed_client_cannot_hear(hold: Hold, peer: Peer, machine: Machine) -> None:
    """Not for a first snapshot either: the clock by which it would be waited for stands still."""
    peer.beginning = []
    with hold(peer.target, machine) as held:
        held.close_client()
        assert eventually(held.verifier._ready.is_set, bool), "nobody waits any more"
        assert not held.ready()
        assert told(held).message.endswith("the client is closed")


def test_a_closed_verifier_says_so(hold: Hold, peer: Peer, machine: Machine) -> None:
    """Once what it knew is too old."""
    with hold(peer.target, machine) as held:
        assert held.ready()
        held.close()
        assert not held.follows
        assert held.verify(token(machine.clock)).user_id == "sara"
        machine.clock.move(seconds=11)
        assert told(held).message == "what this verifier knows is too old: the verifier is closed"


def test_a_client_of_another_loop_is_the_cause(peer: Peer, machine: Machine) -> None:
    """Its calls would fail in silence."""
    client = AsyncAuthClient(peer.target, "ask1_any")

    async def use() -> None:
        await client.trust.get_trust_bundle(v1.GetTrustBundleRequest(api_key=APP))

    async def follow() -> str:
        async with AsyncTokenVerifier(client, APP, clock=machine.clock, monotonic=machine.monotonic) as verifier:
            while verifier._judge.unheard is None:
                await asyncio.sleep(0)
            machine.clock.move(seconds=6)
            with pytest.raises(TrustStale, match="too old: the client belongs to another event loop") as raised:
                await verifier.verify("a.b.c")
            assert isinstance(raised.value.__cause__, RuntimeError)
            return raised.value.message

    asyncio.run(use())
    assert "another event loop" in asyncio.run(follow())


# -- the wrong thing given -------------------------------------------------------------------------


def test_a_client_of_the_other_kind_is_refused(peer: Peer) -> None:
    """And what it goes with is said."""
    with (
        AuthClient(peer.target, "ask1_any") as client,
        pytest.raises(TypeError, match="an AsyncAuthClient here, not AuthClient; AuthClient goes with TokenVerifier"),
    ):
        asyncio.run(_make(client))
    with pytest.raises(TypeError, match=r"an AuthClient here, not AsyncAuthClient; .* goes with AsyncTokenVerifier"):
        TokenVerifier(AsyncAuthClient(peer.target, "ask1_any"), APP)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"an AuthClient here, not str$"):
        TokenVerifier(peer.target, APP)  # type: ignore[arg-type]


async def _make(client: Any) -> None:
    AsyncTokenVerifier(client, APP)


@pytest.mark.parametrize(
    ("audiences", "text"), [("orders", "a list of names, not one"), (b"orders", "not int"), ([None], "not NoneType")]
)
def test_names_are_a_list_of_text(audiences: Any, text: str, peer: Peer) -> None:
    """The letters of one name would be names that nobody goes by."""
    with AuthClient(peer.target, "ask1_any") as client, pytest.raises(TypeError, match=text):
        TokenVerifier(client, APP, audiences=audiences)


def test_a_token_is_text(hold: Hold, peer: Peer, machine: Machine) -> None:
    """Anything else is said to be something else, and is not shown: bytes may be a token all the same."""
    with hold(peer.target, machine) as held:
        assert held.ready()
        for given, kind in ((None, "NoneType"), (b"secret", "bytes"), (7, "int")):
            with pytest.raises(TypeError, match=f"^a token is text .str., not {kind}$"):
                held.verify(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked", [{"call_cid": 5}, {"channel_cid": b"a:b"}, {"audience": ["shop"]}, {"any_role_of": [None]}]
)
def test_a_question_is_text(asked: dict[str, Any]) -> None:
    """What is none is named with what it is."""
    all_of_them: dict[str, Any] = {"call_cid": None, "channel_cid": None, "audience": None, "any_role_of": None}
    with pytest.raises(TypeError, match=r"is text \(str\), not (int|bytes|list|NoneType)$"):
        Asking(Heard().judge, APP, "fail_closed").questions(**{**all_of_them, **asked})
