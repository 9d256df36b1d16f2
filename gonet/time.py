"""Go's package time, as far as it is there: the clock that deadlines are read off, and sleeping.

Mirrors Go src/time/sleep.go. Differs: times are float seconds, and an instant is what time.monotonic() counts.
"""

from __future__ import annotations

from runtime.rawsys import nanotime
from runtime.timesleep import timeSleep

__all__ = ["Hour", "Microsecond", "Millisecond", "Minute", "Nanosecond", "Now", "Second", "Since", "Sleep", "Until"]

Nanosecond = 1e-9
Microsecond = 1e-6
Millisecond = 1e-3
Second = 1.0
Minute = 60.0
Hour = 3600.0


def Now() -> float:
    """The present instant: seconds of time.monotonic()."""
    return nanotime() / 1e9


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
