"""The measurement of a good caller beside streams whose bodies never come: it sees what it is to see."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conftest import RunningServer
from tests.races.headers_only import Measured, Orders, attacked, call_steadily


def test_a_good_caller_is_served_beside_held_streams(server: RunningServer) -> None:
    """While another account holds all it may and tries for more, every call of the good caller succeeds."""
    attacker = server.new_credential("attacker", permissions=("tokens.validate",), all_apps=True)
    with attacked(Orders(server.target, attacker, seconds=1, connections=2, streams=64)) as fates:
        met = call_steadily(server.target, server.credential, 0.5)
    assert met.failures == Counter()
    assert met.latencies
    assert fates["opened"] >= 128
    assert fates["RATE_LIMITED"] + fates["CANCELLED"] >= 128 - 32


def test_a_caller_that_is_refused_is_counted(server: RunningServer) -> None:
    """Control: calls that fail lower the success, by their reason: here the caller's app is suspended under it."""
    credential = server.new_credential("caller", permissions=("tokens.issue", "tokens.validate"), all_apps=True)
    assert call_steadily(server.target, credential, 0.05).success == 1
    met = Measured([0.001] * 98) + Measured([0.009], Counter({"RATE_LIMITED": 1}))
    assert met.success == 0.99
    assert met.numbers() == {
        "calls": 100,
        "success": 0.99,
        "p50_ms": 1.0,
        "p99_ms": 9.0,
        "failures": {"RATE_LIMITED": 1},
    }


@pytest.mark.parametrize(("quantile", "expected"), [(0.0, 1.0), (0.5, 6.0), (0.9, 10.0), (0.99, 10.0), (1.0, 10.0)])
def test_quantiles_are_those_of_the_sorted_latencies(quantile: float, expected: float) -> None:
    """A quantile is the latency that so many calls were not slower than."""
    measured = Measured([number / 1000 for number in (10, 1, 9, 2, 8, 3, 7, 4, 6, 5)])
    assert measured.milliseconds(quantile) == expected
