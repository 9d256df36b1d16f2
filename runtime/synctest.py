"""Bubbles: goroutines that have a clock of their own, which moves on when all of them are blocked.

Mirrors Go src/runtime/synctest.go. Differs: a bubble is told of a goroutine that starts, ends, parks and is readied
where that happens (newproc, goexit0, gopark0, goready), each with one look at g.bubble, not at every change of
status; whether a wait is durable is asked of what is parked on (WaitLock.durable) instead of having wait reasons for
both. An exception of the bubble's function is raised by Run. Goroutines that are blocked for good when Run ends are
ended too, as by Goexit, since the program goes on.

running   goroutines of the bubble that are not durably blocked; the one that called Run is one of them
active    holds: while there is one, the bubble is not idle. Each park under way has one, and so has whoever was
          woken because the bubble was idle (woken), until it parks again or, in Wait, until it goes on.

The bubble is idle when both are 0. It then wakes one goroutine: root if a timer is due, else the one in Wait, else
root. root is the caller of Run, and parked there: it moves the clock to the next timer and runs what is due.

While there is a bubble, sched.preempt is set: what must look for one, and is no rare call, does so only then.

Locks: a Bubble guards its fields; no other lock is taken under it but that of its timers.
Callers: any goroutine; a thread that wakes one of a bubble's.
"""

from __future__ import annotations

from typing import Any

from runtime.asm import lock, unlock
from runtime.debug import gotraceback
from runtime.gmp import (
    G,
    WaitLock,
    _Grunning,
    sched,
    waitReasonChanReceiveNilChan,
    waitReasonChanSendNilChan,
    waitReasonSelectNoCases,
    waitReasonSleep,
    waitReasonSyncCondWait,
    waitReasonSynctestRun,
    waitReasonSynctestWait,
)
from runtime.newproc import newproc
from runtime.panic import Error, GoexitException
from runtime.proc import getg, gopark, goready, inject
from runtime.time import runtimers, settle, timer, timers
from runtime.traceback import tracebackothers

__all__ = ["Bubble", "synctestRun", "synctestWait"]

# ns. Go's is the year 2000. What counts from some start as monotonic() does is better off where floats are precise.
BASETIME = 100_000_000_000_000

_ROOT = 0
_WAITER = 1

_alwaysDurable = frozenset(
    (
        waitReasonChanReceiveNilChan,
        waitReasonChanSendNilChan,
        waitReasonSelectNoCases,
        waitReasonSleep,
        waitReasonSyncCondWait,
        waitReasonSynctestRun,
        waitReasonSynctestWait,
    )
)

_ids = 0


class bubbletimers(timers):
    """A bubble's timers."""

    __slots__ = ()

    def clear(self) -> None:
        """Forget them: none of them will fire."""
        old: list[Any] = []
        lock(self)
        settle(self)
        old, self.heap = self.heap, old
        for e in old:
            t: timer = e[2]
            if t.serial == e[1]:
                t.serial = 0  # it has no entry any more: somebody may yet stop it
        self.minwhen = 0
        self.zombies = 0
        unlock(self)


class Bubble(WaitLock):
    """The goroutines started by one Run, and their clock; what its root and the goroutine in Wait park on."""

    __slots__ = ("active", "done", "exc", "id", "now", "result", "root", "running", "timers", "total", "waiter",
                 "waiting", "woken")  # fmt: skip

    def __init__(self, root: G) -> None:
        global _ids
        WaitLock.__init__(self)
        _ids += 1
        self.id = _ids
        self.now = BASETIME
        self.timers = bubbletimers()
        self.root: Any = root  # None once Run has ended: nobody moves the clock any more
        self.waiter: Any = None  # parked in Wait
        self.woken: Any = None  # root or waiter, readied because the bubble was idle; has a hold
        self.waiting = False  # somebody is in Wait
        self.done = False  # the bubble's function has ended: the clock stands still
        self.total = 1
        self.running = 1
        self.active = 1  # root's, until it parks
        self.result: Any = None  # of the bubble's function,
        self.exc: Any = None  # or its exception

    # ---- what the scheduler tells

    def join(self, parent: G, gp: G) -> int:
        """gp has been made by parent, and is about to be queued."""
        if parent.status == _Grunning:  # and not a parked foreign thread, which runs timers
            gp.bubble = self
            lock(self)
            self.total += 1
            self.running += 1
            unlock(self)
        return 0

    def exit(self, gp: G) -> int:
        """gp has ended."""
        gp.bubble = None
        lock(self)
        self.total -= 1
        self.running -= 1
        wake = self.maybewake()
        unlock(self)
        if wake is not None:
            goready(wake)
        return 0

    def park(self, gp: G, wl: WaitLock, reason: int) -> WaitLock:
        """gp is about to park on wl: what is to be used in its place in that park."""
        p = _parking()
        p.bubble = self
        p.wl = wl
        gp.durable = reason in _alwaysDurable or wl.durable(self)
        lock(self)
        self.active += 1
        if gp.durable:
            self.running -= 1
        unlock(self)
        return p

    def ready(self, gp: G) -> int:
        """gp, parked, is about to be made runnable."""
        if gp.durable:
            gp.durable = False
            lock(self)
            self.running += 1
            unlock(self)
        return 0

    def unpark(self) -> int:
        """A park has taken place, or a hold is given up otherwise."""
        lock(self)
        self.active -= 1
        wake = self.maybewake()
        unlock(self)
        if wake is not None:
            goready(wake)
        return 0

    def maybewake(self) -> Any:
        """If the bubble is idle, whom to ready; that one then has a hold. The caller has the lock.

        Source: Go src/runtime/synctest.go maybeWakeLocked.
        """
        if self.running > 0 or self.active > 0 or self.root is None:
            return None
        next = self.timers.minwhen
        if self.waiter is None or (next != 0 and next <= self.now and not self.done):
            self.woken = self.root
        else:
            self.woken = self.waiter
        self.active += 1
        return self.woken

    # ---- parking in Run and in Wait

    def unlockf(self, gp: G, mode: int) -> bool:
        """Wait to be woken by the idle bubble; root gives up its hold."""
        lock(self)
        if mode == _WAITER:
            self.waiter = gp
        else:
            self.woken = None
            self.active -= 1
        unlock(self)
        return True

    def cancelf(self, gp: G, mode: int) -> bool:
        """Wait no longer, if it has not been woken."""
        lock(self)
        won = self.woken is not gp and gp is (self.waiter if mode == _WAITER else self.root)
        if won:
            if mode == _WAITER:
                self.waiter = None
            else:
                self.root = None
        unlock(self)
        return won

    def deadlock(self) -> Error:
        """The exception that says so, and where they are, unless GOTRACEBACK=none."""
        if self.done:
            words = "deadlock: main bubble goroutine has exited but blocked goroutines remain"
        else:
            words = "deadlock: all goroutines in bubble are blocked"
        blocks = tracebackothers(self.root, self) if gotraceback()[0] > 0 else []
        return Error("\n".join([words + "\n" * bool(blocks), *blocks]))


