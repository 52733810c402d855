"""One client a user in a process: who is asked for again is found again, as long as it is connected.

Of those made elsewhere nothing is known here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from authsvc.client.homes import tell_after_fork
from authsvc.client.user.people import EndUser

Client = TypeVar("Client")
Key = tuple[str, str, str]


class Instances(Generic[Client]):
    """Clients by target, app and user. A guest is found by its hint and, once the service has made it, by its id."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[Client, tuple[EndUser, Mapping[str, Any]]] = WeakKeyDictionary()
        self.in_the_child()
        tell_after_fork(self)

    def in_the_child(self) -> None:
        """Know nobody: in the child of a fork the clients of its parent are of no use."""
        self._lock = threading.RLock()
        self._clients: dict[Key, Client] = {}

    def get_or_make(
        self,
        target: str,
        api_key: str,
        user: EndUser,
        options: Mapping[str, Any],
        make: Callable[[], Client],
        *,
        is_over: Callable[[Client], bool] = lambda _: False,
    ) -> tuple[Client, tuple[str, ...] | None]:
        """The client of that user, and the names of what was wished otherwise than it is; None: it was made now.

        Options that are not given now are no wish, and ``user`` is one of the names where the user itself differs.
        One of which ``is_over`` says that it cannot be used any more gives way.
        """
        key = _key(target, api_key, user)
        with self._lock:
            found = self._clients.get(key)
            if found is None or is_over(found):
                client = make()
                self._clients[key], self._made[client] = client, (user, options)
                return client, None
            there, given = self._made[found]
        differing = [name for name in options if given.get(name) != options[name]]
        return found, tuple(sorted([*differing, *([] if user.is_met_by(there) else ["user"])]))

    def connected(self, client: Client, target: str, api_key: str, asked: EndUser, user: EndUser) -> None:
        """The client is found under the user who was asked for and the one it has become, if it was made here: also
        when it had been forgotten meanwhile."""
        with self._lock:
            if client in self._made:
                self._made[client] = user, self._made[client][1]
                for each in (asked, user):
                    self._clients.setdefault(_key(target, api_key, each), client)

    def remove(self, client: Client) -> None:
        """Forget it, under all its names."""
        with self._lock:
            self._clients = {key: each for key, each in self._clients.items() if each is not client}


def _key(target: str, api_key: str, user: EndUser) -> Key:
    # "?" is in no id: a guest that is still to be made is never taken for one of that id.
    return target, api_key, user.final_id or f"?{user.id}"
