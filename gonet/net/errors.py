"""The errors of net: what Go returns and Python raises, in Go's words.

Mirrors the errors of Go src/net/net.go, os.SyscallError (src/os/error.go) and syscall.Errno
(src/syscall/syscall_unix.go, zerrors_linux_*.go).

Differs from Go: an error is also the Python exception of its cause, where errors.Is would say so. Calling one of
these classes therefore gives an instance of it or of a subclass made once for each combination (_combine) and
named like the class itself; so test with isinstance or except, not with type(). Errno, string and struct errors
are all exceptions here. An Errno is an exception because an OpError's Err always is one.

Invariants
  str(e) is Go's Error(); e.errno is that of the innermost cause, or None.
  e.Timeout() is true exactly if e is a TimeoutError.
  Errors can be pickled and copied, and are equal only to themselves.
  No instance is kept here: tracebacks stick to exceptions, so each raise has its own.
"""

from __future__ import annotations

import errno as _errno
import os
import sys
from typing import Any

from gonet import context
from gonet.poll import ErrDeadlineExceeded, ErrFileClosing, ErrNetClosing, ErrNoDeadline, ErrNotPollable

__all__ = [
    "AddrError",
    "DNSError",
    "ErrClosed",
    "ErrDeadlineExceeded",
    "Errno",
    "Error",
    "InvalidAddrError",
    "OpError",
    "ParseError",
    "SyscallError",
    "UnknownNetworkError",
    "canceledError",
    "errMissingAddress",
    "errNoSuchHost",
    "errNoSuitableAddress",
    "errTimeout",
    "errUnknownPort",
    "errorString",
    "isOurs",
    "mapErr",
    "newDNSError",
    "wrapSyscallError",
]

ErrClosed = ErrNetClosing

# ---- errno: texts, classes, kinds

# Linux's texts as Go prints them (syscall.Errno.Error on linux/amd64), for what a network program meets: strerror(3)
# follows the locale and the C library, these do not.
_errnoText: dict[int, str] = {}
if sys.platform == "linux":
    _errnoText = {
        _errno.EPERM: "operation not permitted",
        _errno.ENOENT: "no such file or directory",
        _errno.EINTR: "interrupted system call",
        _errno.EIO: "input/output error",
        _errno.EBADF: "bad file descriptor",
        _errno.EAGAIN: "resource temporarily unavailable",
        _errno.ENOMEM: "cannot allocate memory",
        _errno.EACCES: "permission denied",
        _errno.EFAULT: "bad address",
        _errno.EBUSY: "device or resource busy",
        _errno.EEXIST: "file exists",
        _errno.ENODEV: "no such device",
        _errno.ENOTDIR: "not a directory",
        _errno.EISDIR: "is a directory",
        _errno.EINVAL: "invalid argument",
        _errno.ENFILE: "too many open files in system",
        _errno.EMFILE: "too many open files",
        _errno.ENOTTY: "inappropriate ioctl for device",
        _errno.EFBIG: "file too large",
        _errno.ENOSPC: "no space left on device",
        _errno.ESPIPE: "illegal seek",
        _errno.EPIPE: "broken pipe",
        _errno.ENAMETOOLONG: "file name too long",
        _errno.ENOSYS: "function not implemented",
        _errno.EPROTO: "protocol error",
        _errno.EOVERFLOW: "value too large for defined data type",
        _errno.ENOTSOCK: "socket operation on non-socket",
        _errno.EDESTADDRREQ: "destination address required",
        _errno.EMSGSIZE: "message too long",
        _errno.EPROTOTYPE: "protocol wrong type for socket",
        _errno.ENOPROTOOPT: "protocol not available",
        _errno.EPROTONOSUPPORT: "protocol not supported",
        _errno.ESOCKTNOSUPPORT: "socket type not supported",
        _errno.EOPNOTSUPP: "operation not supported",
        _errno.EPFNOSUPPORT: "protocol family not supported",
        _errno.EAFNOSUPPORT: "address family not supported by protocol",
        _errno.EADDRINUSE: "address already in use",
        _errno.EADDRNOTAVAIL: "cannot assign requested address",
        _errno.ENETDOWN: "network is down",
        _errno.ENETUNREACH: "network is unreachable",
        _errno.ENETRESET: "network dropped connection on reset",
        _errno.ECONNABORTED: "software caused connection abort",
        _errno.ECONNRESET: "connection reset by peer",
        _errno.ENOBUFS: "no buffer space available",
        _errno.EISCONN: "transport endpoint is already connected",
        _errno.ENOTCONN: "transport endpoint is not connected",
        _errno.ESHUTDOWN: "cannot send after transport endpoint shutdown",
        _errno.ETIMEDOUT: "connection timed out",
        _errno.ECONNREFUSED: "connection refused",
        _errno.EHOSTDOWN: "host is down",
        _errno.EHOSTUNREACH: "no route to host",
        _errno.EALREADY: "operation already in progress",
        _errno.EINPROGRESS: "operation now in progress",
    }

