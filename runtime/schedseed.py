"""GODEBUG=schedseed=N: every choice of the scheduler drawn from a generator, so that an interleaving can be replayed.

Go has nothing of the kind (its randomizeScheduler, of the race detector, is not seeded). The choices are: who of those
that could run runs next, whether one that was just started or readied goes first, whom to steal from, and whether a
call that need not wait (a channel operation, a lock, a Read) lets others run first; select draws from the same
generator. A program that runs on one P, and waits for nothing but its own goroutines, takes the same course each time
it is run with the same seed: no input or output, no clock, no other thread, and no order that Python itself leaves open
(PYTHONHASHSEED). Seeds differ in temper too: how often goroutines give way is drawn first.

Off, it costs nothing: P.preempt and sched.preempt, which are looked at anyhow and seldom set, stay set while it is on,
for P.inherit keeps schedule and execute from clearing the one, sched.seeded the monitor the other. sched.seeded is
looked at only where one of them was found set.

Invariant: while sched.seeded, a P that has chosen once has preempt set, and inherit too whenever it has chosen.
Not compiled, since it is for tests. Callers: the thread of the P's M; setschedseed, any goroutine.
"""

from __future__ import annotations

from typing import Any

from runtime.asm import lock, unlock
from runtime.gmp import P, _Pdead, sched
from runtime.rand import cheaprandn, cheapseed

__all__ = ["coin", "pick", "setschedseed", "victims"]

_WINDOW = 32  # one of so many at the head of the queue is chosen: a choice must not cost as much as the queue is long
_TEMPERS = (2, 2, 3, 5, 10, 50)  # one in so many points at which a goroutine could give way, it does

_temper = 2


def setschedseed(seed: int) -> None:
    """Begin the course that belongs to seed, from the calling goroutine's next choice on; 0 turns it off."""
    global _temper
    if seed:
        cheapseed(seed)
        _temper = _TEMPERS[cheaprandn(len(_TEMPERS))]
    on = seed != 0
    lock(sched)
    sched.seeded = on
    sched.preempt = on or sched.bubbles > 0
    for pp in sched.allp:
        pp.preempt = on and pp.status != _Pdead
    unlock(sched)


def coin() -> bool:
    """Whether to give way at a point where a goroutine could."""
    return cheaprandn(_temper) == 0


def pick(pp: P) -> Any:
    """The goroutine of pp's, or of nobody's, that is to run next; None if there is none, or pp is retired."""
    if pp.status == _Pdead:
        return None
    pp.inherit = True
    pp.preempt = True  # it may be new, or have been retired for a while
    gp = pp.runnext
    if gp is not None:
        pp.runnext = None
        if cheaprandn(2) == 0:
            return gp
        pp.runq.append(gp)
    gp = sched.runq.get()
    if gp is not None:
        pp.runq.append(gp)
    n = min(len(pp.runq), _WINDOW)
    if n > 1:
        for _ in range(cheaprandn(n)):
            gp = pp.runq.get()
            if gp is None:
                break
            pp.runq.append(gp)
    return pp.runq.get()


def victims() -> list[P]:
    """The Ps to steal from, in the order to try them."""
    allp = list(sched.allp)
    k = cheaprandn(len(allp))
    return allp[k:] + allp[:k]
