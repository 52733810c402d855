"""What importing the client costs a program that has imported gRPC."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

LIMIT_MS = 150
"""Of `import authsvc.client` with every name that it offers, beyond `import grpc`. A name is imported when it is asked
for; the first client that is made imports structlog, which is printed beside it and not counted."""

_PROGRAM = """
import json, time

def milliseconds(work):
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3

def package():
    import authsvc.client

def client():
    from authsvc.client import AuthClient

def everything():
    import authsvc.client as sdk
    for name in sdk.__all__:
        getattr(sdk, name)

def made():
    from authsvc.client import AuthClient
    AuthClient("127.0.0.1:1").close()

def grpc():
    import grpc

steps = {"grpc": grpc, "package": package, "client": client, "everything": everything, "made": made}
print(json.dumps({name: milliseconds(step) for name, step in steps.items()}))
"""


def print_import_costs(runs: int = 9) -> None:
    """Import in fresh processes, one step after the other, and print the median of each step."""
    samples = [_sample() for _ in range(runs)]
    took = {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}
    client = took["package"] + took["client"]
    everything = client + took["everything"]
    print(
        f"import authsvc.client: {took['package']:.1f} ms, with AuthClient {client:.0f} ms"
        f", with all that it offers {everything:.0f} ms (wanted: < {LIMIT_MS})"
        f", beyond the {took['grpc']:.0f} ms of gRPC; the first client made: {took['made']:.0f} ms more"
    )


def _sample() -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    sample: dict[str, float] = json.loads(done.stdout)
    return sample
