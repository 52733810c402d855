"""What an app remembers of earlier settings: it decides how long old tokens and keys can live, so it only grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from authsvc.app.composition import Domain, open_domain
from authsvc.apps.admin import AppsAdmin, with_settings
from authsvc.apps.requests import Span
from authsvc.clock import system_randomness
from authsvc.config import Settings
from authsvc.model import AppSettings, PastIssuer, Principal
from authsvc.signing.sealing import Kek
from tests.apps.wishing import wishes
from tests.conftest import HandClock
from tests.properties import QUICK
from tests.storage.records import an_app

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
lengths = st.integers(1, 10**8).map(lambda seconds: timedelta(seconds=seconds))
some_settings = st.builds(
    AppSettings,
    issuer=st.sampled_from("abcd"),
    max_ttl=lengths,
    session_max_ttl=lengths,
    allow_never_expires=st.booleans(),
)


@QUICK
@given(some_settings, st.lists(some_settings, min_size=1, max_size=6))
def test_what_could_have_been_minted_is_never_forgotten(first: AppSettings, later: list[AppSettings]) -> None:
    """Whatever settings follow each other, the longest lives and the chance of endless ones are the most there was."""
    app = an_app(
        settings=first,
        longest_ttl_ever=first.max_ttl,
        longest_session_ever=first.session_max_ttl,
        ever_non_expiring=first.allow_never_expires,
    )
    for settings in later:
        app = with_settings(app, settings, NOON)
    ever = [first, *later]
    assert app.longest_ttl_ever == max(settings.max_ttl for settings in ever)
    assert app.longest_session_ever == max(settings.session_max_ttl for settings in ever)
    assert app.ever_non_expiring is any(settings.allow_never_expires for settings in ever)


@QUICK
@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8))
def test_the_last_three_different_issuers_are_known(issuers: list[str]) -> None:
    """However issuers follow each other, the app knows its present one and the two others it left last, in order."""
    app = an_app(settings=AppSettings(issuer=issuers[0]))
    for minute, issuer in enumerate(issuers):
        app = with_settings(app, AppSettings(issuer=issuer), NOON + timedelta(minutes=minute))
    left: list[str] = []
    for issuer in reversed(issuers):
        if issuer not in left:
            left.append(issuer)
    assert [app.settings.issuer, *(past.issuer for past in app.past_issuers)] == left[:3]


def test_an_issuer_is_left_when_another_takes_its_place() -> None:
    """The moment kept with a past issuer is that of the change after which nothing more was minted under it."""
    later = NOON + timedelta(days=1)
    app = with_settings(an_app(settings=AppSettings(issuer="a")), AppSettings(issuer="b"), NOON)
    app = with_settings(app, AppSettings(issuer="b", max_ttl=timedelta(hours=2)), later)
    assert app.past_issuers == (PastIssuer("a", NOON),)
    app = with_settings(app, AppSettings(issuer="a"), later)
    assert app.past_issuers == (PastIssuer("b", later),)


def test_a_new_app_begins_with_its_own_lifetimes(apps: AppsAdmin, root: Principal) -> None:
    """What a new app can mint from the start is remembered from the start."""
    app = apps.create(root, "acme", wishes(max_ttl=Span(7200), session_max_ttl=Span(2_000_000)))
    assert (app.longest_ttl_ever, app.longest_session_ever) == (timedelta(hours=2), timedelta(seconds=2_000_000))
    assert not app.ever_non_expiring
    assert apps.create(root, "for-ever", wishes(allow_never_expires=True)).ever_non_expiring


def test_the_past_outlives_the_process(domain: Domain, state_dir: Path, clock: HandClock, root: Principal) -> None:
    """A worker that starts later remembers the same past."""
    domain.apps.create(root, "acme", wishes(issuer="a", allow_never_expires=True, max_ttl=Span(86_400)))
    for issuer in ("b", "c"):
        clock.move(hours=1)
        shorter = wishes(issuer=issuer, max_ttl=Span(3_600), session_max_ttl=Span(1_300_000))
        mask = ("issuer", "max_ttl", "allow_never_expires", "session_max_ttl")
        domain.apps.update(root, "acme", shorter, mask, etag_version=None)
    app = domain.apps.get(root, "acme")
    domain.store.close()
    with open_domain(
        Settings(state_dir=state_dir), Kek(bytes(range(32))), clock=clock, randomness=system_randomness
    ) as reopened:
        assert reopened.apps.get(root, "acme") == app
    assert (app.longest_ttl_ever, app.longest_session_ever) == (timedelta(days=1), timedelta(days=90))
    assert app.ever_non_expiring
    assert app.past_issuers == (
        PastIssuer("b", clock()),
        PastIssuer("a", clock() - timedelta(hours=1)),
    )
