"""netFD: a network's descriptor, with its addresses.

Mirrors Go src/net/fd_posix.go, fd_unix.go and the methods of src/net/sock_posix.go. Differs: netFD is a poll.FD where
Go's has one; addresses are made when asked for. A socket address stays as the system gave it (an opaque value of
rawsys) until laddr or raddr turns it into an Addr, and the local one is not even asked for before that: a server that
accepts, answers and closes makes no Addr at all.

Invariants
  lsa and rsa are None, what rawsys gave, or the Addr made of it. Once closed, lsa is None only if getsockname failed.
  getsockname is called only while the descriptor cannot be closed (incref), so never on a successor of its number.
  What a signal's handler raises while a goroutine waits here is not ours and passes through, even if it is an OSError.
"""

from __future__ import annotations

import _socket
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gonet.net.errors import (
    ErrDeadlineExceeded,
    Errno,
    OpError,
    SyscallError,
    errTimeout,
    isOurs,
    wrapSyscallError,
)
from gonet.net.file import File
from gonet.net.net import Addr
from gonet.net.opctx import aLongTimeAgo
from gonet.net.rawconn import rawConn
from gonet.net.sockopt import setDefaultListenerSockopts, setReusePort
from gonet.poll.fd_unix import FD
from runtime import rawsys

if TYPE_CHECKING:
    from gonet.net.opctx import opCtx

    Control = Callable[[str, str, rawConn], object]

__all__ = ["ControlError", "addrFunc", "netFD"]

# For each network the function that makes its Addr of (family, packed host, port, scope id); filled by tcpsock.
addrFunc: dict[str, Callable[[Any], Addr]] = {}

_inProgress = (-errno.EINPROGRESS, -errno.EALREADY, -errno.EINTR)


class ControlError(Exception):
    """Carries what a Control function raised, no OSError, to where the OpError around it is made."""

    def __init__(self, err: Exception) -> None:
        super().__init__(err)
        self.err = err


