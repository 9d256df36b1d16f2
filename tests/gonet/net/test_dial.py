"""Dialing: Dial, DialTimeout, DialTCP, Dialer, Happy Eyeballs. Texts are Go 1.26's.

Where a connect must stay in progress, rawsys.connect is told to say so for addresses of 192.0.2.0/24 (nobody has
them) and to do nothing: what some networks do to a SYN.
"""

from __future__ import annotations

import errno
import gc
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from gonet import context, net, time
from gonet.net import dial, fd, ipsock, lookup, tcpsock
from gonet.net.opctx import opCtx
from runtime import Syscall, rawsys
from tests.helpers import delays, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")

dualstack = pytest.mark.skipif(not ipsock.ipStackCaps().ipv6Enabled, reason="no IPv6 here")

HOLE = "192.0.2.1"  # swallows


class Raw:
    """Stands for rawsys in fd.py."""

    def __init__(self) -> None:
        self.connects: list[tuple[float, str]] = []  # (when, IP)
        self.refused: set[str] = set()

    def connect(self, sysfd: int, sa: Any) -> int:
        ip = str(net.IP(rawsys.parse_sockaddr(sa)[1]))
        self.connects.append((time.Now(), ip))
        if ip in self.refused:
            return -errno.ECONNREFUSED
        return -errno.EINPROGRESS if ip.startswith("192.0.2.") else rawsys.connect(sysfd, sa)

    def __getattr__(self, name: str) -> Any:
        return getattr(rawsys, name)


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[Raw]:
    raw = Raw()
    monkeypatch.setattr(fd, "rawsys", raw)
    yield raw


class Names(net.Resolver):
    """A resolver that knows these addresses and no others."""

    __slots__ = ("ips",)

    def __init__(self, *ips: str) -> None:
        super().__init__()
        self.ips = ips

    def lookupIPAddr(self, ctx: Any, network: str, host: str) -> list[net.IPAddr]:
        return [net.IPAddr(ip) for ip in self.ips]


def closed_port(host: str = "127.0.0.1") -> int:
    with net.Listen("tcp", net.JoinHostPort(host, 0)) as ln:
        addr = ln.Addr()
        assert isinstance(addr, net.TCPAddr)
        return addr.Port


def server_of(client: net.Conn, ln: net.Listener) -> net.Conn:
    """The other end of client; those of dials that were given up come first."""
    while (server := ln.Accept()).RemoteAddr() != client.LocalAddr():
        server.Close()
    return server


def port(ln: net.Listener) -> int:
    addr = ln.Addr()
    assert isinstance(addr, net.TCPAddr)
    return addr.Port


@pytest.mark.parametrize(
    ("network", "address", "text"),
    [
        ("foo", "x", "dial foo: unknown network foo"),
        ("", "127.0.0.1:1", "dial: unknown network "),
        ("TCP", "127.0.0.1:1", "dial TCP: unknown network TCP"),
        ("tcp:x", "127.0.0.1:1", "dial tcp:x: unknown network tcp:x"),
        ("tcp", "", "dial tcp: missing address"),
        ("tcp", "x", "dial tcp: address x: missing port in address"),
        ("tcp", "a:b:c", "dial tcp: address a:b:c: too many colons in address"),
        ("tcp", "[::1:80", "dial tcp: address [::1:80: missing ']' in address"),
        ("tcp", "127.0.0.1:nosuch", "dial tcp: lookup tcp/nosuch: unknown port"),
        ("tcp4", "127.0.0.1:nosuch", "dial tcp4: lookup tcp4/nosuch: unknown port"),
        ("tcp", "127.0.0.1:99999", "dial tcp: address 99999: invalid port"),
        ("tcp", "127.0.0.1:-1", "dial tcp: address -1: invalid port"),
        ("tcp4", "[::1]:80", "dial tcp4: address ::1: no suitable address found"),
        ("tcp6", "127.0.0.1:80", "dial tcp6: address 127.0.0.1: no suitable address found"),
        ("tcp", "1.2.3:80", "dial tcp: lookup 1.2.3: no such host"),
        ("tcp", "[fe80::1%nosuch]:1", "dial tcp [fe80::1%nosuch]:1: connect: invalid argument"),
    ],
)
def test_Dial_refuses(network: str, address: str, text: str) -> None:
    with pytest.raises(net.OpError) as info:
        net.Dial(network, address)
    assert str(info.value) == text
    assert (info.value.Op, info.value.Net, info.value.Source) == ("dial", network, None)


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("[::1]", marks=dualstack), "localhost", ""])
def test_nobody_listens(host: str) -> None:
    address = f"{host}:{closed_port()}"
    with pytest.raises(ConnectionRefusedError) as info:
        net.Dial("tcp", address)
    err = info.value
    assert isinstance(err, net.OpError) and err.errno == errno.ECONNREFUSED
    assert str(err) == f"dial tcp {address.replace('localhost', '127.0.0.1')}: connect: connection refused"
    assert isinstance(err.Addr, net.TCPAddr) and err.Source is None
    assert isinstance(err.Err, net.SyscallError) and err.Err.Syscall == "connect"


