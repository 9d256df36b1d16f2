"""FD: reading, writing, accepting, closing and deadlines, with the short-read hint at work."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import random
import socket
import warnings
from array import array
from contextlib import suppress
from time import monotonic

import pytest

import runtime
from gonet.poll import FD, ErrDeadlineExceeded, ErrFileClosing, ErrNetClosing, ErrNoDeadline
from gonet.time import Sleep
from runtime import rawsys
from runtime.asm import getm, lock, unlock
from runtime.gmp import sched
from runtime.proc import getg, inject
from tests.helpers import (
    Thread,
    arrived,
    connected,
    delays,
    ended,
    fd_of,
    half,
    listening,
    parked,
    readall,
    runs,
    shut,
    sockets,
    spawn,
    until,
    until_state,
)

pytestmark = pytest.mark.usefixtures("nothing_left_over")

RST = (socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.fixture(params=["tcp", "unix"])
def kind(request):
    return request.param


# ---- reading


def test_what_is_written_is_read(kind):
    with connected(kind) as (a, b):
        assert a.Write(b"hello") == 5
        buf = bytearray(10)
        assert b.Read(buf) == 5
        assert buf == b"hello" + bytes(5)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_buffer_one_less_exact_and_one_more(kind, extra):
    """Round after round: the hint is set by a short read only, and nothing is ever missed."""
    with connected(kind) as (a, b):
        for i in range(5):
            data = bytes([i]) * 100
            a.Write(data)
            arrived(b, 100)
            assert readall(b, 100, 100 + extra) == data
            if extra == 1 and kind == "tcp":
                assert b.drained
        assert not b.drained or kind == "tcp"


def test_a_short_read_of_tcp_means_drained_and_the_next_parks_at_once():
    with connected("tcp") as (a, b):
        a.Write(b"hello")
        assert b.Read(bytearray(10)) == 5
        assert b.drained
        t = parked(b.Read, bytearray(10))
        a.Write(b"again")
        assert t.join() == 5


@pytest.mark.parametrize("kind", ["unix", "unixgram"])
def test_of_others_it_does_not(kind):
    with connected(kind) as (a, b):
        a.Write(b"hello")
        assert b.Read(bytearray(10)) == 5
        assert not b.drained


def test_many_small_messages(kind):
    with connected(kind) as (a, b):
        buf = bytearray(100)
        for i in range(2000):
            a.Write(b"x" * (i % 100 + 1))
            n = 0
            while n < i % 100 + 1:
                n += b.Read(buf)
            assert n == i % 100 + 1


def test_data_and_end_in_one_event(kind):
    """One event (IN|RDHUP) and no second: the hint must not make the next Read wait for it."""
    with half(kind) as (fd, peer):
        for warm in (False, True):
            if warm:
                peer.send(b"warm")
                assert fd.Read(bytearray(10)) == 4
                assert fd.drained is (kind == "tcp")
        peer.send(b"hello")
        peer.shutdown(socket.SHUT_WR)
        arrived(fd, 5)
        ended(fd)
        buf = bytearray(100)
        assert fd.Read(buf) == 5
        for _ in range(3):
            assert fd.Read(buf) == 0


def test_data_and_end_while_it_is_parked(kind):
    with half(kind) as (fd, peer):
        t = parked(readall, fd, 1000)
        peer.send(b"hello")
        peer.shutdown(socket.SHUT_WR)
        assert t.join() == b"hello"


def test_data_and_then_the_end(kind):
    with half(kind) as (fd, peer):
        peer.send(b"hello")
        assert fd.Read(bytearray(10)) == 5
        t = parked(fd.Read, bytearray(10))
        peer.shutdown(socket.SHUT_WR)
        assert t.join() == 0


def test_the_end_after_an_exact_read():
    with half("tcp") as (fd, peer):
        peer.send(b"hello")
        assert fd.Read(bytearray(5)) == 5
        peer.shutdown(socket.SHUT_WR)
        assert fd.Read(bytearray(5)) == 0


def test_data_and_reset():
    """The kernel drops what was not read, or gives it first; either way the reset is told and nobody waits for ever."""
    with half("tcp") as (fd, peer):
        peer.send(b"warm")
        assert fd.Read(bytearray(10)) == 4
        assert fd.drained
        peer.send(b"hello")
        arrived(fd, 5)
        peer.setsockopt(*RST)
        peer.close()
        with pytest.raises(ConnectionResetError):
            for _ in range(3):
                fd.Read(bytearray(10))


def test_reset_while_it_is_parked():
    with half("tcp") as (fd, peer):
        peer.send(b"warm")
        assert fd.Read(bytearray(10)) == 4
        t = parked(fd.Read, bytearray(10))
        peer.setsockopt(*RST)
        peer.close()
        err = t.error()
        assert isinstance(err, ConnectionResetError) and err.errno == errno.ECONNRESET


def test_reset_right_after_data_while_it_is_parked():
    with half("tcp") as (fd, peer):
        t = parked(fd.Read, bytearray(10))
        peer.send(b"hello")
        peer.setsockopt(*RST)
        peer.close()
        try:
            assert t.join() == 5
        except ConnectionResetError:
            return
        with pytest.raises(ConnectionResetError):
            fd.Read(bytearray(10))


def test_urgent_data_ends_a_read_short_with_more_behind_it():
    """Bytes before and behind an urgent mark: a short read at the mark does not mean an empty socket."""
    with half("tcp") as (fd, peer):
        for i in range(3):
            t = parked(readall, fd, 8, 100)
            peer.send(b"abcd")
            peer.send(b"U", socket.MSG_OOB)
            peer.send(b"efgh")
            assert t.join() == b"abcdefgh", i


def test_urgent_data_that_was_all_there_before():
    with half("tcp") as (fd, peer):
        peer.send(b"warm")
        assert fd.Read(bytearray(10)) == 4
        for i in range(3):
            peer.send(b"abcd")
            peer.send(b"U", socket.MSG_OOB)
            peer.send(b"efgh")
            arrived(fd, 4)
            Sleep(0.01)
            assert spawn(readall, fd, 8, 100).join() == b"abcdefgh", i


def test_urgent_data_alone_gives_nothing_to_read():
    with half("tcp") as (fd, peer):
        t = parked(fd.Read, bytearray(10))
        peer.send(b"U", socket.MSG_OOB)
        Sleep(0.02)
        assert not t.done
        peer.send(b"x")
        assert t.join() == 1


def test_the_hint_is_back_after_the_urgent_data_has_been_read():
    with half("tcp") as (fd, peer):
        peer.send(b"U", socket.MSG_OOB)
        until(lambda: fd.pd.hup)
        peer.send(b"abc")
        arrived(fd, 3)
        assert spawn(readall, fd, 3).join() == b"abc"
        t = parked(fd.Read, bytearray(10))  # an EAGAIN: all is read
        peer.send(b"def")
        assert t.join() == 3
        peer.send(b"ghi")
        assert fd.Read(bytearray(10)) == 3
        assert fd.drained


def test_descriptors_passed_on_a_unix_socket_end_a_read_short():
    with half("unix") as (fd, peer):
        peer.send(b"abc")
        socket.send_fds(peer, [b"def"], [0])
        peer.send(b"ghi")
        arrived(fd, 3)
        assert spawn(readall, fd, 9).join() == b"abcdefghi"


@pytest.mark.parametrize("kind", ["tcp", "unix", "unixgram"])
def test_an_empty_buffer_reads_nothing_at_once(kind):
    with connected(kind) as (a, b):
        for _ in range(2):
            t = spawn(b.Read, bytearray())
            assert t.join() == 0
            a.Write(b"hello")
            arrived(b, 5)
            assert b.Read(bytearray()) == 0
            assert b.Read(bytearray(10)) == 5


def test_an_empty_buffer_at_the_end(kind):
    with half(kind) as (fd, peer):
        peer.close()
        assert fd.Read(bytearray(5)) == 0
        assert fd.Read(bytearray()) == 0


@pytest.mark.parametrize("buf", [b"12345", "text", None, 5, memoryview(b"12345"), b""])
def test_what_cannot_be_written_is_refused_and_takes_nothing(kind, buf):
    with connected(kind) as (a, b):
        a.Write(b"hello")
        arrived(b, 5)
        for _ in range(2):
            with pytest.raises((TypeError, BufferError, ValueError)):
                b.Read(buf)
        assert b.Read(bytearray(10)) == 5
        assert b.state == 0


@pytest.mark.parametrize("buf", [b"12345", "text", None])
def test_what_cannot_be_written_is_refused_also_when_drained(buf):
    with connected("tcp") as (a, b):
        a.Write(b"hello")
        assert b.Read(bytearray(10)) == 5
        assert b.drained
        t = spawn(b.Read, buf)
        until(lambda: t.done or t.g.state() == "IO wait")
        a.Write(b"again")
        assert isinstance(t.error(), (TypeError, BufferError, ValueError))
        assert b.Read(bytearray(10)) == 5


@pytest.mark.parametrize("buf", [memoryview(bytearray(10))[2:7], array("B", bytes(5)), array("i", [0, 0])])
def test_any_writable_buffer_will_do(kind, buf):
    with connected(kind) as (a, b):
        a.Write(b"hello")
        arrived(b, 5)
        assert b.Read(buf) == 5
        assert bytes(buf)[:5] == b"hello"


def test_no_view_of_a_buffer_is_kept(kind):
    with connected(kind) as (a, b):
        buf, data = bytearray(10), bytearray(b"hello")
        a.Write(data)
        b.Read(buf)
        buf.extend(data)  # a buffer that is viewed cannot be resized
        data.clear()
        t = parked(b.Read, buf)
        buf.extend(b"more")  # not while it is parked either
        a.Write(b"x")
        assert t.join() == 1


# ---- writing


@pytest.mark.parametrize(
    "data", [b"hello", bytearray(b"hello"), memoryview(b"hello"), array("B", b"hello"), memoryview(b"-hello-")[1:6]]
)
def test_any_bytes_like_object_is_written(kind, data):
    with connected(kind) as (a, b):
        assert a.Write(data) == 5
        buf = bytearray(10)
        assert b.Read(buf) == 5 and buf[:5] == b"hello"


def test_items_of_many_bytes_are_counted_in_bytes(kind):
    with connected(kind) as (a, b):
        data = array("d", [1.0] * 100_000)
        t = spawn(a.Write, data)
        assert readall(b, 800_000) == data.tobytes()
        assert t.join() == 800_000


@pytest.mark.parametrize("data", ["text", None, 5, [1]])
def test_what_is_not_bytes_like_is_refused(kind, data):
    with connected(kind) as (a, b):
        for _ in range(2):
            with pytest.raises(TypeError):
                a.Write(data)
        assert a.state == 0
        assert a.Write(b"x") == 1


def test_writing_nothing(kind):
    with connected(kind) as (a, b):
        assert a.Write(b"") == 0
        a.Write(b"x")
        assert b.Read(bytearray(5)) == 1


def test_64_mb_to_a_slow_reader(kind):
    """The writer parks again and again; the reader takes odd amounts and pauses."""
    size = 64 << 20
    block = random.randbytes(1 << 20)
    data = block * 64
    with connected(kind) as (a, b):
        t = spawn(a.Write, data)
        h = hashlib.sha256()
        buf = bytearray(300_001)
        view = memoryview(buf)
        got = pauses = 0
        while got < size:
            n = b.Read(buf)
            assert n > 0
            h.update(view[:n])
            got += n
            if got // (2 << 20) > pauses:
                pauses += 1
                Sleep(0.0005)
        assert t.join() == size
        assert h.digest() == hashlib.sha256(data).digest()


def test_a_write_parks_when_nobody_reads_and_goes_on_when_somebody_does(kind):
    with connected(kind) as (a, b):
        data = bytes(8 << 20)
        t = parked(a.Write, data)
        for _ in range(3):
            Sleep(0.001)
        assert not t.done
        assert len(readall(b, len(data))) == len(data)
        assert t.join() == len(data)


def test_a_buffer_that_is_being_written_cannot_be_resized(kind):
    with connected(kind) as (a, b):
        data = bytearray(8 << 20)
        t = parked(a.Write, data)
        with pytest.raises(BufferError):
            data.clear()
        readall(b, 8 << 20)
        t.join()
        data.clear()


def test_writing_to_a_peer_that_is_gone_is_an_error_and_no_signal(kind):
    with half(kind) as (fd, peer):
        peer.close()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(100):
                fd.Write(b"x" * 1000)
                Sleep(0.0005)
        assert fd.state == 0


def test_a_parked_write_is_told_that_the_peer_is_gone(kind):
    with half(kind) as (fd, peer):
        t = parked(fd.Write, bytes(64 << 20))
        peer.setsockopt(*RST) if kind == "tcp" else None
        peer.close()
        assert isinstance(t.error(), (BrokenPipeError, ConnectionResetError))


def test_writes_do_not_mix():
    """Ten writers, large messages, one connection: each arrives whole."""
    size, n = 300_000, 10
    with connected("tcp") as (a, b):
        ts = [spawn(a.Write, bytes([i]) * size) for i in range(n)]
        data = readall(b, size * n)
        for t in ts:
            assert t.join() == size
        seen = [data[i * size] for i in range(n)]
        assert sorted(seen) == list(range(n))
        for i in range(n):
            assert data[i * size : (i + 1) * size] == bytes([seen[i]]) * size


@pytest.mark.parametrize("size, times", [(1000, 200), (300_000, 8)])
def test_four_readers_and_four_writers_on_one_pair(kind, size, times):
    """No error, and each Write comes out in one piece, also if the sockets do not hold it."""
    got = bytearray()
    with connected(kind) as (a, b):

        def write(i):
            for _ in range(times):
                assert a.Write(bytes([i]) * size) == size

        def read():
            buf = bytearray(777 if size == 1000 else 77_777)
            while n := b.Read(buf):
                got.extend(buf[:n])  # at once: before another reader has its turn

        readers = [spawn(read) for _ in range(4)]
        writers = [spawn(write, i) for i in range(4)]
        for t in writers:
            t.join()
        a.Shutdown(socket.SHUT_WR)
        for t in readers:
            t.join()
    seen = [got[k : k + size] for k in range(0, len(got), size)]
    assert len(got) == 4 * times * size
    assert all(block == bytes([block[0]]) * size for block in seen)
    assert sorted(block[0] for block in seen) == sorted(list(range(4)) * times)


def test_both_directions_at_once(kind):
    size = 4 << 20
    with connected(kind) as (a, b):
        ts = [spawn(x.Write, bytes(size)) for x in (a, b)]
        rs = [spawn(readall, x, size) for x in (a, b)]
        assert [t.join() for t in ts] == [size] * 2
        assert [len(r.join()) for r in rs] == [size] * 2


def test_threads_read_and_write(kind):
    with connected(kind) as (a, b):
        t = Thread(readall, b, 1 << 20)
        w = Thread(a.Write, bytes(1 << 20))
        assert w.join() == 1 << 20
        assert len(t.join()) == 1 << 20


# ---- accepting


def test_accept_gives_descriptors():
    with listening() as (ln, addr):
        t = parked(ln.Accept)
        with socket.create_connection(addr) as c:
            nfd, sa = t.join()
            with socket.socket(fileno=nfd) as s:
                assert not os.get_blocking(nfd) and not os.get_inheritable(nfd)
                assert s.getpeername() == c.getsockname()
                from runtime import rawsys

                assert rawsys.parse_sockaddr(sa)[2] == c.getsockname()[1]


def test_all_connections_of_one_edge_are_accepted():
    """Many came before the first Accept: one edge, and a listener is never taken to be drained."""
    with listening() as (ln, addr):
        cs = [socket.create_connection(addr) for _ in range(20)]
        Sleep(0.01)
        for _ in cs:
            os.close(spawn(ln.Accept).join()[0])
        assert not ln.drained
        for c in cs:
            c.close()


def test_several_accept_at_once():
    with listening() as (ln, addr):
        ts = [spawn(ln.Accept) for _ in range(5)]
        until(lambda: all(t.g.state() in ("IO wait", "semacquire") for t in ts))
        cs = [socket.create_connection(addr) for _ in range(5)]
        for t in ts:
            os.close(t.join()[0])
        for c in cs:
            c.close()


def test_close_wakes_all_who_accept():
    with listening() as (ln, addr):
        ts = [spawn(ln.Accept) for _ in range(5)]
        until(lambda: all(t.g.state() in ("IO wait", "semacquire") for t in ts))
        ln.Close()
        assert all(isinstance(t.error(), ErrNetClosing) for t in ts)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(addr)


def test_a_deadline_ends_accept():
    with listening() as (ln, _):
        ln.SetReadDeadline(monotonic() + 0.01)
        with pytest.raises(ErrDeadlineExceeded):
            ln.Accept()
        ln.SetDeadline(0)
        t = parked(ln.Accept)
        ln.SetDeadline(-1)
        assert isinstance(t.error(), ErrDeadlineExceeded)


def test_accept_without_descriptors_left_is_an_oserror_and_not_the_end():
    program = """
        import resource
        fd, addr = listener()
        c = socket.create_connection(addr)
        gtime.Sleep(0.01)
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)
        top = max(int(n) for n in os.listdir("/proc/self/fd"))
        fill = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (top + 3, soft[1]))
        try:
            while True: fill.append(os.dup(0))
        except OSError: pass
        for i in range(3):
            try: fd.Accept()
            except OSError as e: say(e.errno)
        for n in fill: os.close(n)
        say(fd.Accept()[0] > 0)
        os._exit(0)
    """
    assert runs(program) == f"{errno.EMFILE}\n" * 3 + "True\n"


# ---- closing


@pytest.mark.parametrize("op", ["Read", "Write", "Accept"])
def test_close_wakes_who_is_parked_and_returns_when_the_descriptor_is_closed(op):
    if op == "Accept":
        cm = listening()
        fd, _ = cm.__enter__()
        args = ()
    else:
        cm = connected()
        fd, _ = cm.__enter__()
        args = (bytearray(5),) if op == "Read" else (bytes(64 << 20),)
    n = fd.Sysfd
    ts = [spawn(getattr(fd, op), *args) for _ in range(3)]
    until(lambda: sorted(t.g.state() for t in ts) == ["IO wait", "semacquire", "semacquire"])
    fd.Close()
    with pytest.raises(OSError):
        os.fstat(n)
    assert fd.Sysfd == -1
    assert [type(t.error()) for t in ts] == [ErrNetClosing] * 3
    cm.__exit__(None, None, None)


def test_close_waits_for_operations_that_run():
    with connected() as (a, b):
        r, w = os.pipe()
        n = a.Sysfd
        user = parked(a.RawControl, lambda fd: runtime.Syscall(os.read, r, 1), state="syscall")
        closer = parked(a.Close, state="semacquire")
        os.fstat(n)
        os.write(w, b"x")
        user.join()
        closer.join()
        with pytest.raises(OSError):
            os.fstat(n)
        os.close(r)
        os.close(w)


def test_everything_on_a_closed_one_says_so():
    with connected() as (a, b):
        a.Close()
        for call in (
            lambda: a.Read(bytearray(5)),
            lambda: a.Read(bytearray()),
            lambda: a.Write(b"x"),
            lambda: a.Accept(),
            lambda: a.Close(),
            lambda: a.SetDeadline(0),
            lambda: a.SetReadDeadline(monotonic() + 1),
            lambda: a.SetWriteDeadline(None),
            lambda: a.Shutdown(socket.SHUT_WR),
            lambda: a.SetsockoptInt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            lambda: a.GetsockoptInt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            lambda: a.Dup(),
            lambda: a.RawControl(print),
            lambda: a.WaitWrite(),
        ):
            with pytest.raises(ErrNetClosing) as caught:
                call()
            assert caught.value.errno == errno.EBADF


def test_a_file_says_it_in_other_words():
    r, w = os.pipe2(os.O_NONBLOCK)
    fd = FD(r, True, True)
    fd.Init("file", True)
    try:
        t = spawn(fd.Read, bytearray(5))
        until(lambda: t.done or t.g.state() == "IO wait")
        fd.Close()
        assert isinstance(t.error(), ErrFileClosing)
        with pytest.raises(ErrFileClosing):
            fd.Read(bytearray(5))
    finally:
        os.close(w)


def test_errors_are_fresh_each_time():
    with connected() as (a, b):
        a.Close()
        errors = []
        for _ in range(2):
            with pytest.raises(ErrNetClosing) as caught:
                a.Read(bytearray(5))
            errors.append(caught.value)
        assert errors[0] is not errors[1]


def test_close_from_a_thread_wakes_a_goroutine_and_the_other_way_round():
    with connected() as (a, b):
        t = parked(a.Read, bytearray(5))
        Thread(a.Close).join()
        assert isinstance(t.error(), ErrNetClosing)
        th = Thread(b.Read, bytearray(5))
        until(lambda: th.state() in ("IO wait", "") and not th.is_alive() or th.state() == "IO wait")
        shut(b)
        try:
            assert th.join() == 0  # a's end came first
        except OSError as err:
            assert isinstance(err, ErrNetClosing)


def test_several_close_at_once_and_one_succeeds():
    with connected() as (a, b):
        ts = [spawn(a.Close) for _ in range(5)]
        until(lambda: all(t.done for t in ts))
        assert sorted(t.exc is None for t in ts) == [False] * 4 + [True]


CYCLES = 100_000 if runtime.compiled else 8_000


@pytest.mark.limit(300)
def test_numbers_that_are_used_again_are_never_mixed_up():
    """Open, park, close, reuse, with the kernel giving the lowest number each time: every waiter is told, each reads
    its own pair's bytes, and nobody closes another's descriptor."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    s, t = socket.socketpair()
    s.setblocking(False)
    results = {"closed": 0, "data": 0}
    expected = {"closed": 0, "data": 0}
    wrong = []

    def read(fd, tag):
        buf = bytearray(10)
        try:
            n = fd.Read(buf)
        except ErrNetClosing:
            results["closed"] += 1
            if tag is not None:
                wrong.append(("closed", tag))
            return
        results["data"] += 1
        if bytes(buf[:n]) != tag:
            wrong.append((bytes(buf[:n]), tag))

    for i in range(CYCLES):
        fd = FD(os.dup(s.fileno()))
        fd.Init("unix", True)
        if rnd.random() < 0.5:
            expected["closed"] += 1
            g = runtime.go(read, fd, None)
        else:
            expected["data"] += 1
            tag = b"%d" % i
            g = runtime.go(read, fd, tag)
            t.send(tag)
            until_dead = g
            while until_dead.state() != "dead":
                runtime.Gosched()
        if rnd.random() < 0.5:
            runtime.Gosched()
        fd.Close()
        if rnd.random() < 0.1:
            os.fstat(s.fileno())
    until(lambda: results == expected)
    assert wrong == []
    s.close()
    t.close()
    assert wrong == []


