"""``TrustService``: decode, call, encode."""

from __future__ import annotations

from authsvc.rpc.bundles import Bundles
from authsvc.rpc.call import Call
from authsvc.rpc.convert import set_moment
from authsvc.rpc.methods import Send
from authsvc.rpc.watching import Watches
from authsvc.v1 import trust_pb2 as pb


class TrustServicer:
    """What verifiers check tokens by."""

    def __init__(self, bundles: Bundles, watches: Watches) -> None:
        self._bundles = bundles
        self._watches = watches

    def GetTrustBundle(self, request: pb.GetTrustBundleRequest, call: Call) -> pb.GetTrustBundleResponse:
        """``trust.read``."""
        call.about(request.api_key)
        as_of = self._bundles.as_of  # before the policy is read: it is at least as new
        trust = self._bundles.app(call.caller, request.api_key, deadline=call.deadline)
        call.about(trust.app.api_key)
        response = pb.GetTrustBundleResponse(policy=self._bundles.policy(trust))
        set_moment(response.as_of, as_of)
        return response

    def WatchTrustBundle(self, request: pb.WatchTrustBundleRequest, call: Call, send: Send) -> None:
        """``trust.read``."""
        call.about(request.api_key)
        trust = self._bundles.app(call.caller, request.api_key, deadline=call.deadline)
        call.about(trust.app.api_key)
        self._watches.watch(call, trust.app.api_key, request.cursor, send)