_errnoClass: dict[int, type[OSError]] = {}  # a cache of what OSError(n, "") is


def errnoText(n: int) -> str:
    """The text of error number n as Go prints it."""
    text = _errnoText.get(n)
    if text is None:
        text = os.strerror(n)
        if text.lower().startswith("unknown error") or not text:
            return f"errno {n}"
        # mkerrors.sh, which made Go's tables: "Bad" becomes "bad", "RFS" stays.
        if not text[1:2].isupper():
            text = text[0].lower() + text[1:]
    return text


def _classOf(n: int) -> type[OSError]:
    """The class Python gives to error number n: ConnectionResetError, PermissionError, ... or OSError."""
    cls = _errnoClass.get(n)
    if cls is None:
        cls = _errnoClass[n] = type(OSError(n, ""))
    return cls


def _errnoTimeout(n: int | None) -> bool:
    return n in (_errno.EAGAIN, _errno.EWOULDBLOCK, _errno.ETIMEDOUT)


def _errnoTemporary(n: int | None) -> bool:
    return n in (_errno.EINTR, _errno.EMFILE, _errno.ENFILE) or _errnoTimeout(n)


# ---- what a cause says of itself, be it one of ours or any exception


def isTimeout(err: BaseException | None) -> bool:
    """Whether err is a timeout: by its Timeout method if it has one, else by its class or errno."""
    method = getattr(err, "Timeout", None)
    if method is not None:
        return bool(method())
    return isinstance(err, TimeoutError) or (isinstance(err, OSError) and _errnoTimeout(err.errno))


def isTemporary(err: BaseException | None) -> bool:
    """Whether err is temporary: by its Temporary method if it has one, else by its class or errno."""
    method = getattr(err, "Temporary", None)
    if method is not None:
        return bool(method())
    return isinstance(err, TimeoutError) or (isinstance(err, OSError) and _errnoTemporary(err.errno))


def errorText(err: BaseException | None) -> str:
    """err in Go's words; the system's errors, which Python prints as "[Errno 1] ...", included."""
    if err is None:
        return "<nil>"
    if isinstance(err, OSError) and err.errno is not None and type(err).__str__ is OSError.__str__:
        text = errnoText(err.errno)
        return text if err.filename is None else f"{err.filename}: {text}"
    return str(err)


def _faces(err: BaseException | None) -> tuple[type[BaseException], ...]:
    """The exception classes by which err's like is caught, and which an error around err must have too."""
    faces: list[type[BaseException]] = []
    if isinstance(err, ErrNetClosing):
        faces.append(ErrNetClosing)
    if isinstance(err, ErrDeadlineExceeded):
        faces.append(ErrDeadlineExceeded)
    faces.extend(getattr(err, "Is", ()))
    if isinstance(err, OSError) and err.errno is not None:
        faces.append(_classOf(err.errno))
    if isTimeout(err):
        faces.append(TimeoutError)
    return tuple(faces)


_combined: dict[tuple[type[BaseException], ...], Any] = {}


def _combine(cls: Any, faces: tuple[type[BaseException], ...]) -> Any:
    """cls itself, or the subclass of it that is an instance of every class in faces too. Made once each."""
    kept: list[type[BaseException]] = []
    for face in faces:
        if not issubclass(cls, face) and not any(issubclass(k, face) for k in kept):
            kept.append(face)
    if not kept:
        return cls
    key = (cls, *kept)
    sub = _combined.get(key)
    if sub is None:
        names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__, "_plain": cls}
        sub = _combined.setdefault(key, type(cls)(cls.__name__, key, names))
    return sub


