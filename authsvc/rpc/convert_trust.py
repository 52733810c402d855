"""Between what a worker knows of an app and what it tells verifiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from authsvc.model import (
    ApiKey,
    Change,
    Gone,
    KeyState,
    Revision,
    SessionRevoked,
    Subject,
    TokenRevoked,
    Watermark,
    session_text,
)
from authsvc.rpc.convert import set_moment
from authsvc.signing.jwks import key_set, public_key_text
from authsvc.signing.keyring import RingKey
from authsvc.trust.view import AppTrust
from authsvc.v1 import trust_pb2 as pb

CHUNK: Final = 1_000
"""Revocations in one message."""

_STATES = {state: pb.TrustedKeyState.Value(f"TRUSTED_KEY_STATE_{state.name}") for state in KeyState}


def policy_message(trust: AppTrust, *, development_tokens: bool, now: datetime) -> pb.TrustPolicy:
    """An app as verifiers need it. ``development_tokens``: whether this service accepts them at all."""
    app, life = trust.app, trust.longest_life
    policy = pb.TrustPolicy(
        api_key=app.api_key,
        revision=_revision(trust),
        mode=_mode(trust),
        suspended=app.settings.suspended,
        allow_development_tokens=development_tokens and app.settings.allow_development_tokens,
        ever_non_expiring=app.ever_non_expiring,
        keys=[_key(key, life) for _, key in sorted(trust.ring.keys.items())],
        jwks=key_set(trust.ring, now=now, retired_for=life).decode("ascii"),
    )
    policy.clock_skew.FromTimedelta(app.settings.clock_skew)
    if life is not None:
        policy.longest_life.FromTimedelta(life)
    policy.issuers.add(issuer=app.settings.issuer)
    for past in app.past_issuers:
        issuer = policy.issuers.add(issuer=past.issuer)
        if life is not None:
            set_moment(issuer.accepted_until, past.until + life)
    return policy


def revocation_chunks(revocations: Iterable[pb.TrustRevocation]) -> Iterator[pb.Revocations]:
    """Those revocations in messages of at most a thousand."""
    entries = iter(revocations)
    while chunk := list(islice(entries, CHUNK)):
        yield pb.Revocations(revocations=chunk)


def revocation_message(revocation: SessionRevoked | TokenRevoked | Watermark) -> pb.TrustRevocation:
    """One thing that is revoked."""
    entry = pb.TrustRevocation()
    match revocation:
        case Watermark():
            mark = entry.watermark
            mark.user_id = revocation.user_id or ""
            mark.revision = revocation.revision
            mark.tokens_revision = revocation.tokens_revision
            if revocation.tokens_revoked_at is not None:
                set_moment(mark.tokens_revoked_at, revocation.tokens_revoked_at)
            if revocation.tokens_issued_before is not None:
                set_moment(mark.tokens_issued_before, revocation.tokens_issued_before)
        case SessionRevoked():
            entry.session.session_id = session_text(revocation.session_id)
            set_moment(entry.session.until, revocation.until)
        case TokenRevoked():
            entry.token.token_id = revocation.token_id
            if revocation.until is not None:
                set_moment(entry.token.until, revocation.until)
    return entry


def changed_revocations(changes: Iterable[Change], api_key: ApiKey) -> Iterator[pb.TrustRevocation]:
    """What of those changes is about revocations of the app, in their order."""
    for change in changes:
        if isinstance(change, SessionRevoked | TokenRevoked | Watermark) and change.api_key == api_key:
            yield revocation_message(change)
        elif isinstance(change, Gone) and change.kind is Subject.TOKEN and change.api_key == api_key:
            yield pb.TrustRevocation(restored_token_id=change.subject)


def _mode(trust: AppTrust) -> pb.VerificationMode.ValueType:
    secret = any(not key.public_jwk and key.state is not KeyState.REVOKED for key in trust.ring.keys.values())
    # Tokens without a kid are the imported key's, also when it is revoked: verifiers could not say which that is.
    secret |= trust.app.settings.accept_unmanaged_tokens and trust.ring.imported_key_id() is not None
    return pb.VERIFICATION_MODE_ASK_SERVICE if secret else pb.VERIFICATION_MODE_LOCAL


def _revision(trust: AppTrust) -> Revision:
    records = [key.record for key in trust.ring.keys.values()]
    return max([trust.app.revision, *(record.revision for record in records if record is not None)])


def _key(key: RingKey, life: timedelta | None) -> pb.TrustedKey:
    message = pb.TrustedKey(
        key_id=key.key_id,
        algorithm=key.verification.algorithm.value,
        state=_STATES[key.state],
        public_jwk=public_key_text(key),
    )
    if key.retired_at is not None and life is not None:
        set_moment(message.verifies_until, key.retired_at + life)
    return message
