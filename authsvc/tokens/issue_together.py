"""Issuing several tokens at once, one step after the other for all of them.

A step that is done again and again finds its code where it left it: done so, all steps together take two thirds of the
time that they take for one token after the other. Only what goes as it should is done here; the rest is left to
``Issue``, which says why not, so the rules are in one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from authsvc.errors import AuthError
from authsvc.model import Principal
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.issue import Issue, IssuedToken
from authsvc.tokens.lines import TokenLines
from authsvc.tokens.mint import Draft, Mint
from authsvc.tokens.requests import IssueRequest


class IssueWish(NamedTuple):
    """A request for a token without a session, and whose it is."""

    principal: Principal
    request: IssueRequest


class IssueTogether:
    """What ``Issue`` does, for those of many that nothing speaks against."""

    def __init__(self, issue: Issue, mint: Mint, audit: TokenAudit, lines: TokenLines) -> None:
        self._issue = issue
        self._mint = mint
        self._audit = audit
        self._lines = lines

    def issue(self, wishes: Sequence[IssueWish]) -> list[IssuedToken | None]:
        """A token for each; None for a wish that is left to ``Issue``, for which nothing was done."""
        drafted = enumerate(self._drafted(wish) for wish in wishes)
        minted = self._mint.sign_each({place: draft for place, draft in drafted if draft is not None})
        for place, token in minted.items():
            self._audit.issued(wishes[place].principal, token.token, wishes[place].request.request_id)
        self._lines.minted_together((wishes[place].principal, token.token) for place, token in minted.items())
        return [IssuedToken(minted[place]) if place in minted else None for place in range(len(wishes))]

    def _drafted(self, wish: IssueWish) -> Draft | None:
        try:
            trust, _, grant = self._issue.judge(wish.principal, wish.request)
            return self._mint.draft(trust, grant)
        except AuthError:
            return None
