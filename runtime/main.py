"""The main goroutine: how it begins, what reaches it from the others, and how the program ends.

Mirrors Go src/runtime/proc.go schedinit and main, and the end of a program in panic.go. Differs: the main goroutine
is the main thread's own greenlet, adopted when runtime is imported there or first called from there; it needs no run().

How a program ends
  main returns               the interpreter exits with main's status; the others are left where they are: nothing of
                             theirs runs any more, not even finally blocks (see immortal)
  SystemExit, KeyboardInterrupt in any goroutine   raised in main, where it is parked or parks next
  Goexit in main             sys.excepthook sees it, lets the others end, and then reports Go's deadlock
  in a forked child, where another goroutine than main forked: that one is main there; when it ends, so does the child
  in one that a signal's handler forked while all goroutines waited: when the handler ends
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from _thread import get_ident
from time import sleep
from typing import Any, NoReturn

from runtime.asm import getcurrent, getm, immortal, ownstack, setm
from runtime.debug import debug
from runtime.gmp import G, M, _Grunning, sched
from runtime.mthread import newp, startg0, stoptheworld
from runtime.panic import GoexitException
from runtime.proc import inject, parkforever
from runtime.rawsys import compiled, nanotime
from runtime.schedseed import setschedseed

__all__ = ["adoptmain", "exitmain", "schedinit"]

_STARTING = 1_000_000_000  # ns: what a new thread has to begin to run, when the program ends


def schedinit() -> None:
    """Make M 0, P 0 and the main goroutine; adopt them at once if this is the main thread.

    Source: Go src/runtime/proc.go schedinit.
    """
    mp = M()
    sched.m0 = mp
    sched.allm.append(mp)
    sched.gomaxprocs = _defaultprocs()
    for _ in range(sched.gomaxprocs):
        newp()
    bindm0(mp)
    setschedseed(debug.schedseed)
    atexit.register(immortal, sched)
    atexit.register(stoptheworld)
    atexit.register(awaitstarting)
    if get_ident() == threading.main_thread().ident:
        adoptmain()


def awaitstarting() -> None:
    """At the end of the program: wait until our threads have begun to run.

    One that has not when the interpreter is taken apart finds what it was given to start with freed (CPython to 3.11).
    """
    give_up = nanotime() + _STARTING
    while sched.own_starting > 0 and nanotime() < give_up:
        sleep(0.0001)


def bindm0(mp: M) -> None:
    """Join M 0 and P 0, and make the main goroutine."""
    pp = sched.allp[0]
    mp.p = pp
    pp.m = mp
    gp = G()
    gp.goid = 1
    sched.goidgen = max(sched.goidgen, 1)
    gp.status = _Grunning
    gp.m = mp
    mp.curg = gp
    sched.maing = gp
    sched.allgs.add(gp)


def _defaultprocs() -> int:
    try:
        n = int(os.environ.get("GOMAXPROCS", ""))
    except ValueError:
        n = 0
    if n > 0:
        return min(n, 256)
    return 1  # with the GIL off too: the scheduler is not made for more there


def adoptmain() -> M:
    """Bind M 0 to the calling thread, which is the main one, and start its g0."""
    mp: M = sched.m0
    mp.ident = get_ident()
    setm(mp)
    mp.curg.gr = getcurrent()
    if mp.curg.gr.parent is None:  # or else the import itself runs on a greenlet, which may end before main
        ownstack(mp.curg.gr)
    startg0(mp)
    if not compiled:
        from runtime import signals

        signals.install()
    return mp


def exitmain(gp: Any, exc: BaseException) -> None:
    """Raise in main what has left another goroutine (or, gp being None, a signal handler): exit, or an interrupt."""
    if gp is not None and gp is sched.maing:
        childexit(exitstatus(exc))
    inject(sched.maing, exc)


def exitstatus(exc: BaseException) -> int:
    """The process status that an exception at the top of a program stands for; says on stderr what SystemExit says."""
    if not isinstance(exc, SystemExit):
        return 1
    code = exc.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    if sys.stderr is not None:
        sys.stderr.write(f"{code}\n")
    return 1


def childexit(status: int) -> NoReturn:
    """End a forked child whose forking goroutine, its main one, has ended: the parent's main must not run in it."""
    for f in (sys.stdout, sys.stderr):
        if f is not None:
            f.flush()
    os._exit(status)


_excepthook: Any = None


def hookmainexit() -> None:
    """Called by Goexit in main: what leaves the program's last frame then is no error, but the wait for the others."""
    global _excepthook
    if _excepthook is None:
        _excepthook = sys.excepthook
        sys.excepthook = _mainexit


def _mainexit(cls: type[BaseException], exc: BaseException, tb: Any) -> None:
    if not isinstance(exc, GoexitException) or getm() is not sched.m0:
        _excepthook(cls, exc, tb)
        return
    sched.allgs.discard(sched.maing)
    try:
        parkforever()
    except SystemExit as e:
        childexit(exitstatus(e))
    except BaseException as e:
        if sys.stderr is not None:
            sys.stderr.write(f"fatal error: {e}\n")
