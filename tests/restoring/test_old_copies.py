"""An old copy is the store again: nothing that was ended since, and nothing of before, is good."""

from __future__ import annotations

import json

from authsvc.client import AuthClient, TokenNotActive, TokenVerifier
from tests.restoring.scene import Scene, SqliteScene


def test_nothing_of_before_is_good(scene: Scene) -> None:
    """Sessions and tokens of before the copy and since, ended or not, are refused; those of afterwards are good."""
    with scene.peer() as peer:
        kept, lost = peer.login("sara"), peer.login("tom")
    scene.copy("old")
    with scene.peer() as peer:
        revisions = [peer.revoke(user_id="tom"), peer.revoke(token=kept.token)]
        later, cursor = peer.login("ulf"), peer.cursor()
        assert [peer.status(each.token) for each in (kept, lost, later)] == ["REVOKED", "REVOKED", "ACTIVE"]
    scene.stop()
    ended = scene.restore("old", "--json")
    assert ended.code == 0, ended.err
    scene.start()
    with scene.peer() as peer:
        assert [peer.status(each.token) for each in (kept, lost, later)] == ["REVOKED"] * 3
        assert [peer.refresh(each.refresh_token) for each in (kept, lost, later)] == ["SESSION_REVOKED"] * 3
        assert peer.first_update(cursor).WhichOneof("event") == "snapshot_start"
        new = peer.login("sara")
        assert [peer.status(new.token, after_revision=revision) for revision in revisions] == ["ACTIVE"] * 2
        assert peer.refresh(new.refresh_token) == "ROTATED"
        assert peer.revoke(user_id="nobody") > ended.json["revision"] > max(revisions)
        assert peer.first_update(peer.cursor()).WhichOneof("event") == "heartbeat"
    assert {name: ended.json[name] for name in ("epoch", "apps_revoked", "sessions_ended", "accounts")} == {
        "epoch": 2,
        "apps_revoked": 1,
        "sessions_ended": 2,
        "accounts": 1,
    }


def test_nothing_of_before_can_be_cleared(scene: Scene) -> None:
    """Clearing takes back what was revoked after a restore, and nothing that the restore revoked."""
    with scene.peer() as peer:
        old = peer.login("sara")
    scene.copy("old")
    with scene.peer() as peer:
        peer.revoke(user_id="sara")
    scene.stop()
    assert scene.restore("old").code == 0
    scene.start()
    with scene.peer() as peer:
        assert [peer.clear(all_users=True), peer.clear(user_id="sara")] == [False, False]
        assert peer.status(old.token) == "REVOKED"
        new = peer.login("sara")
        for target in ({"all_users": True}, {"user_id": "sara"}):
            peer.revoke(**target)
            assert [peer.status(each.token) for each in (old, new)] == ["REVOKED", "REVOKED"]
            assert peer.clear(**target)
            assert [peer.status(each.token) for each in (old, new)] == ["REVOKED", "ACTIVE"]
        assert not peer.clear(all_users=True)
    scene.stop()
    scene.start()
    with scene.peer() as peer:
        assert [peer.status(each.token) for each in (old, new)] == ["REVOKED", "ACTIVE"]


def test_verifiers_refuse_what_is_of_before(scene: Scene) -> None:
    """A program that checks tokens itself refuses those of before, and takes those of afterwards."""
    with scene.peer() as peer:
        old = peer.login("sara").token
    scene.copy("old")
    scene.stop()
    assert scene.restore("old").code == 0
    scene.start()
    with scene.peer() as peer:
        new = peer.login("sara").token
    with (
        AuthClient(scene.process.target, scene.process.credential) as client,
        TokenVerifier(client, "dev") as verifier,
    ):
        assert [_status(verifier, token) for token in (old, new)] == ["REVOKED", "ACTIVE"]


def test_one_copy_twice(scene: Scene) -> None:
    """What was given out between two restores of one copy is refused after the second."""
    scene.copy("old")
    scene.stop()
    first = scene.restore("old", "--json").json
    scene.start()
    with scene.peer() as peer:
        between = peer.login("sara")
        reached = peer.revoke(user_id="tom")
    scene.stop()
    second = scene.restore("old", "--json").json
    assert first["revision"] < reached < second["revision"]
    scene.start()
    with scene.peer() as peer:
        assert peer.status(between.token) == "REVOKED"
        assert peer.refresh(between.refresh_token) in ("SESSION_REVOKED", "REFRESH_TOKEN_INVALID")
        assert peer.refresh(peer.login("sara").refresh_token) == "ROTATED"


def test_a_copy_that_is_put_back_alone(scene: Scene) -> None:
    """The embedded store does not start with it, and names the command; on PostgreSQL what was revoked is good again.

    So the duty to run it is one, and the tests here would notice.
    """
    with scene.peer() as peer:
        token = peer.login("sara").token
    scene.copy("old")
    with scene.peer() as peer:
        peer.revoke(user_id="sara")
    scene.stop()
    scene.put_back("old")
    if isinstance(scene, SqliteScene):
        refused = scene.command("accounts", "recover", "--name", "x", "--credential-file", str(scene.folder / "x"))
        assert (refused.code, "authsvc restore" in refused.err) == (1, True)
        assert scene.command("restore").code == 0
        scene.start()
    else:
        scene.start()
        with scene.peer() as peer:
            assert peer.status(token) == "ACTIVE"
        scene.stop()
        assert scene.command("restore").code == 0
        scene.start()
    with scene.peer() as peer:
        assert peer.status(token) == "REVOKED"


def test_it_waits_for_nobody(scene: Scene) -> None:
    """While a server runs nothing is restored, and the server goes on."""
    with scene.peer() as peer:
        old = peer.login("sara")
    refused = scene.command("restore", "--json")
    assert (refused.code, refused.out) == (1, "")
    error = json.loads(refused.err)["error"]
    assert (error["reason"], "in use" in error["message"]) == ("RESTORE_REFUSED", True)
    with scene.peer() as peer:
        assert (peer.status(old.token), peer.refresh(old.refresh_token)) == ("ACTIVE", "ROTATED")


def test_another_kek_is_refused(scene: Scene) -> None:
    """A copy that the KEK does not open is not taken, with the sentence that helps, and nothing is changed."""
    scene.copy("old")
    scene.stop()
    other = scene.folder / "other"
    other.write_bytes(bytes(range(32)))
    other.chmod(0o600)
    refused = scene.command("restore", AUTHSVC_KEK_FILE=str(other))
    assert (refused.code, refused.err) == (
        1,
        "RESTORE_REFUSED: sealed under another KEK than AUTHSVC_KEK_FILE holds: only the KEK file of the backup's time "
        "opens it, which `authsvc kek rotate` may have replaced since\n",
    )
    unnamed = scene.command("restore", AUTHSVC_KEK_FILE=None)
    assert "seals all others; only the KEK file of the backup's time opens it" in unnamed.err
    assert "make one" not in unnamed.err
    scene.start()


def _status(verifier: TokenVerifier, token: str) -> str:
    try:
        verifier.verify(token)
    except TokenNotActive as refused:
        return refused.status
    return "ACTIVE"
