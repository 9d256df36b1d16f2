"""gonet/net/lookup.py, with the C library's getaddrinfo replaced where it would ask somebody."""

from __future__ import annotations

import _socket
import errno
import threading
from collections.abc import Callable
from typing import Any

import pytest

from gonet import net, time
from gonet.net import lookup
from gonet.net.opctx import opCtx


class C:
    """Stands for module _socket in lookup.py."""

    def __init__(self, getaddrinfo: Callable[..., Any]) -> None:
        self.getaddrinfo = getaddrinfo

    def __getattr__(self, name: str) -> Any:
        return getattr(_socket, name)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[Any]]:
    """answer(x): getaddrinfo returns x or raises it; returns the list of its calls' arguments."""

    def install(x: Any) -> list[Any]:
        calls: list[Any] = []

        def getaddrinfo(*args: Any) -> Any:
            calls.append(args)
            if isinstance(x, BaseException):
                raise x
            return x() if callable(x) else x

        monkeypatch.setattr(lookup, "_socket", C(getaddrinfo))
        return calls

    return install


V4 = (_socket.AF_INET, _socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
V6 = (_socket.AF_INET6, _socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0))
SCOPED = (_socket.AF_INET6, _socket.SOCK_STREAM, 6, "", ("fe80::1", 0, 0, 1))


def test_the_addresses_of_a_name(answer: Callable[[Any], list[Any]]) -> None:
    calls = answer([V6, V4])
    assert net.LookupHost("host.test") == ["2001:db8::1", "192.0.2.1"]
    assert net.LookupIP("host.test") == [net.ParseIP("2001:db8::1"), net.ParseIP("192.0.2.1")]
    assert [str(a) for a in net.LookupIPAddr("host.test")] == ["2001:db8::1", "192.0.2.1"]
    r = net.Resolver()
    assert [str(ip) for ip in r.LookupIP(None, "ip4", "host.test")] == ["192.0.2.1"]
    assert [str(ip) for ip in r.LookupIP(None, "ip6", "host.test")] == ["2001:db8::1"]
    assert [(c[0], c[2]) for c in calls] == [
        *[(b"host.test", 0)] * 3,
        (b"host.test", _socket.AF_INET),
        (b"host.test", _socket.AF_INET6),
    ]
    assert all(c[3] == _socket.SOCK_STREAM for c in calls)


def test_scoped_addresses_have_the_interface_as_zone(answer: Callable[[Any], list[Any]]) -> None:
    answer([SCOPED])
    [addr] = net.LookupIPAddr("host.test")
    assert addr.Zone == _socket.if_indextoname(1)
    assert str(addr) == f"fe80::1%{addr.Zone}"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%lo", "::ffff:1.2.3.4"])
def test_literals_ask_nobody(host: str, answer: Callable[[Any], list[Any]]) -> None:
    calls = answer(AssertionError("asked"))
    assert net.LookupHost(host) == [host]
    assert [str(a) for a in net.LookupIPAddr(host)] == [host.replace("::ffff:", "")]
    assert calls == []


@pytest.mark.parametrize("host", ["", "1.2.3", "127.1", "010.0.0.1", "0x7f.1", "1", "a\0b"])
def test_what_only_inet_aton_understands_is_no_host(host: str, answer: Callable[[Any], list[Any]]) -> None:
    calls = answer([V4])
    with pytest.raises(net.DNSError) as info:
        net.LookupHost(host)
    assert str(info.value) == f"lookup {host}: no such host"
    assert info.value.IsNotFound
    assert calls == []


def gai(code: int, text: str = "Some text") -> OSError:
    return _socket.gaierror(code, text)


