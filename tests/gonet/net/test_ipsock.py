"""gonet/net/ipsock.py: host and port, addresses with a port, lists of them, families. Texts are Go 1.26's."""

from __future__ import annotations

import copy
import pickle
import socket
from typing import Any

import pytest

from gonet import net
from gonet.net import ipsock
from gonet.net.opctx import opCtx


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:http", "localhost", "http"),
        ("localhost:80", "localhost", "80"),
        ("localhost%lo0:http", "localhost%lo0", "http"),
        ("[localhost%lo0]:80", "localhost%lo0", "80"),
        ("127.0.0.1:80", "127.0.0.1", "80"),
        ("[::1]:80", "::1", "80"),
        ("[::1%lo0]:http", "::1%lo0", "http"),
        (":80", "", "80"),
        ("golang.org:", "golang.org", ""),
        ("127.0.0.1:", "127.0.0.1", ""),
        ("[::1]:", "::1", ""),
        ("[]:1", "", "1"),
        (":", "", ""),
        ("golang.org:https%foo", "golang.org", "https%foo"),
    ],
)
def test_SplitHostPort(text: str, host: str, port: str) -> None:
    assert net.SplitHostPort(text) == (host, port)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("golang.org", "missing port in address"),
        ("127.0.0.1", "missing port in address"),
        ("[::1]", "missing port in address"),
        ("[fe80::1%lo0]", "missing port in address"),
        ("[localhost%lo0]", "missing port in address"),
        ("localhost%lo0", "missing port in address"),
        ("", "missing port in address"),
        ("[a]b:c", "missing port in address"),
        ("::1", "too many colons in address"),
        ("fe80::1%lo0", "too many colons in address"),
        ("fe80::1%lo0:80", "too many colons in address"),
        ("127.0.0.1:80:81", "too many colons in address"),
        ("[::1]:80:81", "too many colons in address"),
        ("[foo:bar]baz", "missing port in address"),
        ("[foo]:[bar]:baz", "too many colons in address"),
        ("[foo]bar:baz", "missing port in address"),
        ("[foo:bar", "missing ']' in address"),
        ("[foo]:[bar]baz", "unexpected '[' in address"),
        ("[[foo]]:bar", "unexpected '[' in address"),
        ("foo[bar:baz", "unexpected '[' in address"),
        ("foo]bar:baz", "unexpected ']' in address"),
        ("[foo]:ba]r", "unexpected ']' in address"),
    ],
)
def test_SplitHostPort_refuses(text: str, why: str) -> None:
    # "[foo]:[bar]baz" and "[[foo]]:bar" are refused for one bracket or another, in Go's order.
    with pytest.raises(net.AddrError) as info:
        net.SplitHostPort(text)
    err = info.value
    assert str(err) == (f"address {text}: {err.Err}" if text else err.Err)
    assert err.Addr == text
    if text not in ("[[foo]]:bar",):
        assert err.Err == why


@pytest.mark.parametrize(
    ("host", "port", "want"),
    [
        ("localhost", "http", "localhost:http"),
        ("127.0.0.1", "80", "127.0.0.1:80"),
        ("::1", "80", "[::1]:80"),
        ("::1%lo", "80", "[::1%lo]:80"),
        ("", "80", ":80"),
        ("", "", ":"),
        ("h", 80, "h:80"),
    ],
)
def test_JoinHostPort(host: str, port: str, want: str) -> None:
    assert net.JoinHostPort(host, port) == want


@pytest.mark.parametrize(
    ("addr", "want"),
    [
        (net.TCPAddr(), ":0"),
        (net.TCPAddr("127.0.0.1", 80), "127.0.0.1:80"),
        (net.TCPAddr(IP="::1", Port=80, Zone="lo"), "[::1%lo]:80"),
        (net.TCPAddr("::ffff:1.2.3.4", 5), "1.2.3.4:5"),
        (net.TCPAddr(b"\1\2\3", 5), "?010203:5"),
        (net.IPAddr(), ""),
        (net.IPAddr("192.0.2.1"), "192.0.2.1"),
        (net.IPAddr(IP="fe80::1", Zone="eth0"), "fe80::1%eth0"),
    ],
)
def test_addresses_print(addr: net.Addr, want: str) -> None:
    assert str(addr) == addr.String() == want


