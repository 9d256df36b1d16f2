"""Sleeping goroutines: a timer that readies one.

Mirrors Go src/runtime/time.go timeSleep, resetForSleep and goroutineReady, apart from time.py because they park, and
the scheduler that parks is built on the timers.
"""

from __future__ import annotations

import math
from typing import Any

from runtime.asm import lock, unlock
from runtime.gmp import G, WaitLock, waitReasonSleep
from runtime.proc import gopark, goready
from runtime.time import maxWhen, modify, newtimer, runtimeNano, stop

__all__ = ["instant", "number", "timeSleep"]


def number(what: str, x: Any) -> float:
    """x, a caller's seconds or instant, as a float; an int beyond all of them is infinite.

    Raises: TypeError for what is no number, ValueError for NaN, both of them naming it as `what`.
    """
    if type(x) is float and x == x:
        return x
    try:
        d = math.ldexp(x, 0)  # of float and int, and of what has __float__ or __index__; float() would read texts
    except OverflowError:
        d = math.inf if x > 0 else -math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be a number, not {type(x).__name__}") from None
    if d != d:
        raise ValueError(f"{what} is NaN")
    return d


def instant(seconds: float) -> int:
    """The instant `seconds` from now in ns, by the caller's clock, at least 1 and at most maxWhen."""
    if seconds >= 9.2e9:
        return maxWhen
    if seconds <= -9.2e9:
        return 1
    now = runtimeNano()
    ns = int(seconds * 1e9 + 0.5)
    if ns > maxWhen - now:
        return maxWhen
    return now + ns if now + ns > 1 else 1


class _Sleeper(WaitLock):
    """What one sleep parks on; gp is set while it is parked and its timer runs."""

    __slots__ = ("gp", "t", "when")

    def __init__(self, when: int) -> None:
        WaitLock.__init__(self)
        self.gp: Any = None
        self.when = when
        self.t = newtimer(goroutineReady, self)

    def unlockf(self, gp: G, mode: int) -> bool:
        """Arm the timer only now: armed before, it could fire while the goroutine was not yet parked."""
        self.gp = gp
        modify(self.t, self.when, 0, self, 0)
        return True

    def cancelf(self, gp: G, mode: int) -> bool:
        """Take gp from the timer, if it has not fired."""
        won = self.take() is not None
        if won:
            stop(self.t)
        return won

    def take(self) -> Any:
        """The sleeper, for the one who is to ready it."""
        lock(self)
        gp = self.gp
        self.gp = None
        unlock(self)
        return gp


def goroutineReady(s: _Sleeper, seq: int, delta: int) -> None:
    """The timer's f: end the sleep."""
    gp = s.take()
    if gp is not None:
        goready(gp)


def timeSleep(seconds: float) -> None:
    """Park the calling goroutine for `seconds` (> 0)."""
    s = _Sleeper(instant(seconds))
    try:
        gopark(s, waitReasonSleep, 0)
    except BaseException:
        stop(s.t)  # on another thread it may have been taken from its timer before that was armed
        raise
