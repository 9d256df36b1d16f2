"""Timers: a heap on each P.

Mirrors Go src/runtime/time.go as it is since Go 1.23 (timer, timers, modify, stop, run). Differs: the heap is heapq's,
of (when, serial, timer) entries, and every change is lazy. Moving a timer later, or stopping it, leaves its entry
where it is: the entry finds out when it comes up. Only moving a timer earlier pushes a new entry. Deadlines are moved
later at nearly every request and hardly ever reached, so nearly every change is a store. The entry pushed last waits
in front of the heap (ts.last): that of a timeout which is called off before the next one is set never enters it.

A timer stays with the heap of the P on which it was made; any thread may change it, and any idle M, or sysmon, may run
what is due. In a forked child those of the parent never fire; one that is armed again there is moved to a heap of the
child's.

A timer's f runs on whatever thread finds it due, without any lock held: it must be short and must not park. What it
raises (MemoryError, if it starts a goroutine) is reported, and the scheduler in whose middle it ran goes on.

States of a timer
  when == 0               stopped or fired. If serial > 0 its entry is still in the heap and counted in ts.zombies.
  when > 0                armed; its entry is (entrywhen, serial, t) with entrywhen <= when.
  An entry of another serial was left behind by a move to an earlier time, and is counted in ts.zombies too.
  The entry in ts.last is of an armed timer.

Locks: a timers is the mutex of its heap and of the timers made on it; innermost of all.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from runtime.asm import getm, lock, mutex, unlock
from runtime.gmp import P, _Grunning, sched
from runtime.panic import unowned
from runtime.rawsys import nanotime

_serials = count(1)

__all__ = [
    "armed",
    "curbubble",
    "dropzombies",
    "inittimer",
    "maxWhen",
    "modify",
    "newtimer",
    "ownclock",
    "realtime",
    "runtimeNano",
    "runtimers",
    "settle",
    "stop",
    "timeSleepUntil",
    "timer",
    "timers",
]

maxWhen = (1 << 63) - 1  # Go's: a time so late that it never comes


class timers(mutex):
    """One P's timers. minwhen may be read without the lock: nothing that is armed can fire before it."""

    __slots__ = ("epoch", "heap", "last", "minwhen", "running", "spare", "zombies")

    def __init__(self) -> None:
        mutex.__init__(self)
        self.epoch = sched.forkepoch
        self.heap: list[Any] = []
        self.last: Any = None  # the entry pushed last, if it is not in the heap yet
        self.minwhen = 0  # the least of heap[0][0] and last[0]; 0 if there is none
        self.spare: Any = []  # an empty list for _clean, which must not make one
        self.zombies = 0  # entries that will not fire
        self.running = 0  # timers taken from the heap and not yet through with their f, or back in it


class timer:
    """Calls f(arg, seq, delta) at `when` ns, then every `period` ns if that is > 0; delta is how late it is (ns)."""

    __slots__ = ("arg", "entrywhen", "f", "period", "seq", "serial", "ts", "when")

    def __init__(self, f: Any, arg: Any) -> None:
        self.f: Any
        self.arg: Any
        self.seq: int
        self.when: int
        self.period: int
        self.entrywhen: int
        self.serial: int
        self.ts: timers
        inittimer(self, f, arg)


def inittimer(t: timer, f: Any, arg: Any) -> int:
    """timer.__init__, for those who have made t by __new__, which is quicker. Source: Go src/runtime/time.go init."""
    t.f = f
    t.arg = arg
    t.seq = 0
    t.when = 0
    t.period = 0
    t.entrywhen = 0
    t.serial = 0
    mp: Any = getm()
    pp: P = sched.allp[0] if mp is None or mp.p is None else mp.p
    t.ts = pp.timers
    return 0


def newtimer(f: Any, arg: Any) -> timer:
    """A timer that goes by the caller's clock: that of its bubble, if it is in one. Source: Go src/runtime/time.go."""
    t = timer(f, arg)
    ownclock(t)
    return t


def ownclock(t: timer) -> int:
    """Have t, just made, go by the caller's clock, as in newtimer."""
    if sched.bubbles > 0:
        bubble = curbubble()
        if bubble is not None:
            t.ts = bubble.timers
    return 0


def runtimeNano() -> int:
    """The caller's clock (ns): nanotime, or in a bubble that one's. Source: Go src/runtime/time.go time_runtimeNano."""
    if sched.bubbles > 0:
        bubble = curbubble()
        if bubble is not None:
            now: int = bubble.now
            return now
    return nanotime()