@pytest.mark.limit(300)
def test_a_number_that_is_somebody_elses_as_soon_as_its_waiter_is_told(tmp_path):
    """100,000 times: open, wait, close, and the number is a file's. Every waiter was parked and gets ErrNetClosing,
    none is woken by what has come for the one before, and the file's descriptor stays the file's."""
    pairs = [socket.socketpair() for _ in range(2)]
    for s, _ in pairs:
        s.setblocking(False)
    told = [0]

    def read(fd, sent):
        try:
            fd.Read(bytearray(10))
            assert sent  # and the monitor has polled before the Close
        except ErrNetClosing:
            pass
        told[0] += 1

    with open(tmp_path / "file", "wb") as file:
        inode = os.fstat(file.fileno()).st_ino
        for i in range(100_000):
            s, t = pairs[i % 2]
            fd = FD(os.dup(s.fileno()))
            number = fd.Sysfd
            fd.Init("unix", True)
            sends = i % 16 < 2
            g = runtime.go(read, fd, sends)
            while g.state() != "IO wait":
                runtime.Gosched()
            if sends:
                t.send(b"for one that is told first")
            fd.Close()
            other = os.dup(file.fileno())
            assert other == number
            if sends:
                runtime.Gosched()  # which polls now and then
                with suppress(BlockingIOError):
                    s.recv(100)
            assert told[0] == i + 1 and g.state() == "dead"
            assert os.fstat(other).st_ino == inode
            os.close(other)
    for s, t in pairs:
        s.close()
        t.close()


