"""Listening: Listen, ListenTCP, ListenConfig, TCPListener. Texts are Go 1.26's."""

from __future__ import annotations

import errno
import gc
import logging
import os
import resource
import socket
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gonet import net, time
from gonet.net import errors, ipsock, tcpsock
from gonet.poll.errors import syscallerror

pytestmark = pytest.mark.usefixtures("nothing_left_over")

dualstack = pytest.mark.skipif(not ipsock.ipStackCaps().ipv4MappedIPv6Enabled, reason="no IPv4 over IPv6 sockets here")


def port(ln: net.Listener) -> int:
    addr = ln.Addr()
    assert isinstance(addr, net.TCPAddr)
    return addr.Port


@pytest.mark.parametrize(
    ("network", "address", "host"),
    [
        ("tcp", "127.0.0.1:0", "127.0.0.1"),
        ("tcp", "127.0.0.1:", "127.0.0.1"),
        ("tcp4", ":0", "0.0.0.0"),
        ("tcp4", "[::]:0", "0.0.0.0"),
        pytest.param("tcp", "", "::", marks=dualstack),
        pytest.param("tcp", ":0", "::", marks=dualstack),
        pytest.param("tcp", "0.0.0.0:0", "::", marks=dualstack),
        pytest.param("tcp", "[::]:0", "::", marks=dualstack),
        pytest.param("tcp6", ":0", "::", marks=dualstack),
        pytest.param("tcp", "[::1]:0", "::1", marks=dualstack),
        ("tcp", "localhost:0", "127.0.0.1"),
    ],
)
def test_the_address_listened_on(network: str, address: str, host: str) -> None:
    with net.Listen(network, address) as ln:
        addr = ln.Addr()
        assert isinstance(addr, net.TCPAddr)
        assert (str(addr.IP), addr.Network()) == (host, "tcp")
        assert addr.Port > 0
        assert ln.Addr() is addr
    assert ln.Addr() is addr


@pytest.mark.parametrize(
    ("network", "address", "text", "where"),
    [
        ("foo", "x", "listen foo: unknown network foo", None),
        ("", "127.0.0.1:0", "listen: unknown network ", None),
        ("TCP", "127.0.0.1:0", "listen TCP: unknown network TCP", None),
        ("tcp", "x", "listen tcp: address x: missing port in address", None),
        ("tcp", "127.0.0.1:80000", "listen tcp: address 80000: invalid port", None),
        ("tcp", "127.0.0.1:nosuch", "listen tcp: lookup tcp/nosuch: unknown port", None),
        ("tcp4", "[::1]:0", "listen tcp4: address ::1: no suitable address found", None),
        ("tcp6", "0.0.0.0:0", "listen tcp6: address 0.0.0.0: no suitable address found", None),
        ("tcp", "192.0.2.1:0", "listen tcp 192.0.2.1:0: bind: cannot assign requested address", "192.0.2.1:0"),
    ],
)
def test_Listen_refuses(network: str, address: str, text: str, where: str | None) -> None:
    with pytest.raises(net.OpError) as info:
        net.Listen(network, address)
    err = info.value
    assert str(err) == text
    assert (err.Op, err.Net, err.Source) == ("listen", network, None)
    assert (None if err.Addr is None else str(err.Addr)) == where


def test_an_address_in_use(ln: net.TCPListener) -> None:
    with pytest.raises(net.OpError) as info:
        net.Listen("tcp", str(ln.Addr()))
    assert str(info.value) == f"listen tcp {ln.Addr()}: bind: address already in use"
    assert info.value.errno == errno.EADDRINUSE
    assert isinstance(info.value.Err, net.SyscallError)


def test_a_port_is_free_once_Close_returns(ln: net.TCPListener) -> None:
    for _ in range(3):
        addr = ln.Addr()
        client = net.Dial("tcp", str(addr))
        ln.Accept().Close()
        ln.Close()
        with net.Listen("tcp", str(addr)) as again:
            assert again.Addr() == addr
        client.Close()
        new = net.Listen("tcp", str(addr))
        assert isinstance(new, net.TCPListener)
        ln = new
    ln.Close()


@pytest.mark.parametrize(
    ("network", "laddr", "text"),
    [
        ("foo", None, "listen foo: unknown network foo"),
        ("tcp4", net.TCPAddr("::1"), "listen tcp4 [::1]:0: address ::1: non-IPv4 address"),
        ("tcp", net.TCPAddr(b"\1\2\3"), "listen tcp ?010203:0: address ?010203: non-IPv4 address"),
        ("tcp", net.TCPAddr("127.0.0.1", 70000), "listen tcp 127.0.0.1:70000: bind: invalid argument"),
    ],
)
def test_ListenTCP_refuses(network: str, laddr: net.TCPAddr | None, text: str) -> None:
    with pytest.raises(net.OpError) as info:
        net.ListenTCP(network, laddr)
    assert str(info.value) == text


