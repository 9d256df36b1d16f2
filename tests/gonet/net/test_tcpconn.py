"""TCPConn: reading, writing, closing, options. Texts are Go 1.26's."""

from __future__ import annotations

import array
import copy
import errno
import gc
import io
import mmap
import os
import pickle
import socket
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from gonet import net, time

pytestmark = pytest.mark.usefixtures("nothing_left_over")

Pair = tuple[net.TCPConn, net.TCPConn]


def read_all(c: net.Conn, size: int = 65536) -> bytes:
    out, buf = bytearray(), bytearray(size)
    while n := c.Read(buf):
        out += buf[:n]
    return bytes(out)


def test_what_is_written_is_read(pair: Pair) -> None:
    client, server = pair
    buf = bytearray(16)
    assert client.Write(b"hello") == 5
    assert server.Read(buf) == 5
    assert buf == b"hello" + bytes(11)
    assert server.Write(buf[:2]) == 2
    assert client.Read(memoryview(buf)[4:]) == 2
    assert buf[4:6] == b"he"


@pytest.mark.parametrize("size", [1, 65536, 5_000_000])
def test_Write_sends_all(size: int, pair: Pair, spawn: Callable[..., Any]) -> None:
    client, server = pair
    data = os.urandom(size)
    reading = spawn(read_all, server)
    assert client.Write(data) == size
    client.CloseWrite()
    assert reading.join() == data


@pytest.mark.parametrize(
    "data",
    [
        b"abcd",
        bytearray(b"abcd"),
        memoryview(b"xabcdx")[1:5],
        array.array("H", b"abcd"),
        memoryview(array.array("I", b"abcd")),
        memoryview(b"abcd").cast("B", (2, 2)),
    ],
    ids=lambda d: type(d).__name__,
)
def test_any_bytes_like_object_can_be_written(data: Any, pair: Pair) -> None:
    client, server = pair
    assert client.Write(data) == 4
    buf = bytearray(8)
    assert server.Read(buf) == 4
    assert buf[:4] == b"abcd"


@pytest.mark.parametrize(
    "make",
    [
        lambda: bytearray(4),
        lambda: memoryview(bytearray(4)),
        lambda: array.array("H", [0, 0]),
        lambda: mmap.mmap(-1, 4),
    ],
    ids=["bytearray", "memoryview", "array", "mmap"],
)
def test_any_writable_buffer_can_be_filled(make: Callable[[], Any], pair: Pair) -> None:
    client, server = pair
    client.Write(b"abcdef")
    buf = make()
    assert server.Read(buf) == 4
    assert bytes(buf) == b"abcd"


@pytest.mark.parametrize("data", ["abc", 5, None, ["a"], {1: 2}], ids=repr)
def test_what_is_no_bytes_cannot_be_written(data: Any, pair: Pair) -> None:
    with pytest.raises(TypeError):
        pair[0].Write(data)


@pytest.mark.parametrize("buf", [b"abc", memoryview(b"abc"), "abc", 3, None], ids=repr)
def test_what_cannot_be_written_to_takes_nothing(buf: Any, pair: Pair) -> None:
    client, server = pair
    client.Write(b"x")
    with pytest.raises((TypeError, BufferError, ValueError)):
        server.Read(buf)
    got = bytearray(4)
    assert server.Read(got) == 1 and got[:1] == b"x"


def test_no_view_of_a_buffer_is_kept(pair: Pair) -> None:
    client, server = pair
    data, buf = bytearray(b"abc"), bytearray(8)
    client.Write(data)
    server.Read(buf)
    data += b"more"
    buf += b"more"


def test_empty_buffers(pair: Pair) -> None:
    client, server = pair
    assert server.Read(bytearray()) == 0
    assert client.Write(b"") == 0


def test_the_end_of_the_stream_is_0_at_every_Read(pair: Pair) -> None:
    client, server = pair
    client.Write(b"last")
    client.Close()
    buf = bytearray(8)
    assert [server.Read(buf) for _ in range(4)] == [4, 0, 0, 0]


