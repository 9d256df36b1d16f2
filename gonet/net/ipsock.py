"""What the networks over IP share: "host:port" texts, lists of addresses, the choice of IPv4 or IPv6.

Mirrors Go src/net/ipsock.go and ipsock_posix.go. Differs: internetAddrList is given the class of the addresses it is
to make, where Go's switches on the network; and a list, which Go can return along with an error, is returned or not.
"""

from __future__ import annotations

import _socket
import errno
from collections.abc import Callable
from operator import index
from typing import TYPE_CHECKING, Any, TypeVar

from gonet.net.errors import AddrError, Errno, SyscallError, UnknownNetworkError, errNoSuitableAddress
from gonet.net.interface import zoneIndex
from gonet.net.ip import IP, IPv4zero, IPv6len, IPv6unspecified, IPv6zero, matchAddrFamily, toIP
from gonet.net.net import Addr
from gonet.net.parse import wantText
from runtime import rawsys

if TYPE_CHECKING:
    from gonet.net.lookup import Resolver
    from gonet.net.opctx import opCtx

__all__ = [
    "JoinHostPort",
    "SplitHostPort",
    "favoriteAddrFamily",
    "first",
    "forResolve",
    "inetAddr",
    "internetAddrList",
    "isIPv4",
    "partition",
]

_A = TypeVar("_A", bound=Addr)

# ---- host and port


def SplitHostPort(hostport: str) -> tuple[str, str]:
    """(host, port) of "host:port", "[host]:port", "host%zone:port" or "[host%zone]:port"; both may be empty.

    Raises: AddrError.  Source: Go src/net/ipsock.go SplitHostPort.
    """
    wantText("hostport", hostport)
    i = hostport.rfind(":")
    if i < 0:
        raise AddrError("missing port in address", hostport)
    opening, closing = 0, 0  # where brackets are out of place from
    if hostport[0] == "[":
        end = hostport.find("]")
        if end < 0:
            raise AddrError("missing ']' in address", hostport)
        if end + 1 != i:
            # Either there is no colon after the "]", or it is not the last one.
            early = hostport[end + 1 : end + 2] == ":"
            raise AddrError("too many colons in address" if early else "missing port in address", hostport)
        host = hostport[1:end]
        opening, closing = 1, end + 1
    else:
        host = hostport[:i]
        if ":" in host:
            raise AddrError("too many colons in address", hostport)
    if "[" in hostport[opening:]:
        raise AddrError("unexpected '[' in address", hostport)
    if "]" in hostport[closing:]:
        raise AddrError("unexpected ']' in address", hostport)
    return host, hostport[i + 1 :]


