"""What checking a token costs where it is used, without asking the service, beside two libraries in the same run.

All are given the same tokens, and keys that are ready to use, and take turns, so that whatever else the machine does
falls on all of them. The verifier checks more: revocation, the form of every claim, that a token has one spelling.
"""

from __future__ import annotations

import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import joserfc.jwk
import joserfc.jwt
import jwt
from joserfc.errors import SecurityWarning

from authsvc.client import AuthClient, TokenVerifier
from authsvc.client.verifier.judging import REMEMBERED
from authsvc.v1 import admin_pb2, auth_pb2, trust_pb2
from authsvc.verify.signatures import digest_of
from bench.servers import Server, authsvc_server

ALGORITHMS: Mapping[str, tuple[admin_pb2.Algorithm.ValueType, float]] = {
    "RS256": (admin_pb2.ALGORITHM_RS256, 0.7),
    "ES256": (admin_pb2.ALGORITHM_ES256, 0.9),
    "EdDSA": (admin_pb2.ALGORITHM_EDDSA, 0.95),
}
"""With the most that a new token may cost, as a part of what ``jwt.decode`` costs."""

LIMIT_REPEATED_US = 2.0
TURN, TURNS = 50, 30
DISTINCT = 100_000
REPEATS, ROUNDS = 2_000, 15
_BATCH = 250

Check = Callable[[str], object]


@dataclass
class Costs:
    """Microseconds of processor time for a token of an algorithm; the ratio is that of turns beside each other."""

    algorithm: str
    repeated: float
    new: float
    pyjwt: float
    joserfc: float
    ratio: float
    limit: float


def verifier_costs(server: Server) -> list[Costs]:
    """Tokens that the service minted, checked by all three."""
    with AuthClient(server.target, server.credential) as client:
        return [_costs(client, name) for name in ALGORITHMS]


def _costs(client: AuthClient, name: str) -> Costs:
    app = f"verifier-{name.lower()}"
    algorithm, limit = ALGORITHMS[name]
    settings = admin_pb2.AppSettings(algorithm=algorithm)
    client.admin.create_app(admin_pb2.CreateAppRequest(api_key=app, settings=settings))
    bundle = client.trust.get_trust_bundle(trust_pb2.GetTrustBundleRequest(api_key=app))
    (jwk,) = json.loads(bundle.policy.jwks)["keys"]
    pyjwt_key, joserfc_key = jwt.PyJWK(jwk).key, joserfc.jwk.import_key(jwk)
    registry = joserfc.jwt.JWTClaimsRegistry()
    warnings.simplefilter("ignore", SecurityWarning)  # joserfc would have the name of RFC 9864 for EdDSA

    def by_pyjwt(token: str) -> object:
        return jwt.decode(token, pyjwt_key, algorithms=[name])

    def by_joserfc(token: str) -> object:
        decoded = joserfc.jwt.decode(token, joserfc_key, algorithms=[name])
        registry.validate(decoded.claims)
        return decoded

    with TokenVerifier(client, app) as verifier:
        if not verifier.wait_ready():
            raise SystemExit("the verifier hears nothing")
        tokens = _tokens(client, app, TURN * (TURNS + 1))
        for check in (by_pyjwt, by_joserfc, verifier.verify):  # warm
            _turn(check, tokens[:TURN])
        turns = [_turns((by_pyjwt, by_joserfc, verifier.verify), tokens, number) for number in range(1, TURNS + 1)]
        pyjwt, other, new = (statistics.median(column) for column in zip(*turns, strict=True))
        ratio = statistics.median(turn[2] / turn[0] for turn in turns)
        return Costs(name, _repeated(verifier.verify, tokens[0]), new, pyjwt, other, ratio, limit)


def _turns(checks: Sequence[Check], tokens: Sequence[str], number: int) -> list[float]:
    some = tokens[number * TURN : (number + 1) * TURN]
    order = [(number + place) % len(checks) for place in range(len(checks))]
    took = {place: _turn(checks[place], some) for place in order}
    return [took[place] for place in range(len(checks))]


def _turn(check: Check, tokens: Sequence[str]) -> float:
    began = time.thread_time_ns()
    for token in tokens:
        check(token)
    return (time.thread_time_ns() - began) / len(tokens) / 1e3


def _repeated(check: Check, token: str) -> float:
    check(token)
    return statistics.median(_turn(check, [token] * REPEATS) for _ in range(ROUNDS))


def _tokens(client: AuthClient, app: str, count: int) -> list[str]:
    user = auth_pb2.User(id="sara", role="admin", name="Sara")
    wish = auth_pb2.IssueTokenRequest(user=user)
    tokens: list[str] = []
    while len(tokens) < count:
        answer = client.batch_issue_tokens(auth_pb2.BatchIssueTokensRequest(api_key=app, requests=[wish] * _BATCH))
        tokens += [result.response.token for result in answer.results]
    return tokens


def print_verifier_costs(costs: Sequence[Costs]) -> list[dict[str, Any]]:
    """Print a table, and give its rows as they are kept."""
    print(
        f"{'checking a token, µs':24} {'repeated':>9} {'new':>7} {'PyJWT':>7} {'joserfc':>8} {'new/PyJWT':>10}  wanted"
    )
    for row in costs:
        print(
            f"{row.algorithm:24} {row.repeated:9.2f} {row.new:7.1f} {row.pyjwt:7.1f} {row.joserfc:8.1f}"
            f" {row.ratio:10.2f}  ≤ {LIMIT_REPEATED_US:.0f} µs, ≤ {row.limit}"
        )
    return [asdict(row) for row in costs]


def print_growth(count: int = DISTINCT) -> None:
    """Check so many tokens, each another one, and print what is remembered of them and how memory grew at the end."""
    from tests.client.verifier.made import Heard, token

    heard, most, memory = Heard(timedelta(days=2)), 0, list[float]()
    heard.snapshot()
    for number in range(count):
        text = token(heard.clock)
        heard.judge.judge(text, digest_of(text), heard.judge.nothing_asked)
        most = max(most, len(heard.judge))
        if number + 1 in (count // 2, count):
            memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
    print(
        f"{count:,} distinct tokens: {most:,} remembered at most ({REMEMBERED:,} is the bound),"
        f" {memory[1] - memory[0]:+.1f} MiB with the second half of them, of {memory[1]:.0f} MiB"
    )


if __name__ == "__main__":
    with authsvc_server() as running:
        print_verifier_costs(verifier_costs(running))
    print_growth()
