"""Goroutines that go from one P's queue to others.

Mirrors runqsteal, stealWork and runqdrain of Go src/runtime/proc.go. Differs: only what belongs to no thread, because
it has not run yet, can move, and it is taken out of the middle of a queue one by one; each removal either wins against
the queue's owner or fails. Callers: an M without work; whoever retires a P.
"""

from __future__ import annotations

from typing import Any

from runtime.gmp import G, P, sched
from runtime.idle import wakem
from runtime.schedseed import victims

__all__ = ["runqdrain", "runqsteal"]


def runqsteal(pp: P) -> Any:
    """Take half of another P's goroutines that have not run yet, keeping one to run; None if there is none to take.

    Source: Go src/runtime/proc.go stealWork, runqsteal.
    """
    got = None
    for other in victims() if sched.seeded else list(sched.allp):
        if other is pp:
            continue
        fresh = [g for g in other.runq.copy() if g.m is None]
        for gp in fresh[: (len(fresh) + 1) // 2]:
            if _take(other, gp):
                if got is None:
                    got = gp
                else:
                    pp.runq.append(gp)
        if got is not None:
            return got
    return None


def runqdrain(pp: P) -> int:
    """Put what has not run yet of a retired P's queue on the global one. From any thread; runnext stays.

    Source: Go src/runtime/proc.go runqdrain, procresize.
    """
    for e in pp.runq.copy():
        gp: G = e
        if gp.m is None and _take(pp, gp):
            sched.runq.append(gp)
    return 0


def _take(pp: P, gp: G) -> bool:
    """Take gp, which had not run when it was looked at, out of pp's queue; False if its M was first."""
    try:
        pp.runq.remove(gp)
    except ValueError:
        return False
    if gp.m is None:
        return True
    # It has run since, and was queued again: there it belongs, and its M may have seen the queue without it and sleep.
    pp.runq.append(gp)
    wakem(gp.m)
    return False
