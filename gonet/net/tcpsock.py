"""TCP: addresses, connections, listeners.

Mirrors Go src/net/tcpsock.go, tcpsock_posix.go and tcpsock_unix.go. Differs:
- On Linux an accepted socket inherits TCP_NODELAY and the keep-alive options, so they are set once on the listener;
  elsewhere, as in Go, on each connection.
- Accept does not fail for want of descriptors or memory; it waits and tries again, longer each time, as Go's
  net/http does with the error it is given (src/net/http/server.go, Serve), and logs that once. It does not wait for up
  to 1 s, as net/http does: it tries every 50 ms, and so notices in time that it has been closed.
- ReadFrom and WriteTo raise the error of the side that failed, not an OpError around it.
- TCPListener.SetDeadline raises OpError; in Go the bare error comes out.
"""

from __future__ import annotations

import _socket
import errno
import sys
from typing import TYPE_CHECKING, Any

from gonet.net.errors import (
    OpError,
    UnknownNetworkError,
    errMissingAddress,
    wrapSyscallError,
)
from gonet.net.fd import addrFunc, netFD
from gonet.net.interface import zoneName
from gonet.net.iocopy import genericReadFrom, genericWriteTo
from gonet.net.ip import IP
from gonet.net.ipsock import forResolve, inetAddr, internetAddrList
from gonet.net.lookup import DefaultResolver
from gonet.net.net import Addr, Listener, conn
from gonet.net.opctx import opCtx
from gonet.net.parse import wanted, wantNumber, wantText
from gonet.net.sock import internetSocket, listenerBacklog
from gonet.net.sockopt import setKeepAlive, setLinger
from gonet.net.tcpsockopt import setKeepAliveCount, setKeepAliveIdle, setKeepAliveInterval, setNoDelay
from gonet.time import Sleep
from runtime import rawsys
from runtime.nocopy import nocopy
from runtime.timesleep import number

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from gonet.net.dial import Dialer, ListenConfig
    from gonet.net.file import File

__all__ = [
    "DialTCP",
    "KeepAliveConfig",
    "ListenTCP",
    "ResolveTCPAddr",
    "TCPAddr",
    "TCPConn",
    "TCPListener",
]

_inherits = sys.platform == "linux"

# What accept(2) says when the process or the system has run out of something that others may give back.
_exhausted = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_acceptDelayMin = 0.005  # seconds, doubled each time
_acceptDelayMax = 0.05


class TCPAddr(inetAddr):
    """The address of a TCP end point. Source: Go src/net/tcpsock.go TCPAddr."""

    __slots__ = ()

    def Network(self) -> str:
        """The text "tcp". Source: Go src/net/tcpsock.go (*TCPAddr).Network."""
        return "tcp"


def _sockaddrToTCP(sa: Any) -> TCPAddr:
    _, host, port, scope = rawsys.parse_sockaddr(sa)
    return TCPAddr(IP(host), port, zoneName(scope))


addrFunc.update(dict.fromkeys(("tcp", "tcp4", "tcp6"), _sockaddrToTCP))


def ResolveTCPAddr(network: str, address: str) -> TCPAddr:
    """The address that "host:port" means; of several an IPv4 one, unless the host is in brackets.

    network is "tcp", "tcp4" or "tcp6". For Dial and Listen give the text itself: they try all of a name's addresses.
    Raises: UnknownNetworkError, AddrError, DNSError.  Source: Go src/net/tcpsock.go ResolveTCPAddr.
    """
    if network not in ("tcp", "tcp4", "tcp6", ""):
        raise UnknownNetworkError(network)
    addrs = internetAddrList(DefaultResolver, opCtx(), network or "tcp", address, TCPAddr)
    return forResolve(addrs, network or "tcp", address)


class KeepAliveConfig:
    """How a connection without traffic is probed: on or not, seconds before, seconds between, how many probes.

    Of Idle, Interval and Count 0 is the default (15, 15, 9) and a negative one leaves the system's.

    Source: Go src/net/tcpsock.go KeepAliveConfig.
    """

    __slots__ = ("Count", "Enable", "Idle", "Interval")

    def __init__(self, Enable: bool = False, Idle: float = 0, Interval: float = 0, Count: int = 0) -> None:
        self.Enable = Enable
        self.Idle = Idle
        self.Interval = Interval
        self.Count = Count

    def __repr__(self) -> str:
        return f"KeepAliveConfig({self.Enable}, {self.Idle}, {self.Interval}, {self.Count})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeepAliveConfig):
            return NotImplemented
        return all(getattr(self, f) == getattr(other, f) for f in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.Enable, self.Idle, self.Interval, self.Count))


