"""Pool: things to be used again.

Mirrors Go src/sync/pool.go. Differs: one cache for all Ps, a list whose append and pop are atomic, where Go keeps one
on each P and steals. As in Go, what has lain in the pool for two collections of the oldest generation is dropped: what
was put in moves to the victim cache at the first and is gone with the second (see cleanup).

local and victim are replaced as a whole and by one assignment, so no lock is needed; an item may get lost when a
collection comes between, as any item of a pool may. Callers: any goroutine, any thread, finalizers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gonet.sync import cleanup
from runtime.nocopy import nocopy

__all__ = ["Pool"]


class Pool:
    """A set of things that any goroutine may take, use and put back. New makes one when it is empty.

    Source: Go src/sync/pool.go Pool.
    """

    __slots__ = ("New", "__weakref__", "local", "victim")

    def __init__(self, New: Callable[[], Any] | None = None) -> None:
        self.New: Any = New
        self.local: Any = None  # a list once something has been put in since the last collection
        self.victim: Any = None  # what it was before that collection

    def Get(self) -> Any:
        """Take something out: New() if the pool is empty, None if there is no New. Source: Go src/sync/pool.go Get."""
        local = self.local
        if local:
            try:
                return local.pop()
            except IndexError:  # another thread was first
                pass
        victim = self.victim
        if victim:
            try:
                return victim.pop()
            except IndexError:
                pass
        if self.New is None:
            return None
        return self.New()

    def Put(self, x: Any) -> None:
        """Put x in; None is ignored. Source: Go src/sync/pool.go Put."""
        if x is None:
            return
        local = self.local
        if local is None:
            fresh: list[Any] = []
            cleanup.registerpool(self)
            local = self.local
            if local is None:
                local = fresh
                self.local = fresh
        local.append(x)

    def __reduce__(self) -> Any:
        return nocopy(self)
