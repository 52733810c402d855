"""RSA keys that are too small, too large, or made by the flawed generator known as ROCA (CVE-2017-15361)."""

from __future__ import annotations

from functools import cache

RSA_BITS_MIN, RSA_BITS_MAX = 2048, 4096
EXPONENT_MIN, EXPONENT_BITS_MAX = 3, 32

# Primes of that generator are k·M + 65537^a mod M, with M a primorial: so a modulus of two of them is a power of
# 65537 modulo each small prime. For other keys that holds for all of these primes with a chance below 2^-27.
_SMALL_PRIMES = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83),
    *(89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167),
)
_GENERATOR = 65537


def weakness(modulus: int, exponent: int) -> str:
    """What is wrong with a public RSA key, as a sentence; empty for a key that is sound."""
    if not RSA_BITS_MIN <= modulus.bit_length() <= RSA_BITS_MAX:
        return f"its modulus must have {RSA_BITS_MIN} to {RSA_BITS_MAX} bits"
    if exponent < EXPONENT_MIN or exponent % 2 == 0 or exponent.bit_length() > EXPONENT_BITS_MAX:
        return "its public exponent must be odd, at least 3 and below 2^32"
    if _from_flawed_generator(modulus):
        return "its primes come from a generator whose keys can be factored (ROCA)"
    return ""


def _from_flawed_generator(modulus: int) -> bool:
    return all(modulus % prime in powers for prime, powers in _powers().items())


@cache
def _powers() -> dict[int, frozenset[int]]:
    return {prime: frozenset(pow(_GENERATOR, n, prime) for n in range(prime)) for prime in _SMALL_PRIMES}
