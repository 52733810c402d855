"""What a log call costs whose level is off: such calls stand on every path."""

from __future__ import annotations

from timeit import repeat

from authsvc.logs import SERVER_SCOPES, LoggerSystem

LIMIT_US = 0.3
"""A call that is off costs less."""

_CALLS = 200_000


def print_log_costs(runs: int = 9) -> None:
    """Measure in this process and print the best run: whatever else the machine does only adds."""
    written: list[object] = []
    logs = LoggerSystem(SERVER_SCOPES)
    logs.configure_loggers({"default": {"level": "info", "sink": lambda *line: written.append(line)}})
    names = {"log": logs.get_logger("rpc")}
    bare, fields = (
        min(repeat(call, globals=names, number=_CALLS, repeat=runs)) / _CALLS * 1e6
        for call in ('log.debug("a step")', 'log.debug("a step", kid="k", duration_ms=1.5)')
    )
    if written:
        raise SystemExit("the log calls that were measured were not off")
    print(f"a log call that is off: {bare:.2f} µs, {fields:.2f} µs with two fields (less than {LIMIT_US} µs wanted)")