def test_both_ends_know_their_addresses(ln: net.TCPListener) -> None:
    for address in (str(ln.Addr()), f"localhost:{port(ln)}", f":{port(ln)}"):
        with net.Dial("tcp4", address) as client, ln.Accept() as server:
            assert client.RemoteAddr() == server.LocalAddr() == ln.Addr()
            assert client.LocalAddr() == server.RemoteAddr()
            assert f"{client.LocalAddr()}->{client.RemoteAddr()}" in repr(client)


@pytest.mark.parametrize(
    ("network", "laddr", "raddr", "text"),
    [
        ("udp", None, net.TCPAddr(), "dial udp :0: unknown network udp"),
        ("tcp", None, None, "dial tcp: missing address"),
        ("tcp4", None, net.TCPAddr("::1", 1), "dial tcp4 [::1]:1: address ::1: non-IPv4 address"),
        ("tcp", None, net.TCPAddr(b"\1\2\3", 1), "dial tcp ?010203:1: address ?010203: non-IPv4 address"),
        ("tcp", None, net.TCPAddr("127.0.0.1", 70000), "dial tcp 127.0.0.1:70000: connect: invalid argument"),
    ],
)
def test_DialTCP_refuses(network: str, laddr: Any, raddr: Any, text: str) -> None:
    with pytest.raises(net.OpError) as info:
        net.DialTCP(network, laddr, raddr)
    assert str(info.value) == text


def test_DialTCP_tells_both_addresses_in_its_error() -> None:
    raddr = net.TCPAddr("127.0.0.1", closed_port())
    with pytest.raises(ConnectionRefusedError) as info:
        net.DialTCP("tcp", net.TCPAddr("127.0.0.1"), raddr)
    assert str(info.value) == f"dial tcp 127.0.0.1:0->{raddr}: connect: connection refused"


# ---- LocalAddr and Control


def test_LocalAddr(ln: net.TCPListener) -> None:
    for laddr, want in ((net.TCPAddr("127.0.0.2"), "127.0.0.2"), (net.TCPAddr(), "127.0.0.1")):
        with net.Dialer(LocalAddr=laddr).Dial("tcp", str(ln.Addr())) as client, ln.Accept() as server:
            addr = server.RemoteAddr()
            assert isinstance(addr, net.TCPAddr)
            assert str(addr.IP) == want
            assert client.LocalAddr() == addr


@pytest.mark.parametrize(
    ("laddr", "text"),
    [
        (net.IPAddr("127.0.0.1"), "dial tcp: address 127.0.0.1: mismatched local address type"),
        (net.TCPAddr("::1"), "dial tcp: address [::1]:0: no suitable address found"),
        (net.TCPAddr("192.0.2.1"), "dial tcp 192.0.2.1:0->{}: bind: cannot assign requested address"),
    ],
)
def test_a_LocalAddr_that_will_not_do(laddr: net.Addr, text: str, ln: net.TCPListener) -> None:
    with pytest.raises(net.OpError) as info:
        net.Dialer(LocalAddr=laddr).Dial("tcp", str(ln.Addr()))
    assert str(info.value) == text.format(ln.Addr())


