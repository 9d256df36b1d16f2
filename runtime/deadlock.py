"""Deadlock: every goroutine waits for another.

Mirrors Go src/runtime/proc.go checkdead. Differs: it is raised in the main goroutine, as an Error that may be caught,
and what can still wake somebody includes every live Python thread that is not itself parked here.
"""

from __future__ import annotations

import _thread
from typing import Any

from runtime.gmp import G, M, _Gwaiting, sched, waitReasonIOWait
from runtime.panic import Error
from runtime.proc import inject

__all__ = ["check"]

_RECHECK = 250_000_000  # ns until the next look while a foreign thread could still wake somebody


def check(mp: M) -> int:
    """For an M about to sleep without a timer: raise the deadlock in main, if there is one; how long to sleep (ns).

    -1 for ever; 0 not at all, main has been readied. Wrong only in one direction: a foreign thread that lives counts
    as one that may wake somebody, so a deadlock may be found late, when it has ended.
    """
    extras: list[Any] = list(sched.extram.values())
    for gp in list(sched.allgs) + [m.curg for m in extras]:
        if gp.status == _Gwaiting and gp.waitreason == waitReasonIOWait:
            sched.iowitness = gp
            return -1
    for other in list(sched.allm):
        if other is not mp and other.blocked == 0:
            return -1  # it runs, and looks here itself before it sleeps
    parked = sum(1 for m in extras if m.curg.status == _Gwaiting)
    if _thread._count() - sched.own_threads - parked > 0:
        return _RECHECK
    main: G = sched.maing
    if main.status != _Gwaiting or main.injected is not None:
        return -1
    inject(main, Error(text(main)))
    return 0


def text(main: G) -> str:
    """Go's words, and below them every goroutine with its state."""
    if main not in sched.allgs:  # Goexit in main
        if not sched.allgs:
            return "no goroutines (main called runtime.Goexit) - deadlock!"
    gs = sorted(sched.allgs, key=_goid)
    return "all goroutines are asleep - deadlock!\n" + "".join(f"\ngoroutine {g.goid} [{g.state()}]:" for g in gs)


def _goid(gp: G) -> int:
    return gp.goid
