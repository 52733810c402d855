"""Minting: from what a token shall grant to its signed text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple, NoReturn, Protocol

from authsvc.clock import Clock, Randomness
from authsvc.errors import Faults, InvalidRequest, Reason
from authsvc.model import ApiKey, Kind, Profile, Session, SessionId, TokenScope, User
from authsvc.signing.jws import MAX_MINTED_BYTES, sign_compact
from authsvc.signing.keys import SigningKey
from authsvc.tokens.claims import payload_of
from authsvc.trust.view import AppTrust, TrustView
from authsvc.verify.claims import TYP, AccessClaims, token_id_of
from authsvc.verify.verdict import VerifiedToken

JTI_RANDOM_BYTES = 12


class Grant(NamedTuple):
    """What a token shall say. ``expires_at`` in whole seconds since 1970 UTC; None: never."""

    kind: Kind
    user: User
    scope: TokenScope
    audience: tuple[str, ...]
    custom_claims: Mapping[str, object]
    expires_at: int | None
    session_id: SessionId | None = None


class Draft(NamedTuple):
    """A token that lacks its signature: what it says, as it will be signed, and by which key."""

    key: SigningKey
    typ: str
    payload: bytes
    grant: Grant
    api_key: ApiKey
    claims: AccessClaims


class MintedToken(NamedTuple):
    """A signed token; its text does not print, and it is not pickled, nor is an answer that holds it."""

    text: str
    token: VerifiedToken

    def __repr__(self) -> str:
        return f"MintedToken(***, token={self.token!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled")


class Sign(Protocol):
    """``sign_compact``, or what times and traces it."""

    def __call__(self, key: SigningKey, *, typ: str, payload: bytes) -> str:
        """The signed compact token."""


def _nothing_to_settle() -> None:
    """There is nobody but us."""


class Mint:
    """Signs access tokens with an app's active key."""

    def __init__(
        self,
        view: TrustView,
        *,
        clock: Clock,
        randomness: Randomness,
        sign: Sign = sign_compact,
        settle: Callable[[], None] = _nothing_to_settle,
    ) -> None:
        self._view = view
        self._settle = settle
        self._clock = clock
        self._randomness = randomness
        self._sign = sign

    def now(self) -> datetime:
        """The clock that tokens are dated by."""
        return self._clock()

    def mint(self, trust: AppTrust, grant: Grant) -> MintedToken:
        """Sign a token that grants this; raises what ``draft`` and ``sign`` raise."""
        return self.sign(self.draft(trust, grant))

    def draft(self, trust: AppTrust, grant: Grant) -> Draft:
        """Decide what a token says that grants this; raises ``KeyNotReady`` when the app has no active key."""
        key = trust.ring.signing_key()
        self._settle()  # a token carries what its maker has seen, its own revocations among it
        revision, profile = self._view.revision, trust.app.settings.profile
        claims = AccessClaims(
            trust.app.settings.issuer,
            grant.kind,
            grant.user,
            token_id_of(revision, self._randomness(JTI_RANDOM_BYTES)),
            revision,
            int(self._clock().timestamp() - trust.backdate),
            grant.expires_at,
            None,  # good from now on
            grant.session_id,
            grant.audience or _default_audience(trust),
            grant.scope,
            grant.custom_claims,
        )
        payload = payload_of(claims, profile=profile, api_key=trust.app.api_key)
        return Draft(key, TYP[profile], payload, grant, trust.app.api_key, claims)

    def sign(self, draft: Draft) -> MintedToken:
        """Sign a draft; raises ``InvalidRequest`` (TOKEN_TOO_LARGE) above 4 KiB."""
        key = draft.key
        text = self._sign(key, typ=draft.typ, payload=draft.payload)
        if len(text) > MAX_MINTED_BYTES:
            _refuse_size(len(text), draft.grant)
        return MintedToken(text, VerifiedToken(draft.api_key, key.key_id, key.algorithm, draft.claims))

    def sign_each(self, drafts: Mapping[int, Draft]) -> dict[int, MintedToken]:
        """Sign several in a row; those that are too large are left out."""
        minted = {}
        for place, draft in drafts.items():
            with suppress(InvalidRequest):
                minted[place] = self.sign(draft)
        return minted

    def mint_for_session(self, trust: AppTrust, session: Session, *, ttl: timedelta | None = None) -> MintedToken:
        """Sign a fresh access token of a session, within what the app allows today; ``ttl`` as the session has it."""
        return self.sign(self.draft_for_session(trust, session, ttl=ttl))

    def draft_for_session(self, trust: AppTrust, session: Session, *, ttl: timedelta | None = None) -> Draft:
        """As ``mint_for_session``, but for the signature."""
        ttl = min(ttl or session.access_ttl, trust.app.settings.max_ttl)
        return self.draft(
            trust,
            Grant(
                kind=session.kind,
                user=session.user,
                scope=session.scope,
                audience=session.audience,
                custom_claims=session.custom_claims,
                expires_at=seconds_after(self._clock(), ttl),
                session_id=session.id,
            ),
        )


def seconds_after(now: datetime, ttl: timedelta) -> int:
    """The ``exp`` of a token that lives for ``ttl`` from now."""
    return int(now.timestamp()) + int(ttl.total_seconds())


def _default_audience(trust: AppTrust) -> tuple[str, ...]:
    """RFC 9068, 2.2: an audience is always stated; where nobody named one it is the app itself."""
    return (trust.app.api_key,) if trust.app.settings.profile is Profile.AT_JWT else ()


def _refuse_size(size: int, grant: Grant) -> None:
    faults = Faults()
    faults.add(
        _heaviest(grant),
        f"and the other data make a token of {size} bytes; at most {MAX_MINTED_BYTES} are minted",
        Reason.TOKEN_TOO_LARGE,
    )
    faults.refuse_any()


def _heaviest(grant: Grant) -> str:
    """The field that takes most of a token: what to send less of."""
    subject = grant.kind.value
    sizes = {
        f"{subject}.custom": len(str(grant.user.custom)),
        f"{subject}.name": len(grant.user.name),
        f"{subject}.image": len(grant.user.image),
        "scope": len(str(grant.scope)),
        "audience": len(str(grant.audience)),
        "custom_claims": len(str(grant.custom_claims)),
    }
    return max(sizes, key=sizes.__getitem__)