def test_a_LocalAddr_in_use(ln: net.TCPListener) -> None:
    addr = ln.Addr()
    with pytest.raises(net.OpError) as info:
        net.Dialer(LocalAddr=addr).Dial("tcp", str(addr))
    assert str(info.value) == f"dial tcp {addr}->{addr}: bind: address already in use"
    assert (info.value.errno, info.value.Source) == (errno.EADDRINUSE, addr)


def test_Control_is_called_before_connect(ln: net.TCPListener) -> None:
    calls: list[tuple[str, str]] = []

    def control(network: str, address: str, c: Any) -> None:
        calls.append((network, address))

        def small(sysfd: int) -> None:
            rawsys.setsockopt(sysfd, socket.IPPROTO_TCP, socket.TCP_MAXSEG, 600)

        c.Control(small)

    with net.Dialer(Control=control).Dial("tcp", str(ln.Addr())), ln.Accept():
        assert calls == [("tcp4", str(ln.Addr()))]


@pytest.mark.parametrize("raised", [ZeroDivisionError("boom"), OSError(errno.EPERM, "no")], ids=repr)
def test_what_Control_raises_aborts(raised: Exception, ln: net.TCPListener) -> None:
    def control(network: str, address: str, c: Any) -> None:
        raise raised

    with pytest.raises(net.OpError) as info:
        net.Dialer(Control=control, LocalAddr=net.TCPAddr("127.0.0.2")).Dial("tcp", str(ln.Addr()))
    text = "boom" if isinstance(raised, ZeroDivisionError) else "operation not permitted"
    assert str(info.value) == f"dial tcp 127.0.0.2:0->{ln.Addr()}: {text}"
    assert info.value.Err is raised


# ---- time


@pytest.mark.parametrize(
    "settings", [{"Timeout": -1}, {"Timeout": -1e-9}, {"Deadline": 1}, {"Deadline": -1}, {"Timeout": 5, "Deadline": 1}],
    ids=str,
)  # fmt: skip
def test_no_time_at_all(settings: dict[str, float], ln: net.TCPListener) -> None:
    with pytest.raises(net.OpError) as info:
        net.Dialer(**settings).Dial("tcp", str(ln.Addr()))  # type: ignore[arg-type]
    err = info.value
    assert str(err) == f"dial tcp {ln.Addr()}: i/o timeout"
    assert err.Timeout() and err.Temporary()
    assert isinstance(err, net.ErrDeadlineExceeded)


@pytest.mark.parametrize("how", ["Timeout", "Deadline", "DialTimeout"])
def test_a_dial_that_takes_too_long(how: str, raw: Raw) -> None:
    t0 = time.Now()
    with pytest.raises(net.OpError) as info:
        if how == "Timeout":
            net.Dialer(Timeout=0.05).Dial("tcp", f"{HOLE}:80")
        elif how == "Deadline":
            net.Dialer(Deadline=t0 + 0.05).Dial("tcp", f"{HOLE}:80")
        else:
            net.DialTimeout("tcp", f"{HOLE}:80", 0.05)
    assert time.Now() - t0 >= 0.05
    assert str(info.value) == f"dial tcp {HOLE}:80: i/o timeout"
    assert isinstance(info.value, net.ErrDeadlineExceeded)
    assert info.value.errno == errno.ETIMEDOUT