def realtime(when: int) -> int:
    """The instant of nanotime that will come when the caller's clock would say `when` (both ns)."""
    return when - runtimeNano() + nanotime() if sched.bubbles > 0 else when


def curbubble() -> Any:
    """The bubble of the goroutine that runs here, or None."""
    mp: Any = getm()
    if mp is None:
        return None
    gp: Any = mp.curg
    # A foreign thread that is parked runs timers: not in the name of its goroutine.
    return gp.bubble if gp is not None and gp.status == _Grunning else None


def _moved(t: timer) -> timers:
    """In a forked child: the heap that takes t, whose own stayed behind in the parent and is run by nobody."""
    mp: Any = getm()
    pp: P = sched.allp[0] if mp is None or mp.p is None else mp.p
    ts: timers = pp.timers
    lock(sched)
    if t.ts.epoch == sched.forkepoch:
        ts = t.ts  # another thread has come first
    else:
        t.serial = 0
        t.entrywhen = 0
        t.ts = ts
    unlock(sched)
    return ts


def _push(ts: timers, t: timer, e: Any) -> int:
    when: int = e[0]
    t.serial = e[1]
    t.entrywhen = when
    before = ts.last
    ts.last = e
    if ts.minwhen == 0 or when < ts.minwhen:
        ts.minwhen = when
    if before is not None:
        heappush(ts.heap, before)  # at the very end, since a finalizer may come after it (uncompiled)
    return 0


def settle(ts: timers) -> int:
    """Put what was pushed last into the heap with the rest. The caller holds the lock."""
    e = ts.last
    if e is not None:
        ts.last = None  # before the call, after which a finalizer may come (uncompiled) and set another timer
        heappush(ts.heap, e)
    return 0


def _least(ts: timers) -> int:
    """Set minwhen anew, when an entry has gone. The caller holds the lock."""
    e = ts.last
    if ts.heap and (e is None or ts.heap[0][0] < e[0]):
        ts.minwhen = ts.heap[0][0]
    else:
        ts.minwhen = 0 if e is None else e[0]
    return 0


def _clean(ts: timers) -> Any:
    """Drop what will not fire once it is most of the heap, so that starting and stopping cannot grow it.

    The caller holds the lock, and lets go of the result (the old heap) without it.
    """
    if ts.spare is None or ts.zombies <= 64 or ts.zombies <= len(ts.heap) // 2:
        return None
    settle(ts)
    old = ts.heap
    keep = ts.spare
    for e in old:
        t: timer = e[2]
        if t.serial == e[1]:
            if t.when > 0:
                keep.append(e)
            else:
                t.serial = 0
    heapify(keep)
    ts.heap = keep
    ts.spare = None
    ts.zombies = 0
    _least(ts)
    return old


def _cleaned(ts: timers, old: Any) -> int:
    """The unlocked end of _clean: empty the old heap and keep it for the next time."""
    if old is not None:
        old.clear()
        ts.spare = old
    return 0


def modify(t: timer, when: int, period: int, arg: Any, seq: int) -> bool:
    """Arm t for `when` ns (> 0) with this arg and seq; True if it was armed before. From any thread.

    Source: Go src/runtime/time.go (*timer).modify.
    """
    ts: timers = t.ts
    e: Any = None
    early = False
    if ts.epoch != sched.forkepoch:
        ts = _moved(t)
    if t.serial == 0 or when < t.entrywhen:
        e = (when, next(_serials), t)  # nothing is allocated under a lock: see asm
    lock(ts)
    while e is None and (t.serial == 0 or when < t.entrywhen):  # another thread has come in between
        unlock(ts)
        e = (when, next(_serials), t)
        lock(ts)
    pending = t.when > 0
    t.when = when
    t.period = period
    oldarg = t.arg
    t.arg = arg
    t.seq = seq
    old: Any = None
    if t.serial == 0:
        early = ts.minwhen == 0 or when < ts.minwhen
        _push(ts, t, e)
    elif when < t.entrywhen:
        if pending:
            ts.zombies += 1  # the entry it has; that of a stopped one is counted already
        early = ts.minwhen == 0 or when < ts.minwhen
        _push(ts, t, e)
        old = _clean(ts)
    elif not pending:
        ts.zombies -= 1
    unlock(ts)
    del oldarg
    _cleaned(ts, old)
    if early:
        wakeNetPoller(when)
    return pending


