"""What goes wrong: errors of misuse, throws, Goexit, and goroutines that die of an exception.

Mirrors Go src/runtime/error.go and panic.go. Differs: a Go program ends when a goroutine panics; here the goroutine
ends, the exception is reported, and the program goes on, unless GODEBUG=paniccrash=1 asks for Go's way (status 2).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from runtime.debug import debug, gotraceback
from runtime.gmp import G, sched
from runtime.traceback import created_by, goroutineheader, tracebackothers

__all__ = [
    "Error",
    "GoexitException",
    "SetPanicHook",
    "created_by",
    "fatal",
    "printpanic",
    "report",
    "throw",
    "unowned",
]


class Error(Exception):
    """Misuse that the runtime refuses, in Go's words. What was misused stays usable.

    Source: Go src/runtime/error.go Error.
    """


class GoexitException(BaseException):
    """Unwinds a goroutine for Goexit; not an Exception, so that `except Exception` lets it pass."""


class Throw(BaseException):
    """An invariant of the runtime is broken: a bug in gonet. Beyond `except Exception`; nothing here catches it."""


def throw(text: str) -> NoReturn:
    """Raise Throw(text). Source: Go src/runtime/panic.go throw."""
    raise Throw("fatal error: " + text)


def fatal(why: str, text: str) -> NoReturn:
    """End the program, which cannot go on: why, and fatal error: text. Source: Go src/runtime/panic.go throw."""
    try:
        os.write(2, f"{why}\nfatal error: {text}\n".encode())
    except OSError:
        pass
    crash()


def printpanic(gp: G, exc: BaseException) -> None:
    """The standard hook: report on stderr the goroutine, the traceback and where it was started.

    GOTRACEBACK=all adds all other goroutines, none leaves only what the exception says.
    """
    level, all, _ = gotraceback()
    if level == 0:
        text = "".join(traceback.format_exception_only(type(exc), exc))
    else:
        text = goroutineheader(gp, True) + _format(exc, level) + created_by(gp) + "\n"
    if all:
        text += "\n".join([*tracebackothers(gp), ""])
    if sys.stderr is not None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _format(exc: BaseException, level: int) -> str:
    """Python's report of exc, without the runtime's own frames above the goroutine's function; they say nothing."""
    tb = exc.__traceback__
    if level < 2:
        while tb is not None and str(tb.tb_frame.f_globals.get("__name__", "")).startswith("runtime."):
            tb = tb.tb_next
    return "".join(traceback.format_exception(type(exc), exc, tb))


_hook: Callable[[G, BaseException], Any] = printpanic


def SetPanicHook(fn: Callable[[G, BaseException], Any] | None) -> Callable[[G, BaseException], Any]:
    """Have fn(g, exc) called, in goroutine g itself, for an exception that ends it; None restores the standard one.

    Returns the hook that was. Raises: TypeError, if fn is not callable.
    Source: none in Go; what it replaces is src/runtime/panic.go printpanics.
    """
    global _hook
    if fn is not None and not callable(fn):
        raise TypeError(f"SetPanicHook: {type(fn).__name__!r} object is not callable")
    old = _hook
    _hook = printpanic if fn is None else fn
    return old


def report(gp: G, exc: BaseException) -> None:
    """Hand an uncaught exception to the hook. If the hook fails as well, the standard one reports both."""
    try:
        _hook(gp, exc)
    except Exception as err:
        if err.__context__ is None and err is not exc:
            err.__context__ = exc
        printpanic(gp, err)
    if debug.paniccrash:
        crash()


def unowned(exc: BaseException) -> None:
    """What becomes of an exception that has left a function which runs for no goroutine: a timer's, a finalizer's.

    It must not reach the scheduler, on whose lines the function was called. It is reported as g0's, by the standard
    hook; an exit or an interrupt is main's.  Source: none in Go, where a panic on the system stack is fatal.
    """
    if isinstance(exc, Exception):
        with suppress(Exception):
            printpanic(sched.m0.g0 or sched.maing, exc)
        if debug.paniccrash:
            crash()
    else:
        from runtime.main import exitmain

        exitmain(None, exc)


def crash() -> NoReturn:
    """End the program with status 2, as Go does after a panic: no finally block and no atexit function runs.

    GOTRACEBACK=crash has it end by SIGABRT instead, which may leave a core file.
    """
    for f in (sys.stdout, sys.stderr):
        try:
            f.flush()
        except Exception:
            pass
    if gotraceback()[2]:
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()
    os._exit(2)
