"""In the uncompiled form: signal handlers, kept out of the runtime's own lines.

The interpreter runs a handler between any two lines of whatever the main thread is at. Compiled, the scheduler has no
lines of that kind, and runs what is due where it can bear it: on g0, before and after a sleep (rawsys.checksignals).
Uncompiled, a handler that wakes, blocks or raises would find a goroutine halfway between two queues, a lock held, bytes
read and not yet handed over. Go masks signals there, and queues those that a program is to see (signal_unix.go,
sigqueue.go); here every handler is called through _trap, which looks at the frame that was interrupted:

  the program's, or the library's that it has called   the handler is called, as ever
  one of runtime or gonet                              the signal is put off: to the next checksignals, to which a busy
                                                       scheduler goes every 61st time (findrunnable), or until sysmon
                                                       has it delivered once more, which it does at every tick

For that, signal.signal and signal.getsignal are given to see _trap where the other side wants the handler: _signal's
two functions, which they call, are replaced. A signal put off twice is handled once, as by the kernel.

What stays open: a finalizer of the program's may run anywhere, and a handler inside it. What the latter raises there
the interpreter drops in any case.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import signal
from _thread import interrupt_main
from typing import Any

from runtime.gmp import sched
from runtime.idle import wakem
from runtime.rawsys import setsigpipe, sighandlers, sigpending
from runtime.sysmon import start

__all__ = ["install", "resignal"]

_OURS = ("runtime", "gonet")
_THROUGH = ("contextlib", "threading")  # what our own lines call that is written in Python: the caller decides

_setsignal = _signal.signal
_getsignal = _signal.getsignal


def install() -> None:
    """On the main thread: from now on every handler is called by _trap, those that are set already too."""
    if _signal.signal is setsignal:
        return
    _signal.signal = setsignal
    _signal.getsignal = getsignal
    setsigpipe(_getsignal(signal.SIGPIPE) == signal.SIG_IGN)
    for signum in signal.valid_signals():
        handler = _getsignal(signum)
        if callable(handler):
            setsignal(signum, handler)


def setsignal(signalnum: int, handler: Any, /) -> Any:
    """Set the handler of a signal and return the one before. As _signal.signal; raises what that raises."""
    old = _setsignal(signalnum, _trap if callable(handler) else handler)
    if old is _trap:
        old = sighandlers[signalnum]
    if signalnum == signal.SIGPIPE:
        setsigpipe(handler == signal.SIG_IGN)
    if callable(handler):
        sighandlers[signalnum] = handler
    else:
        sighandlers.pop(signalnum, None)
        sigpending.discard(signalnum)
    return old


def getsignal(signalnum: int, /) -> Any:
    """The handler of a signal. As _signal.getsignal."""
    handler = _getsignal(signalnum)
    return sighandlers[signalnum] if handler is _trap else handler


def _trap(signum: int, frame: Any) -> None:
    """What the interpreter calls for a signal, in whatever frame it was at."""
    if _inside(frame):
        sigpending.add(signum)
        m0 = sched.m0
        if m0.blocked:
            wakem(m0)
        elif not sched.sysmonstarted:
            start()
    else:
        sigpending.discard(signum)
        handler = sighandlers.get(signum)
        if handler is not None:
            handler(signum, frame)


def _inside(frame: Any) -> bool:
    """Whether the frame is at a line of the runtime's own."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        package = name.partition(".")[0]
        if package not in _THROUGH and name != "runtime.note":  # who sleeps on a note decides, too
            return package in _OURS
        frame = frame.f_back
    return False


def resignal() -> None:
    """By sysmon: have the signals that were put off delivered again."""
    for signum in list(sigpending):
        interrupt_main(signum)  # type: ignore[arg-type]
