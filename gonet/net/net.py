"""Addr, Conn and Listener: what every network has; and conn, what the connections over a descriptor share.

Mirrors Go src/net/net.go (its errors are in errors.py). Differs: Go's interfaces are base classes, which add what
Python users expect of such objects: `with`, iteration over a listener, makefile. Read returns 0 at the end of the
stream where Go returns io.EOF. SetLinger and its kin raise OpError with the local address as Addr and no Source, as
SetDeadline does; in Go some do and some do not.

Callers: any goroutine; several may use one Conn or Listener at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from gonet.net.connio import openFile
from gonet.net.errors import ErrClosed
from gonet.net.file import File
from gonet.net.sockopt import setReadBuffer, setWriteBuffer
from runtime.nocopy import nocopy

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer, WriteableBuffer

    from gonet.net.fd import netFD

__all__ = ["Addr", "Conn", "Listener", "conn"]

_ConnT = TypeVar("_ConnT", bound="Conn")
_ListenerT = TypeVar("_ListenerT", bound="Listener")


class Addr:
    """The address of an end point. str() is its text; addresses of one class with equal fields are equal.

    Source: Go src/net/net.go Addr.
    """

    __slots__ = ()
    _fields: tuple[str, ...] = ()  # the constructor's arguments, which are the attributes

    def Network(self) -> str:
        """The network's name, such as "tcp". Source: Go src/net/net.go Addr."""
        raise NotImplementedError

    def String(self) -> str:
        """The text, as str() gives it, such as "192.0.2.1:25"; Dial takes it. Source: Go src/net/net.go Addr."""
        return str(self)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, f) == getattr(other, f) for f in self._fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, f) for f in self._fields))

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, f) for f in self._fields)

    def __repr__(self) -> str:
        fields = ", ".join(f"{f}={getattr(self, f)!r}" for f in self._fields)
        return f"{type(self).__name__}({fields})"


_Addr = Addr  # inside Listener the name is a method's


class Conn:
    """A stream between two ends. `with conn` gives the conn itself and closes it at the end.

    Every method that takes or sends data parks the goroutine until it is done; errors are OpErrors.

    Source: Go src/net/net.go Conn.
    """

    __slots__ = ()

    def Read(self, b: WriteableBuffer, /) -> int:
        """Read into the buffer b, up to its length; returns the number of bytes, 0 at the end of the stream.

        An empty buffer gives 0 at once. A buffer that cannot be written to takes nothing.
        Until Read returns, b is its own, as in Go: what arrives may be in it before this goroutine runs again.
        Raises: OpError "read"; TypeError, BufferError or ValueError for what is no writable buffer.
        Source: Go src/net/net.go (*conn).Read.
        """
        raise NotImplementedError

    def Write(self, b: ReadableBuffer, /) -> int:
        """Send all the bytes of b; returns their number. Concurrent Writes do not mix.

        Raises: OpError "write", after which some of b may have been sent; TypeError for a str.
        Source: Go src/net/net.go (*conn).Write.
        """
        raise NotImplementedError

    def Close(self) -> None:
        """Close the connection. What is blocked in it wakes up with ErrClosed; so does every later call.

        Raises: OpError "close", ErrClosed among them if it was closed before.  Source: Go src/net/net.go (*conn).Close.
        """
        raise NotImplementedError

    def LocalAddr(self) -> Addr | None:
        """The address of this end; also after Close. Shared by all callers: do not modify it.

        Source: Go src/net/net.go (*conn).LocalAddr.
        """
        raise NotImplementedError

    def RemoteAddr(self) -> Addr | None:
        """The address of the other end; also after Close. Shared by all callers: do not modify it.

        Source: Go src/net/net.go (*conn).RemoteAddr.
        """
        raise NotImplementedError

    def SetDeadline(self, t: float | None) -> None:
        """SetReadDeadline and SetWriteDeadline in one. Source: Go src/net/net.go (*conn).SetDeadline."""
        raise NotImplementedError

    def SetReadDeadline(self, t: float | None) -> None:
        """Let Read fail with ErrDeadlineExceeded from the instant t on, one that is blocked included.

        t is a time as time.Now() gives it, 0 or None for no deadline; a later call may move it either way.
        Raises: OpError "set".  Source: Go src/net/net.go (*conn).SetReadDeadline.
        """
        raise NotImplementedError

    def SetWriteDeadline(self, t: float | None) -> None:
        """As SetReadDeadline, for Write. Source: Go src/net/net.go (*conn).SetWriteDeadline."""
        raise NotImplementedError

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """A file object over this connection, as socket.makefile makes one.

        mode is "r", "w" or "rw", with "b" for bytes. Closing the file does not close the connection. A deadline that
        ends a read drops what that one had got so far, a part of a line say; Read loses nothing.
        Raises: ValueError for another mode, or for text without buffering.  Source: Python's socket.makefile.
        """
        return openFile(self, mode, buffering, encoding, errors, newline)

    def __enter__(self: _ConnT) -> _ConnT:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            self.Close()
        except ErrClosed:
            pass  # the body has closed it

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.LocalAddr()}->{self.RemoteAddr()}>"


