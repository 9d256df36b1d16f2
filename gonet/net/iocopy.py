"""Copying between a connection and whatever can be read or written.

Mirrors genericReadFrom and genericWriteTo of Go src/net/net.go, which are io.Copy. Differs: sources and sinks are Conns
or Python's binary files; reads and writes that could block the thread, those of pipes and terminals, run on a helper
thread. An error comes out as the side it happened on raised it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gonet.net.net import Conn
from runtime import Syscall

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["genericReadFrom", "genericWriteTo"]

_size = 32 * 1024  # io.Copy's


def genericReadFrom(c: Conn, src: Any) -> int:
    """Write to c all that src has left; returns the number of bytes."""
    buf = bytearray(_size)
    view = memoryview(buf)
    read = _reader(src)
    written = 0
    while n := read(view):
        c.Write(view[:n])
        written += n
    return written


def genericWriteTo(c: Conn, dst: Any) -> int:
    """Write to dst all that c receives up to its end; returns the number of bytes."""
    buf = bytearray(_size)
    view = memoryview(buf)
    write = _writer(dst)
    written = 0
    while n := c.Read(view):
        write(view[:n])
        written += n
    return written


def _blocks(f: Any) -> bool:
    """Whether f's reads and writes may wait for someone else: it has a descriptor, and that of no regular file."""
    try:
        return not stat.S_ISREG(os.fstat(f.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False


def _reader(src: Any) -> Callable[[memoryview], int]:
    """A function that reads into a buffer and returns how much, 0 at the end."""
    if hasattr(src, "Read"):
        return src.Read  # type: ignore[no-any-return]
    readinto = getattr(src, "readinto1", None) or getattr(src, "readinto", None)
    if readinto is None:
        raise TypeError(f"a connection or a binary file is wanted to read from, not {type(src).__name__}")
    blocks = _blocks(src)

    def read(view: memoryview) -> int:
        n = Syscall(readinto, view) if blocks else readinto(view)
        if n is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return int(n)

    return read


def _writer(dst: Any) -> Callable[[memoryview], object]:
    """A function that writes all of a buffer."""
    if hasattr(dst, "Write"):
        return dst.Write  # type: ignore[no-any-return]
    write_ = getattr(dst, "write", None)
    if write_ is None:
        raise TypeError(f"a connection or a binary file is wanted to write to, not {type(dst).__name__}")
    blocks = _blocks(dst)

    def write(view: ReadableBuffer) -> None:
        # A copy, as dst may keep what it is given, and the buffer will be used again.
        data = bytes(view)
        while data:
            n = Syscall(write_, data) if blocks else write_(data)
            if n is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            data = data[n:]

    return write
