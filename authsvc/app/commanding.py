"""What all commands on the store have in common: their settings, their refusals, and what the log says of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from authsvc.app import Refused
from authsvc.app.refusals import refusing, settings_of_process
from authsvc.app.sinks import make_logs
from authsvc.clock import system_clock
from authsvc.config import Settings
from authsvc.logs import Logger


@contextmanager
def command(name: str) -> Iterator[Settings]:
    """The block is that command, with the settings of this process; what an operator can mend becomes ``Refused``.

    People at a terminal read what it prints: unless the settings name levels, the log has warnings and errors alone.
    At debug the scope ``cli`` says when it begins, how it ends and how long it took.
    """
    settings = settings_of_process()
    if not settings.log_levels:
        settings = settings.model_copy(update={"log_levels": "default=warn"})
    with refusing():
        log = make_logs(settings, system_clock).get_logger("cli")
    log.debug("command begins", action=name)
    began = time.perf_counter()
    try:
        with refusing():
            yield settings
    except Refused:
        _over(log, name, "refused", began)
        raise
    _over(log, name, "done", began)


def _over(log: Logger, name: str, outcome: str, began: float) -> None:
    log.debug("command ended", action=name, outcome=outcome, elapsed_ms=round((time.perf_counter() - began) * 1000, 3))
