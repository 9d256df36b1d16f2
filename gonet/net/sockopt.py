"""Options of sockets of any kind.

Mirrors Go src/net/sockopt_posix.go and sockopt_linux.go (the other systems' files say the same for streams).
Those that take a bare descriptor are for a socket no netFD owns yet, and raise SyscallError; those that take a netFD
raise what package poll raises.
"""

from __future__ import annotations

import _socket
from operator import index
from struct import pack
from typing import TYPE_CHECKING

from gonet.net.errors import Errno, SyscallError
from runtime import rawsys

if TYPE_CHECKING:
    from gonet.net.fd import netFD

__all__ = [
    "INT_MAX",
    "cint",
    "setDefaultListenerSockopts",
    "setDefaultSockopts",
    "setKeepAlive",
    "setLinger",
    "setReadBuffer",
    "setReusePort",
    "setWriteBuffer",
]


INT_MAX = 0x7FFFFFFF


def cint(n: int) -> int:
    """n, or the C int next to it: what a system that takes less has to say of it, it says. Raises: TypeError."""
    return min(max(index(n), -INT_MAX - 1), INT_MAX)


def setDefaultSockopts(s: int, family: int, sotype: int, ipv6only: bool) -> None:
    """What every new socket gets: IPv6 takes IPv4 or not, as asked and whatever the system's default; broadcasts."""
    if family == _socket.AF_INET6 and sotype != _socket.SOCK_RAW:
        rawsys.setsockopt(s, _socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, ipv6only)  # some systems never admit it
    if sotype in (_socket.SOCK_DGRAM, _socket.SOCK_RAW) and family != _socket.AF_UNIX:
        _setsockopt(s, _socket.SOL_SOCKET, _socket.SO_BROADCAST, 1)


def setDefaultListenerSockopts(s: int) -> None:
    """Let a listener have an address whose last connections are still in TIME_WAIT."""
    _setsockopt(s, _socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)


def setReusePort(s: int) -> None:
    """Let several listeners share the address; the system spreads connections over them."""
    _setsockopt(s, _socket.SOL_SOCKET, _socket.SO_REUSEPORT, 1)


def _setsockopt(s: int, level: int, opt: int, value: int) -> None:
    r = rawsys.setsockopt(s, level, opt, value)
    if r < 0:
        raise SyscallError("setsockopt", Errno(-r))


def setReadBuffer(fd: netFD, bytes: int) -> None:
    fd.SetsockoptInt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, cint(bytes))


def setWriteBuffer(fd: netFD, bytes: int) -> None:
    fd.SetsockoptInt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, cint(bytes))


def setKeepAlive(fd: netFD, keepalive: bool) -> None:
    fd.SetsockoptInt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1 if keepalive else 0)


def setLinger(fd: netFD, sec: int) -> None:
    """With sec >= 0 close waits or resets as SO_LINGER says; below 0 it is off again."""
    sec = max(cint(sec), -1)
    # struct linger, two ints
    fd.SetsockoptBytes(_socket.SOL_SOCKET, _socket.SO_LINGER, pack("ii", sec >= 0, max(sec, 0)))
