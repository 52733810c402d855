"""A backend that hands tokens to its front end: ``GET /api/token`` answers with one of the user who is signed in.

The front end never sees the service credential, and cannot ask for anybody else: whose token it gets is decided here,
by the session cookie of the shop. Run it with any ASGI server:
``uvicorn --factory examples.token_backend:from_environment``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authsvc.client import AsyncAuthClient, Unavailable
from authsvc.v1.auth_pb2 import IssueTokenRequest, User
from examples.surroundings import settings

COOKIE = "shop_session"


class TokenBackend:
    """``signed_in`` are the users by session cookie: what stands for the shop's own way of knowing them."""

    def __init__(self, auth: AsyncAuthClient, api_key: str, signed_in: Mapping[str, str]) -> None:
        self._auth = auth
        self._api_key = api_key
        self._signed_in = signed_in

    def app(self) -> Starlette:
        """The application; when it ends, so does the client."""
        return Starlette(routes=[Route("/api/token", self.token, methods=["GET"])], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        await self._auth.close()

    async def token(self, request: Request) -> Response:
        """One token, of the user who asks; the next one when the front end's token provider asks again."""
        user_id = self._signed_in.get(request.cookies.get(COOKIE, ""))
        if user_id is None:
            return JSONResponse({"error": "sign in"}, status_code=401)
        try:
            issued = await self._auth.issue_token(IssueTokenRequest(api_key=self._api_key, user=User(id=user_id)))
        except Unavailable:
            return JSONResponse({"error": "try again"}, status_code=503, headers={"Retry-After": "1"})
        expires_at = issued.info.expires_at.ToDatetime(UTC).isoformat()
        # A token in a cache would be given to whoever comes next.
        return JSONResponse({"token": issued.token, "expires_at": expires_at}, headers={"Cache-Control": "no-store"})


def from_environment() -> Starlette:
    """The application as a process runs it; the shop's users come from wherever the shop has them, here from nowhere
    but ``SHOP_SESSIONS``: ``cookie=user`` with commas between."""
    target, credential, api_key, sessions = settings(
        "AUTHSVC_TARGET", "AUTHSVC_CREDENTIAL", AUTHSVC_API_KEY="dev", SHOP_SESSIONS=""
    )
    signed_in = dict(pair.split("=", 1) for pair in sessions.split(",") if "=" in pair)
    return TokenBackend(AsyncAuthClient(target, credential), api_key, signed_in).app()
