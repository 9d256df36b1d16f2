"""The system-call edge: one table over both forms, the compiled module and the portable source."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import socket
import threading
import time
from array import array

import pytest

import runtime
from runtime import rawsys
from tests.helpers import Thread, runs, sockets
from tests.runtime.test_asm import portable

pytestmark = pytest.mark.usefixtures("nothing_left_over")

FORMS = {"portable": portable("rawsys")}
if runtime.compiled:
    FORMS["compiled"] = rawsys

SHORT = 1 << 29
EPOLLIN, EPOLLOUT, EPOLLET, EPOLLRDHUP = 1, 4, 1 << 31, 0x2000


@pytest.fixture(params=list(FORMS))
def form(request):
    return FORMS[request.param]


@pytest.fixture(params=["tcp", "unix"])
def pair(request):
    a, b = sockets(request.param)
    a.setblocking(False)
    b.setblocking(False)
    yield a, b
    a.close()
    b.close()


@pytest.fixture
def pipe():
    r, w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    open = {r, w}
    yield r, w
    for fd in open:
        try:
            os.close(fd)
        except OSError:
            pass


BAD = 1 << 20  # a descriptor beyond every limit


def names(form):
    public = {n: v for n, v in vars(form).items() if not n.startswith("_")}
    return {n for n, v in public.items() if callable(v) and not isinstance(v, type)}


def test_both_forms_have_the_same_functions():
    public = {
        "accept4", "bind", "checksignals", "close", "connect", "dup", "eventfd", "eventfd_read", "eventfd_write",
        "getpeername", "getsockname", "getsockopt", "listen", "nanotime", "nbytes", "parse_sockaddr", "read", "recv",
        "send", "setsockopt", "setsockopt_bytes", "shutdown", "sockaddr", "socket", "writable_nbytes", "write",
    }  # fmt: skip
    for form in FORMS.values():
        assert public <= set(dir(form)), public - set(dir(form))
        assert form.SHORT == SHORT


def test_which_form_it_is():
    assert FORMS["portable"].compiled is False
    if runtime.compiled:
        assert rawsys.compiled is True


# ---- time


def test_nanotime_is_the_monotonic_clock(form):
    before = time.monotonic_ns()
    now = form.nanotime()
    assert before <= now <= time.monotonic_ns()


# ---- sizes


@pytest.mark.parametrize(
    "data, n",
    [(b"", 0), (b"abc", 3), (bytearray(5), 5), (memoryview(b"abcd")[1:3], 2), (array("i", [1, 2, 3]), 12),
     (memoryview(array("d", [0.0, 1.0])), 16), (memoryview(bytes(12)).cast("B", (3, 4)), 12)],
)  # fmt: skip
def test_nbytes_counts_bytes(form, data, n):
    assert form.nbytes(data) == n


@pytest.mark.parametrize("data", ["text", 5, None, [1], object()])
def test_nbytes_refuses_what_is_no_buffer(form, data):
    with pytest.raises(TypeError):
        form.nbytes(data)


@pytest.mark.parametrize(
    "buf, n", [(bytearray(5), 5), (bytearray(), 0), (memoryview(bytearray(9))[2:4], 2), (array("i", [1, 2]), 8)]
)
def test_writable_nbytes_counts_bytes(form, buf, n):
    assert form.writable_nbytes(buf) == n


@pytest.mark.parametrize("buf", [b"x", b"", memoryview(b"x"), "text", 5, None])
def test_writable_nbytes_refuses_what_cannot_be_written(form, buf):
    with pytest.raises((TypeError, BufferError, ValueError)):
        form.writable_nbytes(buf)


@pytest.mark.parametrize("f", ["nbytes", "writable_nbytes"])
def test_buffers_with_holes_are_refused(form, f):
    with pytest.raises((BufferError, ValueError)):
        getattr(form, f)(memoryview(bytearray(10))[::2])


# ---- reading


@pytest.mark.parametrize("f", ["recv", "read"])
class TestReading:
    def test_a_full_buffer_is_no_short_read(self, form, f, pair):
        a, b = pair
        b.send(b"hello")
        buf = bytearray(5)
        assert getattr(form, f)(a.fileno(), buf) == 5
        assert buf == b"hello"

    def test_one_byte_less_is_a_full_read_and_the_rest_stays(self, form, f, pair):
        a, b = pair
        b.send(b"hello")
        buf = bytearray(4)
        assert getattr(form, f)(a.fileno(), buf) == 4
        assert a.recv(5) == b"o"

    def test_one_byte_more_is_a_short_read(self, form, f, pair):
        a, b = pair
        b.send(b"hello")
        buf = bytearray(6)
        assert getattr(form, f)(a.fileno(), buf) == 5 + SHORT
        assert buf == b"hello\0"

    def test_the_end_is_a_short_read_of_nothing(self, form, f, pair):
        a, b = pair
        b.shutdown(socket.SHUT_WR)
        assert getattr(form, f)(a.fileno(), bytearray(5)) == SHORT

    def test_nothing_there_is_eagain(self, form, f, pair):
        a, b = pair
        assert getattr(form, f)(a.fileno(), bytearray(5)) == -errno.EAGAIN

    def test_an_error_is_its_number(self, form, f, pair):
        assert getattr(form, f)(BAD, bytearray(5)) == -errno.EBADF

    def test_a_reset_is_its_number(self, form, f):
        a, b = sockets("tcp")
        b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        b.close()
        select.select([a], [], [], 10)
        assert getattr(form, f)(a.fileno(), bytearray(5)) == -errno.ECONNRESET
        a.close()

    @pytest.mark.parametrize("buf", [memoryview(bytearray(8))[2:7], array("B", bytes(5))])
    def test_any_writable_buffer_will_do(self, form, f, pair, buf):
        a, b = pair
        b.send(b"hello")
        assert getattr(form, f)(a.fileno(), buf) == 5
        assert bytes(buf) == b"hello"

    @pytest.mark.parametrize("buf", [b"12345", "text", None, memoryview(b"12345")])
    def test_what_cannot_be_written_is_refused_and_nothing_taken(self, form, f, pair, buf):
        a, b = pair
        b.send(b"hello")
        with pytest.raises((TypeError, BufferError, ValueError)):
            getattr(form, f)(a.fileno(), buf)
        assert a.recv(9) == b"hello"

    def test_no_view_is_kept(self, form, f, pair):
        a, b = pair
        b.send(b"hello")
        buf = bytearray(9)
        getattr(form, f)(a.fileno(), buf)
        buf.clear()
        with memoryview(bytearray(5)) as view:
            getattr(form, f)(a.fileno(), view)

    def test_large_ones(self, form, f, pair):
        a, b = pair
        n = 1 << 20
        t = Thread(lambda: (b.setblocking(True), b.sendall(bytes(n))))
        buf = bytearray(n)
        got = 0
        while got < n:
            select.select([a], [], [], 10)
            r = getattr(form, f)(a.fileno(), memoryview(buf)[got:])
            if r >= 0:
                got += r - SHORT if r >= SHORT else r
        t.join()


# ---- writing


@pytest.mark.parametrize("f", ["send", "write"])
class TestWriting:
    @pytest.mark.parametrize(
        "data", [b"hello", bytearray(b"hello"), memoryview(b"hello"), array("B", b"hello"), memoryview(b"xhellox")[1:6]]
    )
    def test_all_that_is_taken_is_no_short_write(self, form, f, pair, data):
        a, b = pair
        assert getattr(form, f)(a.fileno(), data, 0) == 5
        assert b.recv(9) == b"hello"

    def test_from_an_offset(self, form, f, pair):
        a, b = pair
        assert getattr(form, f)(a.fileno(), b"hello", 2) == 3
        assert b.recv(9) == b"llo"
        assert getattr(form, f)(a.fileno(), array("H", [1, 2, 3]), 4) == 2
        assert b.recv(9) == array("H", [3]).tobytes()

    def test_nothing(self, form, f, pair):
        a, b = pair
        assert getattr(form, f)(a.fileno(), b"", 0) == 0
        assert getattr(form, f)(a.fileno(), b"abc", 3) == 0

    def test_part_is_a_short_write_and_then_eagain(self, form, f):
        a, b = sockets("tcp")
        a.setblocking(False)
        data = bytes(64 << 20)
        n = getattr(form, f)(a.fileno(), data, 0)
        assert n > SHORT and 0 < n - SHORT < len(data)
        while n >= 0:
            n = getattr(form, f)(a.fileno(), data, 0)
        assert n == -errno.EAGAIN
        a.close()
        b.close()

    def test_a_closed_peer_is_a_number_and_no_signal(self, form, f):
        a, b = sockets("unix")
        b.close()
        assert getattr(form, f)(a.fileno(), b"x", 0) == -errno.EPIPE
        a.close()

    def test_an_error_is_its_number(self, form, f):
        assert getattr(form, f)(BAD, b"x", 0) == -errno.EBADF

    @pytest.mark.parametrize("data", ["text", 5, None])
    def test_what_is_no_buffer_is_refused(self, form, f, pair, data):
        with pytest.raises(TypeError):
            getattr(form, f)(pair[0].fileno(), data, 0)

    def test_no_view_is_kept(self, form, f, pair):
        data = bytearray(b"hello")
        getattr(form, f)(pair[0].fileno(), data, 0)
        data.clear()


def test_send_raises_no_sigpipe_where_it_is_fatal():
    """Python ignores SIGPIPE from the start; a program may not."""
    program = """
        from runtime import rawsys
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        a, b = socket.socketpair()
        b.close()
        say(rawsys.send(a.fileno(), b"x", 0))
    """
    assert runs(program) == f"{-errno.EPIPE}\n"


def test_read_and_write_on_pipes(form, pipe):
    r, w = pipe
    assert form.read(r, bytearray(5)) == -errno.EAGAIN
    assert form.write(w, b"hello", 0) == 5
    buf = bytearray(9)
    assert form.read(r, buf) == 5 + SHORT
    assert buf[:5] == b"hello"
    os.close(w)
    assert form.read(r, buf) == SHORT


# ---- epoll


class TestEpoll:
    @pytest.fixture
    def ep(self, form):
        ep = form.Epoll(16)
        yield ep
        ep.close()

    def events(self, ep, timeout=0):
        n = ep.wait(timeout)
        if n < 0:
            return n
        out = []
        while ep.next():
            out.append((ep.events, ep.data))
        assert len(out) == n
        return sorted(out)

    def test_events_come_with_what_was_given(self, ep, pair):
        a, b = pair
        data = (0x3FFFFFFF << 32) | 0xFFFFFFFF  # as large as a PollDesc's word gets
        assert ep.add(a.fileno(), EPOLLIN | EPOLLET, data) == 0
        assert self.events(ep) == []
        b.send(b"x")
        assert self.events(ep, 1000) == [(EPOLLIN, data)]
        assert self.events(ep) == []  # an edge comes once

    def test_several(self, ep):
        pairs = [socket.socketpair() for _ in range(10)]
        for i, (a, b) in enumerate(pairs):
            ep.add(a.fileno(), EPOLLIN | EPOLLET, 100 + i)
            b.send(b"x")
        assert self.events(ep, 1000) == [(EPOLLIN, 100 + i) for i in range(10)]
        for a, b in pairs:
            a.close()
            b.close()

    def test_no_more_than_it_was_made_for_at_once(self, ep):
        pairs = [socket.socketpair() for _ in range(40)]
        for i, (a, b) in enumerate(pairs):
            ep.add(a.fileno(), EPOLLIN | EPOLLET, 100 + i)
            b.send(b"x")
        got = []
        while batch := self.events(ep):
            assert len(batch) <= 16
            got += batch
        assert sorted(d for _, d in got) == list(range(100, 140))
        for a, b in pairs:
            a.close()
            b.close()

    def test_folded_events(self, ep, pair):
        a, b = pair
        ep.add(a.fileno(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 7)
        b.send(b"x")
        b.shutdown(socket.SHUT_WR)
        time.sleep(0.05)
        ((bits, data),) = self.events(ep)
        assert data == 7 and bits & (EPOLLIN | EPOLLOUT | EPOLLRDHUP) == EPOLLIN | EPOLLOUT | EPOLLRDHUP

    def test_after_delete_there_are_none(self, ep, pair):
        a, b = pair
        ep.add(a.fileno(), EPOLLIN | EPOLLET, 7)
        b.send(b"x")
        assert ep.delete(a.fileno()) == 0
        assert self.events(ep) == []
        assert ep.delete(a.fileno()) == -errno.ENOENT
        assert ep.add(a.fileno(), EPOLLIN | EPOLLET, 8) == 0
        assert self.events(ep) == [(EPOLLIN, 8)]

    def test_errors_are_numbers(self, ep, pair, tmp_path):
        a, b = pair
        assert ep.add(BAD, EPOLLIN, 1) == -errno.EBADF
        assert ep.delete(BAD) == -errno.EBADF
        assert ep.add(a.fileno(), EPOLLIN, 1) == 0
        assert ep.add(a.fileno(), EPOLLIN, 2) == -errno.EEXIST
        b.send(b"x")
        assert self.events(ep, 1000) == [(EPOLLIN, 1)]  # what was there is undisturbed
        with open(tmp_path / "file", "w") as f:
            assert ep.add(f.fileno(), EPOLLIN, 3) == -errno.EPERM

    def test_a_timeout_lasts_its_time(self, ep):
        start = time.monotonic()
        assert ep.wait(20) == 0
        assert time.monotonic() - start >= 0.02

    def test_no_timeout_waits_for_an_event(self, ep, pair):
        a, b = pair
        ep.add(a.fileno(), EPOLLIN | EPOLLET, 7)
        t = Thread(lambda: (threading.Event().wait(0.02), b.send(b"x")))
        assert self.events(ep, -1) == [(EPOLLIN, 7)]
        t.join()

    def test_other_threads_run_while_it_waits(self, ep, pair):
        a, b = pair
        ep.add(a.fileno(), EPOLLIN | EPOLLET, 7)
        ran = []
        t = Thread(lambda: (ran.append(1), b.send(b"x")))
        ep.wait(-1)
        t.join()
        assert ran == [1]

    def test_next_without_events_is_false(self, ep):
        assert ep.next() is False
        ep.wait(0)
        assert ep.next() is False

    def test_its_descriptor_is_close_on_exec(self, ep):
        assert not os.get_inheritable(ep.fileno())

    def test_closed_it_says_so(self, ep, pair):
        fd = ep.fileno()
        assert fd >= 0
        assert ep.close() == 0
        assert ep.close() == 0
        assert ep.fileno() == -1
        with pytest.raises(OSError):
            os.fstat(fd)
        assert ep.wait(0) == -errno.EBADF
        assert ep.add(pair[0].fileno(), EPOLLIN, 1) == -errno.EBADF
        assert ep.delete(pair[0].fileno()) == -errno.EBADF

    def test_dropped_it_is_closed(self, form):
        fd = form.Epoll().fileno()
        with pytest.raises(OSError):
            os.fstat(fd)

    def test_signals_end_a_wait_or_are_handled_in_it(self, form, ep):
        """EINTR is a number or nothing at all; the handler has run either way, soon."""
        ran = []
        old = signal.signal(signal.SIGUSR1, lambda signum, frame: ran.append(1))
        try:
            main = threading.main_thread().ident
            t = Thread(lambda: (time.sleep(0.05), signal.pthread_kill(main, signal.SIGUSR1)))
            for _ in range(20):  # the thread may be late
                assert ep.wait(300) in (0, -errno.EINTR)
                form.checksignals()
                if ran:
                    break
            assert ran == [1]
            t.join()
        finally:
            signal.signal(signal.SIGUSR1, old)

    def test_what_a_handler_raises_comes_out(self, form, ep):
        class Stop(Exception):
            pass

        def handler(signum, frame):
            raise Stop

        old = signal.signal(signal.SIGUSR1, handler)
        try:
            main = threading.main_thread().ident
            begun = threading.Event()
            t = Thread(lambda: (begun.wait(), time.sleep(0.05), signal.pthread_kill(main, signal.SIGUSR1)))
            with pytest.raises(Stop):
                begun.set()
                for _ in range(100):
                    ep.wait(100)
                    form.checksignals()
            t.join()
        finally:
            signal.signal(signal.SIGUSR1, old)

    def test_no_descriptors_left_is_an_oserror(self):
        for name in FORMS:
            program = f"""
                import resource
                from tests.runtime.test_rawsys import FORMS
                form = FORMS[{name!r}]
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
                try:
                    form.Epoll()
                except OSError as e:
                    say(e.errno, form.eventfd(), form.socket(socket.AF_INET, socket.SOCK_STREAM, 0), form.dup(0))
            """
            want = f"{errno.EMFILE} {-errno.EMFILE} {-errno.EMFILE} {-errno.EMFILE}\n"
            assert runs(program) == want


# ---- eventfd


def test_an_eventfd_counts_and_is_reset(form):
    fd = form.eventfd()
    try:
        assert fd >= 0 and not os.get_inheritable(fd) and not os.get_blocking(fd)
        assert form.eventfd_read(fd) == -errno.EAGAIN
        for _ in range(3):
            assert form.eventfd_write(fd) == 0
        assert select.select([fd], [], [], 0)[0]
        assert form.eventfd_read(fd) == 0
        assert form.eventfd_read(fd) == -errno.EAGAIN
    finally:
        assert form.close(fd) == 0
    assert form.eventfd_write(BAD) == -errno.EBADF
    assert form.eventfd_read(BAD) == -errno.EBADF


# ---- sockets


def test_close(form, pipe):
    r, w = pipe
    assert form.close(r) == 0
    assert form.close(r) == -errno.EBADF


def test_dup_is_close_on_exec_and_the_same_file(form, pipe):
    r, w = pipe
    d = form.dup(r)
    try:
        assert d not in (r, w) and not os.get_inheritable(d)
        os.write(w, b"x")
        assert os.read(d, 5) == b"x"
    finally:
        os.close(d)
    assert form.dup(BAD) == -errno.EBADF


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_is_non_blocking_and_close_on_exec(form, family, kind):
    fd = form.socket(family, kind, 0)
    if fd == -errno.EAFNOSUPPORT:
        pytest.skip("no such family here")
    with socket.socket(fileno=fd) as s:
        assert (s.family, s.type) == (family, kind)
        assert not os.get_inheritable(fd) and not os.get_blocking(fd)


def test_sockets_do_not_mind_a_default_timeout(form):
    old = socket.getdefaulttimeout()
    socket.setdefaulttimeout(5)
    try:
        fd = form.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        assert not os.get_blocking(fd)
        os.close(fd)
        with socket.socket() as ls:
            ls.bind(("127.0.0.1", 0))
            ls.listen()
            ls.setblocking(False)
            start = time.monotonic()
            assert form.accept4(ls.fileno()) == -errno.EAGAIN
            assert time.monotonic() - start < 4
    finally:
        socket.setdefaulttimeout(old)


def test_an_unknown_family_is_a_number(form):
    assert form.socket(250, socket.SOCK_STREAM, 0) == -errno.EAFNOSUPPORT


V4 = (socket.AF_INET, b"\x7f\0\0\1")
V6 = (socket.AF_INET6, bytes(15) + b"\1")


@pytest.mark.parametrize("family, host", [V4, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("port", [0, 1, 80, 65535])
def test_addresses_go_there_and_back(form, family, host, port):
    assert form.parse_sockaddr(form.sockaddr(family, host, port)) == (family, host, port, 0)


def test_scopes_go_there_and_back(form):
    sa = form.sockaddr(socket.AF_INET6, b"\xfe\x80" + bytes(13) + b"\1", 80, 0, 7)
    assert form.parse_sockaddr(sa) == (socket.AF_INET6, b"\xfe\x80" + bytes(13) + b"\1", 80, 7)


@pytest.mark.parametrize("family, host", [(socket.AF_INET, bytes(16)), (socket.AF_INET6, bytes(4)), (99, bytes(4))])
def test_hosts_of_the_wrong_size_are_refused(form, family, host):
    with pytest.raises(ValueError):
        form.sockaddr(family, host, 80)


@pytest.mark.parametrize("family, host", [V4, V6], ids=["v4", "v6"])
def test_a_connection_from_listen_to_accept(form, family, host):
    if family == socket.AF_INET6 and not socket.has_ipv6:
        pytest.skip("no IPv6")
    ls = form.socket(family, socket.SOCK_STREAM, 0)
    c = form.socket(family, socket.SOCK_STREAM, 0)
    fds = [ls, c]
    try:
        if form.bind(ls, form.sockaddr(family, host, 0)) == -errno.EADDRNOTAVAIL:
            pytest.skip("no such address here")
        assert form.listen(ls, 5) == 0
        _, h, port, _ = form.parse_sockaddr(form.getsockname(ls))
        assert h == host and port > 0
        assert form.accept4(ls) == -errno.EAGAIN
        assert form.connect(c, form.sockaddr(family, host, port)) in (0, -errno.EINPROGRESS)
        select.select([ls], [], [], 10)
        nfd, sa = form.accept4(ls)
        fds.append(nfd)
        assert not os.get_inheritable(nfd) and not os.get_blocking(nfd)
        assert form.parse_sockaddr(sa) == form.parse_sockaddr(form.getsockname(c))
        assert form.parse_sockaddr(form.getpeername(c)) == (family, host, port, 0)
        assert form.send(c, b"x", 0) == 1
        select.select([nfd], [], [], 10)
        assert form.recv(nfd, bytearray(1)) == 1
        assert form.shutdown(c, socket.SHUT_WR) == 0
        select.select([nfd], [], [], 10)
        assert form.recv(nfd, bytearray(1)) == SHORT
    finally:
        for fd in fds:
            os.close(fd)


def test_accepting_leaves_the_listener_as_it_was(form):
    """The portable form borrows the descriptor in a socket object: it must not close or change it."""
    with socket.create_server(("127.0.0.1", 0)) as ls:
        flags = fcntl.fcntl(ls.fileno(), fcntl.F_GETFL)
        with socket.create_connection(ls.getsockname()):
            nfd, _ = form.accept4(ls.fileno())
            os.close(nfd)
        os.fstat(ls.fileno())
        ls.setblocking(False)
        assert form.accept4(ls.fileno()) == -errno.EAGAIN
        assert fcntl.fcntl(ls.fileno(), fcntl.F_GETFL) | os.O_NONBLOCK == flags | os.O_NONBLOCK


def test_accept_of_unix_sockets(form, tmp_path):
    with socket.socket(socket.AF_UNIX) as ls, socket.socket(socket.AF_UNIX) as c:
        ls.bind(str(tmp_path / "sock"))
        ls.listen()
        ls.setblocking(False)
        c.connect(str(tmp_path / "sock"))
        nfd, sa = form.accept4(ls.fileno())
        assert form.send(nfd, b"x", 0) == 1
        assert c.recv(5) == b"x"
        os.close(nfd)


def test_accept_when_there_are_no_descriptors_left():
    """EMFILE, and the connection is still there for the next try."""
    for name in FORMS:
        program = f"""
            from tests.runtime.test_rawsys import FORMS
            form = FORMS[{name!r}]
            ls = socket.create_server(("127.0.0.1", 0))
            ls.setblocking(False)
            c = socket.create_connection(ls.getsockname())
            gtime.Sleep(0.01)
            with NoDescriptors():
                say(form.accept4(ls.fileno()))
            nfd, sa = form.accept4(ls.fileno())
            say(nfd >= 0)
            os._exit(0)
        """
        assert runs(program) == f"{-errno.EMFILE}\nTrue\n"


def test_options(form):
    with socket.socket() as s:
        fd = s.fileno()
        assert form.getsockopt(fd, socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
        assert form.setsockopt(fd, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1) == 0
        assert form.getsockopt(fd, socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
        assert form.setsockopt_bytes(fd, socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\5\0\0\0") == 0
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == b"\1\0\0\0\5\0\0\0"
        assert form.setsockopt(fd, 9999, 1, 1) == -errno.ENOPROTOOPT or form.setsockopt(fd, 9999, 1, 1) < 0
        assert form.getsockopt(fd, socket.SOL_SOCKET, 9999) == -errno.ENOPROTOOPT


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f.listen(BAD, 5),
        lambda f: f.shutdown(BAD, 1),
        lambda f: f.getsockname(BAD),
        lambda f: f.getpeername(BAD),
        lambda f: f.getsockopt(BAD, 1, 1),
        lambda f: f.setsockopt(BAD, 1, 1, 1),
        lambda f: f.setsockopt_bytes(BAD, 1, 1, b"1234"),
        lambda f: f.accept4(BAD),
        lambda f: f.connect(BAD, f.sockaddr(*V4, 80)),
        lambda f: f.bind(BAD, f.sockaddr(*V4, 80)),
    ],
)
def test_a_bad_descriptor_is_a_number(form, call):
    assert call(form) == -errno.EBADF


@pytest.mark.parametrize(
    "call",
    [
        lambda f, fd: f.listen(fd, 5),
        lambda f, fd: f.shutdown(fd, 1),
        lambda f, fd: f.getsockname(fd),
        lambda f, fd: f.getsockopt(fd, 1, 1),
        lambda f, fd: f.setsockopt(fd, 1, 1, 1),
        lambda f, fd: f.accept4(fd),
    ],
)
def test_what_is_no_socket_is_a_number(form, pipe, call):
    assert call(form, pipe[0]) == -errno.ENOTSOCK
    os.fstat(pipe[0])


def test_errors_of_connections_are_numbers(form):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        other = form.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        try:
            assert form.bind(other, form.sockaddr(*V4, port)) == -errno.EADDRINUSE
            assert form.getpeername(other) == -errno.ENOTCONN
            assert form.shutdown(other, 1) == -errno.ENOTCONN
            assert form.connect(other, form.sockaddr(*V4, port)) in (-errno.ECONNREFUSED, -errno.EINPROGRESS)
        finally:
            os.close(other)


def test_interrupted_calls_are_numbers_or_done(form):
    """A signal during a call that does not sleep costs nothing."""
    handled = []
    old = signal.signal(signal.SIGALRM, lambda *args: handled.append(1))
    a, b = sockets("unix")  # TCP may deliver late
    a.setblocking(False)
    b.setblocking(False)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            assert form.send(a.fileno(), b"x" * 1000, 0) in (1000, -errno.EINTR)
            n = form.recv(b.fileno(), bytearray(1000))
            assert n == 1000 or n in (-errno.EINTR, -errno.EAGAIN) or n > SHORT
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
        a.close()
        b.close()
    assert handled
