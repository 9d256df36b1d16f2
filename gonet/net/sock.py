"""Making sockets.

Mirrors Go src/net/sock_posix.go (socket), ipsock_posix.go (internetSocket), sock_linux.go and sock_cloexec.go. Differs:
internetSocket makes the socket and no more; who calls it then lets it dial or listen. There is no Multipath TCP.
"""

from __future__ import annotations

import _socket
from typing import Any

from gonet.net.errors import Errno, SyscallError
from gonet.net.fd import netFD
from gonet.net.ipsock import favoriteAddrFamily
from gonet.net.parse import dtoi, readLines
from gonet.net.sockopt import setDefaultSockopts
from runtime import rawsys

__all__ = ["internetSocket", "listenerBacklog", "sysSocket"]

_backlog = 0


def listenerBacklog() -> int:
    """The longest accept queue that the system allows."""
    global _backlog
    if _backlog == 0:
        lines = readLines("/proc/sys/net/core/somaxconn")
        number = dtoi(lines[0][0]) if lines else None
        # Linux before 4.1 keeps it in 16 bits; the kernel cuts a larger number down by itself since.
        _backlog = number[0] if number is not None and number[0] > 0 else _socket.SOMAXCONN
    return _backlog


def sysSocket(family: int, sotype: int, proto: int) -> int:
    """A new socket, non-blocking and not inherited by child processes.

    Raises: SyscallError "socket".
    """
    s = rawsys.socket(family, sotype, proto)
    if s < 0:
        raise SyscallError("socket", Errno(-s))
    return s


def internetSocket(net: str, laddr: Any, raddr: Any, sotype: int, proto: int, mode: str) -> netFD:
    """A socket of the family that suits the addresses; mode is "listen" or "dial".

    Raises: SyscallError.
    """
    family, ipv6only = favoriteAddrFamily(net, laddr, raddr, mode)
    s = sysSocket(family, sotype, proto)
    try:
        setDefaultSockopts(s, family, sotype, ipv6only)
        return netFD(s, family, sotype, net)
    except BaseException:
        rawsys.close(s)
        raise
