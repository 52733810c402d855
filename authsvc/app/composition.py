"""The composition root: from settings to a running service. Owns every lifetime; reads like a diagram."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authsvc.accounts.admin import AccountsAdmin
from authsvc.accounts.authenticate import Authenticator
from authsvc.app.alarms import start_alarm
from authsvc.app.observing import cache_state, make_metrics, observed_sign, observed_store
from authsvc.app.sinks import make_logs
from authsvc.apps.admin import AppsAdmin
from authsvc.clock import Clock, Monotonic, Randomness, in_stock, system_clock, system_monotonic, system_randomness
from authsvc.config import Settings
from authsvc.keys.admin import KeysAdmin
from authsvc.keys.changes import KeyChanges
from authsvc.keys.keeper import KeyKeeper
from authsvc.keys.making import KeyMaker
from authsvc.keys.watched_clock import WatchedClock
from authsvc.logs import Alarm, LoggerSystem
from authsvc.metrics import JanitorState, Metrics
from authsvc.operations.audit import AuditAdmin
from authsvc.operations.janitor import Janitor
from authsvc.operations.logging import LoggingAdmin
from authsvc.operations.revocations import RevocationsAdmin
from authsvc.rpc.addresses import Addresses, Network
from authsvc.rpc.admin_servicer import AdminServicer
from authsvc.rpc.auth_servicer import AuthServicer
from authsvc.rpc.batches import Batches
from authsvc.rpc.bundles import Bundles
from authsvc.rpc.explanations import Explanations
from authsvc.rpc.guest_servicer import GuestServicer
from authsvc.rpc.limits import Limits
from authsvc.rpc.remembered import RememberedAnswers
from authsvc.rpc.server import RpcServer, Surface
from authsvc.rpc.strangers import Strangers
from authsvc.signing.lifecycle import FEED_BOUND, LifeCycle
from authsvc.signing.sealing import Kek, Sealer
from authsvc.storage import open_store
from authsvc.storage.base import Store
from authsvc.storage.logged import StoreLines, logged_store
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.derived_ids import DerivedIds
from authsvc.tokens.development import DevelopmentNotice
from authsvc.tokens.guest import GuestTokens
from authsvc.tokens.issue import Issue
from authsvc.tokens.issue_together import IssueTogether
from authsvc.tokens.lines import TokenLines
from authsvc.tokens.mint import JTI_RANDOM_BYTES, Mint
from authsvc.tokens.refresh import Refresh
from authsvc.tokens.refresh_together import RefreshTogether
from authsvc.tokens.refresh_token import RefreshTokens
from authsvc.tokens.revoke import Revoke
from authsvc.tokens.session_list import Sessions
from authsvc.tokens.validate import Validate
from authsvc.trust.catching_up import CatchingUp
from authsvc.trust.feed import Feed
from authsvc.trust.follower import Follower
from authsvc.trust.freshness import Freshness
from authsvc.trust.learning import Learning
from authsvc.trust.levels import Levels
from authsvc.trust.second_look import SecondLook
from authsvc.trust.secrets import GUEST_KEY_PURPOSE, REFRESH_KEY_PURPOSE, ServiceSecrets
from authsvc.trust.view import TrustView
from authsvc.verify.signatures import VerifiedSignatures
from authsvc.verify.verifier import Verifier

if TYPE_CHECKING:
    from authsvc.rpc.tracing import Tracing  # with its library, which is an extra


@dataclass(frozen=True, slots=True)
class Domain:
    """Everything but the wire: what an operator's command on the store needs, and what the server serves."""

    store: Store
    view: TrustView
    feed: Feed
    secrets: ServiceSecrets
    levels: Levels
    freshness: Freshness
    follower: Follower
    second_look: SecondLook
    keys: KeysAdmin
    keeper: KeyKeeper
    janitor: Janitor
    apps: AppsAdmin
    accounts: AccountsAdmin
    logging: LoggingAdmin
    revocations: RevocationsAdmin
    audit: AuditAdmin
    sealer: Sealer
    logs: LoggerSystem
    metrics: Metrics