# ---- dropped


def test_one_that_is_dropped_unclosed_is_closed_with_a_warning():
    s, t = sockets()
    fd = fd_of(s)
    n = fd.Sysfd
    with pytest.warns(ResourceWarning, match=f"unclosed FD fd={n}"):
        del fd
        gc.collect()
    until(lambda: t.recv(5, socket.MSG_DONTWAIT) == b"" if _readable(t) else False)
    t.close()


def _readable(t):
    import select

    return bool(select.select([t], [], [], 0)[0])


def test_one_that_is_dropped_when_the_interpreter_has_cleared_the_module_says_nothing():
    program = """
        import gonet.poll.fd_unix as module
        a, b = tcp_pair()
        for name in list(vars(module)):
            if not name.startswith("__"):
                setattr(module, name, None)
        del a
        say("dropped")
        os._exit(0)
    """
    assert runs(program) == "dropped\n"


def test_one_that_was_closed_is_dropped_silently():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with connected() as (a, b):
            pass
        del a, b
        gc.collect()


def test_one_in_a_cycle_and_one_in_a_thread():
    s, t = sockets()
    fd = fd_of(s)

    class Node:
        pass

    node = Node()
    node.me, node.fd = node, fd
    del fd
    with pytest.warns(ResourceWarning):
        del node
        gc.collect()
    until(lambda: _readable(t))
    t.close()
    s, t = sockets()
    fd = fd_of(s)

    def drop():
        nonlocal fd
        fd = None
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Thread(drop).join()
    until(lambda: _readable(t))
    t.close()