def test_addresses_are_values() -> None:
    a, b = net.TCPAddr("127.0.0.1", 80), net.TCPAddr(b"\x7f\0\0\1", 80)
    assert a == b and hash(a) == hash(b)
    assert a != net.TCPAddr("127.0.0.1", 81)
    assert a != net.TCPAddr("127.0.0.1", 80, "lo")
    assert a != "127.0.0.1:80"
    assert net.IPAddr("127.0.0.1") != a
    assert (a.Network(), net.IPAddr().Network()) == ("tcp", "ip")
    assert repr(a) == "TCPAddr(IP=IP('127.0.0.1'), Port=80, Zone='')"
    pickled = [pickle.loads(pickle.dumps(a, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for same in (copy.copy(a), copy.deepcopy(a), *pickled):
        assert same == a and type(same) is net.TCPAddr


@pytest.mark.parametrize(
    ("network", "text", "want"),
    [
        ("tcp", "127.0.0.1:80", "127.0.0.1:80"),
        ("", "127.0.0.1:http", "127.0.0.1:80"),
        ("tcp", "[::1%lo]:80", "[::1%lo]:80"),
        ("tcp", ":80", ":80"),
        ("tcp", "", ":0"),
        ("tcp6", ":0", ":0"),
        ("tcp", "[::ffff:1.2.3.4]:0", "1.2.3.4:0"),
        ("tcp", "[::]:1", "[::]:1"),
        ("tcp", "0.0.0.0:1", "0.0.0.0:1"),
        ("tcp4", "[::]:1", "0.0.0.0:1"),
    ],
)
def test_ResolveTCPAddr(network: str, text: str, want: str) -> None:
    assert str(net.ResolveTCPAddr(network, text)) == want


@pytest.mark.parametrize(
    ("network", "text", "kind", "want"),
    [
        ("udp", ":80", net.UnknownNetworkError, "unknown network udp"),
        ("tcp", "x", net.AddrError, "address x: missing port in address"),
        ("tcp", "::1:1", net.AddrError, "address ::1:1: too many colons in address"),
        ("tcp6", "127.0.0.1:0", net.AddrError, "address 127.0.0.1: no suitable address found"),
        ("tcp4", "[::1]:0", net.AddrError, "address ::1: no suitable address found"),
        ("tcp6", "[::ffff:1.2.3.4]:0", net.AddrError, "address ::ffff:1.2.3.4: no suitable address found"),
        ("tcp", ":70000", net.AddrError, "address 70000: invalid port"),
    ],
)
def test_ResolveTCPAddr_refuses(network: str, text: str, kind: type[Exception], want: str) -> None:
    with pytest.raises(kind) as info:
        net.ResolveTCPAddr(network, text)
    assert str(info.value) == want


class Names(net.Resolver):
    """A resolver that knows these addresses and no others."""

    __slots__ = ("ips",)

    def __init__(self, *ips: str) -> None:
        super().__init__()
        self.ips = ips

    def lookupIPAddr(self, ctx: Any, network: str, host: str) -> list[net.IPAddr]:
        return [net.IPAddr(ip) for ip in self.ips]


@pytest.mark.parametrize(
    ("network", "ips", "want"),
    [
        ("tcp", "192.0.2.1 2001:db8::1", "192.0.2.1:80 [2001:db8::1]:80"),
        ("tcp4", "192.0.2.1 2001:db8::1", "192.0.2.1:80"),
        ("tcp6", "192.0.2.1 2001:db8::1", "[2001:db8::1]:80"),
        ("tcp6", "::ffff:192.0.2.1 2001:db8::1", "[2001:db8::1]:80"),
        ("tcp", "::", "[::]:80 0.0.0.0:80"),
        ("tcp6", "::", "[::]:80"),
        ("tcp4", "::", "0.0.0.0:80"),
    ],
)
def test_a_network_filters_the_addresses_of_a_name(network: str, ips: str, want: str) -> None:
    addrs = ipsock.internetAddrList(Names(*ips.split()), opCtx(), network, "host:80", net.TCPAddr)
    assert " ".join(map(str, addrs)) == want


def addrs(*ips: str) -> list[net.TCPAddr]:
    return [net.TCPAddr(ip or None, 80) for ip in ips]


@pytest.mark.parametrize(
    ("list", "primaries", "fallbacks"),
    [
        (addrs("1.1.1.1", "::1", "2.2.2.2"), addrs("1.1.1.1", "2.2.2.2"), addrs("::1")),
        (addrs("::1", "1.1.1.1"), addrs("::1"), addrs("1.1.1.1")),
        (addrs("::1", "::2"), addrs("::1", "::2"), []),
        (addrs(""), addrs(""), []),
        ([], [], []),
    ],
)
def test_partition(list: Any, primaries: Any, fallbacks: Any) -> None:
    assert ipsock.partition(list) == (primaries, fallbacks)


def test_one_of_several_addresses() -> None:
    both = addrs("::1", "1.1.1.1")
    assert ipsock.first(both) == both[1]
    assert ipsock.first(both, ipv4=False) == both[0]
    assert ipsock.first(addrs("::1", "::2")) == both[0]
    assert ipsock.forResolve(both, "tcp", "host:80") == both[1]
    assert ipsock.forResolve(both, "tcp", "[host]:80") == both[0]
    assert ipsock.forResolve(both, "tcp4", "[host]:80") == both[1]
    assert ipsock.forResolve(both, "ip", "::1") == both[0]


INET, INET6 = socket.AF_INET, socket.AF_INET6
V4, V6, ANY, ANY4, ANY6 = addrs("127.0.0.1", "::1", "", "0.0.0.0", "::")


@pytest.mark.parametrize(
    ("network", "laddr", "raddr", "mode", "want"),
    [
        ("tcp", ANY, None, "listen", (INET6, False)),
        ("tcp", None, None, "listen", (INET6, False)),
        ("tcp", ANY4, None, "listen", (INET6, False)),
        ("tcp", ANY6, None, "listen", (INET6, False)),
        ("tcp4", ANY, None, "listen", (INET, False)),
        ("tcp6", ANY, None, "listen", (INET6, True)),
        ("tcp", V4, None, "listen", (INET, False)),
        ("tcp", V6, None, "listen", (INET6, False)),
        ("tcp", None, V4, "dial", (INET, False)),
        ("tcp", None, V6, "dial", (INET6, False)),
        ("tcp", V6, V4, "dial", (INET6, False)),
        ("tcp", None, ANY, "dial", (INET, False)),
        ("tcp4", None, V6, "dial", (INET, False)),
    ],
)
def test_favoriteAddrFamily(network: str, laddr: Any, raddr: Any, mode: str, want: Any) -> None:
    if not ipsock.ipStackCaps().ipv4MappedIPv6Enabled:
        pytest.skip("no IPv4 over IPv6 sockets here")
    assert ipsock.favoriteAddrFamily(network, laddr, raddr, mode) == want


@pytest.mark.parametrize(
    ("v4", "v6", "mapped", "laddr", "want"),
    [
        (True, False, False, ANY, (INET, False)),
        (True, True, False, ANY, (INET, False)),
        (True, True, False, ANY6, (INET6, False)),
        (True, True, False, None, (INET, False)),
        (False, True, False, ANY, (INET6, False)),
        (True, True, True, ANY, (INET6, False)),
    ],
)
def test_a_wildcard_listener_takes_what_the_system_can(
    v4: bool, v6: bool, mapped: bool, laddr: Any, want: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    caps = ipsock.ipStackCapabilities()
    caps.ipv4Enabled, caps.ipv6Enabled, caps.ipv4MappedIPv6Enabled = v4, v6, mapped
    monkeypatch.setattr(ipsock, "_caps", caps)
    assert ipsock.favoriteAddrFamily("tcp", laddr, None, "listen") == want


@pytest.mark.parametrize("port", [80.0, "80", None, b"80"])
def test_a_port_that_is_no_integer(port: Any) -> None:
    addr = net.TCPAddr(net.ParseIP("127.0.0.1"))
    addr.Port = port
    with pytest.raises(TypeError, match="object cannot be interpreted as an integer"):
        net.ListenTCP("tcp", addr)
    with pytest.raises(TypeError, match="object cannot be interpreted as an integer"):
        net.DialTCP("tcp", None, addr)