def test_ListenTCP() -> None:
    with net.ListenTCP("tcp4", None) as ln:
        assert str(ln.Addr()).startswith("0.0.0.0:")
    with net.ListenTCP("tcp", net.TCPAddr("127.0.0.1")) as ln:
        with net.DialTCP("tcp", None, net.TCPAddr("127.0.0.1", port(ln))) as client, ln.AcceptTCP() as server:
            assert server.RemoteAddr() == client.LocalAddr()


@dualstack
def test_one_listener_takes_both_families() -> None:
    with net.Listen("tcp", ":0") as ln:
        for host in ("127.0.0.1", "::1"):
            with net.Dial("tcp", net.JoinHostPort(host, port(ln))) as client, ln.Accept() as server:
                assert str(server.RemoteAddr()) == str(client.LocalAddr())
                assert str(server.LocalAddr()) == str(client.RemoteAddr()) == net.JoinHostPort(host, port(ln))
                assert server.RemoteAddr() == client.LocalAddr()


@dualstack
def test_tcp6_is_for_IPv6_alone() -> None:
    with net.Listen("tcp6", ":0") as ln:
        with pytest.raises(ConnectionRefusedError):
            net.Dial("tcp", f"127.0.0.1:{port(ln)}")
        with net.Dial("tcp6", f"[::1]:{port(ln)}"), ln.Accept() as server:
            assert server.LocalAddr() == net.TCPAddr("::1", port(ln))


# ---- accepting


def test_a_loop_over_a_listener_ends_when_it_is_closed(spawn: Callable[..., Any], ln: net.TCPListener) -> None:
    def serve() -> int:
        n = 0
        for conn in ln:
            n += 1
            conn.Close()
        return n

    server = spawn(serve)
    for _ in range(3):
        with net.Dial("tcp", str(ln.Addr())) as client:
            assert client.Read(bytearray(1)) == 0
    ln.Close()
    assert server.join() == 3
    assert list(ln) == []


def test_Close_wakes_Accept(spawn: Callable[..., Any], ln: net.TCPListener) -> None:
    accepting = [spawn(ln.Accept).parked() for _ in range(3)]
    ln.Close()
    for task in accepting:
        err = task.error()
        assert isinstance(err, net.ErrClosed) and isinstance(err, net.OpError)
        assert str(err) == f"accept tcp {ln.Addr()}: use of closed network connection"
        assert (err.Op, err.Source, err.Addr) == ("accept", None, ln.Addr())


def test_a_deadline_ends_Accept(spawn: Callable[..., Any], ln: net.TCPListener) -> None:
    t0 = time.Now()
    ln.SetDeadline(t0 + 0.03)
    with pytest.raises(net.OpError) as info:
        ln.Accept()
    assert time.Now() >= t0 + 0.03
    assert str(info.value) == f"accept tcp {ln.Addr()}: i/o timeout"
    assert isinstance(info.value, net.ErrDeadlineExceeded) and info.value.Timeout()
    client = net.Dial("tcp", str(ln.Addr()))
    with pytest.raises(TimeoutError):
        ln.Accept()  # though one is there
    ln.SetDeadline(None)
    ln.Accept().Close()
    client.Close()
    accepting = spawn(ln.Accept).parked()
    ln.SetDeadline(time.Now() - 1)
    assert isinstance(accepting.error(), net.ErrDeadlineExceeded)


def test_a_closed_listener(ln: net.TCPListener) -> None:
    addr = ln.Addr()
    ln.Close()
    for op, call in {
        "close": ln.Close,
        "accept": ln.Accept,
        "set": lambda: ln.SetDeadline(1),
        "file": ln.File,
    }.items():
        with pytest.raises(net.ErrClosed) as info:
            call()
        assert str(info.value) == f"{op} tcp {addr}: use of closed network connection"
        assert info.value.Op == op  # type: ignore[attr-defined]
    assert ln.Addr() == addr
    assert str(addr) in repr(ln)
    assert weakref.ref(ln)() is ln


def test_a_listener_that_is_dropped_is_closed() -> None:
    ln = net.Listen("tcp", "127.0.0.1:0")
    addr = str(ln.Addr())
    with pytest.warns(ResourceWarning):
        del ln
        gc.collect()
    give_up = time.Now() + 10
    while True:
        try:
            net.Dial("tcp", addr).Close()
        except ConnectionError:  # refused, or reset if it came in between
            break
        assert time.Now() < give_up
        time.Sleep(0.001)


