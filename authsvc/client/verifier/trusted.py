"""From the updates of ``TrustService`` to a trust view: that of one app, with public keys alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from authsvc.model import (
    Algorithm,
    ApiKey,
    App,
    AppSettings,
    Gone,
    KeyId,
    KeyState,
    PastIssuer,
    Revision,
    SessionId,
    SessionRevoked,
    Subject,
    TokenId,
    TokenRevoked,
    UserId,
    Watermark,
)
from authsvc.signing.jwk import KeyRefused, parse_key
from authsvc.signing.keyring import RingKey
from authsvc.signing.keys import VerificationKey
from authsvc.trust.view import TrustView
from authsvc.v1 import trust_pb2 as v1

_STATES = {getattr(v1, f"TRUSTED_KEY_STATE_{state.name}"): state for state in KeyState}
_ALGORITHMS = frozenset(algorithm.value for algorithm in Algorithm)
_DONE = object()
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Policy:
    """What of an app's policy the view does not hold."""

    revision: int
    ask_service: bool
    development_tokens: bool


class Trusted:
    """What is known of one app. ``cursor`` is where to go on from; ``policy`` is None until a first snapshot is whole.

    A snapshot is built aside and takes the place of what was known in one step: nobody ever sees half of one.
    """

    def __init__(self, view: TrustView) -> None:
        self.view = view
        self.policy: Policy | None = None
        self.cursor = ""
        self.strange_keys: frozenset[str] = frozenset()
        """Keys of the newest policy that this version does not understand: nothing is verified by them."""
        self._building: TrustView | None = None
        self._next_policy: Policy | None = None
        self._api_key = ApiKey("")
        self._pruning: Iterator[None] | None = None

    def lost(self) -> None:
        """The stream has ended: half a snapshot is worth nothing."""
        self._building = None

    def take(self, update: v1.TrustUpdate) -> None:
        """Learn an update. Raises ``ValueError`` for one that a service of this version does not send."""
        match update.WhichOneof("event"):
            case "snapshot_start":
                self._building = TrustView()
            case "policy":
                self._put_policy(update.policy)
            case "revocations":
                for entry in update.revocations.revocations:
                    self._put(entry)
            case "snapshot_end":
                self._complete(update.cursor)
            case "heartbeat":
                self._forget_some()
            case _:  # of a newer service: what is not understood may say that something is revoked
                raise ValueError("an update of a kind that this version does not know")
        if update.cursor and self._building is None:
            self.cursor = update.cursor
            self.view.reached(_revision(update.cursor))

    def reconcile(self, policy: v1.TrustPolicy) -> bool:
        """Take a policy that was asked for; whether it was newer than what the stream has told."""
        if self.policy is None or policy.revision <= self.policy.revision:
            return False
        self._put_policy(policy)
        return True

    def forget_old(self, now: datetime) -> None:
        """Begin to forget revocations of what can no longer live at ``now``.

        Among a million that takes a while, so that each heartbeat is a step of it; what has begun goes on.
        """
        if self._pruning is None:
            self._pruning = self.view.pruning(now)
        self._forget_some()

    def _forget_some(self) -> None:
        if self._pruning is not None and next(self._pruning, _DONE) is _DONE:
            self._pruning = None

    def _put_policy(self, policy: v1.TrustPolicy) -> None:
        if self._building is None and self.policy is not None and policy.revision < self.policy.revision:
            return  # of a worker that is behind; it will tell of the newer one too
        view = self._building or self.view
        self._api_key = ApiKey(policy.api_key)
        known = view.app(self._api_key)
        revoked = v1.TRUSTED_KEY_STATE_REVOKED
        self.strange_keys = frozenset(key.key_id for key in policy.keys if not _is_understood(key))
        known_keys = filter(_is_understood, policy.keys)
        keys = [_ring_key(key, policy) for key in known_keys if key.public_jwk or key.state == revoked]
        ids = {key.key_id for key in keys}
        # Every policy is whole, so a key that it does not name is no more; nor is one that is not understood any more.
        gone = [] if known is None else [key_id for key_id in known.ring.keys if key_id not in ids]
        revision = Revision(policy.revision)
        view.put_keys(self._api_key, keys, [Gone(Subject.KEY, self._api_key, key_id, revision) for key_id in gone])
        view.put_app(_app(policy))
        settled = Policy(
            policy.revision,
            ask_service=policy.mode != v1.VERIFICATION_MODE_LOCAL,
            development_tokens=policy.allow_development_tokens,
        )
        if self._building is None:
            self.policy = settled
        else:
            self._next_policy = settled

    def _put(self, entry: v1.TrustRevocation) -> None:
        view, api_key = self._building or self.view, self._api_key
        match entry.WhichOneof("revocation"):
            case "watermark":
                view.put_revocation(_watermark(api_key, entry.watermark))
            case "session":
                session_id = SessionId(uuid.UUID(entry.session.session_id).bytes)
                view.put_revocation(SessionRevoked(api_key, session_id, _moment(entry.session.until), Revision(0)))
            case "token":
                token = entry.token
                until = _moment(token.until) if token.HasField("until") else None
                view.put_revocation(TokenRevoked(api_key, TokenId(token.token_id), until, Revision(0)))
            case "restored_token_id":
                view.clear_token(Gone(Subject.TOKEN, api_key, entry.restored_token_id, Revision(0)))
            case _:
                raise ValueError("a revocation of a kind that this version does not know")

    def _complete(self, cursor: str) -> None:
        if self._building is None or self._next_policy is None:
            raise ValueError("a snapshot ended that had not begun, or had no policy")
        if _is_older(cursor, self.cursor):
            raise ValueError("a snapshot is older than what is known: nothing that was revoked is forgotten")
        self.view.become(self._building)
        self.policy, self._building = self._next_policy, None


