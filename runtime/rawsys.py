"""The system-call edge: n >= 0 or -errno, never an exception for what the kernel says.

Mirrors Go src/runtime/sys_linux_*.s and src/syscall. This is the portable form, over os, select and _socket;
rawsys.pyx is the same interface in C, and rawsys.pxd declares it for compiled callers. Only misuse raises
(TypeError, BufferError for what is not a buffer); what the kernel refuses is a negative number, so that EAGAIN,
the most frequent answer a server gets, costs no exception above this line.

Differs from the C form: an opaque socket address is a tuple here and bytes there (nobody else looks inside), and
epoll's data word is found through the descriptor number, since select.epoll hands back nothing else. A descriptor
that was closed and reopened between epoll_wait and the look-up could so wake its successor for nothing, which
edge-triggered readers must bear with anyway.
"""

from __future__ import annotations

import errno as _errno
import fcntl
import os
import select
import sys
import time
from _socket import socket as _socket
from operator import index
from os import readv
from os import write as _write
from socket import AF_INET, AF_INET6, AF_UNIX, MSG_NOSIGNAL, SOCK_STREAM, inet_ntop, inet_pton
from typing import Any

# Go's internal/poll maxRW is 1 GiB: some systems fail on more. Here it is so much less that a count with SHORT added
# is still of one digit, for with two the interpreter compares and adds five times slower.
MAXRW = 1 << 28
SHORT = 1 << 29  # added to a count by recv, send, read and write: the kernel took or gave less than was asked
compiled = False

_EAGAIN = -_errno.EAGAIN


def _borrow(fd: int) -> Any:
    """A socket object around somebody's fd, to be detached; AF_UNIX, for its sockaddr is the longest."""
    return _socket(AF_UNIX, SOCK_STREAM, 0, fd)


def _opaque(addr: Any) -> Any:
    """What stands for a struct sockaddr in this form: (family, Python's address)."""
    if isinstance(addr, tuple):
        return (AF_INET if len(addr) == 2 else AF_INET6, addr)
    return (AF_UNIX, addr)


class Epoll:
    """One epoll instance and the array that epoll_wait fills."""

    __slots__ = ("_cap", "_ep", "data", "events", "ready", "tags")

    def __init__(self, cap: int = 128) -> None:
        self._ep = select.epoll()
        self._cap = cap
        self.tags: dict[int, Any] = {}  # by descriptor, what was given to add
        self.ready: list[tuple[int, int]] = []  # (descriptor, event bits), the next one last
        self.events = 0  # the event bits of the event that next has taken,
        self.data = 0  # and what was given to add for it, -1 if it has been taken out since

    def add(self, fd: int, events: int, data: Any) -> int:
        """Register fd for events, which come back with data; 0 or -errno."""
        old = self.tags.get(fd, -1)
        self.tags[fd] = data  # first: another thread may poll the event before register has returned
        try:
            self._ep.register(fd, events)
        except OSError as e:
            self.tags[fd] = old
            return -(e.errno or _errno.EIO)
        except ValueError:
            self.tags[fd] = old
            return -_errno.EBADF
        return 0

    def delete(self, fd: int) -> int:
        """Take fd out; 0 or -errno."""
        self.tags.pop(fd, None)
        try:
            self._ep.unregister(fd)
        except OSError as e:
            return -(e.errno or _errno.EIO)
        except ValueError:
            return -_errno.EBADF
        return 0

    def wait(self, timeout_ms: int) -> int:
        """Wait for events, timeout_ms at most (-1: for ever, 0: not at all); n or -errno."""
        try:
            ready = self._ep.poll(None if timeout_ms < 0 else timeout_ms / 1000, self._cap)
        except OSError as e:
            return -(e.errno or _errno.EIO)
        except ValueError:
            return -_errno.EBADF
        # Taken from the end. A finalizer may have come between two events and polled: what it has left is taken by
        # whoever is first.
        ready.reverse()
        self.ready += ready
        return len(self.ready)

    def next(self) -> bool:
        """Take the next event of the last wait into events and data; False if there is none."""
        if not self.ready:
            return False
        fd, self.events = self.ready.pop()
        self.data = self.tags.get(fd, -1)
        return True

    def fileno(self) -> int:
        """The epoll descriptor, -1 once closed."""
        return -1 if self._ep.closed else self._ep.fileno()

    def close(self) -> int:
        """Close the epoll descriptor (a second time is nothing); registrations of other holders are untouched."""
        self._ep.close()
        return 0


nanotime = time.monotonic_ns


def doze(delay_us: int, most_us: int) -> None:
    """Sleep delay_us. (The C form goes on sleeping, most_us in all, as long as somebody has polled meanwhile.)"""
    time.sleep(delay_us / 1e6)


sighandlers: dict[int, Any] = {}  # of the program, and
sigpending: set[int] = set()  # the signals among those that were put off: see runtime.signals