class Listener:
    """Where connections arrive. A loop over it accepts them until it is closed; `with` closes it at the end.

    Source: Go src/net/net.go Listener.
    """

    __slots__ = ()

    def Accept(self) -> Conn:
        """Wait for the next connection and return it.

        Raises: OpError "accept".  Source: Go src/net/net.go Listener.
        """
        raise NotImplementedError

    def Close(self) -> None:
        """Stop listening. What is blocked in Accept wakes up with ErrClosed; so does every later call.

        Raises: OpError "close", ErrClosed among them if it was closed before.  Source: Go src/net/net.go Listener.
        """
        raise NotImplementedError

    def Addr(self) -> _Addr | None:
        """The address listened on; also after Close. Shared by all callers: do not modify it.

        Source: Go src/net/net.go Listener.
        """
        raise NotImplementedError

    def __iter__(self: _ListenerT) -> _ListenerT:
        return self

    def __next__(self) -> Conn:
        try:
            return self.Accept()
        except ErrClosed:
            raise StopIteration from None

    def __enter__(self: _ListenerT) -> _ListenerT:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            self.Close()
        except ErrClosed:
            pass  # the body has closed it

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.Addr()}>"


class conn(Conn):
    """A Conn over a netFD; every connection of the system's is one."""

    __slots__ = ("__weakref__", "fd")

    def __init__(self, fd: netFD) -> None:
        self.fd = fd

    def __reduce__(self) -> Any:
        return nocopy(self)

    def Read(self, b: WriteableBuffer, /) -> int:
        """As Conn.Read. Source: Go src/net/net.go (*conn).Read."""
        return self.fd.Read(b)

    def Write(self, b: ReadableBuffer, /) -> int:
        """As Conn.Write. Source: Go src/net/net.go (*conn).Write."""
        return self.fd.Write(b)

    def Close(self) -> None:
        """As Conn.Close. Source: Go src/net/net.go (*conn).Close."""
        try:
            self.fd.Close()
        except OSError as err:
            raise self.fd.opError("close", err) from None

    def LocalAddr(self) -> Addr | None:
        """As Conn.LocalAddr. Source: Go src/net/net.go (*conn).LocalAddr."""
        return self.fd.laddr()

    def RemoteAddr(self) -> Addr | None:
        """As Conn.RemoteAddr. Source: Go src/net/net.go (*conn).RemoteAddr."""
        return self.fd.raddr()

    def SetDeadline(self, t: float | None) -> None:
        """As Conn.SetDeadline. Source: Go src/net/net.go (*conn).SetDeadline."""
        try:
            self.fd.SetDeadline(t)
        except OSError as err:
            raise self.fd.setError(err) from None

    def SetReadDeadline(self, t: float | None) -> None:
        """As Conn.SetReadDeadline. Source: Go src/net/net.go (*conn).SetReadDeadline."""
        try:
            self.fd.SetReadDeadline(t)
        except OSError as err:
            raise self.fd.setError(err) from None

    def SetWriteDeadline(self, t: float | None) -> None:
        """As Conn.SetWriteDeadline. Source: Go src/net/net.go (*conn).SetWriteDeadline."""
        try:
            self.fd.SetWriteDeadline(t)
        except OSError as err:
            raise self.fd.setError(err) from None

    def SetReadBuffer(self, bytes: int) -> None:
        """Set the size of the system's receive buffer (SO_RCVBUF).

        Raises: OpError "set".  Source: Go src/net/net.go (*conn).SetReadBuffer.
        """
        try:
            setReadBuffer(self.fd, bytes)
        except OSError as err:
            raise self.fd.setError(err) from None

    def SetWriteBuffer(self, bytes: int) -> None:
        """Set the size of the system's send buffer (SO_SNDBUF).

        Raises: OpError "set".  Source: Go src/net/net.go (*conn).SetWriteBuffer.
        """
        try:
            setWriteBuffer(self.fd, bytes)
        except OSError as err:
            raise self.fd.setError(err) from None

    def File(self) -> File:
        """A duplicate of the descriptor, the caller's to close; neither's end closes the other.

        Raises: OpError "file".  Source: Go src/net/net.go (*conn).File.
        """
        try:
            return self.fd.dup()
        except OSError as err:
            raise self.fd.opError("file", err) from None
