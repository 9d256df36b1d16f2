"""Locker: what can be locked and unlocked. Mirrors Go src/sync/mutex.go."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

__all__ = ["Locker", "nocopy"]


class Locker(Protocol):
    """Mutex, RWMutex, what RLocker gives, and any other object with these two methods.

    Source: Go src/sync/mutex.go Locker.
    """

    def Lock(self) -> Any:
        """Take the lock, waiting until it is free. Source: Go src/sync/mutex.go Locker."""

    def Unlock(self) -> Any:
        """Release it, for one who waits. Source: Go src/sync/mutex.go Locker."""


def nocopy(x: object) -> NoReturn:
    """For __reduce__: refuse to copy or pickle x, whose waiters and holders would not know of the other one.

    Go's vet finds such copies (noCopy in src/sync/cond.go). Raises: TypeError.
    """
    t = type(x)
    module = t.__module__.rpartition(".")[2]
    package = module if module in ("errgroup", "semaphore", "singleflight") else "sync"
    raise TypeError(f"a {package}.{t.__name__} cannot be copied or pickled")