def test_half_closed(pair: Pair) -> None:
    client, server = pair
    client.CloseWrite()
    assert server.Read(bytearray(1)) == 0
    assert server.Write(b"still") == 5
    buf = bytearray(8)
    assert client.Read(buf) == 5
    with pytest.raises(BrokenPipeError) as info:
        client.Write(b"x")
    assert str(info.value) == f"write tcp {client.LocalAddr()}->{client.RemoteAddr()}: write: broken pipe"
    server.CloseRead()


def test_concurrent_Writes_do_not_mix(pair: Pair, spawn: Callable[..., Any]) -> None:
    client, server = pair
    size = 300_000
    reading = spawn(read_all, server)
    writing = [spawn(client.Write, bytes([i]) * size) for i in range(5)]
    for task in writing:
        assert task.join() == size
    client.CloseWrite()
    got = reading.join()
    pieces = [got[i : i + size] for i in range(0, len(got), size)]
    assert sorted(p[:1] * size for p in pieces) == sorted(pieces)
    assert len(pieces) == 5


# ---- the end


def test_Close_wakes_what_is_blocked(pair: Pair, spawn: Callable[..., Any]) -> None:
    client, _ = pair
    reading = [spawn(client.Read, bytearray(1)).parked() for _ in range(3)]
    writing = [spawn(client.Write, bytes(50_000_000)).parked() for _ in range(2)]
    client.Close()
    for op, tasks in ("read", reading), ("write", writing):
        for task in tasks:
            err = task.error()
            assert isinstance(err, net.ErrClosed)
            assert str(err) == (
                f"{op} tcp {client.LocalAddr()}->{client.RemoteAddr()}: use of closed network connection"
            )


