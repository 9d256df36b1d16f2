"""GODEBUG and GOTRACEBACK: the settings a program is started with.

Mirrors Go src/runtime/runtime1.go (dbgvars, parsegodebug, setTraceback): GODEBUG=name=number,name=number. Unknown
names are ignored, as are values that are no numbers, and of a name given twice the last counts.

GOTRACEBACK says what the report of an uncaught exception, and of a deadlock, shows:

  none, 0         only the exception's own words
  single          the goroutine that failed; what is not set or is empty means this
  all, 1          all other goroutines too
  system, 2       and the runtime's own frames and goroutines
  crash           and where the report ends the program (GODEBUG=paniccrash=1) it ends by SIGABRT, for a core file

A deadlock's report lists every goroutine, but for none. Stack leaves the runtime's own out, but for system and crash.
"""

from __future__ import annotations

import os

__all__ = ["SetTraceback", "debug", "gotraceback", "parsegodebug"]


class _Debug:
    """The variables by name; 0 is off."""

    __slots__ = ("paniccrash", "schedseed", "schedtrace")

    def __init__(self) -> None:
        self.paniccrash = 0  # an uncaught exception ends the program with status 2
        self.schedseed = 0  # the scheduler's choices are drawn from a generator with this seed
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


_LEVELS = {
    "none": (0, False, False),
    "": (1, False, False),
    "single": (1, False, False),
    "all": (1, True, False),
    "system": (2, True, False),
    "crash": (2, True, True),
}


def parsetraceback(text: str) -> tuple[int, bool, bool]:
    """What a GOTRACEBACK text means, as gotraceback gives it; a text without a meaning counts as 1, all goroutines.

    Differs from Go, where such a text and 0 show the other goroutines and not the one that failed.
    """
    known = _LEVELS.get(text)
    if known is not None:
        return known
    try:
        level = int(text)
    except ValueError:
        level = 1
    return (min(level, 2), True, False) if level > 0 else (0, False, False)


_environment = parsetraceback(os.environ.get("GOTRACEBACK", ""))
_traceback = _environment


def gotraceback() -> tuple[int, bool, bool]:
    """(level, all, crash): 0 no tracebacks, 1 those of the program, 2 the runtime's too; all goroutines; SIGABRT.

    Source: Go src/runtime/runtime1.go gotraceback.
    """
    return _traceback


def SetTraceback(level: str) -> None:
    """Set what GOTRACEBACK sets, to no less than the environment asks for.

    Source: Go src/runtime/runtime1.go setTraceback, runtime/debug.SetTraceback.
    """
    global _traceback
    n, all, crash = parsetraceback(level)
    _traceback = (max(n, _environment[0]), all or _environment[1], crash or _environment[2])


debug = parsegodebug(os.environ.get("GODEBUG", ""))