def _is_older(cursor: str, than: str) -> bool:
    """Whether a cursor of the same store is of an earlier revision; those of another epoch cannot be compared."""
    same_store = cursor.partition("-")[0] == than.partition("-")[0]
    return same_store and _revision(cursor) < _revision(than)


def _revision(cursor: str) -> Revision:
    """Up to which change a cursor goes; 0 where another version of the service writes them otherwise."""
    number = cursor.rpartition("-")[2]
    return Revision(int(number)) if number.isdecimal() else Revision(0)


def _app(policy: v1.TrustPolicy) -> App:
    skew = policy.clock_skew.ToTimedelta()
    life = policy.longest_life.ToTimedelta() if policy.HasField("longest_life") else None
    today, *past = policy.issuers
    return App(
        api_key=ApiKey(policy.api_key),
        settings=AppSettings(
            issuer=today.issuer,
            clock_skew=skew,
            suspended=policy.suspended,
            allow_development_tokens=policy.allow_development_tokens,
        ),
        longest_ttl_ever=timedelta(0) if life is None else life - skew,
        longest_session_ever=timedelta(0),
        ever_non_expiring=policy.ever_non_expiring,
        past_issuers=tuple(
            PastIssuer(issuer.issuer, _START if life is None else _moment(issuer.accepted_until) - life)
            for issuer in past
        ),
        version=0,
        revision=Revision(policy.revision),
        created_at=_START,
        updated_at=_START,
    )


def _is_understood(key: v1.TrustedKey) -> bool:
    """Whether this version knows what the key is for; one in a state of a newer service may be no good any more."""
    return key.state in _STATES and key.algorithm in _ALGORITHMS


def _ring_key(key: v1.TrustedKey, policy: v1.TrustPolicy) -> RingKey:
    if not key.public_jwk:  # a secret that was revoked: nothing is verified by it, and that is said by its name
        return RingKey(VerificationKey(KeyId(key.key_id), Algorithm(key.algorithm), None), KeyState.REVOKED, "")
    try:
        verification = parse_key(key.public_jwk)
    except KeyRefused as fault:
        raise ValueError(f"a key of the policy cannot be used: {fault}") from None
    retired_at = None
    if key.HasField("verifies_until"):
        retired_at = _moment(key.verifies_until) - policy.longest_life.ToTimedelta()
    if verification.key_id != KeyId(key.key_id):
        raise ValueError("a key of the policy goes by another kid than its own")
    return RingKey(verification, _STATES[key.state], key.public_jwk, retired_at=retired_at)


def _watermark(api_key: ApiKey, mark: v1.RevokedWatermark) -> Watermark:
    return Watermark(
        api_key=api_key,
        user_id=UserId(mark.user_id) if mark.user_id else None,
        tokens_revision=Revision(mark.tokens_revision),
        tokens_revoked_at=_moment(mark.tokens_revoked_at) if mark.HasField("tokens_revoked_at") else None,
        tokens_issued_before=_moment(mark.tokens_issued_before) if mark.HasField("tokens_issued_before") else None,
        revision=Revision(mark.revision),
    )


def _moment(message: Timestamp) -> datetime:
    return message.ToDatetime(UTC)
