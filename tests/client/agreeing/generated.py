"""A life by chance: tokens of every kind, questions about them, and what happens to their apps."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration

from authsvc.client import AuthClientError
from authsvc.v1 import admin_pb2 as admin
from authsvc.v1 import auth_pb2 as pb
from tests.client.agreeing import table
from tests.client.agreeing.pens import Pen
from tests.client.agreeing.stage import APPS, IMPORTED, Case, Stage

BETWEEN_CHANGES = 40
REMEMBERED = 400
CHANGED = ("es", "ed", "rs", "at", "dv", "hs")
"""Apps that things happen to; the last stays as it is, so that there is always something good."""


def live_through(stage: Stage, count: int, seed: int = 1) -> list[str]:
    """Compare so many answers, with a change after every forty; where they differ."""
    chance, found = _Chance(stage, seed), list[str]()
    for start in range(0, count, BETWEEN_CHANGES):
        if start:
            chance.change()
        cases = [chance.case() for _ in range(min(BETWEEN_CHANGES, count - start))]
        found += [f"after {chance.last}: {what}" for what in stage.disagreements(cases)]
        if len(found) > 10:
            break
    return found


class _Chance:
    """Chooses; ``last`` is what was changed last."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._pen = Pen(stage.domain.view, stage.clock)
        self._random = random.Random(seed)
        self._attacks = table.attacks()
        self._written: list[tuple[str, str]] = []
        self.last = "nothing"

    def case(self) -> Case:
        """A question about a token, as often as not one that was shown before: it may be remembered."""
        if self._written and self._random.random() < 0.4:
            api_key, text = self._random.choice(self._written)
        else:
            api_key = self._random.choice(list(APPS))
            text = self._random.choice(self._kinds())(api_key)
            self._written = [*self._written[-REMEMBERED:], (api_key, text)]
        if self._random.random() < 0.03:
            api_key = self._random.choice(list(APPS))
        return Case(api_key, text, self._questions())

    def change(self) -> None:
        """Something happens to an app. What is not possible just now does not happen."""
        name, step = self._random.choice(self._changes())
        app = self._random.choice(CHANGED)
        self.last = f"{name} of {app}"
        try:
            step(self._stage, app)
        except AuthClientError as refused:
            self.last += f", which was refused: {refused.reason}"

    def _questions(self) -> Mapping[str, Any]:
        return self._random.choice(table.QUESTIONS) if self._random.random() < 0.5 else {}

    def _kinds(self) -> tuple[Callable[[str], str], ...]:
        return (
            self._plain,
            self._plain,
            self._plain,
            self._odd,
            self._odd,
            self._minted,
            self._minted,
            self._headed,
            self._broken,
            self._known,
        )

    def _plain(self, api_key: str) -> str:
        life, user = self._random.randrange(10, 20_000), self._random.choice(["sara", "tom", "guest-1"])
        return self._pen.token(api_key, user_id=user, exp=self._pen.now + life)

    def _odd(self, api_key: str) -> str:
        changes = table.changed_claims(self._pen.now)
        chosen: dict[str, Any] = {}
        for _ in range(self._random.choice([1, 1, 1, 2])):
            chosen |= self._random.choice(changes)
        return self._pen.token(api_key, **chosen)

    def _headed(self, api_key: str) -> str:
        return self._pen.token(api_key, self._random.choice(table.HEADS))

    def _minted(self, api_key: str) -> str:
        wish = pb.IssueTokenRequest(api_key=api_key, user=pb.User(id=self._random.choice(["sara", "tom"]), role="host"))
        if self._random.random() < 0.3:
            wish.scope.call_cids.append(table.CID)
        wish.refreshable = self._random.random() < 0.5
        try:
            return self._stage.client.issue_token(wish).token
        except AuthClientError:  # of a suspended app, say
            return self._plain(api_key)

    def _broken(self, api_key: str) -> str:
        text = self._pen.token(api_key)
        place, letter = self._random.randrange(len(text)), self._random.choice("Aa0_-.=")
        return self._random.choice([text[:place], text[:place] + letter + text[place + 1 :], text + letter])

    def _known(self, api_key: str) -> str:
        if api_key == "un" and self._random.random() < 0.7:
            return self._pen.unmanaged(IMPORTED, user_id=self._random.choice(["sara", "guest-1", "!anon"]))
        return self._random.choice([*self._attacks, table.DEVELOPMENT])

    def _changes(self) -> list[tuple[str, table.Step]]:
        dice = self._random
        issuer, skew = f"authsvc-{dice.randrange(4)}", Duration(seconds=dice.choice([0, 30, 120]))
        written = dice.choice(self._written)[1]
        return [
            ("revoke tom", table.revoke(user_id="tom")),
            ("revoke sara", table.revoke(user_id="sara")),
            ("end sessions", table.end_sessions),
            ("end sessions", table.end_sessions),
            ("revoke a token", table.revoke(token=written)),
            ("revoke what sara was issued before", table.revoke_before(dice.randrange(-4_000, 20), user_id="sara")),
            ("revoke what all were issued before", table.revoke_before(dice.randrange(-4_000, 20), all_users=True)),
            ("revoke all users", table.revoke(all_users=True)),
            ("clear sara", table.clear(user_id="sara")),
            ("clear all users", table.clear(all_users=True)),
            ("clear all users", table.clear(all_users=True)),
            ("suspend", table.suspend),
            ("resume", table.resume),
            ("resume", table.resume),
            ("another issuer", table.settings(issuer=issuer)),
            ("another skew", table.settings(clock_skew=skew)),
            ("development tokens", table.settings(allow_development_tokens=dice.random() < 0.5)),
            (
                "another algorithm",
                table.settings(algorithm=dice.choice([admin.ALGORITHM_ES256, admin.ALGORITHM_EDDSA])),
            ),
            ("a new key", table.rotate),
            ("revoke a key", table.revoke_key(dice.randrange(4))),
            ("some seconds", table.move(seconds=dice.randrange(1, 100))),
            ("an hour", table.move(minutes=dice.randrange(10, 90))),
            ("a little back", table.move(seconds=-dice.randrange(1, 60))),
        ]
