"""Go's package sync: locks and what waits, for goroutines and plain threads alike.

    from gonet import go, sync

    mu = sync.Mutex()
    wg = sync.WaitGroup()

    def work(n):
        with mu:
            total[0] += n

    for n in range(10):
        wg.Go(work, n)
    wg.Wait()

A lock has no owner: whoever holds it may have another goroutine or thread release it. Nothing here can be copied or
pickled. Atomic integers and references are in gonet.sync.atomic.
"""

from __future__ import annotations

from gonet.sync.cond import Cond, NewCond
from gonet.sync.locker import Locker
from gonet.sync.map import Map
from gonet.sync.mutex import Mutex
from gonet.sync.once import Once, OnceFunc, OnceValue, OnceValues
from gonet.sync.pool import Pool
from gonet.sync.rwmutex import RWMutex
from gonet.sync.waitgroup import WaitGroup

__all__ = [
    "Cond",
    "Locker",
    "Map",
    "Mutex",
    "NewCond",
    "Once",
    "OnceFunc",
    "OnceValue",
    "OnceValues",
    "Pool",
    "RWMutex",
    "WaitGroup",
]