def checksignals() -> int:
    """Run the Python handlers of signals that have arrived; what a handler raises comes out.

    In this form the interpreter has run them already, but for those that have been put off till here.
    """
    while sigpending:
        signum = sigpending.pop()
        handler = sighandlers.get(signum)
        if handler is not None:
            handler(signum, sys._getframe())
    return 0


def nbytes(data: Any) -> int:
    """The size of a bytes-like object. Raises TypeError or BufferError for anything else."""
    if type(data) is bytes or type(data) is bytearray:
        return len(data)
    with memoryview(data) as mv:
        if not mv.c_contiguous:
            raise BufferError("memoryview: underlying buffer is not C-contiguous")
        return mv.nbytes


def writable_nbytes(buf: Any) -> int:
    """The size of a writable buffer. Raises TypeError or BufferError for anything else."""
    with memoryview(buf) as mv:
        if mv.readonly:
            raise BufferError("Object is not writable.")
        if not mv.c_contiguous:
            raise BufferError("memoryview: underlying buffer is not C-contiguous")
        return mv.nbytes


def recv(fd: int, buf: Any) -> int:
    """recv(2) into buf: n, with SHORT added if less than asked for came, or -errno."""
    size = len(buf) if type(buf) is bytearray else writable_nbytes(buf)
    if size == 0:
        return 0  # of no bytes the kernel may say EAGAIN
    try:
        n = readv(fd, (buf,)) if size <= MAXRW else readv(fd, (memoryview(buf).cast("B")[:MAXRW],))
    except BlockingIOError:
        return _EAGAIN
    except OSError as e:
        return -(e.errno or _errno.EIO)
    # Another thread may have resized the buffer before the call: then n is more, or the new size.
    if n >= size or n == MAXRW or (type(buf) is bytearray and n == len(buf)):
        return n
    return n + SHORT


def recvahead(fd: int, buf: Any) -> int:
    """recv for a caller that must not run anybody's code: -EAGAIN, unread, if buf is not a plain buffer."""
    t = type(buf)
    try:
        size = len(buf) if t is bytearray else buf.nbytes if t is memoryview else 0
        if not size or size > MAXRW:
            return _EAGAIN
        n = readv(fd, (buf,))
    except BlockingIOError:
        return _EAGAIN
    except OSError as e:
        return -(e.errno or _errno.EIO)
    except (BufferError, ValueError, TypeError):  # released, read-only, not contiguous
        return _EAGAIN
    if n >= size or (t is bytearray and n == len(buf)):  # as in recv
        return n
    return n + SHORT


def send(fd: int, data: Any, off: int) -> int:
    """send(2) of data from off on: n, with SHORT added if less was taken, or -errno.

    It raises no SIGPIPE on a socket: Python ignores that signal from the start, and where the program has changed that
    (runtime.signals tells), MSG_NOSIGNAL is asked for. At most MAXRW is sent at once, which then is no SHORT.
    """
    t = type(data)
    size = len(data) if t is bytes else data.nbytes if t is memoryview else nbytes(data)
    try:
        if off or size > MAXRW:
            size = min(size - off, MAXRW)
            data = memoryview(data).cast("B")[off : off + size]
        # os.write is cheaper than wrapping the descriptor for MSG_NOSIGNAL
        n = _sendquietly(fd, data) if _sigpipe else _write(fd, data)
    except BlockingIOError:
        return _EAGAIN
    except OSError as e:
        return -(e.errno or _errno.EIO)
    return n if n == size else n + SHORT


def _sendquietly(fd: int, data: Any) -> int:
    try:
        s = _borrow(fd)
    except OSError as e:
        if e.errno != _errno.ENOTSOCK:
            raise
        return _write(fd, data)  # a pipe
    try:
        s.settimeout(0.0)  # not what socket.setdefaulttimeout says
        n: int = s.send(data, MSG_NOSIGNAL)
        return n
    finally:
        s.detach()


_sigpipe = False


def setsigpipe(ignored: bool) -> None:
    """Tell send whether the program ignores SIGPIPE. (The C form always asks for MSG_NOSIGNAL.)"""
    global _sigpipe
    _sigpipe = not ignored


read = recv
write = send


def accept4(fd: int) -> tuple[int, Any] | int:
    """accept4(2), the new descriptor non-blocking and close-on-exec: (newfd, sa) or -errno."""
    nfd = -1
    try:
        s = _borrow(fd)
    except OSError as e:
        return -(e.errno or _errno.EIO)
    try:
        s.settimeout(0.0)  # not what socket.setdefaulttimeout says
        nfd, addr = s._accept()
        os.set_blocking(nfd, False)
        return nfd, _opaque(addr)
    except OSError as e:
        if nfd >= 0:
            os.close(nfd)
        return -(e.errno or _errno.EIO)
    finally:
        s.detach()


