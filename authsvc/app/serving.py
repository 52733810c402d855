"""The life of a server process: start, readiness, the signals that end it."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import ExitStack, nullcontext
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue
from types import FrameType

from authsvc import __version__
from authsvc.app import Refused
from authsvc.app.composition import Domain, build_server, open_domain
from authsvc.app.dev import holding_dev_json, make_dev_things
from authsvc.app.dev_kek import dev_kek, knowing_the_kek
from authsvc.app.greeting import greeting
from authsvc.app.observing import open_tracing
from authsvc.app.readiness import Readiness
from authsvc.app.refusals import check_exposure, kek_of, refusing, settings_of_process
from authsvc.app.sinks import open_sinks
from authsvc.clock import system_randomness, wait_for
from authsvc.config import Settings
from authsvc.rpc.server import AddressUnusable, RpcServer
from authsvc.rpc.tls import TlsFiles, TlsUnusable


def run_server(*, dev: bool) -> int:
    """Serve until SIGTERM or SIGINT, finish what is in flight, return 0; raises ``Refused``."""
    settings = settings_of_process()
    if dev and "lame_duck" not in settings.model_fields_set:
        # A person at a terminal wants Ctrl-C to end it; a load balancer wants time to look elsewhere.
        settings = settings.model_copy(update={"lame_duck": timedelta(0)})
    check_exposure(settings, dev=dev)
    stopping = _stop_on_signals()
    with refusing():
        kek = dev_kek(settings, system_randomness) if dev else kek_of(settings)
        with (
            knowing_the_kek(settings) if dev else nullcontext(),
            open_domain(settings, kek, migrate=dev) as domain,
            open_sinks(settings, domain.logs),
            open_tracing(os.environ, domain.logs.get_logger("server")) as tracing,
        ):
            server = build_server(
                domain,
                dev=dev,
                reflection=settings.reflection,
                development_tokens=settings.allow_development_tokens,
                trusted_proxies=settings.proxies,
                tracing=tracing,
            )
            _serve(server, domain, settings, stopping, dev=dev)
    return 0


def _serve(server: RpcServer, domain: Domain, settings: Settings, stopping: SimpleQueue[int], *, dev: bool) -> None:
    log = domain.logs.get_logger("server")
    try:
        port = server.listen(settings.listen, _tls(settings, domain))
    except AddressUnusable as fault:
        raise Refused(f"{fault} Set AUTHSVC_LISTEN to another one") from None
    except TlsUnusable as fault:
        raise Refused(str(fault)) from None
    mine = ExitStack()  # what this server leaves to others once it stops
    readiness = Readiness(domain.store, domain.freshness, server.health, domain.logs.get_logger("storage"))
    try:
        target = f"{settings.listen.rpartition(':')[0]}:{port}"
        if dev:
            ours = mine.enter_context(holding_dev_json(settings))
            print(greeting(target, make_dev_things(domain, settings, target, ours=ours)), flush=True)
        domain.follower.start()
        domain.keeper.start()
        domain.janitor.start()
        readiness.start()
        _settle_memory()
        log.info("server ready", target=target, version=__version__, pid=os.getpid())
        wait_for(partial(_told, stopping))
        log.info("server stopping")
    finally:
        mine.close()
        server.stop(lame_duck=settings.lame_duck, grace=settings.shutdown_grace)
        readiness.stop()
    log.info("server stopped")


def _told(stopping: SimpleQueue[int], seconds: float) -> bool:
    try:
        stopping.get(timeout=seconds)
    except Empty:
        return False
    return True


def _settle_memory() -> None:
    """Tell the collector that what there is now stays: it would look at all of it again and again, and find nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _tls(settings: Settings, domain: Domain) -> TlsFiles | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_cert, settings.tls_key, domain.logs.get_logger("server"))


def _stop_on_signals() -> SimpleQueue[int]:
    """Where the first SIGTERM or SIGINT is put; the second ends the process at once.

    A queue, and not an event: a handler runs in the middle of whatever the main thread does, waiting for an event
    included, and setting the same event there would wait for itself. This queue may be entered anew at any point.
    """
    stopping: SimpleQueue[int] = SimpleQueue()
    signals: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        signals.append(number)
        if len(signals) > 1:
            sys.stderr.flush()
            os._exit(128 + number)
        stopping.put(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stopping
