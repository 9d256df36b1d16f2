"""Dial and Listen: from names of networks and texts of addresses to connections and listeners.

Mirrors Go src/net/dial.go. Differs: what Go derives contexts for is an opCtx here; the deadline of one address of
several (partialDeadline) is passed beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gonet import go
from gonet.net.errors import (
    AddrError,
    OpError,
    UnknownNetworkError,
    errMissingAddress,
    errTimeout,
    wrapSyscallError,
)
from gonet.net.fd import ControlError
from gonet.net.ipsock import first, internetAddrList, matchesLocal, partition
from gonet.net.lookup import DefaultResolver, Resolver
from gonet.net.mailbox import mailbox
from gonet.net.net import Addr, Conn, Listener
from gonet.net.opctx import minNonzero, opCtx
from gonet.net.parse import wantCallable, wanted, wantNumber, wantText
from gonet.net.rawconn import rawConn
from gonet.net.tcpsock import KeepAliveConfig as _KeepAliveConfig
from gonet.net.tcpsock import TCPAddr, dialTCP, listenTCP, wantKeepAliveConfig
from gonet.time import Now

__all__ = ["Dial", "DialTimeout", "Dialer", "Listen", "ListenConfig"]

_Control = Callable[[str, str, rawConn], object]

_fallbackDelay = 0.3  # RFC 6555 and Go
_saneMinimum = 2.0  # seconds an address is given though there are many, Go's partialDeadline


def parseNetwork(network: str) -> str:
    """The network itself, if there is such a network.

    Raises: UnknownNetworkError; TypeError, if it is no str.
    """
    wantText("network", network)
    if network in ("tcp", "tcp4", "tcp6"):
        return network
    raise UnknownNetworkError(network)


def resolveAddrList(
    resolver: Resolver, ctx: opCtx, op: str, network: str, addr: str, hint: Addr | None
) -> list[TCPAddr]:
    """The addresses that addr means in this network; for a dial from the address hint, those it can reach.

    Raises: UnknownNetworkError, AddrError, DNSError.
    """
    parseNetwork(network)
    wantText("address", addr)
    if op == "dial" and addr == "":
        raise errMissingAddress()
    addrs = internetAddrList(resolver, ctx, network, addr, TCPAddr)
    if op != "dial" or hint is None:
        return addrs
    if any(a.Network() != hint.Network() for a in addrs):
        raise AddrError("mismatched local address type", str(hint))
    addrs = [a for a in addrs if matchesLocal(a, hint)]
    if not addrs:
        raise AddrError("no suitable address found", str(hint))
    return addrs


def partialDeadline(now: float, deadline: float, addrsRemaining: int) -> float:
    """The deadline of the next of several addresses, when all must be done by deadline (0: none).

    Raises: timeoutError.
    """
    if deadline == 0:
        return 0.0
    remaining = deadline - now
    if remaining <= 0:
        raise errTimeout()
    return now + max(remaining / addrsRemaining, min(remaining, _saneMinimum))


class Dialer:
    """How to dial. All settings are keyword arguments and attributes; 0 and None are unset.

    Timeout          seconds the dial may take, names and all addresses included; a negative number is no time at all
    Deadline         the instant by which it must be done, as time.Now() gives it
    LocalAddr        the address to dial from, such as a TCPAddr
    FallbackDelay    when a name has IPv4 and IPv6 addresses, seconds the first kind is given before the other kind is
                     tried beside it (0 is 0.3); a negative number: one after the other (RFC 6555, Happy Eyeballs)
    KeepAlive        seconds without traffic before the first probe, 0 is 15; a negative number: no keep-alive
    KeepAliveConfig  all about the probes, prevails over KeepAlive if its Enable is true
    Resolver         what looks up names
    Control          called as Control(network, address, rawconn) with each socket before it is bound and connected

    Source: Go src/net/dial.go Dialer.
    """

    __slots__ = (
        "Control",
        "Deadline",
        "FallbackDelay",
        "KeepAlive",
        "KeepAliveConfig",
        "LocalAddr",
        "Resolver",
        "Timeout",
    )

    def __init__(
        self,
        *,
        Timeout: float | None = None,
        Deadline: float | None = None,
        LocalAddr: Addr | None = None,
        FallbackDelay: float | None = None,
        KeepAlive: float | None = None,
        KeepAliveConfig: _KeepAliveConfig | None = None,
        Resolver: Resolver | None = None,
        Control: _Control | None = None,
    ) -> None:
        self.Timeout = 0.0 if Timeout is None else Timeout
        self.Deadline = 0.0 if Deadline is None else Deadline
        self.LocalAddr = LocalAddr
        self.FallbackDelay = 0.0 if FallbackDelay is None else FallbackDelay
        self.KeepAlive = 0.0 if KeepAlive is None else KeepAlive
        self.KeepAliveConfig = KeepAliveConfig
        self.Resolver = Resolver
        self.Control = Control

    def Dial(self, network: str, address: str) -> Conn:
        """Connect to address, a "host:port", on network: "tcp", "tcp4" or "tcp6".

        Raises: OpError "dial".  Source: Go src/net/dial.go (*Dialer).Dial.
        """
        return self._dial(None, network, address)

    def DialContext(self, ctx: Any, network: str, address: str) -> Conn:
        """Dial, given up when the context ends; once connected its end changes nothing.

        Raises: OpError "dial".  Source: Go src/net/dial.go (*Dialer).DialContext.
        """
        if ctx is None:
            raise TypeError("nil context")
        return self._dial(ctx, network, address)

    def deadline(self, now: float) -> float:
        """The instant by which a dial begun now must be done; 0 for none."""
        timeout = wantNumber("Timeout", self.Timeout)
        earliest = now + timeout if timeout else 0.0  # a negative Timeout counts
        return minNonzero(earliest, wantNumber("Deadline", self.Deadline))

    def _dial(self, ctx: Any, network: str, address: str) -> Conn:
        wanted("LocalAddr", self.LocalAddr, Addr)
        wanted("Resolver", self.Resolver, Resolver)
        wantNumber("KeepAlive", self.KeepAlive)
        wantKeepAliveConfig(self.KeepAliveConfig)
        wantCallable("Control", self.Control)
        fallbackDelay = wantNumber("FallbackDelay", self.FallbackDelay)
        op = opCtx(ctx, self.deadline(Now()))
        try:
            addrs = resolveAddrList(self.Resolver or DefaultResolver, op, "dial", network, address, self.LocalAddr)
        except OSError as err:
            raise OpError("dial", network, None, None, err) from None
        if fallbackDelay >= 0 and network == "tcp":
            primaries, fallbacks = partition(addrs)
            if fallbacks:
                return dialParallel(self, op, network, primaries, fallbacks)
        return dialSerial(self, op, network, addrs)


def Dial(network: str, address: str) -> Conn:
    """Dialer().Dial: connect to address on network.

    Raises: OpError "dial".  Source: Go src/net/dial.go Dial.
    """
    return Dialer().Dial(network, address)


def DialTimeout(network: str, address: str, timeout: float) -> Conn:
    """Dial within timeout seconds, names and all addresses included.

    Raises: OpError "dial".  Source: Go src/net/dial.go DialTimeout.
    """
    return Dialer(Timeout=timeout).Dial(network, address)


def dialSerial(dialer: Dialer, ctx: opCtx, network: str, ras: list[TCPAddr]) -> Conn:
    """A connection to the first of the addresses that can be had; the first one's error if there is none.

    Raises: OpError "dial".
    """
    firstErr: OpError | None = None
    for i, ra in enumerate(ras):
        ended = ctx.Err()
        if ended is not None:
            raise OpError("dial", network, dialer.LocalAddr, ra, ended)
        try:
            deadline = partialDeadline(Now(), ctx.deadline, len(ras) - i)
        except TimeoutError as err:
            firstErr = firstErr or OpError("dial", network, dialer.LocalAddr, ra, err)
            break
        try:
            return dialSingle(dialer, ctx, deadline, network, ra)
        except OpError as err:
            firstErr = firstErr or err
    try:
        raise firstErr or OpError("dial", network, None, None, errMissingAddress())
    finally:
        firstErr = None  # whose traceback holds this frame


def dialSingle(dialer: Dialer, ctx: opCtx, deadline: float, network: str, ra: TCPAddr) -> Conn:
    """A connection to the address ra, made by the deadline (0: none).

    Raises: OpError "dial".
    """
    la = dialer.LocalAddr
    try:
        return dialTCP(ctx, deadline, dialer, network, la if isinstance(la, TCPAddr) else None, ra)
    except ControlError as err:
        raise OpError("dial", network, la, ra, err.err) from err.err
    except OSError as err:
        raise OpError("dial", network, la, ra, wrapSyscallError("", err)) from None


# ---- Happy Eyeballs


def dialParallel(dialer: Dialer, ctx: opCtx, network: str, primaries: list[TCPAddr], fallbacks: list[TCPAddr]) -> Conn:
    """The first connection that two dialSerials get, of which the one to the fallbacks begins later.

    It begins after the fallback delay, or at once when the primaries have failed. The loser is closed.
    Raises: OpError "dial", the primaries'.
    """
    box = mailbox(_tooLate)
    primary, fallback = opCtx(ctx.parent, ctx.deadline), opCtx(ctx.parent, ctx.deadline)
    started, failed = False, 0
    firstErr: BaseException = errMissingAddress()
    try:
        go(_racer, box, True, dialer, primary, network, primaries)
        box.alarm(dialer.FallbackDelay or _fallbackDelay)
        while True:
            result = box.wait()
            if result is not None:
                c, err, isPrimary = result
                if c is not None:
                    return c  # type: ignore[no-any-return]
                failed += 1
                if isPrimary:
                    firstErr = err
                if failed == 2:
                    raise firstErr
            if not started:
                started = True
                go(_racer, box, False, dialer, fallback, network, fallbacks)
    finally:
        primary.cancel()
        fallback.cancel()
        box.close()
        result = err = firstErr = None  # type: ignore[assignment]  # as in dialSerial


def _racer(box: mailbox, isPrimary: bool, dialer: Dialer, ctx: opCtx, network: str, ras: list[TCPAddr]) -> None:
    """One of the two: dials, and posts (conn or None, error or None, isPrimary)."""
    try:
        box.post((dialSerial(dialer, ctx, network, ras), None, isPrimary))
    except BaseException as err:  # an OpError, or what a Control function ended the goroutine with
        box.post((None, err, isPrimary))


def _tooLate(result: Any) -> None:
    """The loser's connection."""
    if result is not None and result[0] is not None:
        result[0].Close()


