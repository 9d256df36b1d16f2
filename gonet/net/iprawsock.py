"""IPAddr, the address of a host without a port.

Mirrors the address half of Go src/net/iprawsock.go; there are no raw IP connections here.
"""

from __future__ import annotations

from typing import Any

from gonet.net.ip import toIP
from gonet.net.net import Addr

__all__ = ["IPAddr"]


class IPAddr(Addr):
    """An IP and, for IPv6, the Zone it is valid in. Prints as "fe80::1%eth0"; without IP it is "".

    Source: Go src/net/iprawsock.go IPAddr.
    """

    __slots__ = ("IP", "Zone")
    _fields = __slots__

    def __init__(self, IP: Any = None, Zone: str = "") -> None:
        self.IP = toIP(IP)
        self.Zone = Zone

    def Network(self) -> str:
        """The text "ip". Source: Go src/net/iprawsock.go (*IPAddr).Network."""
        return "ip"

    def __str__(self) -> str:
        ip = str(self.IP) if self.IP else ""
        return f"{ip}%{self.Zone}" if self.Zone else ip

    def isWildcard(self) -> bool:
        return self.IP is None or self.IP.IsUnspecified()
