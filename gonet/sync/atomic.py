"""Atomic integers, booleans and references.

Mirrors Go src/sync/atomic/type.go and value.go. Differs: there are types only, no functions on addresses, and no
Uintptr. What is stored in an integer type wraps at its width, as in a conversion of Go.

Each operation is one stretch of lines as described in runtime/asm.py: with the GIL nothing comes between, elsewhere it
takes the object's lock. No code of the user's runs in it: arguments become ints before, a Value is compared before (and
again, if it was changed meanwhile), and what is replaced is dropped afterwards.

Callers: any goroutine, any thread, signal handlers, finalizers. Nothing here waits or lets others run.
"""

from __future__ import annotations

from operator import index
from types import GenericAlias
from typing import Any

from runtime.asm import LOCKS, lock, mutex, unlock
from runtime.nocopy import nocopy
from runtime.panic import Error

__all__ = ["Bool", "Int32", "Int64", "Pointer", "Uint32", "Uint64", "Value"]


class integer(mutex):
    """What the integer types share: v is always from lo to hi, and mask is hi - lo."""

    __slots__ = ("hi", "lo", "mask", "v")

    def _setup(self, lo: int, hi: int) -> int:
        if LOCKS:
            mutex.__init__(self)
        self.lo: Any = lo
        self.hi: Any = hi
        self.mask: Any = hi - lo
        self.v: Any = 0
        return 0

    def _wrap(self, n: Any) -> Any:
        """n as an int of the type's width. Raises: TypeError."""
        if type(n) is not int:
            n = int(index(n))
        if n < self.lo or n > self.hi:
            n = ((n - self.lo) & self.mask) + self.lo
        return n

    def Load(self) -> int:
        """The value. Source: Go src/sync/atomic/type.go."""
        if LOCKS:
            lock(self)
        v = self.v
        if LOCKS:
            unlock(self)
        return v  # type: ignore[no-any-return]

    def Store(self, val: int) -> None:
        """Set the value. Source: Go src/sync/atomic/type.go."""
        val = self._wrap(val)
        if LOCKS:
            lock(self)
        self.v = val
        if LOCKS:
            unlock(self)

    def Swap(self, new: int) -> int:
        """Set the value and return the old one. Source: Go src/sync/atomic/type.go."""
        new = self._wrap(new)
        if LOCKS:
            lock(self)
        old = self.v
        self.v = new
        if LOCKS:
            unlock(self)
        return old  # type: ignore[no-any-return]

    def CompareAndSwap(self, old: int, new: int) -> bool:
        """Set the value to new if it is old; whether it was. Source: Go src/sync/atomic/type.go."""
        old = self._wrap(old)
        new = self._wrap(new)
        if LOCKS:
            lock(self)
        same: bool = self.v == old
        if same:
            self.v = new
        if LOCKS:
            unlock(self)
        return same

    def Add(self, delta: int) -> int:
        """Add delta and return the new value. Source: Go src/sync/atomic/type.go."""
        delta = self._wrap(delta)
        if LOCKS:
            lock(self)
        v = self.v + delta
        if v < self.lo or v > self.hi:
            v = ((v - self.lo) & self.mask) + self.lo
        self.v = v
        if LOCKS:
            unlock(self)
        return v  # type: ignore[no-any-return]

    def And(self, mask: int) -> int:
        """Keep only the bits that are in mask, and return the old value. Source: Go src/sync/atomic/type.go."""
        mask = self._wrap(mask)
        if LOCKS:
            lock(self)
        old = self.v
        self.v = old & mask
        if LOCKS:
            unlock(self)
        return old  # type: ignore[no-any-return]

    def Or(self, mask: int) -> int:
        """Add the bits that are in mask, and return the old value. Source: Go src/sync/atomic/type.go."""
        mask = self._wrap(mask)
        if LOCKS:
            lock(self)
        old = self.v
        self.v = old | mask
        if LOCKS:
            unlock(self)
        return old  # type: ignore[no-any-return]

    def __reduce__(self) -> Any:
        return nocopy(self)


class Int32(integer):
    """A signed integer of 32 bits, 0 to begin with. Source: Go src/sync/atomic/type.go Int32."""

    __slots__ = ()

    def __init__(self) -> None:
        self._setup(-0x80000000, 0x7FFFFFFF)


class Int64(integer):
    """A signed integer of 64 bits, 0 to begin with. Source: Go src/sync/atomic/type.go Int64."""

    __slots__ = ()

    def __init__(self) -> None:
        self._setup(-0x8000000000000000, 0x7FFFFFFFFFFFFFFF)


