"""What is asked about a token, here and of the service, and who answers: the same for threads and for tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from authsvc import errors as rules
from authsvc.client.auth import AsyncAuthClient, AuthClient
from authsvc.client.errors import Failure, InvalidRequest, Violation
from authsvc.client.verifier.checked import CheckedToken, TrustStale, checked_by_service, trust_stale
from authsvc.client.verifier.judging import Judge
from authsvc.v1 import auth_pb2 as v1
from authsvc.verify.questions import Questions, check_askable

WhenStale = Literal["fail_closed", "ask_service"]

_FORKED = "the process has forked since this verifier was made, and nothing is heard here: make it after the fork"


class Asked(NamedTuple):
    """What to ask the service, what was known before, and by what to remember its answer (None: not at all)."""

    request: v1.ValidateTokenRequest
    changes: int
    digest: bytes | None


class Asking:
    """Decides who answers: what is known here, the service, or nobody."""

    def __init__(self, judge: Judge, api_key: str, when_stale: WhenStale) -> None:
        if when_stale not in ("fail_closed", "ask_service"):
            raise ValueError("when_stale must be fail_closed or ask_service")
        self._judge = judge
        self._api_key = api_key
        self._ask_when_stale = when_stale == "ask_service"

    def questions(
        self,
        call_cid: str | None,
        channel_cid: str | None,
        audience: str | None,
        any_role_of: Sequence[str] | None,
    ) -> Questions:
        """What is asked; raises ``InvalidRequest`` for what the service would not take either, ``TypeError`` for what
        is no text."""
        nothing_asked = self._judge.nothing_asked
        if call_cid is None and channel_cid is None and audience is None and any_role_of is None:
            return nothing_asked
        if isinstance(any_role_of, str):
            raise TypeError("any_role_of is a list of roles, not one")
        roles = None if any_role_of is None else tuple(any_role_of)
        for name, value in (("call_cid", call_cid), ("channel_cid", channel_cid), ("audience", audience)):
            if value is not None:
                _check_text(name, value)
        for role in roles or ():
            _check_text("a role", role)
        questions = Questions(call_cid, channel_cid, audience, roles, nothing_asked.caller_audiences)
        _check(questions)
        return questions

    def remembered(self, digest: bytes, questions: Questions) -> CheckedToken | None:
        """The token, where nothing but itself is asked about and it was found good before."""
        return self._judge.remembered(digest) if questions is self._judge.nothing_asked else None

    def here(self, token: str, digest: bytes, questions: Questions) -> CheckedToken | None:
        """The answer by what is known here; None where the service is to be asked.

        Raises ``TokenNotActive``; ``TrustStale`` where nobody can say.
        """
        if self._judge.forked:
            raise TrustStale(_FORKED)  # asking needs gRPC, which is as dead here as what follows
        stale = self._judge.stale
        if stale and not self._ask_when_stale:
            raise trust_stale(self._judge.unheard)
        return None if stale or self._judge.ask_service else self._judge.judge(token, digest, questions)

    def of_service(self, token: str, digest: bytes, questions: Questions) -> Asked:
        """The same question as the service takes it."""
        request = v1.ValidateTokenRequest(
            api_key=self._api_key,
            token=token,
            call_cid=questions.call_cid,
            channel_cid=questions.channel_cid,
            audience=questions.audience,
            roles=None if questions.any_role_of is None else v1.RoleCheck(any_of=questions.any_role_of),
        )
        # While nothing is heard of revocations an answer must not be relied on a second time.
        keep = questions is self._judge.nothing_asked and not self._judge.stale
        return Asked(request, self._judge.changes, digest if keep else None)

    def told(self, asked: Asked, answer: v1.ValidateTokenResponse) -> CheckedToken:
        """What the service's answer means; raises ``TokenNotActive``."""
        checked = checked_by_service(answer)
        if asked.digest is not None:
            self._judge.keep_answer(asked.digest, asked.changes, checked)
        return checked


def check_client(client: object, wanted: type[AuthClient | AsyncAuthClient]) -> None:
    """Raise ``TypeError`` for a client of another kind, by which nothing would ever be heard."""
    if isinstance(client, wanted):
        return
    given, hint = type(client).__name__, ""
    if isinstance(client, AuthClient | AsyncAuthClient):
        hint = f"; {given} goes with {'TokenVerifier' if isinstance(client, AuthClient) else 'AsyncTokenVerifier'}"
    raise TypeError(f"the client is an {wanted.__name__} here, not {given}{hint}")


def not_a_token(given: object) -> TypeError:
    """What is raised for what is no text; it does not say what was given, which may be a token all the same."""
    return TypeError(f"a token is text (str), not {type(given).__name__}")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} is text (str), not {type(value).__name__}")


def _check(questions: Questions) -> None:
    faults = rules.Faults()
    check_askable(questions, faults)
    try:
        faults.refuse_any()
    except rules.InvalidRequest as refused:
        violations = tuple(Violation(each.field, each.description) for each in refused.violations)
    else:
        return
    raise InvalidRequest(Failure("INVALID_ARGUMENT", "INVALID_REQUEST", "the question breaks rules", violations))