def test_a_full_accept_queue() -> None:
    """The same without tricks: nobody accepts, and the queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as s:
        conns = []
        try:
            for _ in range(20):
                conns.append(net.DialTimeout("tcp", f"127.0.0.1:{s.getsockname()[1]}", 0.05))
        except TimeoutError as err:
            assert str(err).endswith(": i/o timeout")
        else:
            pytest.skip("this system answers however many connect")
        finally:
            for c in conns:
                c.Close()


def test_the_timeout_of_a_dial_does_not_outlive_it(ln: net.TCPListener) -> None:
    for d in delays(0.05):
        try:
            client = net.DialTimeout("tcp", str(ln.Addr()), d)
            break
        except TimeoutError:
            pass  # stopped for so long
    with client, server_of(client, ln) as server:
        time.Sleep(1.25 * d)
        client.Write(b"x")
        assert server.Read(bytearray(1)) == 1


@pytest.mark.parametrize(
    ("now", "deadline", "addrs", "want"),
    [
        (100, 0, 1, 0),  # no deadline
        (100, 112, 1, 112),
        (100, 112, 2, 106),
        (100, 112, 3, 104),
        (100, 112, 7, 102),  # not less than 2 s
        (100, 101, 2, 101),  # but not more than there is
        (100, 103, 2, 102),
    ],
)
def test_partialDeadline(now: float, deadline: float, addrs: int, want: float) -> None:
    assert dial.partialDeadline(now, deadline, addrs) == want


def test_partialDeadline_when_there_is_no_time() -> None:
    with pytest.raises(TimeoutError, match="^i/o timeout$"):
        dial.partialDeadline(100, 100, 1)


# ---- several addresses


def test_the_next_address_is_tried(ln: net.TCPListener, raw: Raw) -> None:
    raw.refused = {"127.0.0.9", "127.0.0.8"}
    d = net.Dialer(Resolver=Names("127.0.0.9", "127.0.0.8", "127.0.0.1", "127.0.0.7"))
    with d.Dial("tcp", f"host:{port(ln)}") as client, ln.Accept():
        assert client.RemoteAddr() == ln.Addr()
    assert [ip for _, ip in raw.connects] == ["127.0.0.9", "127.0.0.8", "127.0.0.1"]


def test_the_first_error_is_raised(raw: Raw) -> None:
    raw.refused = {"127.0.0.9"}
    for timeout in delays(0.05):
        raw.connects.clear()
        d = net.Dialer(Resolver=Names("127.0.0.9", HOLE), Timeout=timeout)
        with pytest.raises(net.OpError) as info:
            d.Dial("tcp", "host:80")
        if [ip for _, ip in raw.connects] == ["127.0.0.9", HOLE]:
            break  # and the time was not over before the second
    assert isinstance(info.value, ConnectionRefusedError)
    assert str(info.value) == "dial tcp 127.0.0.9:80: connect: connection refused"


def test_each_address_has_its_share_of_the_time(raw: Raw, ln: net.TCPListener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "_saneMinimum", 0.02)
    for timeout in delays(0.4):
        raw.connects.clear()
        start = time.Now()
        try:
            net.Dialer(Resolver=Names(HOLE, "127.0.0.1"), Timeout=timeout).Dial("tcp4", f"host:{port(ln)}").Close()
        except TimeoutError:
            assert time.Since(start) >= timeout
            continue  # a machine so slow that the other half has passed as well
        ln.Accept().Close()
        if len(raw.connects) == 2 and raw.connects[0][0] - start < 0.025 * timeout:
            break  # the first was tried at once
    (t0, _), (t1, _) = raw.connects
    assert 0.475 * timeout <= t1 - t0 <= time.Since(start)


# ---- Happy Eyeballs


@dualstack
def test_the_fallback_begins_after_the_delay(raw: Raw) -> None:
    with net.Listen("tcp", "[::1]:0") as ln:
        d = net.Dialer(Resolver=Names(HOLE, "::1"), FallbackDelay=0.05)
        start = time.Now()  # the delay may begin a little before the first connect does
        with d.Dial("tcp", f"host:{port(ln)}") as client, ln.Accept():
            assert client.RemoteAddr() == ln.Addr()
    (_, first), (t1, second) = raw.connects
    assert (first, second) == (HOLE, "::1")
    assert t1 - start >= 0.05 - 0.001


@dualstack
def test_the_fallback_begins_at_once_when_the_first_fail(raw: Raw) -> None:
    raw.refused = {"127.0.0.9", "127.0.0.8"}
    with net.Listen("tcp", "[::1]:0") as ln:
        d = net.Dialer(Resolver=Names("127.0.0.9", "::1", "127.0.0.8"), FallbackDelay=60)
        with d.Dial("tcp", f"host:{port(ln)}") as client, ln.Accept():
            assert client.RemoteAddr() == ln.Addr()
    assert [ip for _, ip in raw.connects] == ["127.0.0.9", "127.0.0.8", "::1"]


@dualstack
def test_the_fallback_is_not_needed_when_the_first_answers(raw: Raw, ln: net.TCPListener) -> None:
    d = net.Dialer(Resolver=Names("127.0.0.1", "::1"), FallbackDelay=60)
    with d.Dial("tcp", f"host:{port(ln)}"), ln.Accept():
        assert [ip for _, ip in raw.connects] == ["127.0.0.1"]


@dualstack
def test_when_both_fail_the_first_error_is_raised(raw: Raw) -> None:
    raw.refused = {"127.0.0.9", "::1"}
    d = net.Dialer(Resolver=Names("127.0.0.9", "::1"), FallbackDelay=0.01)
    with pytest.raises(ConnectionRefusedError, match=r"^dial tcp 127\.0\.0\.9:80: connect: connection refused$"):
        d.Dial("tcp", "host:80")
    d = net.Dialer(Resolver=Names(HOLE, "::1"), FallbackDelay=0.01, Timeout=0.05)
    with pytest.raises(net.ErrDeadlineExceeded, match=rf"^dial tcp {HOLE}:80: i/o timeout$"):
        d.Dial("tcp", "host:80")


@dualstack
@pytest.mark.parametrize("how", ["negative delay", "tcp4"])
def test_no_race_where_none_is_wanted(how: str, raw: Raw) -> None:
    raw.refused = {"127.0.0.9"}
    d = net.Dialer(Resolver=Names("127.0.0.9", "::1"), FallbackDelay=-1 if how == "negative delay" else 0)
    with pytest.raises(ConnectionRefusedError):
        d.Dial("tcp" if how == "negative delay" else "tcp4", f"host:{closed_port('::1')}")
    assert [ip for _, ip in raw.connects] == ["127.0.0.9", *(["::1"] if how == "negative delay" else [])]


@dualstack
def test_what_ends_a_racer_ends_the_dial(raw: Raw) -> None:
    def control(network: str, address: str, c: Any) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        net.Dialer(Resolver=Names("127.0.0.1", "::1"), Control=control).Dial("tcp", "host:80")
    assert raw.connects == []


@dualstack
def test_the_loser_is_closed(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both connect; the primary when the fallback has won. nothing_left_over sees to the descriptors."""
    won: list[net.Conn] = []
    with net.Listen("tcp", "127.0.0.1:0") as ln4, net.ListenTCP("tcp", net.TCPAddr("::1", port(ln4))) as ln6:
        real = dial.dialSingle

        def late(dialer: Any, ctx: Any, deadline: float, network: str, ra: net.TCPAddr) -> net.Conn:
            conn = real(dialer, ctx, deadline, network, ra)
            if ipsock.isIPv4(ra):
                until(lambda: won)
            return conn

        monkeypatch.setattr(dial, "dialSingle", late)
        d = net.Dialer(Resolver=Names("127.0.0.1", "::1"), FallbackDelay=0.01)
        with d.Dial("tcp", f"host:{port(ln4)}") as client, ln6.Accept() as server:
            won.append(client)
            assert client.RemoteAddr() == ln6.Addr()
            with ln4.Accept() as lost:
                lost.SetDeadline(time.Now() + 10)
                assert lost.Read(bytearray(1)) == 0
            client.Write(b"x")
            assert server.Read(bytearray(1)) == 1


