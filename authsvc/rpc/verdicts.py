"""Verdicts as bytes: what was said of a token shown again was mostly said before."""

from __future__ import annotations

from authsvc.model import TokenStatus
from authsvc.rpc.convert import validate_response
from authsvc.v1 import auth_pb2 as pb
from authsvc.verify.verdict import Verdict, VerifiedToken

_CAPACITY = 4_096


class EncodedVerdicts:
    """Encodes verdicts as results of a batch, and keeps the last one of a verified token: filling in its message costs
    more than all else.

    An answer says nothing but the token, which never changes, and the status, which is compared. A token is known by
    its identity, which nothing else can have while it is held here.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._kept: dict[int, tuple[VerifiedToken, TokenStatus, bytes]] = {}

    def of(self, verdict: Verdict) -> bytes:
        """The bytes of a ``BatchValidateTokensResponse`` with the verdict as its one result, made now or before."""
        token = verdict.token
        if token is None:
            return _encode(verdict)
        known = self._kept.get(id(token))
        if known is not None and known[0] is token and known[1] is verdict.status:
            return known[2]
        encoded = _encode(verdict)
        if len(self._kept) >= self._capacity:
            self._kept.clear()  # those that are shown again are soon back
        self._kept[id(token)] = token, verdict.status, encoded
        return encoded

    def __len__(self) -> int:
        return len(self._kept)


def _encode(verdict: Verdict) -> bytes:
    result = pb.BatchValidateTokensResult(response=validate_response(verdict))
    return pb.BatchValidateTokensResponse(results=[result]).SerializeToString()
