"""The store below two servers goes away and comes back: they say so, and recover by themselves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import grpc

from tests.following.pair import Peer, reason_of, serving
from tests.rpc.surface import eventually
from tests.storage.postgres.server import Server


def said(peer: Peer, token: str) -> str:
    """What a server says of a token, or why it does not."""
    try:
        return peer.status(token)
    except grpc.RpcError as error:
        return reason_of(error)


def says(peer: Peer, token: str, wanted: str) -> bool:
    """Whether a server comes to say that of a token."""
    return eventually(lambda: said(peer, token), lambda seen: seen == wanted) == wanted


def test_a_store_that_is_away_makes_both_stale_until_it_is_back(postgres: Server) -> None:
    """Beyond the bound nothing is answered from memory and health says NOT_SERVING; then what was missed is known."""
    with (
        postgres.migrated() as name,
        tempfile.TemporaryDirectory(prefix="authsvc-test-") as state_dir,
        serving(Path(state_dir), postgres.url(name), AUTHSVC_MAX_STALENESS="1s") as pair,
    ):
        token = pair.peers[0].issue("sara").token
        assert [said(peer, token) for peer in pair.peers] == ["ACTIVE"] * 2
        postgres.stop()
        for peer in pair.peers:
            assert says(peer, token, "STALE")
            assert not eventually(peer.serving, lambda serving: not serving)
        postgres.start()
        for peer in pair.peers:
            assert says(peer, token, "ACTIVE")
            assert eventually(peer.serving, bool)
        pair.revoke("sara")
        for peer in pair.peers:
            assert says(peer, token, "REVOKED")


def test_the_death_of_one_is_nothing_to_the_other(postgres: Server) -> None:
    """A server that is killed leaves the other one following, and a new one takes its place."""
    with (
        postgres.migrated() as name,
        tempfile.TemporaryDirectory(prefix="authsvc-test-") as state_dir,
        serving(Path(state_dir), postgres.url(name)) as pair,
    ):
        dying, living = pair.peers
        tokens = {user: dying.issue(user).token for user in ("sara", "eve")}
        dying.process.kill()
        pair.revoke("sara")
        assert says(living, tokens["sara"], "REVOKED")
        dying.process.start()
        again = Peer(dying.process)
        assert [said(again, tokens[user]) for user in ("sara", "eve")] == ["REVOKED", "ACTIVE"]
        again.close()
