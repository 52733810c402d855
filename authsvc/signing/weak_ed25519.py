"""Ed25519 public keys that are none: no point, a point written in a second way, or one of small order.

The library below takes any 32 bytes. A point whose order divides 8 is no key: one signature that anybody can write
holds for every message under the identity, and for one message in eight at the least under the others.
"""

from __future__ import annotations

_SIZE = 32
_SIGN = 1 << 255

# The field and the curve -x² + y² = 1 + dx²y² (RFC 8032, 5.1).
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P

# y of all points whose order divides 8: order 4, the identity, order 2, order 8. Written with either sign of x, and a
# second time as y + p where that has room, they are the fourteen texts that libsodium (ge25519_has_small_order) refuses
# and that Chalkias, Garillot and Nikolaenko list ("Taming the many EdDSAs", 2020).
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})


def weakness(encoded: bytes) -> str:
    """What is wrong with a public key as RFC 8037, 2 has it in ``x``, as a sentence; empty for a key that is sound."""
    if len(encoded) != _SIZE:
        return f"its x must have {_SIZE} bytes"
    y = int.from_bytes(encoded, "little") % _SIGN
    if y % _P in _SMALL_ORDER:
        return "its x is a point of small order: one signature would fit any message"
    if y >= _P:
        return "its x must be written with y below p"  # RFC 8032, 5.1.3, step 1: decoding fails
    if not _is_on_curve(y):
        return "its x is no point of its curve"
    return ""


def _is_on_curve(y: int) -> bool:
    """Whether an x belongs to that y: x² = u/v is a square where u·v is one (Euler's criterion). It is never 0 here."""
    u, v = y * y - 1, _D * y * y + 1
    return pow(u * v, (_P - 1) // 2, _P) == 1
