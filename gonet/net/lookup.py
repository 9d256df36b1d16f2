"""Names to addresses and ports.

Mirrors Go src/net/lookup.go and cgo_unix.go. Differs: the C library's getaddrinfo answers, on a helper thread while the
goroutine is parked, with two of Go's own rules kept: literals ask nobody, and what only inet_aton(3) takes for an
address ("1.2.3", "010.0.0.1", "0x7f.1") is no host, since others read it differently.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any, TypeVar

from gonet import go
from gonet.net.errors import (
    DNSError,
    Errno,
    UnknownNetworkError,
    errNoSuchHost,
    errorText,
    errTimeout,
    isTemporary,
    newDNSError,
)
from gonet.net.interface import zoneName
from gonet.net.ip import IP, parseAddr
from gonet.net.iprawsock import IPAddr
from gonet.net.ipsock import internetAddrList
from gonet.net.mailbox import mailbox
from gonet.net.opctx import opCtx
from gonet.net.parse import wantText
from gonet.net.port import lookupPort
from gonet.time import Now
from runtime import Syscall

__all__ = ["DefaultResolver", "LookupHost", "LookupIP", "LookupIPAddr", "LookupPort", "Resolver"]

_T = TypeVar("_T")

_EAI_NODATA: int = getattr(_socket, "EAI_NODATA", _socket.EAI_NONAME)


class Resolver:
    """Looks up names. Methods take a context first, or None for no limit; the functions below them do without.

    PreferGo and Dial, which choose and direct a resolver of our own, have no effect on the C library's.

    Source: Go src/net/lookup.go Resolver.
    """

    __slots__ = ("Dial", "PreferGo")

    def __init__(self, PreferGo: bool = False, Dial: Any = None) -> None:
        self.PreferGo = PreferGo
        self.Dial = Dial

    def LookupHost(self, ctx: Any, host: str) -> list[str]:
        """The texts of the addresses host has; of a literal, itself.

        Raises: DNSError.  Source: Go src/net/lookup.go (*Resolver).LookupHost.
        """
        wantText("host", host)
        if host != "" and parseAddr(host) is not None:
            return [host]
        return [str(ip) for ip in self.lookupIPAddr(opCtx(ctx), "ip", host)]

    def LookupIPAddr(self, ctx: Any, host: str) -> list[IPAddr]:
        """The addresses host has, with zones.

        Raises: DNSError.  Source: Go src/net/lookup.go (*Resolver).LookupIPAddr.
        """
        return self.lookupIPAddr(opCtx(ctx), "ip", host)

    def LookupIP(self, ctx: Any, network: str, host: str) -> list[IP]:
        """The addresses host has in network: "ip", "ip4" or "ip6".

        Raises: DNSError, AddrError "no suitable address found", UnknownNetworkError.
        Source: Go src/net/lookup.go (*Resolver).LookupIP.
        """
        if network not in ("ip", "ip4", "ip6"):
            raise UnknownNetworkError(network)
        if host == "":
            raise newDNSError(errNoSuchHost(), host)
        addrs = internetAddrList(self, opCtx(ctx), network, host, _makeIPAddr)
        return [a.IP for a in addrs if a.IP is not None]

    def LookupPort(self, ctx: Any, network: str, service: str) -> int:
        """The port that service, a number or a name, is on this network.

        Raises: AddrError, DNSError "unknown port".  Source: Go src/net/lookup.go (*Resolver).LookupPort.
        """
        return lookupPort(network, service)

    def lookupPort(self, ctx: opCtx, network: str, service: str) -> int:
        return lookupPort(network, service)

    def lookupIPAddr(self, ctx: opCtx, network: str, host: str) -> list[IPAddr]:
        """The addresses host has; a network ending in 4 or 6 asks for no others.

        Raises: DNSError.
        """
        wantText("host", host)
        if host == "":
            raise newDNSError(errNoSuchHost(), host)
        literal = parseAddr(host)
        if literal is not None:
            return [IPAddr(literal[0].To16(), literal[1])]
        return doBlockingWithCtx(ctx, host, _getaddrinfo, network, host)


DefaultResolver = Resolver()


def _makeIPAddr(ip: IP | None, port: int, zone: str) -> IPAddr:
    return IPAddr(ip, zone)


# ---- the C library


def doBlockingWithCtx(ctx: opCtx, name: str, blocking: Callable[..., _T], *args: Any) -> _T:
    """blocking(*args) on a helper thread, waited for as long as ctx allows; later its result goes unheard.

    Raises: what blocking raises; DNSError of that name when ctx ends first.
    """
    err = ctx.Err()
    if err is not None:
        raise newDNSError(err, name)
    done = ctx.Done()
    if done is None and ctx.deadline == 0:
        return Syscall(blocking, *args)

    box = mailbox()
    go(_postResult, box, blocking, args)
    if ctx.deadline != 0:
        box.alarm(ctx.deadline - Now())
    if done is not None:
        ctx.onEnd(box)
    try:
        result = box.wait()
    finally:
        ctx.leave()
        box.close()
    if result is None:
        raise newDNSError(ctx.Err() or errTimeout(), name)
    answer, failure = result
    if failure is None:
        return answer  # type: ignore[no-any-return]
    try:
        raise failure
    finally:
        result = failure = None  # its traceback holds this frame


def _postResult(box: mailbox, blocking: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        box.post((Syscall(blocking, *args), None))
    except BaseException as err:
        box.post((None, err))


def _getaddrinfo(network: str, host: str) -> list[IPAddr]:
    """What getaddrinfo(3) says of host. Blocks the thread.

    Raises: DNSError.
    """
    family = _socket.AF_INET if network[-1:] == "4" else _socket.AF_INET6 if network[-1:] == "6" else 0
    try:
        name = host.encode("utf-8", "surrogateescape")  # bytes, since for str Python applies IDNA first
    except UnicodeEncodeError:  # half of a surrogate pair
        raise newDNSError(errNoSuchHost(), host) from None
    if b"\0" in name or _inetAton(host):
        raise newDNSError(errNoSuchHost(), host)
    try:
        found = _socket.getaddrinfo(name, None, family, _socket.SOCK_STREAM, 0, _socket.AI_V4MAPPED | _socket.AI_ALL)
    except _socket.gaierror as err:
        code = err.args[0] if err.args else 0
        if code in (_socket.EAI_NONAME, _EAI_NODATA):
            raise newDNSError(errNoSuchHost(), host) from None
        temporary = code == _socket.EAI_AGAIN
        raise DNSError(err.args[-1] if err.args else str(err), host, IsTemporary=temporary) from None
    except OSError as err:
        cause: BaseException = err if err.errno is None else Errno(err.errno)
        raise DNSError(errorText(cause), host, IsTemporary=isTemporary(cause)) from None
    except UnicodeError:
        raise newDNSError(errNoSuchHost(), host) from None
    addrs = []
    for fam, _, _, _, sa in found:
        parsed = parseAddr(str(sa[0]).partition("%")[0])
        if parsed is not None:
            scope = sa[3] if fam == _socket.AF_INET6 and len(sa) > 3 else 0
            addrs.append(IPAddr(parsed[0], zoneName(int(scope))))
    if not addrs:
        raise newDNSError(errNoSuchHost(), host)
    return addrs


def _inetAton(host: str) -> bool:
    try:
        _socket.inet_aton(host)
    except (OSError, UnicodeError):
        return False
    return True


# ---- the same without a context


def LookupHost(host: str) -> list[str]:
    """Resolver.LookupHost of the default resolver, without a limit. Source: Go src/net/lookup.go LookupHost."""
    return DefaultResolver.LookupHost(None, host)


def LookupIP(host: str) -> list[IP]:
    """The addresses host has, IPv4 and IPv6, by the default resolver.

    Raises: DNSError.  Source: Go src/net/lookup.go LookupIP.
    """
    return [a.IP for a in DefaultResolver.LookupIPAddr(None, host) if a.IP is not None]


def LookupIPAddr(host: str) -> list[IPAddr]:
    """Resolver.LookupIPAddr of the default resolver, without a limit. Source: Go src/net/lookup.go LookupIPAddr."""
    return DefaultResolver.LookupIPAddr(None, host)


def LookupPort(network: str, service: str) -> int:
    """Resolver.LookupPort of the default resolver. Source: Go src/net/lookup.go LookupPort."""
    return DefaultResolver.LookupPort(None, network, service)