# ---- the classes


class Error(OSError):
    """What every error of net is: an OSError that knows whether it is a timeout, and whether it is temporary.

    A subclass names its constructor's arguments in _fields; they are its attributes and its args.

    Source: Go src/net/net.go Error.
    """

    _fields: tuple[str, ...] = ()
    _plain: Any = None  # in a class made by _combine, the class it was made from
    Is: tuple[type[BaseException], ...] = ()  # further classes whose except clauses are to catch this

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        plain = cls._plain or cls
        # OSError.__new__ would give a meaning to two arguments; __init__ sets what is needed.
        return OSError.__new__(_combine(plain, plain._facesOf(*args, **kwargs)))

    @classmethod
    def _facesOf(cls, *args: Any, **kwargs: Any) -> tuple[type[BaseException], ...]:
        """The classes of an instance made with these arguments, beside cls."""
        return ()

    def Timeout(self) -> bool:
        """Whether this is a timeout. Source: Go src/net/net.go Error."""
        return False

    def Temporary(self) -> bool:
        """Whether trying again may help. Go has deprecated it: most of what it is true for are timeouts.

        Source: Go src/net/net.go Error.
        """
        return False

    def _setErrno(self, err: BaseException | None) -> None:
        """Take errno and strerror from the cause."""
        n = err.errno if isinstance(err, OSError) else None
        if n is not None:
            self.errno = n
            self.strerror = errorText(err)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({fields or repr(str(self))})"

    def __reduce__(self) -> Any:
        plain = type(self)._plain or type(self)
        args = tuple(getattr(self, name) for name in self._fields) if self._fields else self.args
        return plain, args, self.__dict__ or None


class Errno(Error):
    """A system call's error number. Also the exception Python has for that number."""

    def __init__(self, n: int) -> None:
        self.args = (n,)
        self.errno = n
        self.strerror = errnoText(n)

    @classmethod
    def _facesOf(cls, n: int) -> tuple[type[BaseException], ...]:
        return (_classOf(n), TimeoutError) if _errnoTimeout(n) else (_classOf(n),)

    def Timeout(self) -> bool:
        """Whether this is a timeout. Source: Go src/syscall/syscall_unix.go Errno.Timeout."""
        return _errnoTimeout(self.errno)

    def Temporary(self) -> bool:
        """Whether trying again may help. Source: Go src/syscall/syscall_unix.go Errno.Temporary."""
        return _errnoTemporary(self.errno)

    def __str__(self) -> str:
        return errnoText(self.args[0])


class SyscallError(Error):
    """Which system call failed, and how. Go keeps it in package os. Source: Go src/os/error.go SyscallError."""

    _fields = ("Syscall", "Err")

    def __init__(self, Syscall: str, Err: BaseException) -> None:
        self.args = (Syscall, Err)
        self.Syscall = Syscall
        self.Err = Err
        self._setErrno(Err)

    @classmethod
    def _facesOf(cls, Syscall: str, Err: BaseException) -> tuple[type[BaseException], ...]:
        return _faces(Err)

    def Timeout(self) -> bool:
        """Whether Err is a timeout. Source: Go src/os/error.go (*SyscallError).Timeout."""
        return isTimeout(self.Err)

    def Temporary(self) -> bool:
        """Whether Err is temporary. Source: Go src/net/net.go (*OpError).Temporary, which looks into it."""
        return isTemporary(self.Err)

    def __str__(self) -> str:
        return f"{self.Syscall}: {errorText(self.Err)}"


