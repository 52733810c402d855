"""An app whose secret the seed vendor's own packages hold too, and what they mint with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest
from getstream import Stream  # type: ignore[import-untyped]  # the package ships no types
from stream_chat import StreamChat

from authsvc.model import ApiKey
from tests.conftest import HandClock
from tests.counterparts.packages import run_node
from tests.counterparts.vendor import CALLS, SECRET, Vendor
from tests.tokens.service import Service, open_service


@pytest.fixture(scope="session")
def vendor() -> Vendor:
    """What the packages for Python mint; they read the system's clock."""
    now = int(time.time())
    expires, chat = now + 3600, StreamChat("imported", SECRET)
    with Stream("imported", SECRET, base_url="http://127.0.0.1:1") as video:
        tokens = {
            "chat: plain": chat.create_token("sara"),
            "chat: exp": chat.create_token("sara", exp=expires),
            "chat: iat": chat.create_token("sara", iat=now),
            "chat: both": chat.create_token("sara", exp=expires, iat=now),
            "chat: more claims": chat.create_token("sara", role="host", team="red"),
            "chat: server": chat.auth_token,
            "video: permanent": video.create_token("sara"),
            "video: expiring": video.create_token("sara", expiration=3600),
            "video: call": video.create_call_token("!anon", call_cids=CALLS, role="viewer", expiration=3600),
            "video: permanent call": video.create_call_token("sara", call_cids=CALLS),
            "video: server": video.token,
            "jwt: subject": jwt.encode({"user_id": "sara", "sub": "user/sara", "iss": "https://x"}, SECRET),
        }
    return Vendor(tokens, issued=now, expires=expires)


@pytest.fixture(scope="session")
def node_vendor() -> Vendor:
    """What the packages for Node.js mint."""
    now = int(time.time())
    given = {"secret": SECRET, "issued": now, "expires": now + 3600}
    return Vendor(run_node("mint.mjs", given), issued=now, expires=now + 3600)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The use cases of tokens, at the time at which the packages minted."""
    with open_service(tmp_path, HandClock(datetime.now(UTC))) as opened:
        yield opened


@pytest.fixture
def app(service: Service) -> ApiKey:
    """An app made from the vendor's secret that accepts what others mint with it."""
    return service.app(secret=SECRET.encode(), accept_unmanaged_tokens=True, allow_development_tokens=True)
