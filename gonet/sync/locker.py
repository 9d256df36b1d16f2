"""Locker: what can be locked and unlocked. Mirrors Go src/sync/mutex.go."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Locker"]


class Locker(Protocol):
    """Mutex, RWMutex, what RLocker gives, and any other object with these two methods.

    Source: Go src/sync/mutex.go Locker.
    """

    def Lock(self) -> Any:
        """Take the lock, waiting until it is free. Source: Go src/sync/mutex.go Locker."""

    def Unlock(self) -> Any:
        """Release it, for one who waits. Source: Go src/sync/mutex.go Locker."""
