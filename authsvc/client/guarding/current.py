"""The verified token of the call that is being served."""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context

from authsvc.client.verifier.checked import CheckedToken

_current: ContextVar[CheckedToken] = ContextVar("authsvc_token")


def current_token() -> CheckedToken:
    """What the caller's token says, in a method behind a ``TokenAuthInterceptor``.

    Raises ``LookupError`` elsewhere, and in a method that is open: there nobody was verified. A thread that a method
    starts itself does not know it, unless it runs in ``contextvars.copy_context()``.
    """
    try:
        return _current.get()
    except LookupError:
        raise LookupError("no token was verified here: the method is open, or no call is being served") from None


def context_of(token: CheckedToken) -> Context:
    """A context in which that is the token; the one it is made from does not learn of it."""
    context = copy_context()
    context.run(_current.set, token)
    return context


def make_current(token: CheckedToken) -> None:
    """Make it the token of the task that calls this, which serves one call and ends with it."""
    _current.set(token)
