"""The calls of verifiers."""

from __future__ import annotations

from authsvc.client.methods import Awaiting, Stream, Unary, Waiting
from authsvc.v1 import trust_pb2 as v1
from authsvc.v1.trust_pb2_grpc import TrustServiceStub as Stub


class TrustMethods:
    """The methods of TrustService. ``TokenVerifier`` does with them what most programs want."""

    get_trust_bundle = Unary[v1.GetTrustBundleRequest, v1.GetTrustBundleResponse](Stub, "GetTrustBundle", repeats=True)
    """Read the policy and the public keys of an app."""

    watch_trust_bundle = Stream[v1.WatchTrustBundleRequest, v1.TrustUpdate](Stub, "WatchTrustBundle")
    """Follow what is known of an app: a snapshot, or what has changed since ``cursor``, then each change."""


class TrustCalls(TrustMethods, Waiting):
    """For callers that wait."""


class AsyncTrustCalls(TrustMethods, Awaiting):
    """For callers that await."""
