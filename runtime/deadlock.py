"""Deadlock: every goroutine waits for another.

Mirrors Go src/runtime/proc.go checkdead. Differs: it is raised in the main goroutine, as an Error that may be caught,
and what can still wake somebody includes every live Python thread that is not itself parked here, and signal handlers.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import signal
from typing import Any

from runtime.debug import gotraceback
from runtime.gmp import G, M, _Grunnable, _Grunning, _Gwaiting, foreigngs, sched, waitReasonIOWait
from runtime.mthread import dropdead
from runtime.panic import Error
from runtime.proc import inject
from runtime.rawsys import nanotime, sigpending
from runtime.time import armed
from runtime.traceback import tracebackothers

__all__ = ["check"]

_RECHECK = 250_000_000  # ns until the next look while a foreign thread could still wake somebody
_ALARM = 10.0  # s


def check(mp: M) -> int:
    """For an M about to sleep without a timer: raise the deadlock in main, if there is one; how long to sleep (ns).

    -1 for ever; 0 not at all, since main has been readied or something has changed meanwhile. It may err on one side:
    a deadlock is found late (_RECHECK) while a foreign thread lives that never wakes anybody.
    """
    dropdead()
    foreign = foreigngs()
    now = nanotime()
    since: dict[G, int] = {}
    for gp in list(sched.allgs) + foreign:
        if gp.status != _Gwaiting:
            if gp.status in (_Grunnable, _Grunning) and gp is not mp.curg:
                # It parks in its time, and has us look then; unless its M is only just waking up. A foreign thread
                # may end instead, of which nobody is told.
                return _RECHECK if gp.m is None or gp.m.blocked or gp.m.isextra else -1
        elif gp.waitreason == waitReasonIOWait:
            sched.iowitness = gp
            sched.recheck = False
            return -1
        else:
            if gp.waitsince == 0:  # cleared where it parks the next time
                gp.waitsince = now
            since[gp] = gp.waitsince
    for other in list(sched.allm):
        if other is not mp and other.blocked == 0:
            return -1
    for other in list(sched.extram.values()):
        # Between its status and its sleep a thread may still find that it need not wait, or run what timers call.
        if other is not mp and other.blocked == 0:
            return _RECHECK
    parked = sum(1 for gp in foreign if gp.status == _Gwaiting)
    if _thread._count() - sched.own_threads - parked > 0 or _signals():
        return _RECHECK
    if sched.runq or sched.finq or any(p.runq or p.runnext is not None for p in list(sched.allp)):
        return 0
    if armed() or sched.nsyscall > 0:
        return 0
    main: G = sched.maing
    if main.status != _Gwaiting or main.injected is not None:
        return _RECHECK
    # Each was seen waiting, but two that wake each other in turn may have been looked at in turn. Who has waited from
    # then on did so when the threads were counted: all of them at once.
    for gp in list(sched.allgs) + foreigngs():
        if gp.status != _Gwaiting or since.get(gp) != gp.waitsince:
            return 0
    sched.recheck = False
    inject(main, Error(text(main)))
    return 0


def _signals() -> bool:
    """Whether a Python signal handler may wake somebody."""
    if sigpending:
        return True
    for n in _signal.valid_signals():  # not the module signal, which has lines of Python at which a handler would run
        if n != signal.SIGINT and callable(_signal.getsignal(n)) and (n != signal.SIGALRM or _alarm()):
            return True
    return False


class _Off:
    """When a check first found no alarm set, and what showed then that nothing has happened since."""

    since = 0
    waitlock: Any = None
    waitsince = 0
    switches = 0


def _alarm() -> bool:
    """Whether SIGALRM may come. An alarm that is far off is a watchdog, and does not count.

    One that is not set may have gone off this instant, and its handler be about to run: so there must be none for a
    while, in which main waits for the same and nobody runs.
    """
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    if left > 0 or interval > 0:
        _Off.waitlock = None
        return left < _ALARM
    main: G = sched.maing
    switches, now = sum(p.schedtick for p in list(sched.allp)), nanotime()
    if main.waitlock is not _Off.waitlock or main.waitsince != _Off.waitsince or switches != _Off.switches:
        _Off.since, _Off.waitlock, _Off.waitsince, _Off.switches = now, main.waitlock, main.waitsince, switches
    return now - _Off.since < _RECHECK // 2


def text(main: G) -> str:
    """Go's words, and below them the block of every goroutine, unless GOTRACEBACK=none."""
    if main not in sched.allgs and not sched.allgs:  # Goexit in main
        return "no goroutines (main called runtime.Goexit) - deadlock!"
    blocks = tracebackothers() if gotraceback()[0] > 0 else []
    return "\n".join(["all goroutines are asleep - deadlock!" + "\n" * bool(blocks), *blocks])