def wantKeepAliveConfig(config: Any) -> None:
    """Raise TypeError or ValueError unless config is None or a KeepAliveConfig with numbers in it."""
    wanted("KeepAliveConfig", config, KeepAliveConfig)
    if config is not None:
        number("KeepAliveConfig.Idle", config.Idle)
        number("KeepAliveConfig.Interval", config.Interval)
        if not hasattr(config.Count, "__index__"):
            raise TypeError(f"KeepAliveConfig.Count must be an int, not {type(config.Count).__name__}")


def setKeepAliveConfig(fd: netFD, config: KeepAliveConfig) -> None:
    setKeepAlive(fd, config.Enable)
    setKeepAliveIdle(fd, config.Idle)
    setKeepAliveInterval(fd, config.Interval)
    setKeepAliveCount(fd, config.Count)


def setDefaults(fd: netFD, keepAlive: float, config: KeepAliveConfig | None) -> None:
    """What a new connection gets: no delay, and keep-alive as configured. What the system refuses is left."""
    if config is None or not config.Enable:
        config = KeepAliveConfig(keepAlive >= 0, keepAlive)
    try:
        setNoDelay(fd, True)
        if config.Enable:
            setKeepAliveConfig(fd, config)
    except OSError:
        pass


class TCPConn(conn):
    """A TCP connection. Source: Go src/net/tcpsock.go TCPConn."""

    __slots__ = ()

    # As inherited. CPython calls a compiled method fastest where the very type of the object defines it.
    def Read(self, b: WriteableBuffer, /) -> int:
        """As Conn.Read. Source: Go src/net/net.go (*conn).Read."""
        return self.fd.Read(b)

    def Write(self, b: ReadableBuffer, /) -> int:
        """As Conn.Write. Source: Go src/net/net.go (*conn).Write."""
        return self.fd.Write(b)

    def ReadFrom(self, src: Any) -> int:
        """Send all that src, a Conn or a binary file, has left; returns the number of bytes.

        Raises: OpError "write", and what reading src raises.  Source: Go src/net/tcpsock.go (*TCPConn).ReadFrom.
        """
        return genericReadFrom(self, src)

    def WriteTo(self, dst: Any) -> int:
        """Write to dst, a Conn or a binary file, all that arrives here up to the end; returns the number of bytes.

        Raises: OpError "read", and what writing to dst raises.  Source: Go src/net/tcpsock.go (*TCPConn).WriteTo.
        """
        return genericWriteTo(self, dst)

    def CloseRead(self) -> None:
        """Shut down the reading half. Most use Close.

        Raises: OpError "close".  Source: Go src/net/tcpsock.go (*TCPConn).CloseRead.
        """
        try:
            self.fd.closeRead()
        except OSError as err:
            raise self.fd.opError("close", err) from None

    def CloseWrite(self) -> None:
        """Shut down the writing half: the peer reads the end of the stream, and may go on sending.

        Raises: OpError "close".  Source: Go src/net/tcpsock.go (*TCPConn).CloseWrite.
        """
        try:
            self.fd.closeWrite()
        except OSError as err:
            raise self.fd.opError("close", err) from None

    def SetLinger(self, sec: int) -> None:
        """What Close does with data not yet sent or acknowledged.

        sec < 0: it is sent in the background, the default; 0: it is dropped and the connection reset; > 0: it is sent
        in the background for that many seconds, after which some systems drop it.
        Raises: OpError "set".  Source: Go src/net/tcpsock.go (*TCPConn).SetLinger.
        """
        try:
            setLinger(self.fd, sec)
        except OSError as err:
            raise self.fd.setError(err) from None

    def SetKeepAlive(self, keepalive: bool) -> None:
        """Whether the system probes the connection when there is no traffic.

        Raises: OpError "set".  Source: Go src/net/tcpsock.go (*TCPConn).SetKeepAlive.
        """
        try:
            setKeepAlive(self.fd, keepalive)
        except OSError as err:
            raise self.fd.setError(err) from None

    def SetKeepAlivePeriod(self, d: float) -> None:
        """The seconds without traffic before the first probe; 0 is 15, a negative number changes nothing.

        Raises: OpError "set".  Source: Go src/net/tcpsock.go (*TCPConn).SetKeepAlivePeriod.
        """
        try:
            setKeepAliveIdle(self.fd, d)
        except OSError as err:
            raise self.fd.setError(err) from None

    def SetKeepAliveConfig(self, config: KeepAliveConfig) -> None:
        """All about the probes.

        Raises: OpError "set"; TypeError, if config is no KeepAliveConfig.
        Source: Go src/net/tcpsock_unix.go (*TCPConn).SetKeepAliveConfig.
        """
        if not isinstance(config, KeepAliveConfig):
            raise TypeError(f"config must be KeepAliveConfig, not {type(config).__name__}")
        wantKeepAliveConfig(config)
        try:
            setKeepAliveConfig(self.fd, config)
        except OSError as err:
            raise self.fd.setError(err) from None

    def SetNoDelay(self, noDelay: bool) -> None:
        """Whether data is sent as soon as it is written, the default, or held back for a full packet (Nagle).

        Raises: OpError "set".  Source: Go src/net/tcpsock.go (*TCPConn).SetNoDelay.
        """
        try:
            setNoDelay(self.fd, noDelay)
        except OSError as err:
            raise self.fd.setError(err) from None


