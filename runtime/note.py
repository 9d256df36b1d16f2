"""One-shot sleep and wake-up between threads.

Mirrors Go src/runtime/lock_futex.go (notesleep, notewakeup, notetsleep). Differs: a note clears itself when the
sleep returns, and a wake-up that nobody waits for is kept for the next sleep (one, however often it was given).
"""

from __future__ import annotations

from _thread import allocate_lock
from typing import Any

__all__ = ["note", "wakelate"]


class note:
    """A thread sleeps on it until another, or the same one earlier, has called wakeup."""

    __slots__ = ("_key",)

    def __init__(self) -> None:
        self._key = allocate_lock()
        self._key.acquire()

    def sleep(self, ns: int = -1) -> bool:
        """Sleep until wakeup, ns nanoseconds at most (-1: for ever); True if woken. Signal handlers run inside."""
        if ns < 0:
            return self._key.acquire()
        return self._key.acquire(True, min(ns / 1e9, 86400.0))

    def wakeup(self) -> None:
        """Wake the sleeper, or the next to sleep. From any thread, and from a signal handler."""
        global _late
        try:
            self._key.release()
        except RecursionError:  # the caller's stack leaves no room for a call: the monitor's does
            _late = (self, _late)
        except RuntimeError:
            pass  # already awake: the wake-up is pending


_late: Any = None  # (note, the rest): who is still to be woken


def wakelate() -> None:
    """By the monitor: wake whom others could not, for want of stack."""
    global _late
    while _late is not None:
        n, _late = _late
        n.wakeup()