def test_File_duplicates(ln: net.TCPListener) -> None:
    f = ln.File()
    assert f.fileno() >= 0 and f.Fd() == f.fileno()
    assert not os.get_inheritable(f.fileno())
    ln.Close()
    with socket.socket(fileno=f.detach()) as dup:
        dup.setblocking(True)
        with net.Dial("tcp", str(ln.Addr())) as client:
            conn, _ = dup.accept()
            with conn:
                conn.sendall(b"x")
            assert client.Read(bytearray(2)) == 1
    assert f.fileno() == -1 and f.closed


# ---- options


def option(x: Any, level: int, opt: int) -> int:
    with x.File() as f, socket.socket(fileno=f.detach()) as s:
        return s.getsockopt(level, opt)


def options(c: Any) -> list[int]:
    """[no delay, keep-alive, idle, interval, count]"""
    tcp = socket.IPPROTO_TCP
    return [
        int(option(c, tcp, socket.TCP_NODELAY) != 0),
        int(option(c, socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0),
        *(option(c, tcp, getattr(socket, name)) for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")),
    ]


@pytest.fixture(scope="module")
def system() -> list[int]:
    """What the system sets if nobody says anything."""
    with socket.socket() as s:
        return [
            s.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        ]


Config = net.KeepAliveConfig


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ({}, [1, 1, 15, 15, 9]),
        ({"KeepAlive": 30}, [1, 1, 30, 15, 9]),
        ({"KeepAlive": 1.5}, [1, 1, 2, 15, 9]),
        ({"KeepAlive": -1}, [1, 0, None, None, None]),
        ({"KeepAliveConfig": Config(Enable=True)}, [1, 1, 15, 15, 9]),
        ({"KeepAliveConfig": Config(True, 20, 5, 3)}, [1, 1, 20, 5, 3]),
        ({"KeepAliveConfig": Config(True, -1, -1, -1)}, [1, 1, None, None, None]),
        ({"KeepAlive": -1, "KeepAliveConfig": Config(True, 20, 5, 3)}, [1, 1, 20, 5, 3]),
        ({"KeepAlive": 30, "KeepAliveConfig": Config(False, 20, 5, 3)}, [1, 1, 30, 15, 9]),
    ],
    ids=str,
)
def test_connections_are_made_with_the_options_asked_for(
    settings: dict[str, Any], want: list[int | None], system: list[int]
) -> None:
    """On Linux those of accepted connections are their listener's, set once."""
    expected = want[:2] + [s if w is None else w for w, s in zip(want[2:], system, strict=True)]
    with net.ListenConfig(**settings).Listen(None, "tcp", "127.0.0.1:0") as ln:
        if sys.platform == "linux":
            assert tcpsock._inherits
        with net.Dialer(**settings).Dial("tcp", str(ln.Addr())) as client, ln.Accept() as server:
            assert options(server) == expected
            assert options(client) == expected


def test_where_options_are_not_inherited_Accept_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcpsock, "_inherits", False)
    with net.ListenConfig(KeepAlive=30).Listen(None, "tcp", "127.0.0.1:0") as ln:
        assert options(ln)[0] == 0
        with net.Dial("tcp", str(ln.Addr())), ln.Accept() as server:
            assert options(server) == [1, 1, 30, 15, 9]


def test_ReusePort() -> None:
    lc = net.ListenConfig(ReusePort=True)
    with lc.Listen(None, "tcp", "127.0.0.1:0") as a, lc.Listen(None, "tcp", str(a.Addr())) as b:
        assert a.Addr() == b.Addr()
        with pytest.raises(OSError, match="address already in use"):
            net.Listen("tcp", str(a.Addr()))


@pytest.mark.parametrize(
    ("network", "address", "told"),
    [
        ("tcp", "127.0.0.1:0", ("tcp4", "127.0.0.1:0")),
        ("tcp4", ":0", ("tcp4", ":0")),
        pytest.param("tcp", ":0", ("tcp6", ":0"), marks=dualstack),
        pytest.param("tcp", "[::1]:0", ("tcp6", "[::1]:0"), marks=dualstack),
    ],
)
def test_Control_is_called_before_bind(network: str, address: str, told: tuple[str, str]) -> None:
    calls: list[Any] = []

    def control(network: str, address: str, c: Any) -> None:
        def look(fd: int) -> None:
            s = socket.socket(fileno=os.dup(fd))
            with s:
                calls.append((network, address, s.getsockname()[1]))

        c.Control(look)

    with net.ListenConfig(Control=control).Listen(None, network, address):
        assert calls == [(*told, 0)]


class Boom(Exception):
    pass


@pytest.mark.parametrize("raised", [Boom("boom"), OSError(errno.EPERM, "no"), ValueError("x")], ids=repr)
def test_what_Control_raises_aborts(raised: Exception) -> None:
    def control(network: str, address: str, c: Any) -> None:
        raise raised

    with pytest.raises(net.OpError) as info:
        net.ListenConfig(Control=control).Listen(None, "tcp", "127.0.0.1:0")
    text = "operation not permitted" if isinstance(raised, OSError) else str(raised)
    assert str(info.value) == f"listen tcp 127.0.0.1:0: {text}"
    assert info.value.Err is raised
    assert isinstance(info.value, PermissionError) is isinstance(raised, OSError)