@contextmanager
def open_domain(
    settings: Settings,
    kek: Kek,
    *,
    clock: Clock = system_clock,
    monotonic: Monotonic = system_monotonic,
    randomness: Randomness = system_randomness,
    alarm: Alarm = start_alarm,
    migrate: bool = False,
) -> Iterator[Domain]:
    """Open the store and load what a worker decides from; ``migrate`` as ``open_store`` has it.

    Others may have the store open too. Whoever serves starts the follower and the keeper of keys; they are stopped with
    the domain.

    Raises ``StoreRefused`` and ``SealBroken`` where an operator has to act, ``Unavailable`` where the store does not
    answer.
    """
    with ExitStack() as lifetimes:
        logs = make_logs(settings, clock)
        metrics = make_metrics()
        storage, trust, signing = map(logs.get_logger, ("storage", "trust", "signing"))
        watched = WatchedClock(clock, monotonic)
        opened = open_store(
            settings.store_url,
            clock=clock,
            forgets_by=watched.earliest,
            randomness=randomness,
            exclusive=False,
            migrate=migrate,
            observer=StoreLines(storage, metrics.store),
        )
        lifetimes.callback(opened.close)
        store = logged_store(opened, storage)
        sealer, view = Sealer(kek, randomness), TrustView()
        secrets = ServiceSecrets(sealer, clock=clock, settle=settings.max_staleness)
        freshness = Freshness(settings.max_staleness, clock=clock, monotonic=monotonic)
        learning = Learning(sealer, secrets, trust)
        feed = Feed(store, view, learning)
        follower = Follower(store, feed, view, freshness, trust, forgets_by=watched.earliest)
        lifetimes.callback(follower.stop)
        second_look = SecondLook(lambda deadline: follower.looks.catch_up(deadline=deadline), monotonic=monotonic)
        view.look_again = second_look
        logging = LoggingAdmin(logs, store, learning.levels, clock=clock, alarm=alarm)
        lifetimes.callback(logging.close)
        feed.subscribe(logging.follow)
        cycle, maker = LifeCycle(max(FEED_BOUND, settings.max_staleness)), KeyMaker(sealer, clock=clock)
        lifetimes.callback(maker.close)
        changes = KeyChanges(
            view,
            store,
            maker,
            watched,
            signing,
            catch_up=lambda deadline: follower.looks.catch_up(deadline=deadline),
        )
        keys = KeysAdmin(view, changes, maker, cycle, watched, signing)
        keeper = KeyKeeper(view, changes, cycle, watched, signing)
        lifetimes.callback(keeper.stop)
        janitor = Janitor(store, storage, clock=watched.earliest)
        lifetimes.callback(janitor.stop)
        metrics.janitor = lambda: JanitorState(
            janitor.removed, janitor.lag.total_seconds(), view.count_revoked(), view.count_endless()
        )
        apps = AppsAdmin(
            view, store, keys, logs.get_logger("apps"), issuer=settings.issuer, clock=clock, randomness=randomness
        )
        accounts = AccountsAdmin(view, store, logs.get_logger("accounts"), clock=clock, randomness=randomness)
        yield Domain(
            store=store,
            view=view,
            feed=feed,
            secrets=secrets,
            levels=learning.levels,
            freshness=freshness,
            follower=follower,
            second_look=second_look,
            keys=keys,
            keeper=keeper,
            janitor=janitor,
            apps=apps,
            accounts=accounts,
            logging=logging,
            revocations=RevocationsAdmin(view, store, clock=clock),
            audit=AuditAdmin(view, store),
            sealer=sealer,
            logs=logs,
            metrics=metrics,
        )


def build_server(
    domain: Domain,
    *,
    dev: bool,
    reflection: bool,
    development_tokens: bool = False,
    trusted_proxies: Sequence[Network] = (),
    clock: Clock = system_clock,
    monotonic: Monotonic = system_monotonic,
    randomness: Randomness = system_randomness,
    limits: Limits | None = None,
    tracing: Tracing | None = None,
) -> RpcServer:
    """The gRPC server over a domain, not listening yet."""
    domain.logging.watch_audit()
    domain.secrets.make_missing(domain.store)
    refresh_tokens = RefreshTokens(domain.secrets.ring(REFRESH_KEY_PURPOSE))
    ids = DerivedIds(domain.secrets.ring(GUEST_KEY_PURPOSE), randomness)
    catching_up = CatchingUp(domain.view, domain.feed, domain.follower.looks, domain.freshness)
    store = observed_store(domain.store, tracing)
    signatures = VerifiedSignatures()
    verifier = Verifier(domain.view, clock=clock, development_tokens=dev or development_tokens, signatures=signatures)
    answers = RememberedAnswers(lambda: domain.view.changes, domain.freshness, clock)
    domain.metrics.signature_cache = cache_state(signatures, answers)
    mint = Mint(
        domain.view,
        clock=clock,
        randomness=in_stock(randomness, JTI_RANDOM_BYTES),
        sign=observed_sign(domain.metrics, tracing),
        settle=catching_up.to_own,
    )
    tokens, sessions, signing = map(domain.logs.get_logger, ("tokens", "sessions", "signing"))
    audit, lines = TokenAudit(domain.logs.get_logger("audit")), TokenLines(tokens, sessions, signing)
    issue = Issue(domain.view, store, mint, refresh_tokens, ids, audit, lines, catching_up)
    count = domain.metrics.refreshes.add
    refresh = Refresh(domain.view, store, mint, refresh_tokens, audit, lines, count=count)
    limits = limits or Limits()
    strangers = Strangers(Addresses(trusted_proxies), limits, monotonic)
    auth = AuthServicer(
        issue,
        refresh,
        Validate(domain.view, verifier, DevelopmentNotice(tokens, clock=clock), lines, catching_up),
        Revoke(domain.view, store, verifier, refresh_tokens, lines, clock=clock),
        Sessions(domain.view, store),
        Batches(Explanations(domain.logs.get_logger("rpc"), randomness)),
        answers,
        IssueTogether(issue, mint, audit, lines),
        RefreshTogether(refresh, domain.view, store, mint, refresh_tokens, audit, lines, count=count),
    )
    surface = Surface(
        auth=auth,
        guest=GuestServicer(GuestTokens(domain.view, issue, refresh, audit, strangers.admit_to)),
        admin=AdminServicer(
            domain.apps, domain.keys, domain.accounts, domain.logging, domain.revocations, domain.audit
        ),
        bundles=Bundles(
            domain.view, store, domain.freshness, clock=clock, development_tokens=dev or development_tokens
        ),
        subscribe=domain.feed.subscribe,
        authenticator=Authenticator(domain.view),
        freshness=domain.freshness,
        second_look=domain.second_look,
        strangers=strangers,
        reflection=reflection or dev,
        reflection_open=dev,
    )
    return RpcServer(surface, domain.logs, randomness, limits, domain.metrics, tracing)