def test_one_that_is_only_parked_on_is_not_dropped():
    """The goroutine that reads it keeps it."""
    s, t = sockets()
    task = parked(fd_of(s).Read, bytearray(5))
    gc.collect()
    t.send(b"x")
    assert task.join() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del task
        gc.collect()
    Sleep(0.01)
    t.close()


def test_one_that_was_never_initialised_harms_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FD.__new__(FD)
        FD(-1)
        with pytest.raises(TypeError):
            FD()
        gc.collect()


def test_one_whose_registration_fails_closes_nothing_of_others():
    fd = FD(1 << 20)
    with pytest.raises(OSError) as caught:
        fd.Init("tcp", True)
    assert caught.value.errno == errno.EBADF
    fd.Sysfd = -1


# ---- deadlines


def test_a_deadline_ends_a_read_and_stays(kind):
    with connected(kind) as (a, b):
        start = monotonic()
        a.SetReadDeadline(start + 0.02)
        for _ in range(3):
            with pytest.raises(ErrDeadlineExceeded):
                a.Read(bytearray(5))
        assert monotonic() - start >= 0.0199
        b.Write(b"x")
        arrived(a)
        with pytest.raises(TimeoutError):
            a.Read(bytearray(5))
        a.SetReadDeadline(0)
        assert a.Read(bytearray(5)) == 1


