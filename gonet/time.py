"""Go's package time, as far as the runtime's clock goes: instants, sleeping, timers and tickers.

Mirrors Go src/time/sleep.go and tick.go, and the channel timers of src/runtime/time.go as they are since Go 1.23.
Differs: times are float seconds, and an instant is what time.monotonic() counts.

A timer's channel has room for one value. What makes Go 1.23's promise (after Stop or Reset no older value is received)
is that both count seq up, under the lock under which the timer's function compares it and sends, and then empty the
channel. A Ticker that was dropped with its channel stops: its timer knows the channel weakly.

Locks: _mu, then a channel; or a timers.  Callers: any goroutine, any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from runtime.asm import callersite, lock, mutex, unlock
from runtime.chan import Hchan, selectnbsend, timerchandrain
from runtime.newproc import contextcopy, goafter
from runtime.nocopy import nocopy
from runtime.panic import Error
from runtime.time import curbubble, inittimer, modify, ownclock, runtimeNano, runtimers, stop, timer, timers
from runtime.timesleep import instant, number, timeSleep

__all__ = [
    "After",
    "AfterFunc",
    "Hour",
    "Microsecond",
    "Millisecond",
    "Minute",
    "Nanosecond",
    "NewTicker",
    "NewTimer",
    "Now",
    "Second",
    "Since",
    "Sleep",
    "Tick",
    "Ticker",
    "Timer",
    "Until",
]

Nanosecond = 1e-9
Microsecond = 1e-6
Millisecond = 1e-3
Second = 1.0
Minute = 60.0
Hour = 3600.0


def Now() -> float:
    """The present instant: seconds of time.monotonic(), but in a bubble (gonet.testing.synctest) of its own clock.

    Source: Go src/time/time.go Now.
    """
    return runtimeNano() / 1e9


def Since(t: float) -> float:
    """The seconds that have passed since the instant t. Source: Go src/time/time.go Since."""
    return Now() - t


def Until(t: float) -> float:
    """The seconds until the instant t, negative if it has passed. Source: Go src/time/time.go Until."""
    return t - Now()


def Sleep(d: float) -> None:
    """Park the calling goroutine for at least d seconds; d <= 0 returns at once.

    Raises: TypeError for what is no number, ValueError for NaN.  Source: Go src/runtime/time.go timeSleep.
    """
    d = number("Sleep: d", d)
    if d > 0:
        timeSleep(d)


class _chanTimer(timer):
    """A runtime timer that sends on a channel. last and settled are guarded by _mu."""

    __slots__ = ("chan", "last", "settled")

    def __init__(self, f: Any) -> None:
        inittimer(self, f, None)
        ownclock(self)
        self.chan: Any = None  # the channel; a Ticker's: a weak reference to it
        self.last = 0  # the seq of the firing that counts
        self.settled = 0  # last, once that firing has sent or was called off; a Timer's only

    def __reduce__(self) -> Any:
        return nocopy(self)


_mu = mutex()  # one for all: it is held for a few lines


def _start(t: _chanTimer, c: Any, d: float, period: int) -> bool:
    """Arm t for d seconds from now, forgetting what was sent before; whether that or a firing was still to come."""
    if type(t.ts) is not timers:
        _checkclock(t, "reset")
    when = instant(d if d > 0 else 0.0)  # what is late fires now: C gives no instant before
    pending = False
    fresh = t.serial == 0
    seq = -1
    while seq != t.last:  # again, if another thread has come in between: its timer would be taken for an old one
        lock(_mu)
        if t.settled != t.last:
            pending = True  # armed, or on its way from the heap to _sendTime, which will find that it is late
        t.last += 1
        seq = t.last
        unlock(_mu)
        if c.qcount and timerchandrain(c):
            pending = True
        modify(t, when, period, t, seq)
    if fresh and type(t.ts) is not timers:
        _ifdue(t)
    return pending


def _stop(t: _chanTimer, c: Any) -> bool:
    """Disarm t; as _start."""
    if type(t.ts) is not timers:
        _checkclock(t, "stop")
    pending = False
    seq = -1
    while seq != t.last:  # again, if another thread has come in between: it may have armed what was disarmed here
        lock(_mu)
        if t.settled != t.last:
            pending = True
        t.last += 1
        seq = t.last
        t.settled = seq
        unlock(_mu)
        stop(t)
        if c.qcount and timerchandrain(c):
            pending = True
    return pending


def _checkclock(t: Any, what: str) -> None:
    """Keep those who are in no bubble from the timers of one. Another bubble may stop them: its clock is not theirs."""
    bubble = curbubble()
    if bubble is None or (bubble.timers is not t.ts and what == "reset"):
        raise Error(f"{what} of synctest timer from outside bubble")


def _ifdue(t: Any) -> None:
    """Run t, a bubble's and just armed, if it is due: now, not when the bubble is idle. Source: Go modify, needsAdd."""
    bubble = curbubble()
    if bubble is not None and 0 < t.when <= bubble.now:
        runtimers(t.ts, bubble.now)