def stop(t: timer) -> bool:
    """Disarm t; True if it was armed. Its f may be running at this moment on another thread: seq tells it so.

    Source: Go src/runtime/time.go (*timer).stop.
    """
    ts: timers = t.ts
    old: Any = None
    e: Any = None
    if ts.epoch != sched.forkepoch:
        ts = _moved(t)
    lock(ts)
    pending = t.when > 0
    if pending:
        t.when = 0
        if t.serial != 0:
            e = ts.last
            if e is not None and e[2] is t:
                ts.last = None
                t.serial = 0
                _least(ts)
            else:
                e = ts.heap[-1]
                if e[1] == t.serial:  # a leaf: the timeout around the one that was set last, mostly
                    ts.heap.pop()
                    t.serial = 0
                    _least(ts)
                else:
                    ts.zombies += 1
                    old = _clean(ts)
    arg = t.arg
    t.arg = None  # what is not armed keeps nothing alive
    unlock(ts)
    del arg
    _cleaned(ts, old)
    return pending


def runtimers(ts: timers, now: int) -> int:
    """Run what is due at `now` in ts; how many ran. From any thread, without locks.

    Source: Go src/runtime/time.go (*timers).check, (*timer).unlockAndRun.
    """
    ran = 0
    while ts.minwhen and ts.minwhen <= now:
        e: Any = None
        fire = False
        again = False
        seq = 0
        delta = 0
        f: Any = None
        arg: Any = None
        lock(ts)
        settle(ts)
        if ts.heap and ts.heap[0][0] <= now:
            e = heappop(ts.heap)
            ts.running += 1
            _least(ts)  # a finalizer may have set a timer since
            t: timer = e[2]
            if t.serial != e[1]:
                ts.zombies -= 1
            else:
                t.serial = 0
                if t.when == 0:
                    ts.zombies -= 1
                elif t.when > t.entrywhen:  # moved later; due or not, it now takes its place among the others
                    again = True
                else:
                    fire = True
                    f = t.f
                    arg = t.arg
                    seq = t.seq
                    delta = now - t.when
                    if t.period > 0:
                        t.when += t.period * (1 + delta // t.period)
                        again = True
                    else:
                        t.when = 0
                        t.arg = None
        unlock(ts)
        if again:
            _rearm(ts, t)
        if fire:
            try:
                f(arg, seq, delta)
            except BaseException as exc:
                unowned(exc)
            ran += 1
        if e is not None:
            lock(ts)
            ts.running -= 1
            unlock(ts)
    return ran


def _rearm(ts: timers, t: timer) -> int:
    """Give t, armed but without an entry, its entry; unless somebody has changed that meanwhile."""
    while True:
        when = t.when
        if when == 0:
            return 0
        e = (when, next(_serials), t)
        lock(ts)
        if t.when == when:
            early = t.serial == 0 and (ts.minwhen == 0 or when < ts.minwhen)
            if t.serial == 0:
                _push(ts, t, e)
            unlock(ts)
            if early:
                wakeNetPoller(when)
            return 0
        unlock(ts)


def timeSleepUntil() -> int:
    """When the next timer of any P may fire (ns), 0 if there is none.

    Source: Go src/runtime/time.go timeSleepUntil.
    """
    next = 0
    for pp in sched.allp:
        ts: timers = pp.timers
        w = ts.minwhen
        if w and (next == 0 or w < next):
            next = w
    return next


def dropzombies() -> int:
    """Empty the heaps in which nothing will fire any more, so that nobody sleeps until then."""
    for pp in sched.allp:
        ts: timers = pp.timers
        old: Any = None
        lock(ts)
        if ts.spare is not None and ts.last is None and ts.heap and ts.zombies == len(ts.heap):
            for e in ts.heap:
                t: timer = e[2]
                if t.serial == e[1]:
                    t.serial = 0
            old = ts.heap
            ts.heap = ts.spare
            ts.spare = None
            ts.zombies = 0
            _least(ts)
        unlock(ts)
        _cleaned(ts, old)
    return 0


def armed() -> int:
    """How many timers are going to fire or are firing, on all Ps."""
    n = 0
    for pp in sched.allp:
        ts: timers = pp.timers
        lock(ts)
        n += len(ts.heap) + (ts.last is not None) - ts.zombies + ts.running
        unlock(ts)
    return n


def wakeNetPoller(when: int) -> int:
    """Shorten the sleep in the poller, if there is one and it would last beyond `when` (ns).

    Source: Go src/runtime/proc.go wakeNetPoller.
    """
    if sched.lastpoll == 0 and (sched.polluntil == 0 or when < sched.polluntil) and sched.poller is not None:
        sched.poller.netpollBreak()
    return 0