def test_a_deadline_when_drained():
    with connected("tcp") as (a, b):
        b.Write(b"x")
        assert a.Read(bytearray(5)) == 1
        assert a.drained
        a.SetReadDeadline(monotonic() + 0.01)
        with pytest.raises(ErrDeadlineExceeded):
            a.Read(bytearray(5))
        b.Write(b"yz")
        a.SetReadDeadline(monotonic() + 20)
        assert a.Read(bytearray(5)) == 2


def test_one_in_the_past_ends_a_blocked_call_at_once(kind):
    with connected(kind) as (a, b):
        for d in (-1, 1e-9, 1, monotonic() - 100):
            a.SetReadDeadline(0)
            t = parked(a.Read, bytearray(5))
            a.SetReadDeadline(d)
            assert isinstance(t.error(), ErrDeadlineExceeded)


def test_one_that_is_moved_is_honoured(kind):
    with connected(kind) as (a, b):
        for d in delays(0.01):
            a.SetReadDeadline(0)
            t = parked(a.Read, bytearray(5))
            start = monotonic()
            a.SetReadDeadline(start + d)
            Sleep(d / 10)
            a.SetReadDeadline(start + 5 * d)
            in_time = monotonic() - start < d
            assert isinstance(t.error(), ErrDeadlineExceeded)
            if in_time:
                assert monotonic() - start >= 5 * d - 1e-4
                break


