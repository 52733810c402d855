"""Streams of what is known of an app: one thread tells all watchers, and none of them holds another up.

A watcher is registered before its snapshot is taken: what is learnt meanwhile waits behind it. Sending lasts until the
watcher's connection takes the message, so it is done by a few threads of each account's own, one message of a watcher
at a time: whose watchers take nothing hold up no other account's. A watcher that falls too far behind is ended and
comes again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from queue import Empty, SimpleQueue
from typing import Final

from authsvc.errors import AuthError, Exhausted, Reason, Unavailable
from authsvc.model import AccountId, ApiKey
from authsvc.rpc.bundles import Bundles
from authsvc.rpc.call import Call
from authsvc.rpc.explanations import Explanations
from authsvc.rpc.methods import Send
from authsvc.rpc.patience import Patience
from authsvc.rpc.status import as_status
from authsvc.trust.feed import Learnt
from authsvc.v1 import trust_pb2 as pb

MOST_BEHIND: Final = 1_024
"""Messages that may wait for a watcher."""

SENDING_THREADS: Final = 8
"""Of an account, started as they are needed. As many snapshots of it are made at a time."""

Subscribe = Callable[[Callable[[Learnt], None]], Callable[[], None]]


@dataclass(frozen=True, slots=True)
class _News:
    """What was learnt, and how fresh all was when it was: anything that was committed before ``as_of`` came earlier."""

    learnt: Learnt
    as_of: datetime


class Watches:
    """All watchers of a server. ``heartbeat`` in seconds."""

    def __init__(
        self,
        bundles: Bundles,
        subscribe: Subscribe,
        patience: Patience,
        explanations: Explanations,
        *,
        heartbeat: float,
    ) -> None:
        self._bundles = bundles
        self._patience = patience
        self._explanations = explanations
        self._heartbeat = heartbeat
        self._lock = threading.Lock()
        self._watchers: dict[ApiKey, set[_Watcher]] = {}
        self._closed = False
        self._news: SimpleQueue[_News | None] = SimpleQueue()
        self._told = bundles.revision  # every change up to this one
        self._senders: dict[AccountId, ThreadPoolExecutor] = {}  # one for each account that ever watched
        self._unsubscribe = subscribe(lambda learnt: self._news.put(_News(learnt, bundles.as_of)))
        self._thread = threading.Thread(target=self._run, name="authsvc-trust-watches", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return sum(map(len, self._watchers.copy().values()))

    def watch(self, call: Call, api_key: ApiKey, cursor: str, send: Send) -> None:
        """Tell a caller all it lacks, then each change; raises DRAINING, and INVALID_REQUEST for what is no cursor.

        The store is read by the account's own threads, for many come again at once; what that raises ends the watch.
        """
        self._bundles.check_cursor(cursor)
        with self._lock:
            if self._closed:
                raise Unavailable(Reason.DRAINING)
            senders = self._senders_of(call.caller.account_id)
            watcher = _Watcher(call, api_key, send, self._patience, self._explanations, senders)
            self._watchers.setdefault(api_key, set()).add(watcher)
        if not call.context.add_callback(partial(self._forget, watcher)):
            self._forget(watcher)
        watcher.begin(self._missed(call, api_key, cursor))

    def close(self) -> None:
        """End all watches with DRAINING, so that who watches asks another worker and the server need not wait."""
        with self._lock:
            self._closed = True
        self._unsubscribe()
        self._news.put(None)
        self._thread.join()
        for watcher in self._all():
            watcher.end(Unavailable(Reason.DRAINING))
        for senders in self._senders.values():
            senders.shutdown()

    def _senders_of(self, account_id: AccountId) -> ThreadPoolExecutor:
        senders = self._senders.get(account_id)
        if senders is None:
            senders = ThreadPoolExecutor(SENDING_THREADS, thread_name_prefix="authsvc-trust-sender")
            self._senders[account_id] = senders
        return senders

    def _missed(self, call: Call, api_key: ApiKey, cursor: str) -> Iterator[pb.TrustUpdate]:
        yield from self._bundles.from_cursor(api_key, cursor, deadline=call.deadline)

    def _run(self) -> None:
        due = time.monotonic() + self._heartbeat
        while True:
            left = due - time.monotonic()
            as_of = self._bundles.as_of  # before the queue is found empty: all that it covers has been told then
            try:
                news = self._news.get(timeout=max(0.0, left))
            except Empty:
                if left <= 0:
                    self._beat(as_of)
                    due = time.monotonic() + self._heartbeat
                continue
            if news is None:
                return
            self._tell(news)
            self._told = news.learnt.reached

    def _tell(self, news: _News) -> None:
        for api_key, watchers in self._copy().items():
            try:
                self._tell_of(api_key, watchers, news)
            except Exception as error:  # noqa: BLE001 - they come again, and the thread lives on for all others
                for watcher in watchers:
                    watcher.end(error)

    def _tell_of(self, api_key: ApiKey, watchers: Iterable[_Watcher], news: _News) -> None:
        if news.learnt.reloaded:
            for watcher in watchers:
                watcher.offer(self._bundles.snapshot(api_key))
        elif updates := self._bundles.updates(api_key, news.learnt, news.as_of):
            for watcher in watchers:
                watcher.offer(updates)

    def _beat(self, as_of: datetime) -> None:
        """A sign of life for each watcher that may still watch; due however much is told that does not concern it."""
        alive = self._bundles.heartbeat(as_of, self._told)
        for watcher in self._all():
            try:
                self._bundles.check(watcher.call.caller, watcher.api_key)
            except AuthError as refusal:
                watcher.end(refusal)
            else:
                watcher.offer((alive,))

    def _forget(self, watcher: _Watcher) -> None:
        with self._lock:
            watchers = self._watchers.get(watcher.api_key, set())
            watchers.discard(watcher)
            if not watchers:
                self._watchers.pop(watcher.api_key, None)

    def _copy(self) -> Mapping[ApiKey, tuple[_Watcher, ...]]:
        with self._lock:
            return {api_key: tuple(watchers) for api_key, watchers in self._watchers.items()}

    def _all(self) -> Iterator[_Watcher]:
        return chain.from_iterable(self._copy().values())


class _Watcher:
    """One stream: what waits to be sent, in order, and whether somebody sends it."""

    def __init__(
        self,
        call: Call,
        api_key: ApiKey,
        send: Send,
        patience: Patience,
        explanations: Explanations,
        senders: ThreadPoolExecutor,
    ) -> None:
        self.call = call
        self.api_key = api_key
        self._send = send
        self._patience = patience
        self._explanations = explanations
        self._senders = senders
        self._lock = threading.Lock()
        self._waiting: deque[Iterator[pb.TrustUpdate]] = deque()
        self._sending = True  # until it begins nothing is sent
        self._over = False

    def begin(self, updates: Iterable[pb.TrustUpdate]) -> None:
        """Send these first, and then what was offered meanwhile."""
        with self._lock:
            if self._over:
                return
            self._waiting.appendleft(iter(updates))
            self._submit()

    def offer(self, updates: Iterable[pb.TrustUpdate]) -> None:
        """Send these as soon as what is before them is sent; end the stream when too much is."""
        with self._lock:
            if self._over:
                return
            self._waiting.append(iter(updates))
            too_slow = len(self._waiting) > MOST_BEHIND
            if not self._sending:
                self._submit()
        if too_slow:
            self.end(Exhausted(Reason.OVERLOADED))

    def end(self, error: Exception) -> None:
        """End the stream with the status of that error."""
        with self._lock:
            if self._over:
                return
            self._over = True
            self._waiting.clear()
        self._senders.submit(self._finish, error)

    def _submit(self) -> None:
        self._sending = True
        self._senders.submit(self._drain)

    def _drain(self) -> None:
        try:
            self._send_what_waits()
        except Exception as error:  # noqa: BLE001 - a watcher that is told nothing any more must know
            self.end(error)

    def _send_what_waits(self) -> None:
        while (updates := self._next()) is not None:
            for update in updates:
                if self._over or not self.call.context.is_active():
                    return
                with self._patience.sending(self.call):
                    self._send(update)

    def _next(self) -> Iterator[pb.TrustUpdate] | None:
        with self._lock:
            if not self._waiting:
                self._sending = False
                return None
            return self._waiting.popleft()

    def _finish(self, error: Exception) -> None:
        told = self._explanations.of(error, self.call)
        status = as_status(told.status)
        self.call.reason, self.call.error_id = told.reason, told.error_id
        self.call.context.set_code(status.code)
        self.call.context.set_details(status.details)
        self.call.context.set_trailing_metadata(status.trailing_metadata or ())
        self._send(None)