@pytest.mark.parametrize(
    ("raised", "text", "flags"),
    [
        (gai(_socket.EAI_NONAME), "no such host", (True, False, False)),
        (gai(_socket.EAI_NODATA), "no such host", (True, False, False)),
        (gai(_socket.EAI_AGAIN, "Temporary failure"), "Temporary failure", (False, False, True)),
        (gai(_socket.EAI_FAIL, "Non-recoverable failure"), "Non-recoverable failure", (False, False, False)),
        (OSError(errno.EMFILE, "x"), "too many open files", (False, False, True)),
    ],
    ids=["NONAME", "NODATA", "AGAIN", "FAIL", "SYSTEM"],
)  # fmt: skip
def test_failures(raised: OSError, text: str, flags: Any, answer: Callable[[Any], list[Any]]) -> None:
    answer(raised)
    with pytest.raises(net.DNSError) as info:
        net.LookupHost("host.test")
    err = info.value
    assert str(err) == f"lookup host.test: {text}"
    assert (err.Err, err.Name, err.Server) == (text, "host.test", "")
    assert (err.IsNotFound, err.IsTimeout, err.IsTemporary) == flags
    assert (err.Timeout(), err.Temporary()) == (False, flags[2])
    with pytest.raises(net.OpError) as dialed:
        net.Dial("tcp", "host.test:80")
    assert str(dialed.value) == f"dial tcp: lookup host.test: {text}"
    assert isinstance(dialed.value.Err, net.DNSError)


def test_a_name_that_cannot_exist() -> None:
    """Whatever this machine's resolver is, there is an error, and it is a DNSError."""
    with pytest.raises(net.DNSError, match=r"^lookup nosuch\.invalid: "):
        net.LookupHost("nosuch.invalid")


def test_names_go_out_as_they_are(answer: Callable[[Any], list[Any]]) -> None:
    calls = answer([V4])
    for host in ("a b", "bücher.test", "x" * 300, "\udcff"):
        net.LookupHost(host)
    assert [c[0] for c in calls] == [b"a b", "bücher.test".encode(), b"x" * 300, b"\xff"]


def test_half_a_surrogate_pair_is_no_host() -> None:
    with pytest.raises(net.DNSError, match="^lookup \ud800: no such host$"):
        net.LookupHost("\ud800")


@pytest.mark.parametrize("network", ["tcp", "", "ip5", "udp"])
def test_LookupIP_is_for_ip_networks(network: str) -> None:
    with pytest.raises(net.UnknownNetworkError, match=f"^unknown network {network}$"):
        net.Resolver().LookupIP(None, network, "127.0.0.1")


def test_a_literal_of_the_other_family_does_not_suit() -> None:
    with pytest.raises(net.AddrError, match="^address ::1: no suitable address found$"):
        net.Resolver().LookupIP(None, "ip4", "::1")


def test_a_look_up_is_given_up_at_the_deadline(answer: Callable[[Any], list[Any]]) -> None:
    release = threading.Event()

    def hang() -> Any:
        release.wait(20)
        return [V4]

    answer(hang)
    begun = time.Now()
    try:
        with pytest.raises(net.DNSError) as info:
            lookup.DefaultResolver.lookupIPAddr(opCtx(None, begun + 0.05), "ip", "host.test")
        with pytest.raises(net.OpError) as dialed:
            net.DialTimeout("tcp", "host.test:80", 0.05)
    finally:
        release.set()
    assert time.Now() - begun >= 0.1
    assert str(info.value) == "lookup host.test: i/o timeout"
    assert info.value.IsTimeout and isinstance(info.value, TimeoutError)
    assert str(dialed.value) == "dial tcp: lookup host.test: i/o timeout"
    assert isinstance(dialed.value, TimeoutError)


def test_a_look_up_in_time_is_not_given_up(answer: Callable[[Any], list[Any]]) -> None:
    answer([V4])
    got = lookup.DefaultResolver.lookupIPAddr(opCtx(None, time.Now() + 20), "ip", "host.test")
    assert [str(a) for a in got] == ["192.0.2.1"]
    answer(gai(_socket.EAI_NONAME))
    with pytest.raises(net.DNSError, match="no such host"):
        lookup.DefaultResolver.lookupIPAddr(opCtx(None, time.Now() + 20), "ip", "host.test")


def test_a_deadline_in_the_past_asks_nobody(answer: Callable[[Any], list[Any]]) -> None:
    calls = answer([V4])
    with pytest.raises(net.OpError) as info:
        net.DialTimeout("tcp", "host.test:80", -1)
    assert str(info.value) == "dial tcp: lookup host.test: i/o timeout"
    assert calls == []
