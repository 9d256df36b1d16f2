"""Port numbers and the names of services.

Mirrors Go src/net/port.go, port_unix.go and the tables of lookup.go. Differs: names are looked up only in Go's built-in
table and /etc/services, as Go does without cgo, and not through the C library. Numbers do not wrap: Go 1.26 takes
"4294967376" for 80.
"""

from __future__ import annotations

from gonet.net.errors import AddrError, errUnknownPort, newDNSError
from gonet.net.parse import dtoi, readLines, wantText

__all__ = ["lookupPort", "parsePort"]

_cutoff = 1 << 30

# What Go knows without asking anybody; /etc/services adds to it and prevails.
_services: dict[str, dict[str, int]] = {
    "udp": {"domain": 53},
    "tcp": {
        "ftp": 21,
        "ftps": 990,
        "gopher": 70,
        "http": 80,
        "https": 443,
        "imap2": 143,
        "imap3": 220,
        "imaps": 993,
        "pop3": 110,
        "pop3s": 995,
        "smtp": 25,
        "submissions": 465,
        "ssh": 22,
        "telnet": 23,
    },
}
_servicesFile = "/etc/services"
_servicesRead = False


def parsePort(service: str) -> tuple[int, bool]:
    """(the number service is, whether it is a name instead). Numbers too large stay too large to be a port."""
    sign = -1 if service[:1] == "-" else 1
    n = 0
    for d in service[1:] if service[:1] in ("+", "-") else service:
        if not "0" <= d <= "9":
            return 0, True
        if n >= _cutoff:
            break
        n = n * 10 + ord(d) - ord("0")
    return sign * min(n, _cutoff), False


def lookupPort(network: str, service: str) -> int:
    """The port that service, a number or a name, is on this network ("tcp", "udp4", ..., "" and "ip" for either).

    Raises: AddrError "invalid port", "unknown network"; DNSError "unknown port".
    """
    wantText("network", network)
    wantText("service", service)
    port, isName = parsePort(service)
    if isName:
        if network not in ("tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "ip", ""):
            raise AddrError("unknown network", network)
        return _lookupName(network or "ip", service)
    if not 0 <= port <= 0xFFFF:
        raise AddrError("invalid port", service)
    return port


def _lookupName(network: str, service: str) -> int:
    _readServices()
    name = service.lower() if service.isascii() else service
    for proto in ("tcp", "udp") if network == "ip" else (network[:3],):
        port = _services[proto].get(name)
        if port is not None:
            return port
    raise newDNSError(errUnknownPort(), f"{network}/{service}")


def _readServices() -> None:
    """Take in /etc/services, once."""
    global _servicesRead
    if _servicesRead:
        return
    lines = readLines(_servicesFile)
    _servicesRead = bool(lines)  # it may have been for want of a descriptor that there were none
    for name, portnet, *aliases in (fields for fields in lines if len(fields) >= 2):
        number = dtoi(portnet)
        if number is None or number[0] <= 0 or portnet[number[1] : number[1] + 1] != "/":
            continue
        names = _services.setdefault(portnet[number[1] + 1 :], {})
        for n in (name, *aliases):
            names[n] = number[0]
