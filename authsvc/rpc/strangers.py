"""How often callers that nobody knows may call: for each address, and for each app all together.

Counted in this process alone: with several workers each admits as much.
"""

from __future__ import annotations

from datetime import timedelta

from authsvc.clock import Monotonic
from authsvc.errors import Exhausted, Reason
from authsvc.model import ApiKey
from authsvc.rpc.addresses import FORWARDED, Addresses, holder_of
from authsvc.rpc.buckets import Buckets
from authsvc.rpc.call import Call
from authsvc.rpc.limits import Limits

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)


class Strangers:
    """Both limits raise ``Exhausted`` (RATE_LIMITED) with the time after which one more call is admitted."""

    def __init__(self, addresses: Addresses, limits: Limits, monotonic: Monotonic) -> None:
        self._addresses = addresses
        self._by_address = Buckets(
            burst=limits.open_address_minute, refill=_MINUTE, most=limits.open_remembered, monotonic=monotonic
        )
        self._by_app = Buckets(
            burst=limits.open_app_second, refill=_SECOND, most=limits.open_remembered, monotonic=monotonic
        )

    def admit(self, call: Call) -> None:
        """Count a call of its address, and remember that for its audit line."""
        address = self._addresses.of(call.context.peer(), call.values(FORWARDED))
        call.address = str(address) if address is not None else "local"
        _refuse(self._by_address.take(holder_of(address)))

    def admit_to(self, api_key: ApiKey) -> None:
        """Count a call of an app. Asked for apps there are alone, so that no made-up name drives out a real one."""
        _refuse(self._by_app.take(api_key))


def _refuse(delay: timedelta | None) -> None:
    if delay is not None:
        raise Exhausted(Reason.RATE_LIMITED, retry_after=delay)