def test_a_write_past_its_deadline_sends_nothing(kind):
    with connected(kind) as (a, b):
        a.SetWriteDeadline(monotonic() - 1)
        with pytest.raises(ErrDeadlineExceeded):
            a.Write(b"x")
        a.SetWriteDeadline(0)
        a.Write(b"y")
        buf = bytearray(5)
        assert b.Read(buf) == 1 and buf[:1] == b"y"


def test_a_deadline_ends_a_parked_write(kind):
    with connected(kind) as (a, b):
        a.SetWriteDeadline(monotonic() + 0.02)
        with pytest.raises(ErrDeadlineExceeded):
            a.Write(bytes(64 << 20))
        assert a.state == 0


def test_read_and_write_deadlines_are_apart():
    with connected() as (a, b):
        a.SetReadDeadline(-1)
        assert a.Write(b"x") == 1
        a.SetReadDeadline(None)
        a.SetWriteDeadline(-1)
        b.Write(b"y")
        assert a.Read(bytearray(5)) == 1
        a.SetDeadline(-1)
        with pytest.raises(ErrDeadlineExceeded):
            a.Read(bytearray(5))
        with pytest.raises(ErrDeadlineExceeded):
            a.Write(b"x")


@pytest.mark.parametrize("d", [1e300, float("inf"), 2.0**63, 9.3e9])
def test_the_far_future_is_legal(d):
    with connected() as (a, b):
        a.SetDeadline(d)
        b.Write(b"x")
        assert a.Read(bytearray(5)) == 1