# ---- a socket connected to itself


def test_a_socket_may_connect_to_itself_if_told_to() -> None:
    addr = net.TCPAddr("127.0.0.1", closed_port())
    try:
        conn = net.DialTCP("tcp", addr, addr)
    except OSError:
        pytest.skip("this system does not let it")
    with conn:
        assert tcpsock.selfConnect(conn.fd)
        assert conn.LocalAddr() == conn.RemoteAddr() == addr


def test_a_socket_that_connected_to_itself_by_chance_is_tried_again(
    ln: net.TCPListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [True, True, True]
    seen: list[Any] = []

    def selfConnect(fd: Any) -> bool:
        seen.append(fd)
        return answers.pop(0)

    monkeypatch.setattr(tcpsock, "selfConnect", selfConnect)
    with net.Dial("tcp", str(ln.Addr())) as client:
        assert len(seen) == 2  # the third is taken as it comes, as in Go
        assert client.fd not in seen  # type: ignore[attr-defined]
        for _ in range(3):
            ln.Accept().Close()
    with pytest.raises(net.ErrClosed):
        seen[0].Close()


def test_no_free_port_is_tried_again(raw: Raw, ln: net.TCPListener, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [-errno.EADDRNOTAVAIL, -errno.EADDRNOTAVAIL]

    def connect(sysfd: int, sa: Any) -> int:
        return answers.pop() if answers else rawsys.connect(sysfd, sa)

    monkeypatch.setattr(raw, "connect", connect)
    with net.Dial("tcp", str(ln.Addr())), ln.Accept():
        assert answers == []
    answers += [-errno.EADDRNOTAVAIL] * 3
    with pytest.raises(net.OpError, match="connect: cannot assign requested address"):
        net.Dial("tcp", str(ln.Addr()))
    assert answers == []


# ---- giving up


def test_cancel_interrupts_a_connect(raw: Raw, spawn: Callable[..., Any]) -> None:
    ctx = opCtx()
    dialing = spawn(dial.dialSerial, net.Dialer(), ctx, "tcp", [net.TCPAddr(HOLE, 80), net.TCPAddr(HOLE, 81)])
    while ctx.fd is None:
        time.Sleep(0.001)
    ctx.cancel()
    ctx.cancel()
    err = dialing.error()
    assert isinstance(err, net.OpError)
    assert str(err) == f"dial tcp {HOLE}:81: operation was canceled"
    assert not err.Timeout() and not isinstance(err, TimeoutError)
    assert len(raw.connects) == 1


def ends(how: str) -> tuple[context.Context, Callable[[], object]]:
    """A context, and what makes it end: by cancel, or with a deadline that has passed."""
    if how == "canceled":
        return context.WithCancel(context.Background())
    ctx, cancel = context.WithCancelCause(context.Background())
    return Expiring(ctx), partial(cancel, context.DeadlineExceeded())


class Expiring(context.Context):
    """A context whose deadline passes when the test says so, and which does not tell it beforehand."""

    def __init__(self, ctx: context.Context) -> None:
        self.ctx = ctx

    def Done(self) -> Any:
        return self.ctx.Done()

    def Err(self) -> BaseException | None:
        return context.Cause(self.ctx)


@pytest.mark.parametrize(
    ("how", "kind", "text", "timeout"),
    [
        ("canceled", context.Canceled, "operation was canceled", False),
        ("expired", context.DeadlineExceeded, "i/o timeout", True),
    ],
)
@pytest.mark.parametrize("when", ["before", "within", "in the race"])
def test_a_context_that_ends_ends_the_dial(
    how: str,
    kind: type[Exception],
    text: str,
    timeout: bool,
    when: str,
    raw: Raw,
    spawn: Callable[..., Any],
) -> None:
    ctx, end = ends(how)
    race = ["2001:db8::1"] if when == "in the race" else []
    raw.refused = {*race}
    dialer = net.Dialer(Resolver=Names(HOLE, *race), FallbackDelay=0.001)
    if when == "before":
        end()
    dialing = spawn(dialer.DialContext, ctx, "tcp", "host:80")
    while when != "before" and len(raw.connects) < 1 + len(race):
        time.Sleep(0.001)
    end()
    err = dialing.error()
    assert isinstance(err, net.OpError)
    assert str(err) == f"dial tcp {HOLE}:80: {text}"
    assert err.Timeout() is isinstance(err, TimeoutError) is timeout
    assert isinstance(err, kind)


def test_a_contexts_deadline_counts(raw: Raw) -> None:
    t0 = time.Now()
    ctx, cancel = context.WithDeadline(context.Background(), t0 + 0.05)
    with pytest.raises(net.OpError) as info:
        net.Dialer(Timeout=60).DialContext(ctx, "tcp", f"{HOLE}:80")
    cancel()
    assert time.Now() >= t0 + 0.05
    assert str(info.value) == f"dial tcp {HOLE}:80: i/o timeout"


def test_a_dial_leaves_nothing_with_its_context(ln: net.TCPListener) -> None:
    ctx, cancel = context.WithCancel(context.Background())
    with net.Dialer().DialContext(ctx, "tcp", str(ln.Addr())), ln.Accept():
        assert not ctx._children  # type: ignore[attr-defined]
    cancel()


@pytest.mark.parametrize("how", ["canceled", "expired"])
def test_ending_a_context_later_changes_nothing(how: str, ln: net.TCPListener) -> None:
    ctx, end = ends(how)
    with net.Dialer().DialContext(ctx, "tcp", str(ln.Addr())) as client, ln.Accept() as server:
        end()
        client.Write(b"x")
        assert server.Read(bytearray(1)) == 1
        server.Write(b"y")
        assert client.Read(bytearray(1)) == 1


class Waits(net.Resolver):
    """A resolver whose look-up takes until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.answer = threading.Event()

    def lookupIPAddr(self, ctx: Any, network: str, host: str) -> list[net.IPAddr]:
        return lookup.doBlockingWithCtx(ctx, host, self.block)

    def block(self) -> list[net.IPAddr]:
        self.asked.set()
        self.answer.wait(20)
        return []


@pytest.mark.parametrize(("how", "text"), [("canceled", "operation was canceled"), ("expired", "i/o timeout")])
def test_a_context_covers_the_look_up(how: str, text: str, spawn: Callable[..., Any]) -> None:
    ctx, end = ends(how)
    resolver = Waits()
    dialing = spawn(net.Dialer(Resolver=resolver).DialContext, ctx, "tcp", "host.example:80")
    try:
        until(resolver.asked.is_set)
        end()
        err = dialing.error()
    finally:
        resolver.answer.set()
    assert isinstance(err, net.OpError)
    assert str(err) == f"dial tcp: lookup host.example: {text}"
    assert err.Timeout() is isinstance(err, TimeoutError) is (how == "expired")


@pytest.mark.parametrize(("how", "text"), [("canceled", "operation was canceled"), ("expired", "i/o timeout")])
@pytest.mark.parametrize("address", ["127.0.0.1:0", "host.example:0"])
def test_Listen_with_a_context_that_has_ended(how: str, text: str, address: str) -> None:
    ctx, end = ends(how)
    end()
    with pytest.raises(net.OpError) as info:
        net.ListenConfig().Listen(ctx, "tcp", address)
    assert text in str(info.value)
    assert info.value.Op == "listen"
    assert info.value.Timeout() is (how == "expired")


@pytest.mark.parametrize("how", ["canceled", "expired"])
def test_ending_a_context_does_not_close_what_listens(how: str) -> None:
    ctx, end = ends(how)
    with net.ListenConfig().Listen(ctx, "tcp", "127.0.0.1:0") as ln:
        end()
        with net.Dial("tcp", str(ln.Addr())), ln.Accept():
            pass


def test_a_nil_context_is_misuse() -> None:
    with pytest.raises(TypeError, match="nil context"):
        net.Dialer().DialContext(None, "tcp", "127.0.0.1:1")


# ---- failures leave nothing


class Failed(ValueError):
    pass


def fails() -> None:
    raise Failed


@pytest.mark.parametrize(
    "dialed",
    [
        lambda port: net.Dial("tcp", f"127.0.0.1:{port}"),
        lambda port: net.Dialer(Resolver=Names("127.0.0.1", "::1")).Dial("tcp", f"two.test:{port}"),
        lambda port: net.DialTimeout("tcp", "no such host:1", 20),
        lambda port: net.DialTimeout("tcp", f"127.0.0.1:{port}", 20),
        lambda port: net.Dial("tcp", "127.0.0.1"),
        lambda port: Syscall(fails),
    ],
    ids=["refused", "both refused", "no name", "in time", "bad", "a blocking call"],
)
def test_a_failure_needs_no_collector(dialed: Callable[[int], object]) -> None:
    """Its error, and with it all that its frames hold, goes when the last reference does."""
    port = closed_port()
    gc.collect()
    gc.disable()
    try:
        try:
            dialed(port)
        except (OSError, ValueError) as err:
            gone = weakref.ref(err)
        until(lambda: gone() is None)
    finally:
        gc.enable()


# ---- what is no text


@pytest.mark.parametrize("x", [None, 5, b"tcp", ("127.0.0.1", 80)])
@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("network", lambda x: net.Dial(x, "127.0.0.1:1")),
        ("address", lambda x: net.Dial("tcp", x)),
        ("address", lambda x: net.DialTimeout("tcp", x, 1)),
        ("network", lambda x: net.Listen(x, "127.0.0.1:0")),
        ("address", lambda x: net.Listen("tcp", x)),
        ("hostport", lambda x: net.ResolveTCPAddr("tcp", x)),
        ("hostport", net.SplitHostPort),
        ("host", lambda x: net.JoinHostPort(x, "80")),
        ("s", net.ParseMAC),
        ("host", net.LookupHost),
        ("host", net.LookupIP),
        ("host", net.LookupIPAddr),
        ("network", lambda x: net.LookupPort(x, "http")),
        ("service", lambda x: net.LookupPort("tcp", x)),
        ("network", lambda x: net.DialTCP(x, None, net.TCPAddr("127.0.0.1", 1))),
        ("network", lambda x: net.ListenTCP(x, None)),
        ("s", net.ParseCIDR),
    ],
)
def test_what_must_be_text(what: str, call: Callable[[Any], object], x: Any) -> None:
    with pytest.raises(TypeError, match=f"^{what} must be str, not {type(x).__name__}$"):
        call(x)


LOOPBACK = net.TCPAddr("127.0.0.1", 0)


@pytest.mark.parametrize("x", ["127.0.0.1:0", 5, ("127.0.0.1", 80), net.IPAddr("127.0.0.1")])
@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("laddr must be TCPAddr or None", lambda x: net.ListenTCP("tcp", x)),
        ("laddr must be TCPAddr or None", lambda x: net.DialTCP("tcp", x, LOOPBACK)),
        ("raddr must be TCPAddr or None", lambda x: net.DialTCP("tcp", None, x)),
        ("LocalAddr must be Addr or None", lambda x: net.Dialer(LocalAddr=x).Dial("tcp", "127.0.0.1:1")),
        ("Resolver must be Resolver or None", lambda x: net.Dialer(Resolver=x).Dial("tcp", "127.0.0.1:1")),
        (
            "KeepAliveConfig must be KeepAliveConfig or None",
            lambda x: net.Dialer(KeepAliveConfig=x).Dial("tcp", "127.0.0.1:1"),
        ),
        (
            "KeepAliveConfig must be KeepAliveConfig or None",
            lambda x: net.ListenConfig(KeepAliveConfig=x).Listen(None, "tcp", "127.0.0.1:0"),
        ),
        ("ctx must be a context", lambda x: net.Dialer().DialContext(x, "tcp", "127.0.0.1:1")),
        ("ctx must be a context", lambda x: net.ListenConfig().Listen(x, "tcp", "127.0.0.1:0")),
        ("ctx must be a context", lambda x: net.Resolver().LookupHost(x, "localhost")),
    ],
)
def test_what_must_be_of_a_kind(what: str, call: Callable[[Any], object], x: Any) -> None:
    if what.startswith("LocalAddr") and isinstance(x, net.Addr):
        return  # refused in Go's words: mismatched local address type
    with pytest.raises(TypeError, match=f"^{what}, not {type(x).__name__}$"):
        call(x)


@pytest.mark.parametrize("x", [None, True, 15, "on"])
def test_a_keep_alive_config_must_be_one(x: Any, pair: tuple[net.TCPConn, net.TCPConn]) -> None:
    with pytest.raises(TypeError, match=f"^config must be KeepAliveConfig, not {type(x).__name__}$"):
        pair[0].SetKeepAliveConfig(x)