def _sendTime(t: _chanTimer, seq: int, delta: int) -> None:
    """The function of a Timer with a channel. Source: Go src/time/sleep.go sendTime, runtime/time.go unlockAndRun."""
    now = (runtimeNano() - delta) / 1e9
    lock(_mu)
    try:
        if seq == t.last:
            t.settled = seq
            if not t.chan.closed:
                selectnbsend(t.chan, now)  # a receiver that is slow misses it
    except Error:
        pass  # closed by another thread just now; in Go only the runtime could
    finally:
        unlock(_mu)


def _tick(t: _chanTimer, seq: int, delta: int) -> None:
    """The function of a Ticker."""
    c = t.chan()
    if c is None:
        stop(t)
        return
    now = (runtimeNano() - delta) / 1e9
    lock(_mu)
    try:
        if seq == t.last and not c.closed:
            selectnbsend(c, now)
    except Error:
        pass  # as above
    finally:
        unlock(_mu)


class Timer(_chanTimer):
    """Fires once: sends the instant at which it does on C, or (made by AfterFunc) calls a function in a goroutine.

    It is a runtime timer itself, whose attributes are not for others.

    Source: Go src/time/sleep.go Timer.
    """

    __slots__ = ("C", "__weakref__", "context", "fn", "site")

    def __init__(self) -> None:
        _chanTimer.__init__(self, None)
        self.C: Any = None  # None for AfterFunc, of which the rest is: what to call, in which context, started where
        self.fn: Any = None
        self.context: Any = None
        self.site: Any = None

    def Stop(self) -> bool:
        """Keep it from firing; False if it has fired, or was stopped. After that nothing is received from C.

        An AfterFunc's function that has been started is not waited for.
        Raises: Error, `time: Stop called on uninitialized Timer`.  Source: Go src/time/sleep.go (*Timer).Stop.
        """
        if self.f is None:
            raise Error("time: Stop called on uninitialized Timer")
        if self.C is not None:
            return _stop(self, self.C)
        if type(self.ts) is not timers:
            _checkclock(self, "stop")
        return stop(self)

    def Reset(self, d: float) -> bool:
        """Have it fire in d seconds; False if it had fired, or been stopped. No older instant is received from C.

        Raises: Error, `time: Reset called on uninitialized Timer`.  Source: Go src/time/sleep.go (*Timer).Reset.
        """
        if self.f is None:
            raise Error("time: Reset called on uninitialized Timer")
        d = number("Timer.Reset: d", d)
        if self.C is not None:
            return _start(self, self.C, d, 0)
        if type(self.ts) is not timers:
            _checkclock(self, "reset")
        fresh = self.serial == 0
        pending: bool = modify(self, instant(d if d > 0 else 0.0), 0, self, 0)
        if fresh and type(self.ts) is not timers:
            _ifdue(self)
        return pending


