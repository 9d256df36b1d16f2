"""Go's package time, as far as the runtime's clock goes: instants, sleeping, timers and tickers.

Mirrors Go src/time/sleep.go and tick.go, and the channel timers of src/runtime/time.go as they are since Go 1.23. Differs:
times are float seconds, and an instant is what time.monotonic() counts.

A timer's channel has room for one value. What makes Go 1.23's promise (after Stop or Reset no older value is received)
is that both count seq up, under the lock under which the timer's function compares it and sends, and then empty the
channel. A timer on whose channel nobody can receive any more, since it was dropped, is not kept by the heap: the timer
knows its channel weakly and stops.

Locks: a _chanTimer, then a channel or a timers.  Callers: any goroutine, any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from runtime.asm import callersite, lock, mutex, unlock
from runtime.chan import Hchan, selectnbsend, timerchandrain
from runtime.panic import Error
from runtime.proc import contextcopy, goafter
from runtime.time import modify, newtimer, runtimeNano, stop
from runtime.timesleep import instant, timeSleep

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
    """The present instant: seconds of time.monotonic(), but in a bubble (gonet.testing.synctest) of its own clock."""
    return runtimeNano() / 1e9


def Since(t: float) -> float:
    """The seconds that have passed since the instant t."""
    return Now() - t


def Until(t: float) -> float:
    """The seconds until the instant t, negative if it has passed."""
    return t - Now()


def Sleep(d: float) -> None:
    """Park the calling goroutine for at least d seconds; d <= 0 returns at once.

    Raises: TypeError for what is no number, ValueError for NaN.  Source: Go src/runtime/time.go timeSleep.
    """
    if d != d:
        raise ValueError("Sleep: d is NaN")
    if d > 0:
        timeSleep(d)


class _chanTimer(mutex):
    """What a timer with a channel is to the runtime. seq is guarded by the lock."""

    __slots__ = ("chan", "seq", "t")

    def __init__(self, c: Hchan) -> None:
        mutex.__init__(self)
        self.chan = ref(c)
        self.seq = 0
        self.t = newtimer(_sendTime, self)

    def start(self, d: float, period: int) -> bool:
        """Arm for d seconds from now, forgetting what was sent before; whether that or a firing was still to come."""
        when = instant(d)
        c = self.chan()
        pending = False
        seq = -1
        while seq != self.seq:  # again, if another thread has come in between: its timer would be taken for an old one
            lock(self)
            self.seq += 1
            seq = self.seq
            unlock(self)
            pending |= c is not None and timerchandrain(c)
            pending |= modify(self.t, when, period, self, seq)
        return pending

    def stop(self) -> bool:
        """Disarm; as start."""
        c = self.chan()
        lock(self)
        self.seq += 1
        unlock(self)
        pending = c is not None and timerchandrain(c)
        return stop(self.t) or pending


def _sendTime(s: _chanTimer, seq: int, delta: int) -> None:
    """The function of a timer with a channel. Source: Go src/time/sleep.go sendTime, runtime/time.go unlockAndRun."""
    c = s.chan()
    if c is None:
        stop(s.t)  # a ticker would go on
        return
    now = (runtimeNano() - delta) / 1e9
    lock(s)
    if seq == s.seq:
        selectnbsend(c, now)  # a receiver that is slow misses it
    unlock(s)


class _goFunc:
    """What an AfterFunc's timer is to the runtime: the function, and whose goroutine it would have been."""

    __slots__ = ("context", "f", "site", "t")

    def __init__(self, f: Callable[[], object]) -> None:
        self.f = f
        self.context = contextcopy()
        self.site = callersite()
        self.t = newtimer(_goAfter, self)

    def start(self, d: float, period: int) -> bool:
        return modify(self.t, instant(d), period, self, 0)

    def stop(self) -> bool:
        return stop(self.t)


def _goAfter(s: _goFunc, seq: int, delta: int) -> None:
    """The function of an AfterFunc's timer. Source: Go src/time/sleep.go goFunc."""
    goafter(s.f, s.site, None if s.context is None else s.context.copy())


class Timer:
    """Fires once: sends the instant at which it does on C, or (made by AfterFunc) calls a function in a goroutine."""

    __slots__ = ("C", "__weakref__", "_r")

    def __init__(self, c: Hchan | None, r: _chanTimer | _goFunc) -> None:
        self.C: Any = c  # None for AfterFunc
        self._r = r

    def Stop(self) -> bool:
        """Keep it from firing; False if it has fired, or was stopped. After that nothing is received from C.

        An AfterFunc's function that has been started is not waited for.
        """
        return self._r.stop()

    def Reset(self, d: float) -> bool:
        """Have it fire in d seconds; False if it had fired, or been stopped. No older instant is received from C."""
        return self._r.start(_checked(d, "Timer.Reset"), 0)


class Ticker:
    """Sends an instant on C in every interval, leaving out those for which the receiver is too slow."""

    __slots__ = ("C", "__weakref__", "_r")

    def __init__(self, c: Hchan, r: _chanTimer) -> None:
        self.C: Any = c
        self._r = r

    def Stop(self) -> None:
        """No more ticks; C is not closed. Reset starts it again."""
        self._r.stop()

    def Reset(self, d: float) -> None:
        """Tick every d seconds from now on.  Raises: Error, `non-positive interval for Ticker.Reset`."""
        if _checked(d, "Ticker.Reset") <= 0:
            raise Error("non-positive interval for Ticker.Reset")
        self._r.start(d, _interval(d))


def _checked(d: float, what: str) -> float:
    if d != d:
        raise ValueError(f"{what}: d is NaN")
    return d


def _interval(d: float) -> int:
    """d seconds in ns: at least 1, at most what a timer can count."""
    return max(1, min(int(d * 1e9), (1 << 62))) if d < 4.6e9 else 1 << 62


def NewTimer(d: float) -> Timer:
    """A Timer that sends the instant on its channel C in d seconds. Source: Go src/time/sleep.go NewTimer."""
    c = Hchan(1)
    r = _chanTimer(c)
    r.start(_checked(d, "NewTimer"), 0)
    return Timer(c, r)


def After(d: float) -> Any:
    """The channel of a new Timer. Source: Go src/time/sleep.go After."""
    return NewTimer(d).C


def AfterFunc(d: float, f: Callable[[], object]) -> Timer:
    """Call f in a goroutine of its own in d seconds, in a copy of the caller's contextvars context; a Timer without C.

    Raises: TypeError, if f is not callable.  Source: Go src/time/sleep.go AfterFunc.
    """
    if not callable(f):
        raise TypeError(f"AfterFunc: {type(f).__name__!r} object is not callable")
    r = _goFunc(f)
    r.start(_checked(d, "AfterFunc"), 0)
    return Timer(None, r)


def NewTicker(d: float) -> Ticker:
    """A Ticker of d seconds.  Raises: Error, `non-positive interval for NewTicker`.  Source: Go src/time/tick.go."""
    if _checked(d, "NewTicker") <= 0:
        raise Error("non-positive interval for NewTicker")
    c = Hchan(1)
    r = _chanTimer(c)
    r.start(d, _interval(d))
    return Ticker(c, r)


def Tick(d: float) -> Any:
    """The channel of a new Ticker; None, which is never ready, if d <= 0. Source: Go src/time/tick.go Tick."""
    return NewTicker(d).C if _checked(d, "Tick") > 0 else None