def JoinHostPort(host: str, port: str | int) -> str:
    """ "host:port", or "[host]:port" if the host has colons as IPv6 addresses do.

    Source: Go src/net/ipsock.go JoinHostPort.
    """
    wantText("host", host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# ---- addresses with a port


class inetAddr(Addr):
    """An end point over IP: the IP (None for any), the Port, and for IPv6 the Zone. Prints as host:port."""

    __slots__ = ("IP", "Port", "Zone")
    _fields = __slots__

    def __init__(self, IP: Any = None, Port: int = 0, Zone: str = "") -> None:
        self.IP = toIP(IP)
        self.Port = Port if type(Port) is int else _port(Port)
        self.Zone = Zone

    def __str__(self) -> str:
        ip = str(self.IP) if self.IP else ""
        return JoinHostPort(f"{ip}%{self.Zone}" if self.Zone else ip, self.Port)

    def isWildcard(self) -> bool:
        return self.IP is None or self.IP.IsUnspecified()

    def family(self) -> int:
        if self.IP is None or len(self.IP) <= 4 or self.IP.To4() is not None:
            return _socket.AF_INET
        return _socket.AF_INET6

    def sockaddr(self, family: int, call: str) -> Any:
        """The opaque address that rawsys takes, for a socket of this family.

        Raises: AddrError if there is none; SyscallError of the call it was for, if the port is no port.
        """
        sa = ipToSockaddr(family, self.IP, self.Port, self.Zone)
        if sa is None:
            raise SyscallError(call, Errno(errno.EINVAL))
        return sa


def _port(port: Any) -> int:
    try:
        return index(port)
    except TypeError:
        raise TypeError(f"Port must be an int, not {type(port).__name__}") from None


def ipToSockaddr(family: int, ip: IP | None, port: int, zone: str) -> Any:
    """An opaque address for a socket of this family; None if the port is no port.

    Raises: AddrError if the family has no such address.
    """
    host: IP | None
    if family == _socket.AF_INET:
        host = ip.To4() if ip else IPv4zero.To4()
        if host is None:
            raise AddrError("non-IPv4 address", str(ip))
    else:
        # An IPv6 socket takes both families, for which IPv4's "any" is not enough: it would leave IPv6 out.
        host = ip.To16() if ip and ip != IPv4zero else IPv6zero
        if host is None:
            raise AddrError("non-IPv6 address", str(ip))
    port = index(port)
    if not 0 <= port <= 0xFFFF:
        return None
    return rawsys.sockaddr(family, bytes(host), port, 0, zoneIndex(zone) if len(host) == IPv6len else 0)


# ---- lists of addresses


def isIPv4(addr: Any) -> bool:
    """Whether addr has an IPv4 address; one without an address has not."""
    return addr.IP is not None and addr.IP.To4() is not None


def first(addrs: list[_A], ipv4: bool = True) -> _A:
    """The first address that is IPv4, or with ipv4=False the first that is not; else the first."""
    for addr in addrs:
        if isIPv4(addr) == ipv4:
            return addr
    return addrs[0]


def forResolve(addrs: list[_A], network: str, addr: str) -> _A:
    """The one address for a Resolve function: IPv4 is preferred unless the text was written as IPv6 is."""
    mark = ":" if network == "ip" else "["
    want6 = network in ("ip", "tcp", "udp") and mark in addr
    return first(addrs, ipv4=not want6)


def partition(addrs: list[_A]) -> tuple[list[_A], list[_A]]:
    """(those of the first one's family, the others); the order is kept."""
    primary = isIPv4(addrs[0]) if addrs else False
    return [a for a in addrs if isIPv4(a) == primary], [a for a in addrs if isIPv4(a) != primary]


def internetAddrList(
    resolver: Resolver, ctx: opCtx, net: str, addr: str, make: Callable[[IP | None, int, str], _A]
) -> list[_A]:
    """The addresses that addr, "host:port" or for "ip" networks a host, means; make makes each of (IP, port, zone).

    Raises: AddrError, DNSError, UnknownNetworkError.
    """
    host, portnum = "", 0
    if net in ("tcp", "tcp4", "tcp6", "udp", "udp4", "udp6"):
        if addr != "":
            host, port = SplitHostPort(addr)
            portnum = resolver.lookupPort(ctx, net, port)
    elif net in ("ip", "ip4", "ip6"):
        host = addr
    else:
        raise UnknownNetworkError(net)
    if host == "":
        return [make(None, portnum, "")]

    ips = resolver.lookupIPAddr(ctx, net, host)
    found = [make(ip.IP, portnum, ip.Zone) for ip in ips if _wanted(net, ip.IP)]
    if len(ips) == 1 and ips[0].IP == IPv6unspecified and _wanted(net, IPv4zero):
        found.append(make(IPv4zero, portnum, ""))  # "::" is both families' "any"
    if not found:
        raise errNoSuitableAddress(host)
    return found


def _wanted(net: str, ip: IP | None) -> bool:
    """Whether the network's name, by its end, admits the address."""
    if ip is None:
        return False
    if net.endswith("4"):
        return ip.To4() is not None
    return not net.endswith("6") or (len(ip) == IPv6len and ip.To4() is None)


def matchesLocal(addr: Any, local: Any) -> bool:
    """Whether a dial from the address local may go to addr: their families are the same, or one is "any"."""
    if local.isWildcard() or addr.isWildcard():
        return True
    return matchAddrFamily(addr.IP, local.IP)


# ---- what the system can do


class ipStackCapabilities:
    """Whether IPv4, IPv6, and IPv4 over an IPv6 socket work here; found out once."""

    __slots__ = ("ipv4Enabled", "ipv4MappedIPv6Enabled", "ipv6Enabled")

    def __init__(self) -> None:
        s = rawsys.socket(_socket.AF_INET, _socket.SOCK_STREAM, _socket.IPPROTO_TCP)
        self.ipv4Enabled = s >= 0 or s not in (-errno.EAFNOSUPPORT, -errno.EPROTONOSUPPORT)
        if s >= 0:
            rawsys.close(s)
        self.ipv6Enabled = _canBind("::1", 1)
        self.ipv4MappedIPv6Enabled = _canBind("::ffff:127.0.0.1", 0)


def _canBind(host: str, v6only: int) -> bool:
    """Whether an IPv6 socket can have this address."""
    s = rawsys.socket(_socket.AF_INET6, _socket.SOCK_STREAM, _socket.IPPROTO_TCP)
    if s < 0:
        return False
    try:
        rawsys.setsockopt(s, _socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, v6only)
        packed = _socket.inet_pton(_socket.AF_INET6, host)
        return rawsys.bind(s, rawsys.sockaddr(_socket.AF_INET6, packed, 0, 0, 0)) == 0
    finally:
        rawsys.close(s)


_caps: ipStackCapabilities | None = None


def ipStackCaps() -> ipStackCapabilities:
    """What this system can do, probed at the first call."""
    global _caps
    if _caps is None:
        _caps = ipStackCapabilities()
    return _caps


def favoriteAddrFamily(network: str, laddr: Any, raddr: Any, mode: str) -> tuple[int, bool]:
    """(the family of a socket for these addresses, whether it is to be for IPv6 alone); mode is "listen" or "dial".

    A listener on "any" address takes both families with one socket where the system can do that.
    """
    if network.endswith("4"):
        return _socket.AF_INET, False
    if network.endswith("6"):
        return _socket.AF_INET6, True
    if mode == "listen" and (laddr is None or laddr.isWildcard()):
        caps = ipStackCaps()
        if caps.ipv4MappedIPv6Enabled or not caps.ipv4Enabled:
            return _socket.AF_INET6, False
        return (_socket.AF_INET if laddr is None else laddr.family()), False
    if (laddr is None or laddr.family() == _socket.AF_INET) and (raddr is None or raddr.family() == _socket.AF_INET):
        return _socket.AF_INET, False
    return _socket.AF_INET6, False