class OpError(Error):
    """What net raises: the operation that failed, on which network, between which addresses, and why.

    Op      "read", "write", "accept", "dial", "listen", "set", "close", "file", "raw-control", ...
    Net     the network, "tcp" or "udp6"
    Source  for operations with a peer, the local address; or None
    Addr    the peer's address; for local operations such as listen and set, the local one; or None
    Err     the cause, an exception; errno is taken from it

    Source: Go src/net/net.go OpError.
    """

    _fields = ("Op", "Net", "Source", "Addr", "Err")

    def __init__(
        self, Op: str, Net: str = "", Source: Any = None, Addr: Any = None, Err: BaseException | None = None
    ) -> None:
        self.args = (Op, Net, Source, Addr, Err)
        self.Op = Op
        self.Net = Net
        self.Source = Source
        self.Addr = Addr
        self.Err = Err
        self._setErrno(Err)

    @classmethod
    def _facesOf(
        cls, Op: str, Net: str = "", Source: Any = None, Addr: Any = None, Err: BaseException | None = None
    ) -> tuple[type[BaseException], ...]:
        return _faces(Err)

    def Timeout(self) -> bool:
        """Whether Err is a timeout. Source: Go src/net/net.go (*OpError).Timeout."""
        return isTimeout(self.Err)

    def Temporary(self) -> bool:
        """Whether trying again may help, as Err has it. Source: Go src/net/net.go (*OpError).Temporary."""
        # Go's issue 6163: a connection lost before it was accepted must not end an accept loop.
        if self.Op == "accept" and self.errno in (_errno.ECONNRESET, _errno.ECONNABORTED):
            return True
        return isTemporary(self.Err)

    def __str__(self) -> str:
        s = self.Op
        if self.Net:
            s += f" {self.Net}"
        if self.Source is not None:
            s += f" {self.Source}"
        if self.Addr is not None:
            s += f"{' ' if self.Source is None else '->'}{self.Addr}"
        return f"{s}: {errorText(self.Err)}"


class errorString(Error):
    """An error that is only its text."""

    def __init__(self, text: str) -> None:
        self.args = (text,)

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownNetworkError(errorString):
    """A network name, the argument, that is none of "tcp", "udp4", "unix" and so on.

    Source: Go src/net/net.go UnknownNetworkError.
    """

    def __str__(self) -> str:
        return f"unknown network {self.args[0]}"


class InvalidAddrError(errorString):
    """An address that cannot be; the argument says why. Source: Go src/net/net.go InvalidAddrError."""


class ParseError(Error):
    """A text that is not what it should be; Type says what that is, such as "CIDR address".

    Source: Go src/net/net.go ParseError.
    """

    _fields = ("Type", "Text")

    def __init__(self, Type: str, Text: str) -> None:
        self.args = (Type, Text)
        self.Type = Type
        self.Text = Text

    def __str__(self) -> str:
        return f"invalid {self.Type}: {self.Text}"


class AddrError(Error):
    """An address that cannot be used. Err is a text, Addr the address, or "". Source: Go src/net/net.go AddrError."""

    _fields = ("Err", "Addr")

    def __init__(self, Err: str, Addr: str = "") -> None:
        self.args = (Err, Addr)
        self.Err = Err
        self.Addr = Addr

    def __str__(self) -> str:
        return f"address {self.Addr}: {self.Err}" if self.Addr else self.Err


class DNSError(Error):
    """A look-up that failed. Err is a text, Name what was looked for, Server who was asked, or "".

    UnwrapErr is the exception behind it where that is a context's end, else None.

    Source: Go src/net/net.go DNSError.
    """

    _fields = ("Err", "Name", "Server", "IsNotFound", "IsTimeout", "IsTemporary", "UnwrapErr")

    def __init__(
        self,
        Err: str,
        Name: str = "",
        Server: str = "",
        IsNotFound: bool = False,
        IsTimeout: bool = False,
        IsTemporary: bool = False,
        UnwrapErr: BaseException | None = None,
    ) -> None:
        self.args = (Err, Name, Server, IsNotFound, IsTimeout, IsTemporary, UnwrapErr)
        self.Err = Err
        self.Name = Name
        self.Server = Server
        self.IsNotFound = IsNotFound
        self.IsTimeout = IsTimeout
        self.IsTemporary = IsTemporary
        self.UnwrapErr = UnwrapErr
        self._setErrno(UnwrapErr)

    @classmethod
    def _facesOf(
        cls,
        Err: str,
        Name: str = "",
        Server: str = "",
        IsNotFound: bool = False,
        IsTimeout: bool = False,
        IsTemporary: bool = False,
        UnwrapErr: BaseException | None = None,
    ) -> tuple[type[BaseException], ...]:
        return (*_faces(UnwrapErr), TimeoutError) if IsTimeout else _faces(UnwrapErr)

    @property
    def Is(self) -> tuple[type[BaseException], ...]:  # type: ignore[override]
        """Other classes as which it is caught: those of UnwrapErr. Source: Go src/net/net.go (*DNSError).Unwrap."""
        return getattr(self.UnwrapErr, "Is", ())

    def Timeout(self) -> bool:
        """IsTimeout. Source: Go src/net/net.go (*DNSError).Timeout."""
        return self.IsTimeout

    def Temporary(self) -> bool:
        """Whether trying again may help: IsTimeout or IsTemporary. Source: Go src/net/net.go (*DNSError).Temporary."""
        return self.IsTimeout or self.IsTemporary

    def __str__(self) -> str:
        server = f" on {self.Server}" if self.Server else ""
        return f"lookup {self.Name}{server}: {self.Err}"