class TCPListener(Listener):
    """A TCP listener. Source: Go src/net/tcpsock.go TCPListener."""

    __slots__ = ("__weakref__", "_config", "_keepAlive", "_log", "_starved", "fd")

    def __init__(self, fd: netFD, keepAlive: float = 0, config: KeepAliveConfig | None = None) -> None:
        # Imported now, for when it is needed there will be no descriptor to open its file with.
        import logging

        self.fd = fd
        self._keepAlive = keepAlive
        self._config = config
        self._log = logging.getLogger("gonet.net")
        self._starved = False  # whether Accept waited for descriptors last time, and has said so

    def __reduce__(self) -> Any:
        return nocopy(self)

    def Accept(self) -> TCPConn:
        """As Listener.Accept; the connection is a TCPConn. Source: Go src/net/tcpsock.go (*TCPListener).Accept."""
        try:
            fd = self.fd.accept()
            self._starved = False
        except OSError as err:
            fd = self._acceptLater(err)
        if not _inherits:
            setDefaults(fd, self._keepAlive, self._config)
        return TCPConn(fd)

    def AcceptTCP(self) -> TCPConn:
        """Accept. Source: Go src/net/tcpsock.go (*TCPListener).AcceptTCP."""
        return self.Accept()

    def _acceptLater(self, err: OSError) -> netFD:
        """The next connection when err said that there is no descriptor or memory for one: wait and try again.

        Raises: OpError "accept", also for any other err.
        """
        delay = _acceptDelayMin
        while err.errno in _exhausted:
            if not self._starved:
                self._starved = True
                cause = wrapSyscallError("accept", err)
                self._log.warning("%s; retrying", OpError("accept", self.fd.net, None, self.Addr(), cause))
            Sleep(delay)
            delay = min(2 * delay, _acceptDelayMax)
            try:
                return self.fd.accept()
            except OSError as again:
                err = again
        raise self.fd.opError("accept", err) from None

    def Close(self) -> None:
        """As Listener.Close. Source: Go src/net/tcpsock.go (*TCPListener).Close."""
        try:
            self.fd.Close()
        except OSError as err:
            raise self.fd.opError("close", err) from None

    def Addr(self) -> Addr | None:
        """As Listener.Addr. Source: Go src/net/tcpsock.go (*TCPListener).Addr."""
        return self.fd.laddr()

    def SetDeadline(self, t: float | None) -> None:
        """Let Accept fail with ErrDeadlineExceeded from the instant t on; 0 or None for no deadline.

        Raises: OpError "set".  Source: Go src/net/tcpsock.go (*TCPListener).SetDeadline.
        """
        try:
            self.fd.SetDeadline(t)
        except OSError as err:
            raise self.fd.setError(err) from None

    def File(self) -> File:
        """A duplicate of the descriptor, the caller's to close; neither's end closes the other.

        Raises: OpError "file".  Source: Go src/net/tcpsock.go (*TCPListener).File.
        """
        try:
            return self.fd.dup()
        except OSError as err:
            raise self.fd.opError("file", err) from None


