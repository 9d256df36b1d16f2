"""Small parsers for the texts of addresses and of the system's files.

Mirrors Go src/net/parse.go. Differs: a failed parse gives None, xtoi wants the whole text, splitting lines and fields
is left to Python, and what Go's compiler checks, that a text is one and an address of the right kind, is checked here.
"""

from __future__ import annotations

from typing import Any

from runtime.timesleep import number

__all__ = ["dtoi", "readLines", "wantCallable", "wantNumber", "wantText", "wanted", "xtoi"]

big = 0xFFFFFF  # more than any port, prefix length, protocol or interface index

_digits = frozenset("0123456789")
_hexDigits = frozenset("0123456789abcdefABCDEF")


def dtoi(s: str) -> tuple[int, int] | None:
    """The decimal number s begins with and the count of its digits; None if there is none or it is >= big."""
    i = 0
    while i < len(s) and s[i] in _digits:
        i += 1
    if i == 0:
        return None
    n = int(s[:i]) if i < 64 else big
    return (n, i) if n < big else None


def xtoi(s: str) -> int | None:
    """The number s is in hexadecimal digits and nothing else; None if it is not."""
    if not s or not _hexDigits.issuperset(s):
        return None
    return int(s, 16)


def wantText(what: str, x: Any) -> None:
    """Raise TypeError unless x, called `what`, is a str."""
    if not isinstance(x, str):
        raise TypeError(f"{what} must be str, not {type(x).__name__}")


def wanted(what: str, x: Any, kind: type[Any]) -> None:
    """Raise TypeError unless x, called `what`, is None or an instance of kind."""
    if x is not None and not isinstance(x, kind):
        raise TypeError(f"{what} must be {kind.__name__} or None, not {type(x).__name__}")


def wantNumber(what: str, x: Any) -> float:
    """x, a setting called `what`, as a float; None, for unset, is 0. Raises as number does."""
    return 0.0 if x is None else number(what, x)


def wantCallable(what: str, x: Any) -> None:
    """Raise TypeError unless x, called `what`, is None or can be called."""
    if x is not None and not callable(x):
        raise TypeError(f"{what} must be callable or None, not {type(x).__name__}")


def readLines(path: str) -> list[list[str]]:
    """The words of each line of a configuration file, comments ("#") cut off; [] if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            return [fields for line in f if (fields := line.partition("#")[0].split())]
    except OSError:
        return []