class canceledError(Error):
    """An operation given up because its context was canceled."""

    def __init__(self, *Is: type[BaseException]) -> None:
        self.args = Is
        self.Is = Is

    @classmethod
    def _facesOf(cls, *Is: type[BaseException]) -> tuple[type[BaseException], ...]:
        return Is

    def __str__(self) -> str:
        return "operation was canceled"


class timeoutError(Error):
    """A deadline, a dialer's or a context's, that has passed. Caught as ErrDeadlineExceeded too (in Go it is not)."""

    def __init__(self, *Is: type[BaseException]) -> None:
        self.args = Is
        self.errno = _errno.ETIMEDOUT  # as ErrDeadlineExceeded has it
        self.strerror = "i/o timeout"
        self.Is = (ErrDeadlineExceeded, *Is)

    @classmethod
    def _facesOf(cls, *Is: type[BaseException]) -> tuple[type[BaseException], ...]:
        return (ErrDeadlineExceeded, *Is, TimeoutError)

    def Timeout(self) -> bool:
        """True. Source: Go src/net/net.go (*timeoutError).Timeout."""
        return True

    def Temporary(self) -> bool:
        """True. Source: Go src/net/net.go (*timeoutError).Temporary."""
        return True

    def __str__(self) -> str:
        return "i/o timeout"


class notFoundError(errorString):
    """What newDNSError turns into a DNSError with IsNotFound."""


for _cls in (Error, SyscallError, OpError, UnknownNetworkError, InvalidAddrError, ParseError, AddrError, DNSError):
    _cls.__module__ = "gonet.net"  # where they are public, and what a traceback is to say


_ours = (Error, ErrDeadlineExceeded, ErrFileClosing, ErrNetClosing, ErrNoDeadline, ErrNotPollable)

# ---- Go's error values: here functions, as every raise needs its own object


def errMissingAddress() -> Error:
    return errorString("missing address")


def errNoSuitableAddress(addr: str) -> AddrError:
    """Not one of the addresses a name has is of the network asked for."""
    return AddrError("no suitable address found", addr)


def errNoSuchHost() -> Error:
    return notFoundError("no such host")


def errUnknownPort() -> Error:
    return notFoundError("unknown port")


def errTimeout() -> Error:
    return timeoutError()


def mapErr(err: BaseException) -> BaseException:
    """A context's error in net's words: "operation was canceled" and "i/o timeout"; any other as it is."""
    if isinstance(err, context.Canceled):
        return canceledError(context.Canceled)
    if isinstance(err, context.DeadlineExceeded):
        return timeoutError(context.DeadlineExceeded)
    return err


def newDNSError(err: BaseException, name: str, server: str = "") -> DNSError:
    """A DNSError with err's text, and the flags that err implies."""
    return DNSError(
        errorText(err),
        name,
        server,
        isinstance(err, notFoundError),
        isTimeout(err),
        isTemporary(err),
        err if isinstance(err, (canceledError, timeoutError)) else None,
    )


def isOurs(err: OSError) -> bool:
    """Whether err was raised by this package or package poll."""
    return isinstance(err, _ours) or hasattr(err, "syscall")


def wrapSyscallError(name: str, err: BaseException) -> BaseException:
    """The cause to put into an OpError: a system call's error becomes a SyscallError, any other stays.

    The call's name is the error's attribute `syscall`, which package poll sets, or else the name given; an error that
    has neither came from a user's function, and stays too.
    """
    if not isinstance(err, OSError) or isinstance(err, _ours):
        return err
    call = getattr(err, "syscall", None) or name
    if err.errno is None or not call:
        return err
    return SyscallError(call, Errno(err.errno))
