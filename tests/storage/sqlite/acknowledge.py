"""Run as a process that is killed: turns sessions from many threads and says which turns were acknowledged.

Arguments: the store's address, then session ids in hexadecimal. For each acknowledged turn it writes six bytes to
standard output: the session's place among the arguments and the new generation.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from datetime import timedelta

from authsvc.clock import system_clock
from authsvc.model import SessionId
from authsvc.storage import open_store
from authsvc.storage.base import Store

ACKNOWLEDGED = struct.Struct(">HI")


def turn_for_ever(store: Store, place: int, session_id: SessionId) -> None:
    """Turn one session again and again; each word of it leaves in one piece."""
    state = store.session_state(session_id)
    assert state is not None
    session = state.session
    while True:
        turned = store.turn_session(
            session_id, session.generation, request_id_hash=b"r" * 32, idle_ttl=timedelta(days=1)
        )
        assert turned is not None
        session = turned
        os.write(1, ACKNOWLEDGED.pack(place, session.generation))


def main() -> None:
    url, *ids = sys.argv[1:]
    store = open_store(url, clock=system_clock)
    for place, text in enumerate(ids):
        threading.Thread(target=turn_for_ever, args=(store, place, SessionId(bytes.fromhex(text)))).start()


if __name__ == "__main__":
    main()
