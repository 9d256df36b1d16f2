"""What the poller reads for a Read that is parked: nothing is lost, whatever comes in between."""

from __future__ import annotations

import gc
import socket
from contextlib import contextmanager

import pytest

from gonet.poll import ErrDeadlineExceeded, ErrNetClosing
from runtime import rawsys
from runtime.asm import getm, lock, unlock
from runtime.gmp import sched
from runtime.idle import injectglist
from runtime.pollcodes import aheadMax, pdReady, rnNone
from runtime.proc import inject
from tests.helpers import arrived, half, parked, runs, shut, spawn, until, until_dead

pytestmark = pytest.mark.usefixtures("nothing_left_over")

RST = (socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


class Stop(Exception):
    pass


def polled(*sent):
    """The goroutines that one poll makes ready when all of sent, (fd, peer, data), has arrived; none has run yet.

    The monitor, which polls too where nobody has for a while, is kept out: what it finds it lets run.
    """
    lock(sched.poller)
    try:
        for fd, peer, data in sent:
            peer.sendall(data)
            arrived(fd, len(data))
        return sched.poller.netpoll(0)
    finally:
        unlock(sched.poller)


@contextmanager
def reading(buf=None):
    """(FD, peer, Task): one goroutine parked in a Read of buf that has lent it to the poller."""
    with half() as (fd, peer):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.send(b"x")
        assert fd.Read(bytearray(100)) == 1 and fd.drained
        assert polled() == [] and fd.pd.rg in (None, pdReady)
        fd.pd.rg = None  # an event of what was just read, which would keep the next Read from lending its buffer
        task = parked(fd.Read, bytearray(100) if buf is None else buf)
        assert fd.pd.rbuf is not None and fd.pd.rn == rnNone
        yield fd, peer, task


def test_the_bytes_are_there_before_the_goroutine_runs():
    buf = bytearray(100)
    with reading(buf) as (fd, peer, task):
        glist = polled((fd, peer, b"hello"))
        assert glist == [task.g]
        assert buf[:6] == b"hello\0" and fd.pd.rbuf is None and fd.pd.rg is None
        injectglist(getm(), glist)
        assert task.join() == 5 and fd.drained and fd.pd.rn == rnNone


def test_an_event_that_comes_after_it_is_for_the_next_read():
    with reading() as (fd, peer, task):
        glist = polled((fd, peer, b"hello"))
        assert polled((fd, peer, b"and more")) == []
        injectglist(getm(), glist)
        assert task.join() == 5
        assert spawn(fd.Read, bytearray(100)).join() == 8


def test_an_event_whose_bytes_it_has_read_too_is_no_reason_to_return():
    with reading() as (fd, peer, task):
        lock(sched.poller)
        peer.send(b"hello")
        arrived(fd, 5)
        glist = sched.poller.netpoll(0)
        fd.pd.rg, was = pdReady, fd.pd.rg  # as if the kernel had reported the same bytes twice
        unlock(sched.poller)
        assert was is None
        injectglist(getm(), glist)
        assert task.join() == 5
        again = parked(fd.Read, bytearray(100))
        peer.send(b"y")
        assert again.join() == 1


def test_a_buffer_that_is_filled_is_not_called_drained():
    with reading(bytearray(4)) as (fd, peer, task):
        injectglist(getm(), polled((fd, peer, b"12345678")))
        assert task.join() == 4 and not fd.drained
        assert fd.Read(bytearray(100)) == 4


def test_the_end_with_the_data_and_alone():
    with reading() as (fd, peer, task):
        peer.send(b"bye")
        peer.shutdown(socket.SHUT_WR)
        assert task.join() == 3
        assert spawn(fd.Read, bytearray(100)).join() == 0
    with reading() as (fd, peer, task):
        peer.shutdown(socket.SHUT_WR)
        assert task.join() == 0
        assert spawn(fd.Read, bytearray(100)).join() == 0


def test_a_reset_is_raised_once_where_the_read_waits():
    with reading() as (fd, peer, task):
        peer.setsockopt(*RST)
        peer.close()
        assert isinstance(task.error(), ConnectionResetError)
        assert spawn(fd.Read, bytearray(100)).join() == 0


def test_an_exception_injected_after_it_waits_for_the_next_park():
    with reading() as (fd, peer, task):
        glist = polled((fd, peer, b"hello"))
        inject(task.g, Stop())
        injectglist(getm(), glist)
        assert task.join() == 5
    with half() as (fd, peer):
        peer.send(b"x")
        fd.Read(bytearray(10))
        assert polled() == []
        fd.pd.rg = None  # as in reading
        got = []

        def loop():
            try:
                while True:
                    got.append(fd.Read(bytearray(10)))
            except Stop:
                got.append("stopped")

        task = parked(loop)
        assert fd.pd.rbuf is not None
        glist = polled((fd, peer, b"hello"))
        inject(task.g, Stop())
        injectglist(getm(), glist)
        task.join()
        assert got == [5, "stopped"]


def test_an_exception_injected_before_it_leaves_the_bytes_where_they_are():
    with reading() as (fd, peer, task):
        inject(task.g, Stop())
        peer.send(b"hello")
        arrived(fd, 5)
        assert isinstance(task.error(), Stop)
        assert fd.pd.rbuf is None and fd.pd.rn == rnNone
        assert spawn(fd.Read, bytearray(100)).join() == 5


def test_a_deadline_or_close_after_it_takes_nothing_back():
    with reading() as (fd, peer, task):
        glist = polled((fd, peer, b"hello"))
        fd.SetReadDeadline(1e-9)
        injectglist(getm(), glist)
        assert task.join() == 5
        with pytest.raises(ErrDeadlineExceeded):
            fd.Read(bytearray(100))
    with reading() as (fd, peer, task):
        glist = polled((fd, peer, b"hello"))
        closing = spawn(fd.Close)
        injectglist(getm(), glist)
        assert task.join() == 5
        closing.join()


def test_a_deadline_or_close_before_it_is_told():
    with reading() as (fd, peer, task):
        fd.SetReadDeadline(1e-9)
        assert isinstance(task.error(), ErrDeadlineExceeded) and fd.pd.rbuf is None
        peer.send(b"hello")
        arrived(fd, 5)
        fd.SetReadDeadline(0)
        assert spawn(fd.Read, bytearray(100)).join() == 5
    with reading() as (fd, peer, task):
        fd.Close()
        assert isinstance(task.error(), ErrNetClosing)


def test_a_buffer_of_another_kind_is_left_to_the_goroutine():
    from array import array

    with reading(array("b", bytes(8))) as (fd, peer, task):
        glist = polled((fd, peer, b"hello"))
        assert glist == [task.g] and fd.pd.rn == rnNone
        injectglist(getm(), glist)
        assert task.join() == 5


def test_a_buffer_that_is_changed_meanwhile():
    buf = bytearray(100)
    with reading(buf) as (fd, peer, task):
        del buf[2:]  # nothing holds it
        peer.send(b"hello")
        assert task.join() == 2
        assert bytes(buf) == b"he"
        assert fd.Read(bytearray(100)) == 3
    view = memoryview(bytearray(100))
    with reading(view) as (fd, peer, task):
        view.release()
        peer.send(b"hello")
        assert isinstance(task.error(), ValueError)
        assert spawn(fd.Read, bytearray(100)).join() == 5


def test_no_more_than_the_cache_holds_is_read_in_one_poll():
    n = 20
    size = aheadMax // 4
    made = [reading(bytearray(size)) for _ in range(n)]
    entered = [m.__enter__() for m in made]
    try:
        glist = polled(*((fd, peer, bytes(size)) for fd, peer, _ in entered))
        ahead = [fd.pd.rn != rnNone for fd, _, _ in entered]
        assert len(glist) == n and 0 < sum(ahead) <= 5
        injectglist(getm(), glist)
        assert [task.join() for _, _, task in entered] == [size] * n
    finally:
        for m in made:
            m.__exit__(None, None, None)


def test_what_is_read_for_a_goroutine_outlives_its_buffers_owner():
    with reading() as (fd, peer, task):
        glist = polled((fd, peer, b"hello"))
        gc.collect()
        injectglist(getm(), glist)
        assert task.join() == 5


def test_recvahead_reads_plain_buffers_only():
    a, b = socket.socketpair()
    with a, b:
        a.setblocking(False)
        b.send(b"hello")
        released = memoryview(bytearray(9))
        released.release()
        for buf in bytes(9), memoryview(bytes(9)), released, memoryview(bytearray(9))[::2], None, bytearray():
            assert rawsys.recvahead(a.fileno(), buf) == rnNone
        buf = bytearray(9)
        assert rawsys.recvahead(a.fileno(), memoryview(buf)[1:3]) == 2
        assert buf == b"\0he\0\0\0\0\0\0"
        assert rawsys.recvahead(a.fileno(), buf) == 3 + rawsys.SHORT
        assert rawsys.recvahead(a.fileno(), buf) == rnNone
    assert rawsys.recvahead(a.fileno(), buf) < 0


def test_a_forked_child_reads_for_itself():
    """Its parent, which has the same socket and a reader parked on it, is stopped meanwhile."""
    program = """
        import pathlib
        def stopped(pid):
            tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
            return all(t.read_text().rpartition(")")[2].split()[0] == "T" for t in tasks)
        a, b = tcp_pair()
        b.Write(b"x")
        assert a.Read(bytearray(10)) == 1
        got = []
        g = go(lambda: got.append(a.Read(bytearray(10))))
        until_state(g, "IO wait")
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.kill(os.getppid(), signal.SIGSTOP)
                until(lambda: stopped(os.getppid()))
                b.Write(b"to the child")
                n = a.Read(bytearray(100))
                os.write(w, b"child %d" % n)
            finally:
                os.kill(os.getppid(), signal.SIGCONT)
                os._exit(0)
        os.waitpid(pid, 0)
        say(os.read(r, 100).decode())
        b.Write(b"parent")
        until(lambda: got)
        say(got)
    """
    assert runs(program) in ("child 12\n[6]\n",)


def test_many_of_both_kinds_under_load():
    """Every message whole and in order, with readers that are read for and readers that are not."""
    pairs = [half() for _ in range(50)]
    ends = [p.__enter__() for p in pairs]
    try:

        def echo(fd):
            buf = bytearray(64)
            view = memoryview(buf)
            while n := fd.Read(buf):
                fd.Write(view[:n])

        gs = [spawn(echo, fd) for fd, _ in ends]
        for _, s in ends:
            s.setblocking(False)
        sent = [0] * len(ends)
        got = [bytearray() for _ in ends]
        total = 2000

        def drive():
            moved = False
            for i, (_, s) in enumerate(ends):
                if sent[i] < total:
                    chunk = bytes((sent[i] + k) & 255 for k in range(1 + (sent[i] * 7 + i) % 90))
                    try:
                        sent[i] += s.send(chunk)
                        moved = True
                    except BlockingIOError:
                        pass
                try:
                    got[i] += s.recv(4096)
                    moved = True
                except BlockingIOError:
                    pass
            return not moved and all(len(g) == n and n >= total for g, n in zip(got, sent, strict=True))

        until(drive)
        for g in got:
            assert g == bytes(k & 255 for k in range(len(g)))
        for _, s in ends:
            shut(s)
        until_dead(*(t.g for t in gs))
    finally:
        for p in pairs:
            p.__exit__(None, None, None)