# ---- dialing and listening


def DialTCP(network: str, laddr: TCPAddr | None, raddr: TCPAddr | None) -> TCPConn:
    """A connection from laddr, None for any, to raddr, whose IP None is this host.

    Raises: OpError "dial"; TypeError, if an address is no TCPAddr.  Source: Go src/net/tcpsock.go DialTCP.
    """
    wantText("network", network)
    wanted("laddr", laddr, TCPAddr)
    wanted("raddr", raddr, TCPAddr)
    if network not in ("tcp", "tcp4", "tcp6"):
        raise OpError("dial", network, laddr, raddr, UnknownNetworkError(network))
    if raddr is None:
        raise OpError("dial", network, laddr, None, errMissingAddress())
    try:
        return dialTCP(opCtx(), 0, None, network, laddr, raddr)
    except OSError as err:
        raise OpError("dial", network, laddr, raddr, wrapSyscallError("", err)) from None


def dialTCP(
    ctx: opCtx, deadline: float, dialer: Dialer | None, network: str, laddr: TCPAddr | None, raddr: TCPAddr
) -> TCPConn:
    """A connection made before the deadline (0: none) and ctx's end, as dialer says.

    Raises: OSError, ControlError.
    """
    control = None if dialer is None else dialer.Control
    tries = 0
    while True:
        fd = internetSocket(network, laddr, raddr, _socket.SOCK_STREAM, 0, "dial")
        tries += 1
        # Linux may pick for us the very port we connect to, and TCP lets a socket connect to itself; and now and then
        # it picks one in use. Both only if the port is its to choose; another try gets another one (Go's doDialTCP).
        again = tries <= 2 and (laddr is None or laddr.Port == 0)
        try:
            fd.dial(ctx, deadline, laddr, raddr, control)
        except BaseException as err:
            fd.Close()
            if again and isinstance(err, OSError) and err.errno == errno.EADDRNOTAVAIL:
                continue
            raise
        if not again or not selfConnect(fd):
            break
        fd.Close()
    keepAlive, config = (0.0, None) if dialer is None else (dialer.KeepAlive, dialer.KeepAliveConfig)
    setDefaults(fd, wantNumber("KeepAlive", keepAlive), config)
    return TCPConn(fd)


def selfConnect(fd: netFD) -> bool:
    """Whether both ends of the connection are the same socket; for one whose addresses nobody has asked for yet."""
    if fd.lsa is None or fd.rsa is None:
        return True  # broken already: try again
    _, lhost, lport, _ = rawsys.parse_sockaddr(fd.lsa)
    _, rhost, rport, _ = rawsys.parse_sockaddr(fd.rsa)
    return lport == rport and IP(lhost) == IP(rhost)


def ListenTCP(network: str, laddr: TCPAddr | None) -> TCPListener:
    """A listener on laddr; its IP None is every address of this host, its Port 0 any that is free.

    Raises: OpError "listen"; TypeError, if laddr is no TCPAddr.  Source: Go src/net/tcpsock.go ListenTCP.
    """
    wantText("network", network)
    wanted("laddr", laddr, TCPAddr)
    if network not in ("tcp", "tcp4", "tcp6"):
        raise OpError("listen", network, None, laddr, UnknownNetworkError(network))
    try:
        return listenTCP(None, network, laddr or TCPAddr())
    except OSError as err:
        raise OpError("listen", network, None, laddr or TCPAddr(), wrapSyscallError("", err)) from None


def listenTCP(lc: ListenConfig | None, network: str, laddr: TCPAddr) -> TCPListener:
    """A listener made as lc says.

    Raises: OSError, ControlError.
    """
    control, reusePort = (None, False) if lc is None else (lc.Control, lc.ReusePort)
    keepAlive, config = (0.0, None) if lc is None else (wantNumber("KeepAlive", lc.KeepAlive), lc.KeepAliveConfig)
    fd = internetSocket(network, laddr, None, _socket.SOCK_STREAM, 0, "listen")
    try:
        fd.listenStream(laddr, listenerBacklog(), control, reusePort)
        if _inherits:
            setDefaults(fd, keepAlive, config)
        return TCPListener(fd, keepAlive, config)
    except BaseException:
        fd.Close()
        raise