def _newTimer(f: Any) -> Timer:
    t = Timer.__new__(Timer)
    inittimer(t, f, None)
    ownclock(t)
    t.chan = None
    t.last = 0
    t.settled = 0
    t.C = None
    t.fn = None
    t.context = None
    t.site = None
    return t


def _goFunc(t: Timer, seq: int, delta: int) -> None:
    """The function of an AfterFunc's Timer. Source: Go src/time/sleep.go goFunc."""
    goafter(t.fn, t.site, None if t.context is None else t.context.copy())


class Ticker:
    """Sends an instant on C in every interval, leaving out those for which the receiver is too slow.

    Source: Go src/time/tick.go Ticker.
    """

    __slots__ = ("C", "__weakref__", "_t")

    def __init__(self) -> None:
        self.C: Any = None
        self._t: Any = None

    def __reduce__(self) -> Any:
        return nocopy(self)

    def Stop(self) -> None:
        """No more ticks; C is not closed. Reset starts it again. Source: Go src/time/tick.go (*Ticker).Stop."""
        if self._t is not None:
            _stop(self._t, self.C)

    def Reset(self, d: float) -> None:
        """Tick every d seconds from now on.

        Raises: Error, `non-positive interval for Ticker.Reset`, `time: Reset called on uninitialized Ticker`.
        Source: Go src/time/tick.go (*Ticker).Reset.
        """
        d = number("Ticker.Reset: d", d)
        if d <= 0:
            raise Error("non-positive interval for Ticker.Reset")
        if self._t is None:
            raise Error("time: Reset called on uninitialized Ticker")
        _start(self._t, self.C, d, _interval(d))


def _interval(d: float) -> int:
    """d seconds in ns: at least 1, at most what a timer can count."""
    return max(1, min(int(d * 1e9), (1 << 62))) if d < 4.6e9 else 1 << 62


def NewTimer(d: float) -> Timer:
    """A Timer that sends the instant on its channel C in d seconds. Source: Go src/time/sleep.go NewTimer."""
    d = number("NewTimer: d", d)
    t = _newTimer(_sendTime)
    t.chan = t.C = Hchan(1)
    _start(t, t.chan, d, 0)
    return t


def After(d: float) -> Any:
    """The channel of a new Timer. Source: Go src/time/sleep.go After."""
    return NewTimer(d).C


def AfterFunc(d: float, f: Callable[[], object]) -> Timer:
    """Call f in a goroutine of its own in d seconds, in a copy of the caller's contextvars context; a Timer without C.

    Raises: TypeError, if f is not callable.  Source: Go src/time/sleep.go AfterFunc.
    """
    if not callable(f):
        raise TypeError(f"AfterFunc: {type(f).__name__!r} object is not callable")
    d = number("AfterFunc: d", d)
    t = _newTimer(_goFunc)
    t.fn = f
    t.context = contextcopy()
    t.site = callersite()
    modify(t, instant(d if d > 0 else 0.0), 0, t, 0)
    if type(t.ts) is not timers:
        _ifdue(t)
    return t


def NewTicker(d: float) -> Ticker:
    """A Ticker of d seconds.  Raises: Error, `non-positive interval for NewTicker`.  Source: Go src/time/tick.go."""
    d = number("NewTicker: d", d)
    if d <= 0:
        raise Error("non-positive interval for NewTicker")
    c: Any = Hchan(1)
    t = _chanTimer(_tick)
    t.chan = ref(c)
    _start(t, c, d, _interval(d))
    ticker = Ticker()
    ticker.C = c
    ticker._t = t
    return ticker


def Tick(d: float) -> Any:
    """The channel of a new Ticker; None, which is never ready, if d <= 0. Source: Go src/time/tick.go Tick."""
    return NewTicker(d).C if number("Tick: d", d) > 0 else None
