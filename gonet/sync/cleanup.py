"""What this package does at garbage collections: empty Pools, and let go of tracebacks.

Mirrors Go src/sync/pool.go poolCleanup, which the collector of Go calls. Here it is called through gc.callbacks, at
the start of every collection, in whatever thread collects and with whatever locks it holds: so nothing here takes a
lock, or raises. Nothing is hooked in before there is something to do. Without gc.callbacks (PyPy) nothing is ever done.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from typing import Any
from weakref import ref

__all__ = ["forgettraceback", "poolcleanup", "registerpool"]

_OLDEST = 2  # the generation whose collection is Go's: the others are many, and look at new objects alone

allPools: deque[Any] = deque()  # weak references to Pools with something in their local caches,
oldPools: deque[Any] = deque()  # and to those that may have something in their victim caches
_raised: deque[Any] = deque()  # weak references to oncecalls whose exception still has its first traceback
_hooked = False


def _hook() -> None:
    global _hooked
    callbacks = getattr(gc, "callbacks", None)
    if not _hooked and callbacks is not None:
        _hooked = True
        callbacks.append(_collecting)


def _collecting(phase: str, info: dict[str, int]) -> None:
    """Called by the collector."""
    if phase == "start":
        if _raised:
            _droptracebacks()
        if info["generation"] >= _OLDEST:
            poolcleanup()


def registerpool(pool: Any) -> None:
    """Have pool emptied, in two collections from now at the latest."""
    allPools.append(ref(pool))
    _hook()


def poolcleanup() -> None:
    """Drop all victim caches, and make victim caches of the others. Source: Go src/sync/pool.go poolCleanup."""
    dropped = []
    for _ in range(len(oldPools)):
        pool = oldPools.popleft()()
        if pool is not None:
            dropped.append(pool.victim)
            pool.victim = None
    for _ in range(len(allPools)):
        r = allPools.popleft()
        pool = r()
        if pool is not None:
            pool.victim = pool.local
            pool.local = None
            oldPools.append(r)


def forgettraceback(call: Any) -> None:
    """Have the traceback of call.exc dropped, and call.traced unset, when nobody else has that exception any more."""
    if _ALONE:
        _raised.append(ref(call))
        _hook()


def _droptracebacks() -> None:
    for _ in range(len(_raised)):
        r = _raised.popleft()
        call = r()
        if call is None:
            continue
        if _references(call) <= _ALONE:
            call.exc.__traceback__ = None
            call.traced = False
        else:
            _raised.append(r)


def _references(call: Any) -> int:
    exc = call.exc
    return sys.getrefcount(exc)


class _Holder:
    __slots__ = ("exc",)

    def __init__(self) -> None:
        self.exc = Exception()


# What _references says of an exception that nobody else has; 0 where references are not counted.
_ALONE = _references(_Holder()) if sys.implementation.name == "cpython" else 0