def close(fd: int) -> int:
    """close(2): 0 or -errno."""
    try:
        os.close(fd)
    except OSError as e:
        return -(e.errno or _errno.EIO)
    return 0


def eventfd() -> int:
    """A non-blocking, close-on-exec eventfd(2), or -errno."""
    try:
        return os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    except OSError as e:
        return -(e.errno or _errno.EIO)


def eventfd_write(fd: int) -> int:
    """Add one to the eventfd: 0 or -errno."""
    try:
        os.eventfd_write(fd, 1)
    except OSError as e:
        return -(e.errno or _errno.EIO)
    return 0


def eventfd_read(fd: int) -> int:
    """Reset the eventfd: 0 or -errno."""
    try:
        os.eventfd_read(fd)
    except OSError as e:
        return -(e.errno or _errno.EIO)
    return 0


def socket(family: int, type: int, proto: int) -> int:
    """socket(2), non-blocking and close-on-exec: fd or -errno."""
    try:
        s = _socket(family, type, proto)
    except OSError as e:
        return -(e.errno or _errno.EIO)
    s.setblocking(False)
    return s.detach()


def sockaddr(family: int, host: bytes, port: int, flowinfo: int = 0, scope_id: int = 0) -> Any:
    """The opaque address that connect and bind take, of a packed host (4 or 16 bytes)."""
    if family == AF_INET and len(host) == 4:
        return (AF_INET, (inet_ntop(AF_INET, host), port))
    if family == AF_INET6 and len(host) == 16:
        return (AF_INET6, (inet_ntop(AF_INET6, host), port, flowinfo, scope_id))
    raise ValueError("address of no known family")


def parse_sockaddr(sa: Any) -> tuple[int, bytes, int, int]:
    """(family, packed host, port, scope_id) of an opaque address."""
    family, addr = sa
    if family == AF_INET:
        return (AF_INET, inet_pton(AF_INET, addr[0]), addr[1], 0)
    if family == AF_INET6:
        # a scoped address comes as fe80::1%eth0
        return (AF_INET6, inet_pton(AF_INET6, addr[0].partition("%")[0]), addr[1], addr[3])
    raise ValueError("address of no known family")


def _addressed(fd: int, sa: Any, op: str) -> int:
    try:
        s = _socket(sa[0], SOCK_STREAM, 0, fd)
    except OSError as e:
        return -(e.errno or _errno.EIO)
    try:
        getattr(s, op)(sa[1])
    except OSError as e:
        return -(e.errno or _errno.EIO)
    finally:
        s.detach()
    return 0


def connect(fd: int, sa: Any) -> int:
    """connect(2): 0 or -errno."""
    return _addressed(fd, sa, "connect")


def bind(fd: int, sa: Any) -> int:
    """bind(2): 0 or -errno."""
    return _addressed(fd, sa, "bind")


def _named(fd: int, op: str, *args: Any) -> Any:
    """The result of a method of the socket at fd, or -errno."""
    try:
        s = _borrow(fd)
    except OSError as e:
        return -(e.errno or _errno.EIO)
    try:
        return getattr(s, op)(*args)
    except OSError as e:
        return -(e.errno or _errno.EIO)
    finally:
        s.detach()


def listen(fd: int, backlog: int) -> int:
    """listen(2): 0 or -errno."""
    return _named(fd, "listen", backlog) or 0


def getsockname(fd: int) -> Any:
    """getsockname(2): an opaque address or -errno."""
    addr = _named(fd, "getsockname")
    return addr if isinstance(addr, int) else _opaque(addr)


def getpeername(fd: int) -> Any:
    """getpeername(2): an opaque address or -errno."""
    addr = _named(fd, "getpeername")
    return addr if isinstance(addr, int) else _opaque(addr)


def setsockopt(fd: int, level: int, opt: int, value: int) -> int:
    """setsockopt(2) of an int: 0 or -errno. Raises TypeError or OverflowError for what is no C int."""
    value = index(value)  # _socket would say that it wants bytes
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise OverflowError("value too large to convert to int")
    return _named(fd, "setsockopt", level, opt, value) or 0


def setsockopt_bytes(fd: int, level: int, opt: int, value: bytes) -> int:
    """setsockopt(2) of a packed struct: 0 or -errno."""
    return _named(fd, "setsockopt", level, opt, value) or 0


def getsockopt(fd: int, level: int, opt: int) -> int:
    """getsockopt(2) of an int: the value or -errno."""
    return int(_named(fd, "getsockopt", level, opt))


def shutdown(fd: int, how: int) -> int:
    """shutdown(2): 0 or -errno."""
    return _named(fd, "shutdown", how) or 0


def dup(fd: int) -> int:
    """A close-on-exec duplicate of fd, or -errno."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0)
    except OSError as e:
        return -(e.errno or _errno.EIO)
