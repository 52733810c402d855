"""One client a user in a process: who is asked for again is found again, as long as it is connected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from authsvc.client.user.people import EndUser

Client = TypeVar("Client")
Key = tuple[str, str, str]


class Instances(Generic[Client]):
    """Clients by target, app and user. A guest is found by its hint and, once the service has made it, by its id."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._clients: dict[Key, tuple[Client, Mapping[str, Any]]] = {}

    def get_or_make(
        self, target: str, api_key: str, user: EndUser, options: Mapping[str, Any], make: Callable[[], Client]
    ) -> tuple[Client, tuple[str, ...] | None]:
        """The client of that user, and the names of the options in which the wish differs; None: it was made now."""
        key = _key(target, api_key, user)
        with self._lock:
            found = self._clients.get(key)
            if found is None:
                client = make()
                self._clients[key] = client, options
                return client, None
            client, given = found
        names = sorted({*given, *options})
        return client, tuple(name for name in names if given.get(name) != options.get(name))

    def add_name(self, client: Client, target: str, api_key: str, user: EndUser) -> None:
        """The client is found under that user too, if it is one of those here."""
        with self._lock:
            own = [entry for entry in self._clients.values() if entry[0] is client]
            if own:
                self._clients.setdefault(_key(target, api_key, user), own[0])

    def remove(self, client: Client) -> None:
        """Forget it, under all its names."""
        with self._lock:
            self._clients = {key: entry for key, entry in self._clients.items() if entry[0] is not client}


def _key(target: str, api_key: str, user: EndUser) -> Key:
    # "?" is in no id: a guest that is still to be made is never taken for one of that id.
    return target, api_key, user.final_id or f"?{user.id}"
