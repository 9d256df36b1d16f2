"""Options of TCP sockets.

Mirrors Go src/net/tcpsockopt_posix.go, tcpsockopt_unix.go and tcpsockopt_darwin.go.
"""

from __future__ import annotations

import _socket
import math
from typing import TYPE_CHECKING

from gonet.net.sockopt import INT_MAX, cint
from runtime.timesleep import number

if TYPE_CHECKING:
    from gonet.net.fd import netFD

__all__ = ["setKeepAliveCount", "setKeepAliveIdle", "setKeepAliveInterval", "setNoDelay"]

# Go src/net/dial.go; seconds, seconds, probes.
defaultTCPKeepAliveIdle = 15.0
defaultTCPKeepAliveInterval = 15.0
defaultTCPKeepAliveCount = 9

# macOS calls the idle time TCP_KEEPALIVE, and Python before 3.13 knows it by no name.
_TCP_KEEPIDLE: int = getattr(_socket, "TCP_KEEPIDLE", getattr(_socket, "TCP_KEEPALIVE", 0x10))
_TCP_KEEPINTVL: int = getattr(_socket, "TCP_KEEPINTVL", 0x101)
_TCP_KEEPCNT: int = getattr(_socket, "TCP_KEEPCNT", 0x102)


def setNoDelay(fd: netFD, noDelay: bool) -> None:
    fd.SetsockoptInt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1 if noDelay else 0)


def setKeepAliveIdle(fd: netFD, d: float) -> None:
    """The time without traffic before the first probe, in seconds, rounded up; 0 is the default, < 0 leaves it."""
    _setSeconds(fd, _TCP_KEEPIDLE, d, defaultTCPKeepAliveIdle)


def setKeepAliveInterval(fd: netFD, d: float) -> None:
    """The time between probes, in seconds, rounded up; 0 is the default, < 0 leaves it."""
    _setSeconds(fd, _TCP_KEEPINTVL, d, defaultTCPKeepAliveInterval)


def _setSeconds(fd: netFD, opt: int, d: float, default: float) -> None:
    d = number("d", d)
    if d >= 0:
        seconds = math.ceil(min(d or default, INT_MAX))  # the system says what is too long
        fd.SetsockoptInt(_socket.IPPROTO_TCP, opt, seconds)


def setKeepAliveCount(fd: netFD, n: int) -> None:
    """How many probes go unanswered before the connection is given up; 0 is the default, < 0 leaves it."""
    n = cint(n)
    if n >= 0:
        fd.SetsockoptInt(_socket.IPPROTO_TCP, _TCP_KEEPCNT, n or defaultTCPKeepAliveCount)
