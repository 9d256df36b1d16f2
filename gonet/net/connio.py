"""The file objects that Conn.makefile makes.

Mirrors makefile and SocketIO of Python's socket module; Go has bufio for it. Differs: a file does not keep its
connection open, since Close closes the descriptor at once; and after a deadline has ended a read, it may be read on.
What a read of several parts, readline say, had got by then is lost, for Python's buffers drop it (which is why
SocketIO refuses to be read again).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from gonet.net.net import Conn

__all__ = ["connIO", "openFile"]


class connIO(io.RawIOBase):
    """A connection as a raw stream. Closing it leaves the connection open."""

    def __init__(self, c: Conn, mode: str) -> None:
        super().__init__()
        self._conn = c
        self._reading = "r" in mode
        self._writing = "w" in mode
        self.mode = mode
        self.name = str(c.RemoteAddr())

    def readable(self) -> bool:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return self._reading

    def writable(self) -> bool:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return self._writing

    def seekable(self) -> bool:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return False

    def readinto(self, b: WriteableBuffer) -> int:
        if not self.readable():
            raise io.UnsupportedOperation("not readable")
        return self._conn.Read(b)

    def write(self, b: ReadableBuffer) -> int:
        if not self.writable():
            raise io.UnsupportedOperation("not writable")
        return self._conn.Write(b)


def openFile(
    c: Conn, mode: str, buffering: int | None, encoding: str | None, errors: str | None, newline: str | None
) -> Any:
    """A file object over c; see Conn.makefile.

    Raises: ValueError for a mode or a combination that cannot be.
    """
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    writing = "w" in mode
    reading = "r" in mode or not writing
    binary = "b" in mode
    raw = connIO(c, ("r" if reading else "") + ("w" if writing else ""))
    if buffering is None or buffering < 0:
        buffering = io.DEFAULT_BUFFER_SIZE
    if buffering == 0:
        if not binary:
            raise ValueError("unbuffered streams must be binary")
        return raw
    buffer: Any
    if reading and writing:
        buffer = io.BufferedRWPair(raw, raw, buffering)
    elif reading:
        buffer = io.BufferedReader(raw, buffering)
    else:
        buffer = io.BufferedWriter(raw, buffering)
    if binary:
        return buffer
    text: Any = io.TextIOWrapper(buffer, encoding, errors, newline)
    text.mode = mode
    return text
