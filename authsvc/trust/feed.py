"""Moves the trust view: the whole state at start, own commits at once, everybody's in commit order without a gap."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from authsvc.clock import Deadline
from authsvc.errors import Reason, Unavailable
from authsvc.model import Change, Commit, Revision
from authsvc.storage.base import FeedPage, Store, TrustState
from authsvc.trust.learning import Learning, signing_key_place
from authsvc.trust.view import TrustView

__all__ = ["Feed", "Learnt", "Subscriber", "signing_key_place"]

PAGE: Final = 1_000
"""Commits that are read at once."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the view has just learnt, in order; every change up to ``reached`` is in it.

    ``reloaded``: there were too many to tell. Then ``changes`` is empty, and whoever follows takes a new snapshot.
    """

    changes: tuple[Change, ...]
    reached: Revision
    reloaded: bool = False


Subscriber = Callable[[Learnt], None]
"""Told of each step in order, by the thread that moves the view: must be quick, must not raise, and must not change
anything in the store. The same change may come twice; the larger revision of a thing is the newer."""


class Feed:
    """Keeps one view in step with one store.

    The store tells of this process's commits before the caller that made a change is answered, so a worker never
    contradicts what it has acknowledged. Commits of other processes may lie between those and what is known, so an
    own commit counts as reached only once everything before it is in.

    Raises ``SealBroken`` when the KEK is not the one the store was last sealed with.
    """

    def __init__(self, store: Store, view: TrustView, learning: Learning) -> None:
        self._store = store
        self._view = view
        self._learning = learning
        self._moving = threading.RLock()
        self._ahead: set[Revision] = set()
        self._told_meanwhile: list[Commit] | None = None
        self._subscribers: tuple[Subscriber, ...] = ()
        store.listen(self.apply)
        self._reload(at_start=True)

    @property
    def behind(self) -> bool:
        """Whether others' commits are known to lie between what was reached and a commit of this process."""
        return bool(self._ahead)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have ``subscriber`` told of every step from now on; returns what ends that.

        To follow without a gap: subscribe, then take what the view has, then what one was told.
        """
        with self._moving:
            self._subscribers = (*self._subscribers, subscriber)
        return lambda: self._unsubscribe(subscriber)

    def apply(self, commit: Commit) -> None:
        """Put a commit of this process into the view, whatever others' commits are still to come before it."""
        with self._moving:
            if self._told_meanwhile is not None:
                self._told_meanwhile.append(commit)
            if commit.revision <= self._view.revision:
                return  # it was read from the feed before its own thread could tell
            self._learning.put(self._view, commit.changes)
            self._ahead.add(commit.revision)
            self._reach(self._view.revision)
            self._tell(Learnt(commit.changes, self._view.revision))

    def catch_up(self, *, deadline: Deadline | None = None) -> None:
        """Bring the view to the store's head; one caller at a time. Raises what the store raises."""
        while True:
            after = self._view.revision
            page = self._store.changes_since(after, limit=PAGE, deadline=deadline)
            if page is None:
                self._reload(at_start=False)
            elif page.head < after:
                raise _lost_changes()
            elif self._apply_page(page):
                return

    def _apply_page(self, page: FeedPage) -> bool:
        """Apply what is new of a page; whether it was the last."""
        last = len(page.commits) < PAGE or page.commits[-1].revision >= page.head
        with self._moving:
            known = self._view.revision
            changes = tuple(change for commit in page.commits if commit.revision > known for change in commit.changes)
            self._learning.put(self._view, changes)
            self._reach(page.head if last else page.commits[-1].revision)
            if changes or self._view.revision > known:
                self._tell(Learnt(changes, self._view.revision))
        return last

    def _reload(self, *, at_start: bool) -> None:
        """Read everything, build it aside, and put it in the view's place in one step."""
        self._read_everything(at_start=at_start)
        _give_memory_back()

    def _read_everything(self, *, at_start: bool) -> None:
        with self._moving:
            self._told_meanwhile, known = [], self._view.revision
        try:
            with _without_collector():
                state = self._store.trust_state()
                if state.revision < known:
                    raise _lost_changes()
                fresh = self._learning.built(state, self._view, strict=at_start)
            with self._moving:
                self._replace(fresh, state, self._told_meanwhile, strict=at_start)
        finally:
            with self._moving:
                self._told_meanwhile = None

    def _replace(self, fresh: TrustView, state: TrustState, told: Iterable[Commit], *, strict: bool) -> None:
        """Take what was built, and what this process committed since it was read."""
        self._learning.load_rest(state, strict=strict)
        later = [commit for commit in told if commit.revision > state.revision]
        for commit in later:
            self._learning.put(fresh, commit.changes)
        fresh.reached(self._view.revision)
        self._view.become(fresh)
        self._ahead = {commit.revision for commit in later}
        self._reach(state.revision)
        self._tell(Learnt((), self._view.revision, reloaded=True))

    def _reach(self, revision: Revision) -> None:
        """Everything up to ``revision`` is in; go on over own commits that follow without a gap."""
        reached = max(revision, self._view.revision)
        if self._ahead:
            while Revision(reached + 1) in self._ahead:
                reached = Revision(reached + 1)
            self._ahead = {ahead for ahead in self._ahead if ahead > reached}
        self._view.reached(reached)

    def _tell(self, learnt: Learnt) -> None:
        for subscriber in self._subscribers:
            subscriber(learnt)

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        with self._moving:
            self._subscribers = tuple(one for one in self._subscribers if one is not subscriber)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of objects are made and nearly all of them stay: looking for garbage would be a third of the work."""
    came = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if came:
            gc.enable()


def _give_memory_back() -> None:
    """Let the system have what was needed for a while: a million rows leave holes that the C library would keep.

    malloc_trim(3) is of the GNU library; elsewhere nothing is done.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _lost_changes() -> Unavailable:
    """A copy that lacks what was acknowledged: nothing that it says may be relied on."""
    return Unavailable(Reason.STORE_UNAVAILABLE, detail="the store has lost changes that were read from it")
