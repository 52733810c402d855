"""What the process must be before gRPC is imported and anything secret is read."""

from __future__ import annotations

import os
import resource
import sys

from authsvc.app import Refused

# In grpcio 1.85 the older listener serves 30 to 40 % more calls a core; `make bench` shows both. An unknown flag is
# only logged, so an upgrade that drops it does no harm. See docs/decisions.
EXPERIMENTS = "-event_engine_listener"


def prepare_process(*, dev: bool) -> None:
    """Private files, no core dumps, the listener that is faster, no tracing of what goes over the wire.

    Raises ``Refused`` where the environment asks gRPC to print metadata: credentials are in there.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.environ.get("GRPC_TRACE") and not dev:
        raise Refused("GRPC_TRACE makes gRPC print metadata, which holds credentials: unset it (or use --dev)")
    if "grpc" in sys.modules:
        raise RuntimeError("gRPC was imported before the process was prepared: its flags would have no effect")
    asked = os.environ.get("GRPC_EXPERIMENTS", "")
    if "event_engine_listener" not in asked:
        os.environ["GRPC_EXPERIMENTS"] = ",".join(filter(None, (asked, EXPERIMENTS)))