def test_what_is_no_instant_is_refused():
    with connected() as (a, b):
        with pytest.raises(ValueError):
            a.SetDeadline(float("nan"))
        with pytest.raises(TypeError):
            a.SetDeadline("soon")
        b.Write(b"x")
        assert a.Read(bytearray(5)) == 1


def test_what_is_not_pollable_has_no_deadline(tmp_path):
    with open(tmp_path / "file", "w+b") as f:
        fd = FD(os.dup(f.fileno()))
        fd.Init("file", False)
        with pytest.raises(ErrNoDeadline):
            fd.SetDeadline(monotonic() + 1)
        assert fd.Write(b"hello") == 5
        f.seek(0)
        buf = bytearray(10)
        assert [fd.Read(buf), fd.Read(buf)] == [5, 0]
        fd.Close()


def test_pipes_are_read_and_written():
    r, w = os.pipe2(os.O_NONBLOCK)
    reader, writer = FD(r), FD(w)
    for fd in reader, writer:
        fd.Init("file", True)
    try:
        t = parked(reader.Read, bytearray(10))
        assert writer.Write(b"hello") == 5
        assert t.join() == 5
        t = spawn(writer.Write, bytes(1 << 20))
        assert len(readall(reader, 1 << 20)) == 1 << 20
        assert t.join() == 1 << 20
        shut(writer)
        assert reader.Read(bytearray(5)) == 0
    finally:
        shut(reader, writer)


def test_deadlines_set_at_every_read_for_a_while():
    """As servers do: always later, hardly ever reached."""
    with connected() as (a, b):
        buf = bytearray(5)
        for _ in range(2000):
            a.SetReadDeadline(monotonic() + 10)
            b.Write(b"x")
            assert a.Read(buf) == 1


# ---- exceptions in the wait


class Stop(Exception):
    pass