def test_what_a_raw_function_raises_passes_through() -> None:
    def control(network: str, address: str, c: Any) -> None:
        def f(fd: int) -> None:
            raise KeyError("mine")

        with pytest.raises(KeyError):
            c.Control(f)
        kept.append(c)

    kept: list[Any] = []
    with net.ListenConfig(Control=control).Listen(None, "tcp", "127.0.0.1:0") as ln:
        seen: list[int] = []
        kept[0].Control(seen.append)
        assert seen[0] >= 0
    with pytest.raises(net.ErrClosed) as info:
        kept[0].Control(seen.append)
    assert str(info.value) == f"raw-control tcp {ln.Addr()}: use of closed network connection"


# ---- out of descriptors


class Descriptors:
    """take(): from now on no descriptor can be opened; give(): they can."""

    def __init__(self) -> None:
        self.soft, self.hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def take(self) -> None:
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, self.hard))

    def give(self) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.soft, self.hard))


@pytest.fixture
def descriptors() -> Iterator[Descriptors]:
    d = Descriptors()
    try:
        yield d
    finally:
        d.give()


def limits_are_enforced() -> bool:
    d = Descriptors()
    d.take()
    try:
        os.close(os.dup(0))
    except OSError:
        return True
    finally:
        d.give()
    return False


enforced = pytest.mark.skipif(not limits_are_enforced(), reason="RLIMIT_NOFILE is not enforced here")


@enforced
def test_Accept_waits_for_descriptors_and_says_so_once(
    ln: net.TCPListener,
    spawn: Callable[..., Any],
    descriptors: Descriptors,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naps: list[float] = []

    def nap(d: float) -> None:
        naps.append(d)
        time.Sleep(d)

    monkeypatch.setattr(tcpsock, "Sleep", nap)
    client = net.Dial("tcp", str(ln.Addr()))
    with caplog.at_level(logging.WARNING, "gonet.net"):
        descriptors.take()
        accepting = spawn(ln.Accept)
        while len(naps) < 6:
            time.Sleep(0.005)
        descriptors.give()
        accepting.join().Close()
    assert naps[:6] == [0.005, 0.01, 0.02, 0.04, 0.05, 0.05]
    assert [r.getMessage() for r in caplog.records] == [
        f"accept tcp {ln.Addr()}: accept4: too many open files; retrying"
    ]
    client.Close()

    # It is said again when, after it was over, it happens again.
    caplog.clear()
    with net.Dial("tcp", str(ln.Addr())):
        ln.Accept().Close()
    with caplog.at_level(logging.WARNING, "gonet.net"), net.Dial("tcp", str(ln.Addr())):
        descriptors.take()
        accepting = spawn(ln.Accept)
        while not caplog.records:
            time.Sleep(0.001)
        descriptors.give()
        accepting.join().Close()
    assert len(caplog.records) == 1


@enforced
@pytest.mark.parametrize("how", ["close", "deadline"])
def test_waiting_for_descriptors_can_be_ended(
    how: str,
    ln: net.TCPListener,
    spawn: Callable[..., Any],
    descriptors: Descriptors,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with net.Dial("tcp", str(ln.Addr())):
        descriptors.take()
        accepting = spawn(ln.Accept)
        while not caplog.records:
            time.Sleep(0.001)
        if how == "close":
            ln.Close()
        else:
            ln.SetDeadline(time.Now() - 1)
        err = accepting.error()
        descriptors.give()
    assert isinstance(err, net.ErrClosed if how == "close" else net.ErrDeadlineExceeded)


def accept_error(n: int) -> OSError:
    """What FD.Accept raises."""
    return syscallerror("accept4", n)


@pytest.mark.parametrize("n", [errno.ENFILE, errno.ENOBUFS, errno.ENOMEM], ids=errno.errorcode.get)
def test_other_shortages_are_waited_out_too(n: int, ln: net.TCPListener, caplog: pytest.LogCaptureFixture) -> None:
    with net.Dial("tcp", str(ln.Addr())):
        ln._acceptLater(accept_error(n)).Close()
    [record] = caplog.records
    assert record.getMessage() == f"accept tcp {ln.Addr()}: accept4: {errors.errnoText(n)}; retrying"


def test_other_errors_of_accept_are_raised(ln: net.TCPListener) -> None:
    with pytest.raises(PermissionError) as info:
        ln._acceptLater(accept_error(errno.EPERM))
    assert str(info.value) == f"accept tcp {ln.Addr()}: accept4: operation not permitted"
