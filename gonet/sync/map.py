"""Map: a dict for concurrent use.

Mirrors Go src/sync/map.go in what it does. Differs: where Go has a trie of atomic pointers, here it is a dict and a
lock for what takes more than one step. Load does not take it: to look something up in a dict is one step.

Keys are hashed and compared under the lock, which is reentrant: a __hash__ or __eq__ of the user's, or a finalizer that
runs in one, may use the map, but must not block. Values are compared and dropped, and Range calls its function,
without the lock.  Locks: the Map as a runtime lock guards changes of m. Callers: any goroutine, any thread, finalizers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.asm import lock, mutex, unlock
from runtime.nocopy import nocopy

__all__ = ["Map"]

_MISSING: Any = object()


class Map(mutex):
    """Keys and values, empty to begin with. A value that is not there is None. Source: Go src/sync/map.go Map."""

    __slots__ = ("__weakref__", "m")

    def __init__(self) -> None:
        mutex.__init__(self)
        self.m: dict[Any, Any] = {}

    def Load(self, key: Any) -> tuple[Any, bool]:
        """(value, True), or (None, False). Source: Go src/sync/map.go Load."""
        v = self.m.get(key, _MISSING)
        return (None, False) if v is _MISSING else (v, True)

    def Store(self, key: Any, value: Any) -> None:
        """Set the value of key. Source: Go src/sync/map.go Store."""
        lock(self)
        try:
            v = self.m.get(key)  # so that it is not dropped under the lock
            self.m[key] = value
        finally:
            unlock(self)
        del v

    def Swap(self, key: Any, value: Any) -> tuple[Any, bool]:
        """Set the value of key; (old value, True), or (None, False) if there was none. Source: Go src/sync/map.go."""
        lock(self)
        try:
            v = self.m.get(key, _MISSING)
            self.m[key] = value
        finally:
            unlock(self)
        return (None, False) if v is _MISSING else (v, True)

    def LoadOrStore(self, key: Any, value: Any) -> tuple[Any, bool]:
        """(the value that there is, True), or (value, False), which is there now. Source: Go src/sync/map.go."""
        v = self.m.get(key, _MISSING)
        if v is _MISSING:
            lock(self)
            try:
                v = self.m.get(key, _MISSING)
                if v is _MISSING:
                    self.m[key] = value
            finally:
                unlock(self)
        return (value, False) if v is _MISSING else (v, True)

    def LoadAndDelete(self, key: Any) -> tuple[Any, bool]:
        """Remove key; (its value, True), or (None, False) if it was not there. Source: Go src/sync/map.go."""
        lock(self)
        try:
            v = self.m.pop(key, _MISSING)
        finally:
            unlock(self)
        return (None, False) if v is _MISSING else (v, True)

    def Delete(self, key: Any) -> None:
        """Remove key, if it is there. Source: Go src/sync/map.go Delete."""
        self.LoadAndDelete(key)

    def CompareAndSwap(self, key: Any, old: Any, new: Any) -> bool:
        """Set the value of key to new if it is there and == old; whether it was. Source: Go src/sync/map.go."""
        while True:
            v = self.m.get(key, _MISSING)
            if v is _MISSING or not v == old:
                return False
            lock(self)
            try:
                same = self.m.get(key, _MISSING) is v
                if same:
                    self.m[key] = new
            finally:
                unlock(self)
            if same:
                return True

    def CompareAndDelete(self, key: Any, old: Any) -> bool:
        """Remove key if its value is == old; whether it was. Source: Go src/sync/map.go CompareAndDelete."""
        while True:
            v = self.m.get(key, _MISSING)
            if v is _MISSING or not v == old:
                return False
            lock(self)
            try:
                same = self.m.get(key, _MISSING) is v
                if same:
                    del self.m[key]
            finally:
                unlock(self)
            if same:
                return True

    def Clear(self) -> None:
        """Remove everything. Source: Go src/sync/map.go Clear."""
        fresh: dict[Any, Any] = {}
        lock(self)
        old = self.m
        self.m = fresh
        unlock(self)
        del old

    def Range(self, f: Callable[[Any, Any], Any]) -> None:
        """Call f(key, value) for each key that is there at the call and still is when its turn comes, once.

        Ends at a false result. f may use the map. Source: Go src/sync/map.go Range.
        """
        lock(self)
        try:
            keys = self.m.copy()  # one step, which list(self.m.items()) need not be
        finally:
            unlock(self)
        for key in keys:
            v = self.m.get(key, _MISSING)
            if v is not _MISSING and not f(key, v):
                break

    def __reduce__(self) -> Any:
        return nocopy(self)