# ---- listening


class ListenConfig:
    """How to listen. All settings are keyword arguments and attributes; 0 and None are unset.

    Control          called as Control(network, address, rawconn) with the socket before it is bound
    KeepAlive        for accepted connections: seconds without traffic before the first probe, 0 is 15; a negative
                     number: no keep-alive
    KeepAliveConfig  all about the probes, prevails over KeepAlive if its Enable is true
    ReusePort        let other listeners that say so too share the address (SO_REUSEPORT)

    Source: Go src/net/dial.go ListenConfig.
    """

    __slots__ = ("Control", "KeepAlive", "KeepAliveConfig", "ReusePort")

    def __init__(
        self,
        *,
        Control: _Control | None = None,
        KeepAlive: float | None = None,
        KeepAliveConfig: _KeepAliveConfig | None = None,
        ReusePort: bool = False,
    ) -> None:
        self.Control = Control
        self.KeepAlive = 0.0 if KeepAlive is None else KeepAlive
        self.KeepAliveConfig = KeepAliveConfig
        self.ReusePort = ReusePort

    def Listen(self, ctx: Any, network: str, address: str) -> Listener:
        """Listen on address, a "host:port", of network: "tcp", "tcp4" or "tcp6".

        Without a host it is all addresses of this machine, with port 0 or none any port that is free. ctx, or None,
        limits the look-up of names, and if it has ended nothing is listened on (in Go only a look-up fails then); the
        listener lives on.
        Raises: OpError "listen".  Source: Go src/net/dial.go (*ListenConfig).Listen.
        """
        wantNumber("KeepAlive", self.KeepAlive)
        wantKeepAliveConfig(self.KeepAliveConfig)
        wantCallable("Control", self.Control)
        op = opCtx(ctx)
        try:
            addrs = resolveAddrList(DefaultResolver, op, "listen", network, address, None)
        except OSError as err:
            raise OpError("listen", network, None, None, err) from None
        la = first(addrs)
        ended = op.Err()
        if ended is not None:
            raise OpError("listen", network, None, la, ended)
        try:
            return listenTCP(self, network, la)
        except ControlError as err:
            raise OpError("listen", network, None, la, err.err) from err.err
        except OSError as err:
            raise OpError("listen", network, None, la, wrapSyscallError("", err)) from None


def Listen(network: str, address: str) -> Listener:
    """ListenConfig().Listen without a context: listen on address of network.

    Raises: OpError "listen".  Source: Go src/net/dial.go Listen.
    """
    return ListenConfig().Listen(None, network, address)
