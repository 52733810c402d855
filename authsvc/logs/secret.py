"""Values that do not print: what a token, a key or a password is kept in."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

if TYPE_CHECKING:
    from typing import Self

HIDDEN: Final = "***"
"""What stands where a value must not be seen."""

T = TypeVar("T", str, bytes)


class Secret(Generic[T]):
    """Holds a text or bytes that nothing may show; `reveal()` is the only way to it.

    It is no `str` or `bytes` itself, on purpose: json, `join`, `+` and `%b` of a subclass would
    take the raw value without ever asking for its repr. Compares in constant time.
    Build SecretText or SecretBytes; another type than theirs raises TypeError.
    """

    __slots__ = ("_hidden",)
    _hidden: T
    _kind: type[T]

    def __init__(self, value: T) -> None:
        if not isinstance(value, self._kind):
            # The value's type only: it may well be the secret in another form.
            raise TypeError(f"{type(self).__name__} holds {self._kind.__name__}, not {type(value).__name__}")
        object.__setattr__(self, "_hidden", value)

    def reveal(self) -> T:
        """The value itself; every place that calls this is a place to review."""
        return self._hidden

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        # Any spec is ignored: "{:.4}" of a secret must not become a way to print its beginning.
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(_as_bytes(self._hidden), _as_bytes(other._hidden))

    def __hash__(self) -> int:
        return hash((type(self), self._hidden))

    def __setattr__(self, name: str, value: object = None) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} does not change")

    __delattr__ = __setattr__

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        # What pickle asks in all its protocols, and the only other way to a slot's value.
        raise TypeError(f"{type(self).__name__} does not pickle")


class SecretText(Secret[str]):
    """A secret text: a token, a credential, a DSN with a password."""

    __slots__ = ()
    _kind = str


class SecretBytes(Secret[bytes]):
    """Secret bytes: a key, a MAC key, a sealed value opened."""

    __slots__ = ()
    _kind = bytes


def _as_bytes(value: str | bytes) -> bytes:
    # surrogatepass: comparing must not raise, whatever the text was decoded from.
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