@pytest.mark.parametrize("op", ["Read", "Write", "second Read"])
def test_an_exception_in_the_wait_leaves_the_descriptor_as_it_was(op):
    with connected() as (a, b):
        first = parked(a.Read, bytearray(5)) if op == "second Read" else None
        if op == "Write":
            t = parked(a.Write, bytes(64 << 20))
        else:
            t = parked(a.Read, bytearray(5), state="semacquire" if first else "IO wait")
        inject(t.g, Stop())
        assert isinstance(t.error(), Stop)
        b.Write(b"x")
        if first:
            assert first.join() == 1
        elif op == "Read":
            assert a.Read(bytearray(5)) == 1
        assert a.state == 0


def test_data_that_comes_with_an_exception_is_not_lost():
    """Readied by data and then injected, before it runs: the next Read finds the data, drained or not."""
    for kind in "tcp", "unix":
        with connected(kind) as (a, b):
            b.Write(b"warm")
            assert a.Read(bytearray(10)) == 4
            t = parked(a.Read, bytearray(10))
            b.Write(b"data")
            until(lambda t=t: _ready_or(t))
            inject(t.g, Stop())
            until(lambda t=t: t.done)
            if t.exc is not None:
                assert isinstance(t.exc, Stop)
                assert spawn(a.Read, bytearray(10)).join() == 4


def _given_way(call):
    """call(), whose goroutine's slice is spent; what runs meanwhile injects a Stop. Then call() once more."""
    runtime.go(inject, getg(), Stop())
    getm().p.preempt = sched.preempt = True
    try:
        return call()
    except Stop:
        return call()


def test_an_exception_that_comes_while_a_call_gives_way_costs_nothing():
    with half() as (fd, peer):
        peer.send(b"hello")
        peer.shutdown(socket.SHUT_WR)
        arrived(fd, 5)
        assert spawn(_given_way, lambda: fd.Read(bytearray(10))).join() == 5
        assert spawn(_given_way, lambda: fd.Write(b"once")).join() == 4
        fd.Shutdown(socket.SHUT_WR)
        assert peer.makefile("rb").read() == b"once"
    with listening() as (ln, addr), socket.create_connection(addr) as c:
        ln.SetReadDeadline(monotonic() + 5)
        rawsys.close(spawn(_given_way, ln.Accept).join()[0])
        assert c.recv(1) == b""


def _ready_or(t):
    """Let the kernel's event be fetched without letting t run."""
    from runtime.idle import injectglist

    lock(sched.poller)
    glist = sched.poller.netpoll(0)
    unlock(sched.poller)
    injectglist(sched.m0, glist)
    return t.done or t.g.state() == "runnable"


# ---- the rest


def test_waitwrite_waits_for_a_connection():
    with listening() as (ln, addr):
        s = socket.socket()
        s.setblocking(False)
        assert s.connect_ex(addr) in (0, errno.EINPROGRESS)
        fd = fd_of(s)
        fd.WaitWrite()
        assert fd.GetsockoptInt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        os.close(ln.Accept()[0])
        fd.Close()


def test_options_and_shutdown():
    with connected() as (a, b):
        a.SetsockoptInt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert a.GetsockoptInt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        a.SetsockoptBytes(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with pytest.raises(OSError) as caught:
            a.SetsockoptInt(socket.SOL_SOCKET, 9999, 1)
        assert caught.value.errno == errno.ENOPROTOOPT and caught.value.syscall == "setsockopt"
        a.Shutdown(socket.SHUT_WR)
        assert b.Read(bytearray(5)) == 0


def test_dup_is_the_callers():
    with connected() as (a, b):
        d = a.Dup()
        a.Close()
        assert not os.get_inheritable(d)
        os.write(d, b"x")
        assert b.Read(bytearray(5)) == 1
        os.close(d)


def test_rawcontrol_lends_the_descriptor_and_passes_exceptions_on():
    with connected() as (a, b):
        got = []
        a.RawControl(got.append)
        assert got == [a.Sysfd]

        def fail(fd):
            raise Stop

        with pytest.raises(Stop):
            a.RawControl(fail)
        assert a.state == 0


def test_thousands_of_readers():
    import resource

    n = min(1000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 4)
    pairs = []
    for _ in range(n):
        s, t = socket.socketpair()
        pairs.append((fd_of(s, "unix"), t))
    ts = [spawn(a.Read, bytearray(5)) for a, _ in pairs]
    until_state(ts[0].g, "IO wait")
    for i, (_, t) in enumerate(pairs):
        t.send(bytes(i % 5 + 1))
    assert [t.join() for t in ts] == [i % 5 + 1 for i in range(n)]
    for a, t in pairs:
        shut(a, t)
