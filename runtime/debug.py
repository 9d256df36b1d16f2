"""GODEBUG: the settings a program is started with.

Mirrors Go src/runtime/runtime1.go (dbgvars, parsegodebug): GODEBUG=name=number,name=number. Unknown names are
ignored, as are values that are no numbers, and of a name given twice the last counts.
"""

from __future__ import annotations

import os

__all__ = ["debug", "parsegodebug"]


class _Debug:
    """The variables by name; 0 is off."""

    __slots__ = ("paniccrash", "schedtrace")

    def __init__(self) -> None:
        self.paniccrash = 0  # an uncaught exception ends the program with status 2
        self.schedtrace = 0  # a line on stderr every so many milliseconds


def parsegodebug(text: str) -> _Debug:
    """The settings in a GODEBUG text. Source: Go src/runtime/runtime1.go parsegodebug."""
    d = _Debug()
    for field in text.split(","):
        name, eq, value = field.strip().partition("=")
        if not eq or name not in _Debug.__slots__:
            continue
        try:
            setattr(d, name, int(value))
        except ValueError:
            continue
    return d


debug = parsegodebug(os.environ.get("GODEBUG", ""))