OPERATIONS: dict[str, tuple[str, Callable[[net.TCPConn], object]]] = {
    "Read": ("read", lambda c: c.Read(bytearray(1))),
    "Read of nothing": ("read", lambda c: c.Read(bytearray())),
    "Write": ("write", lambda c: c.Write(b"x")),
    "Write of nothing": ("write", lambda c: c.Write(b"")),
    "Close": ("close", lambda c: c.Close()),
    "CloseRead": ("close", lambda c: c.CloseRead()),
    "CloseWrite": ("close", lambda c: c.CloseWrite()),
    "File": ("file", lambda c: c.File()),
    "SetDeadline": ("set", lambda c: c.SetDeadline(1)),
    "SetReadDeadline": ("set", lambda c: c.SetReadDeadline(1)),
    "SetWriteDeadline": ("set", lambda c: c.SetWriteDeadline(0)),
    "SetReadBuffer": ("set", lambda c: c.SetReadBuffer(4096)),
    "SetWriteBuffer": ("set", lambda c: c.SetWriteBuffer(4096)),
    "SetNoDelay": ("set", lambda c: c.SetNoDelay(False)),
    "SetLinger": ("set", lambda c: c.SetLinger(0)),
    "SetKeepAlive": ("set", lambda c: c.SetKeepAlive(False)),
    "SetKeepAlivePeriod": ("set", lambda c: c.SetKeepAlivePeriod(5)),
    "SetKeepAliveConfig": ("set", lambda c: c.SetKeepAliveConfig(net.KeepAliveConfig(True))),
    "ReadFrom": ("write", lambda c: c.ReadFrom(io.BytesIO(b"x"))),
    "WriteTo": ("read", lambda c: c.WriteTo(io.BytesIO())),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_closed_connection(name: str, ln: net.TCPListener) -> None:
    op, call = OPERATIONS[name]
    client = net.DialTCP("tcp", None, ln.Addr())  # type: ignore[arg-type]
    with ln.Accept() as server:
        client.Close()
        for _ in range(2):
            with pytest.raises(net.ErrClosed) as info:
                call(client)
        err = info.value
        assert isinstance(err, net.OpError) and isinstance(err, net.ErrClosed)
        local, remote = client.LocalAddr(), client.RemoteAddr()
        assert (local, remote) == (server.RemoteAddr(), server.LocalAddr())
        where = local if op == "set" else f"{local}->{remote}"
        assert str(err) == f"{op} tcp {where}: use of closed network connection"
        assert (err.Op, err.Net) == (op, "tcp")
        assert (err.Source, err.Addr) == ((None, local) if op == "set" else (local, remote))
        assert (err.Timeout(), err.Temporary()) == (False, False)


def test_an_accepted_connection_knows_its_addresses_after_Close(ln: net.TCPListener) -> None:
    with net.Dial("tcp", str(ln.Addr())) as client:
        server = ln.Accept()
        server.Close()
        assert server.LocalAddr() == client.RemoteAddr() == ln.Addr()
        assert server.RemoteAddr() == client.LocalAddr()
        assert server.LocalAddr() is server.LocalAddr()


def test_each_raise_has_its_own_exception(pair: Pair) -> None:
    client, _ = pair
    client.Close()
    errors = []
    for _ in range(2):
        with pytest.raises(net.ErrClosed) as info:
            client.Read(bytearray(1))
        errors.append(info.value)
    assert errors[0] is not errors[1]
    assert errors[0].Err is not errors[1].Err  # type: ignore[attr-defined]


def test_with_gives_the_connection_and_closes_it(ln: net.TCPListener) -> None:
    client = net.Dial("tcp", str(ln.Addr()))
    with client as c:
        assert c is client
    with pytest.raises(net.ErrClosed):
        client.Close()
    with ln.Accept() as server:
        server.Close()
    with pytest.raises(ZeroDivisionError), net.Dial("tcp", str(ln.Addr())) as client:
        raise ZeroDivisionError
    with pytest.raises(net.ErrClosed):
        client.Close()
    ln.Accept().Close()


def test_a_connection_that_is_dropped_is_closed(ln: net.TCPListener) -> None:
    client = net.Dial("tcp", str(ln.Addr()))
    with ln.Accept() as server:
        with pytest.warns(ResourceWarning):
            del client
            gc.collect()
        server.SetDeadline(time.Now() + 10)
        assert server.Read(bytearray(1)) == 0


def test_weak_references(pair: Pair) -> None:
    assert weakref.ref(pair[0])() is pair[0]


def test_a_reset_connection(pair: Pair) -> None:
    client, server = pair
    server.SetLinger(0)
    server.Close()
    local, remote = client.LocalAddr(), client.RemoteAddr()
    with pytest.raises(ConnectionResetError) as read:
        client.Read(bytearray(1))
    assert str(read.value) == f"read tcp {local}->{remote}: read: connection reset by peer"
    assert read.value.errno == errno.ECONNRESET
    with pytest.raises(BrokenPipeError) as write:
        client.Write(b"x")
    assert str(write.value) == f"write tcp {local}->{remote}: write: broken pipe"
    with pytest.raises(OSError, match="shutdown: transport endpoint is not connected") as shut:
        client.CloseWrite()
    assert str(shut.value) == f"close tcp {local}->{remote}: shutdown: transport endpoint is not connected"
    client.Close()


def test_an_OSError_of_somebody_else_is_left_as_it_is(pair: Pair) -> None:
    """A signal's handler may raise one in the midst of any call."""

    class Mine(OSError):
        pass

    raised = Mine(errno.EIO, "mine")

    fd = pair[0].fd
    assert fd.opError("read", raised) is raised
    assert fd.setError(raised) is raised
    assert isinstance(fd.setError(net.ErrClosed()), net.OpError)


# ---- options


def option(c: net.TCPConn, level: int, opt: int) -> int:
    with c.File() as f, socket.socket(fileno=f.detach()) as s:
        return s.getsockopt(level, opt)


TCP = socket.IPPROTO_TCP


def test_options(pair: Pair) -> None:
    client, _ = pair
    assert option(client, TCP, socket.TCP_NODELAY) != 0
    client.SetNoDelay(False)
    assert option(client, TCP, socket.TCP_NODELAY) == 0
    client.SetKeepAlive(False)
    assert option(client, socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    client.SetKeepAlivePeriod(33.5)
    assert option(client, TCP, socket.TCP_KEEPIDLE) == 34
    client.SetKeepAlivePeriod(-1)
    assert option(client, TCP, socket.TCP_KEEPIDLE) == 34
    client.SetKeepAlivePeriod(0)
    assert option(client, TCP, socket.TCP_KEEPIDLE) == 15
    client.SetKeepAliveConfig(net.KeepAliveConfig(Enable=True, Idle=40, Interval=7, Count=4))
    assert option(client, socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
    assert [option(client, TCP, getattr(socket, n)) for n in names] == [40, 7, 4]
    client.SetReadBuffer(30_000)
    client.SetWriteBuffer(40_000)
    assert option(client, socket.SOL_SOCKET, socket.SO_RCVBUF) >= 30_000
    assert option(client, socket.SOL_SOCKET, socket.SO_SNDBUF) >= 40_000


@pytest.mark.parametrize("value", ["1", None, 1.5])
def test_a_size_that_is_no_int(value: Any, pair: Pair) -> None:
    with pytest.raises(TypeError, match="int"):
        pair[0].SetReadBuffer(value)


class Index:
    """An integer that is no int, as numpy's are."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __index__(self) -> int:
        return self.n


def test_what_counts_as_an_integer(pair: Pair) -> None:
    client, _ = pair
    said = "'{}' object cannot be interpreted as an integer"
    settings: list[tuple[Callable[[Any], None], str]] = [
        (client.SetReadBuffer, said),
        (client.SetWriteBuffer, said),
        (
            lambda n: client.SetKeepAliveConfig(net.KeepAliveConfig(True, Count=n)),
            "KeepAliveConfig.Count must be an int, not {}",
        ),
        (client.SetLinger, said),
    ]
    for set, text in settings:
        set(Index(5))
        with pytest.raises(TypeError, match=text.format("float")):
            set(5.0)
        with pytest.raises(TypeError, match=text.format("str")):
            set("5")


@pytest.mark.parametrize("sec", ["1", 1.5, None])
def test_a_linger_that_is_no_int(sec: Any, pair: Pair) -> None:
    with pytest.raises(TypeError, match="integer"):
        pair[0].SetLinger(sec)


@pytest.mark.parametrize(
    ("sec", "want"), [(5, (1, 5)), (0, (1, 0)), (-1, (0,)), (-(1 << 40), (0,)), (1 << 40, (1,))]
)
def test_SetLinger(sec: int, want: tuple[int, ...], pair: Pair) -> None:
    pair[0].SetLinger(3)
    pair[0].SetLinger(sec)
    with pair[0].File() as f, socket.socket(fileno=f.detach()) as s:
        got = array.array("i", s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
    assert tuple(got)[: len(want)] == want
    pair[0].SetLinger(-1)


def test_an_option_that_the_system_refuses(pair: Pair) -> None:
    client, _ = pair
    with pytest.raises(net.OpError) as info:
        client.SetKeepAlivePeriod(1e6)
    assert str(info.value) == f"set tcp {client.LocalAddr()}: setsockopt: invalid argument"
    assert (info.value.Op, info.value.Source, info.value.Addr) == ("set", None, client.LocalAddr())
    assert info.value.errno == errno.EINVAL


def test_KeepAliveConfig_is_a_value() -> None:
    a = net.KeepAliveConfig(Enable=True, Idle=1, Interval=2, Count=3)
    assert a == net.KeepAliveConfig(True, 1, 2, 3) != net.KeepAliveConfig()
    assert hash(a) == hash(net.KeepAliveConfig(True, 1, 2, 3))
    assert repr(net.KeepAliveConfig()) == "KeepAliveConfig(False, 0, 0, 0)"


def test_File_owns_a_duplicate(pair: Pair) -> None:
    client, server = pair
    f = client.File()
    assert not os.get_inheritable(f.fileno())
    client.Close()
    with socket.socket(fileno=os.dup(f.fileno())) as s:
        s.setblocking(True)
        s.sendall(b"x")
    assert server.Read(bytearray(4)) == 1
    assert f.Name() == f"tcp:{client.LocalAddr()}->{client.RemoteAddr()}"
    f.close()
    f.close()
    assert f.closed and f.fileno() == -1
    assert server.Read(bytearray(4)) == 0


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_File_is_not_copied(pair: Pair, copied: Callable[[object], object]) -> None:
    """The second owner would close what somebody else has opened under that number since."""
    with pair[0].File() as f, pytest.raises(TypeError, match=r"a net\.File cannot be copied or pickled"):
        copied(f)


def test_a_File_that_is_dropped_is_closed(pair: Pair) -> None:
    client, server = pair
    f = client.File()
    client.Close()
    with pytest.warns(ResourceWarning, match="unclosed <File tcp:"):
        del f
        gc.collect()
    assert server.Read(bytearray(1)) == 0