class Uint32(integer):
    """An unsigned integer of 32 bits, 0 to begin with. Source: Go src/sync/atomic/type.go Uint32."""

    __slots__ = ()

    def __init__(self) -> None:
        self._setup(0, 0xFFFFFFFF)


class Uint64(integer):
    """An unsigned integer of 64 bits, 0 to begin with. Source: Go src/sync/atomic/type.go Uint64."""

    __slots__ = ()

    def __init__(self) -> None:
        self._setup(0, 0xFFFFFFFFFFFFFFFF)


class Pointer(mutex):
    """A reference to any object, None to begin with, compared by identity.

    Source: Go src/sync/atomic/type.go Pointer.
    """

    __slots__ = ("v",)

    def __init__(self) -> None:
        if LOCKS:
            mutex.__init__(self)
        self.v: Any = None

    def Load(self) -> Any:
        """The object. Source: Go src/sync/atomic/type.go."""
        if LOCKS:
            lock(self)
        v = self.v
        if LOCKS:
            unlock(self)
        return v

    def Store(self, val: Any) -> None:
        """Set the object. Source: Go src/sync/atomic/type.go."""
        self.Swap(val)

    def Swap(self, new: Any) -> Any:
        """Set the object and return the old one. Source: Go src/sync/atomic/type.go."""
        if LOCKS:
            lock(self)
        old = self.v
        self.v = new
        if LOCKS:
            unlock(self)
        return old

    def CompareAndSwap(self, old: Any, new: Any) -> bool:
        """Set the object to new if it is old; whether it was. Source: Go src/sync/atomic/type.go."""
        if LOCKS:
            lock(self)
        same = self.v is old
        if same:
            self.v = new
        if LOCKS:
            unlock(self)
        return same

    def __reduce__(self) -> Any:
        return nocopy(self)

    @classmethod
    def __class_getitem__(cls, item: Any) -> Any:
        return GenericAlias(cls, item)


class Bool(Pointer):
    """A boolean, False to begin with. What is stored counts by its truth. Source: Go src/sync/atomic/type.go Bool."""

    __slots__ = ()

    def __init__(self) -> None:
        Pointer.__init__(self)
        self.v = False

    def Store(self, val: Any) -> None:
        """Set the value. Source: Go src/sync/atomic/type.go."""
        Pointer.Swap(self, bool(val))

    def Swap(self, new: Any) -> Any:
        """Set the value and return the old one. Source: Go src/sync/atomic/type.go."""
        return Pointer.Swap(self, bool(new))

    def CompareAndSwap(self, old: Any, new: Any) -> bool:
        """Set the value to new if it is old; whether it was. Source: Go src/sync/atomic/type.go."""
        return Pointer.CompareAndSwap(self, bool(old), bool(new))


class Value(Pointer):
    """Values of one type, that of the first one stored; None until then. Source: Go src/sync/atomic/value.go Value."""

    __slots__ = ()

    def Store(self, val: Any) -> None:
        """Set the value.

        Raises: runtime.Error, `sync/atomic: store of nil value into Value` for None, `sync/atomic: store of
        inconsistently typed value into Value` for another type.  Source: Go src/sync/atomic/value.go Store.
        """
        self._set("store", val)

    def Swap(self, new: Any) -> Any:
        """Set the value and return the old one. Raises: as Store. Source: Go src/sync/atomic/value.go Swap."""
        return self._set("swap", new)

    def _set(self, op: str, new: Any) -> Any:
        if new is None:
            raise Error(f"sync/atomic: {op} of nil value into Value")
        while True:
            old = self.Load()
            if old is not None and type(old) is not type(new):
                raise Error(f"sync/atomic: {op} of inconsistently typed value into Value")
            if Pointer.CompareAndSwap(self, old, new):
                return old

    def CompareAndSwap(self, old: Any, new: Any) -> bool:
        """Set the value to new if it is == old; whether it was. None is what it is before the first Store.

        Raises: as Store.  Source: Go src/sync/atomic/value.go CompareAndSwap.
        """
        if new is None:
            raise Error("sync/atomic: compare and swap of nil value into Value")
        if old is not None and type(old) is not type(new):
            raise Error("sync/atomic: compare and swap of inconsistently typed values")
        while True:
            v = self.Load()
            if v is None:
                if old is not None:
                    return False
            elif type(v) is not type(new):
                raise Error("sync/atomic: compare and swap of inconsistently typed value into Value")
            elif old is None or not v == old:
                return False
            if Pointer.CompareAndSwap(self, v, new):
                return True