class _parking(WaitLock):
    """Stands for what a goroutine of a bubble parks on while it does so."""

    __slots__ = ("bubble", "wl")

    def __init__(self) -> None:
        self.bubble: Any = None
        self.wl: Any = None

    def unlockf(self, gp: G, mode: int) -> bool:
        """Commit the park; only then may the bubble be idle."""
        parked: bool = self.wl.unlockf(gp, mode)
        if not parked:
            self.bubble.ready(gp)
        self.bubble.unpark()
        return parked

    def cancelf(self, gp: G, mode: int) -> bool:
        """Take the park back."""
        won: bool = self.wl.cancelf(gp, mode)
        if won:
            self.bubble.ready(gp)
        return won


def _main(b: Bubble, fn: Any, args: Any, kwargs: Any) -> None:
    """The bubble's first goroutine."""
    try:
        b.result = fn(*args, **kwargs)
    except GoexitException:
        pass
    except BaseException as exc:
        b.exc = exc
    finally:
        b.done = True


def _count(n: int) -> None:
    """A Run begins (1) or ends (-1)."""
    lock(sched)
    sched.bubbles += n
    sched.preempt = sched.seeded or sched.bubbles > 0
    unlock(sched)


def synctestRun(fn: Any, args: Any, kwargs: Any) -> Any:
    """Call fn in a new bubble, and return what it returns once all goroutines of the bubble have ended.

    Raises: Error, `synctest.Run called from within a synctest bubble`, `deadlock: ...`; what fn raises.
    Source: Go src/runtime/synctest.go synctestRun.
    """
    if not callable(fn):
        raise TypeError(f"synctest.Run: {type(fn).__name__!r} object is not callable")
    gp = getg()
    if gp.bubble is not None:
        raise Error("synctest.Run called from within a synctest bubble")
    b = Bubble(gp)
    gp.bubble = b
    _count(1)
    failed: Any = None
    try:
        newproc(_main, (b, fn, args, kwargs), None)
        _root(b)
        if b.total > 1:
            failed = b.deadlock()
            _endothers(b, gp)
            _park(b)  # until they have
    except BaseException:  # injected: Ctrl-C, say
        if failed is None:
            _endothers(b, gp)
        raise
    finally:
        lock(b)
        b.root = None
        unlock(b)
        gp.bubble = None
        b.timers.clear()  # the bubble lives as long as a channel of it
        _count(-1)
    if b.exc is not None:
        failed = b.exc
        b.exc = None
    if failed is None:
        return b.result
    try:
        raise failed
    finally:
        failed = None  # the traceback holds this frame


def _root(b: Bubble) -> None:
    """Move the clock on whenever the bubble is idle, until nothing is to come, or its function has ended."""
    while True:
        runtimers(b.timers, b.now)
        _park(b)
        next = b.timers.minwhen
        if next == 0 or b.done:
            return
        if next > b.now:
            b.now = next


def _park(b: Bubble) -> None:
    """In root: give up the hold, and wait until the bubble is idle, with a hold."""
    gopark(b, waitReasonSynctestRun, _ROOT)


def _endothers(b: Bubble, root: G) -> None:
    """End the goroutines of b where they are parked. Those that have finally blocks may take their time."""
    for gp in list(sched.allgs):
        if gp.bubble is b and gp is not root:
            inject(gp, GoexitException())


def synctestWait() -> None:
    """Wait until all other goroutines of the caller's bubble are durably blocked.

    Raises: Error, `goroutine is not in a bubble`, `wait already in progress`.
    Source: Go src/runtime/synctest.go synctestWait.
    """
    gp = getg()
    b: Any = gp.bubble
    if b is None:
        raise Error("goroutine is not in a bubble")
    lock(b)
    already = b.waiting
    b.waiting = True
    unlock(b)
    if already:
        raise Error("wait already in progress")
    try:
        gopark(b, waitReasonSynctestWait, _WAITER)
    finally:
        lock(b)
        if b.woken is gp:
            b.woken = None
            b.active -= 1
        b.waiter = None
        b.waiting = False
        unlock(b)