class netFD(FD):
    """A socket of family and sotype for the network net."""

    __slots__ = ("family", "lsa", "net", "rsa", "sotype")

    def __init__(self, sysfd: int, family: int, sotype: int, net: str) -> None:
        FD.__init__(self, sysfd, sotype == _socket.SOCK_STREAM, sotype not in (_socket.SOCK_DGRAM, _socket.SOCK_RAW))
        self.family = family
        self.sotype = sotype
        self.net = net
        self.lsa: Any = None
        self.rsa: Any = None

    # ---- addresses and errors

    def laddr(self) -> Addr | None:
        """The local address; None if it was not known when the descriptor was closed."""
        if self.lsa is None:
            self._sockname()
        if self.lsa is not None and not isinstance(self.lsa, Addr):
            self.lsa = addrFunc[self.net](self.lsa)
        return self.lsa

    def raddr(self) -> Addr | None:
        """The peer's address; None if there is no peer."""
        if self.rsa is not None and not isinstance(self.rsa, Addr):
            self.rsa = addrFunc[self.net](self.rsa)
        return self.rsa

    def _sockname(self) -> None:
        """Ask for the local address, unless the descriptor is closed."""
        if not self.incref():
            return
        try:
            sa = rawsys.getsockname(self.Sysfd)
            if not isinstance(sa, int):
                self.lsa = sa
        finally:
            if self.decref():
                self._destroy()

    def name(self) -> str:
        """What File calls a duplicate."""
        return f"{self.net}:{self.laddr() or ''}->{self.raddr() or ''}"

    def opError(self, op: str, err: OSError) -> OSError:
        """The error of an operation on a connection, or on a listener, which has no Source."""
        if not isOurs(err):
            return err
        cause = wrapSyscallError(op, err)
        raddr = self.raddr()
        if raddr is None:
            return OpError(op, self.net, None, self.laddr(), cause)
        return OpError(op, self.net, self.laddr(), raddr, cause)

    def setError(self, err: OSError) -> OSError:
        """The error of an operation on this end alone."""
        if not isOurs(err):
            return err
        return OpError("set", self.net, None, self.laddr(), wrapSyscallError("setsockopt", err))

    # ---- the end

    def Close(self) -> None:
        """Close the descriptor, keeping the local address."""
        if self.lsa is None:
            self._sockname()
        FD.Close(self)

    def closeRead(self) -> None:
        self.Shutdown(_socket.SHUT_RD)

    def closeWrite(self) -> None:
        self.Shutdown(_socket.SHUT_WR)

    def dup(self) -> File:
        """A File that owns a duplicate."""
        return File(self.Dup(), self.name())

    # ---- the beginning

    def init(self) -> None:
        self.Init(self.net, True)

    def accept(self) -> netFD:
        """The next connection's descriptor.

        Raises: what FD.Accept raises.
        """
        d, rsa = self.Accept()
        try:
            fd = netFD(d, self.family, self.sotype, self.net)
        except BaseException:
            rawsys.close(d)
            raise
        fd.rsa = rsa
        try:
            fd.Init(self.net, True)
        except BaseException:
            fd.Close()
            raise
        return fd

    def ctrlNetwork(self) -> str:
        """The network a Control function is told: the one of this socket's family."""
        if self.net.startswith("unix") or self.net[-1] in "46":
            return self.net
        return self.net + ("4" if self.family == _socket.AF_INET else "6")

    def control(self, ctrl: Control, addr: Any) -> None:
        """Call a Control function.

        Raises: an OSError as the function raised it, any other exception of its in a ControlError.
        """
        try:
            ctrl(self.ctrlNetwork(), str(addr), rawConn(self))
        except OSError:
            raise
        except Exception as err:
            raise ControlError(err) from err

    def bind(self, lsa: Any) -> None:
        r = rawsys.bind(self.Sysfd, lsa)
        if r < 0:
            raise SyscallError("bind", Errno(-r))

    def listenStream(self, laddr: Any, backlog: int, ctrl: Control | None, reusePort: bool) -> None:
        """Bind to laddr and listen."""
        setDefaultListenerSockopts(self.Sysfd)
        if reusePort:
            setReusePort(self.Sysfd)
        lsa = laddr.sockaddr(self.family, "bind")
        if ctrl is not None:
            self.control(ctrl, laddr)
        self.bind(lsa)
        r = rawsys.listen(self.Sysfd, backlog)
        if r < 0:
            raise SyscallError("listen", Errno(-r))
        self.init()
        self._sockname()

    def dial(self, ctx: opCtx, deadline: float, laddr: Any, raddr: Any, ctrl: Control | None) -> None:
        """Bind to laddr, unless it is None, and connect to raddr before the deadline (0: none) and ctx's end."""
        if ctrl is not None:
            self.control(ctrl, raddr)
        if laddr is not None:
            self.bind(laddr.sockaddr(self.family, "bind"))
        self.rsa = self.connect(ctx, deadline, raddr.sockaddr(self.family, "connect"))
        self._sockname()

    def connect(self, ctx: opCtx, deadline: float, rsa: Any) -> Any:
        """Connect to rsa; returns the address of who answered, as the system says."""
        # No operation of others can be under way: nobody else knows this netFD.
        r = rawsys.connect(self.Sysfd, rsa)
        if r != 0 and r != -errno.EISCONN and r not in _inProgress:
            raise SyscallError("connect", Errno(-r))
        if r in _inProgress:
            self.init()
            if deadline != 0:
                self.SetWriteDeadline(deadline)
            ctx.enter(self)
            try:
                rsa = self.waitConnected(ctx)
            finally:
                ctx.leave()
                if deadline != 0:
                    self.SetWriteDeadline(0)
        else:
            self.init()
            peer = rawsys.getpeername(self.Sysfd)
            rsa = rsa if isinstance(peer, int) else peer
        if ctx.canceled or r not in _inProgress:
            err = ctx.Err()
            if err is not None:
                raise err
        return rsa

    def waitConnected(self, ctx: opCtx) -> Any:
        """Wait until a connect in progress has ended; returns the peer's address."""
        while True:
            try:
                self.WaitWrite()
            except ErrDeadlineExceeded:
                raise (ctx.Err() or errTimeout()) from None
            n = rawsys.getsockopt(self.Sysfd, _socket.SOL_SOCKET, _socket.SO_ERROR)
            if n < 0:
                raise SyscallError("getsockopt", Errno(-n))
            if n == 0 or n == errno.EISCONN:
                # Writable without an error may be early on some systems (Go's issue 14548); a peer is the proof.
                peer = rawsys.getpeername(self.Sysfd)
                if not isinstance(peer, int):
                    return peer
            elif -n not in _inProgress:
                raise SyscallError("connect", Errno(n))

    def interrupt(self) -> None:
        """Make a connect in progress end at once."""
        try:
            self.SetWriteDeadline(aLongTimeAgo)
        except OSError:
            pass  # it has ended, and badly: the descriptor is closed
