"""Waiting for descriptors: what the poller promises to internal/poll, below FD."""

from __future__ import annotations

import gc
import random
import select
import socket
import threading
from contextlib import contextmanager
from time import monotonic

import pytest

import runtime
from gonet.time import Sleep
from runtime import netpoll as np
from runtime.gmp import sched
from runtime.netpoll import (
    netpollblock,
    netpollcheckerr,
    netpollready,
    netpollunblock,
    poll_runtime_pollClose,
    poll_runtime_pollOpen,
    poll_runtime_pollReset,
    poll_runtime_pollSetDeadline,
    poll_runtime_pollUnblock,
    poll_runtime_pollWait,
    pollcache,
)
from runtime.panic import Error, Throw
from runtime.pollcodes import BOTH, READ, WRITE, pdReady, pollErrClosing, pollErrTimeout, pollNoError, rnNone
from runtime.proc import inject
from runtime.rawsys import compiled, nanotime
from tests.helpers import Thread, delays, half, parked, runs, sockets, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@contextmanager
def opened(kind="tcp", edges=True):
    """(PollDesc, socket, peer); with edges, the first events have been taken."""
    s, t = sockets(kind)
    s.setblocking(False)
    pd, err = poll_runtime_pollOpen(s.fileno())
    assert err == 0
    if edges:
        until(lambda: pd.wg is pdReady, "the edge of a writable socket")
        poll_runtime_pollReset(pd, WRITE)
        poll_runtime_pollReset(pd, READ)
    try:
        yield pd, s, t
    finally:
        if not pd.closing:
            poll_runtime_pollUnblock(pd)
        if pd.fd >= 0:
            poll_runtime_pollClose(pd)
        s.close()
        t.close()


def fill(s):
    """Write until the socket takes no more, and the kernel has moved all it can to the other side."""
    quiet = 0
    while quiet < 20:
        try:
            s.send(bytes(65536))
            quiet = 0
        except BlockingIOError:
            quiet += 1
            Sleep(0.001)


def soon(seconds=0.02):
    return nanotime() + int(seconds * 1e9)


# ---- open and close


def test_a_bad_descriptor_is_an_errno_and_costs_no_polldesc():
    import errno

    free = len(pollcache.free)
    pd, err = poll_runtime_pollOpen(1 << 20)
    assert pd is None and err == errno.EBADF
    assert len(pollcache.free) >= free


def test_a_regular_file_cannot_be_polled(tmp_path):
    import errno

    with open(tmp_path / "file", "w") as f:
        assert poll_runtime_pollOpen(f.fileno()) == (None, errno.EPERM)


def test_the_same_descriptor_twice_is_an_errno():
    import errno

    with opened() as (pd, s, t):
        assert poll_runtime_pollOpen(s.fileno()) == (None, errno.EEXIST)


def test_polldescs_are_used_again_with_another_sequence_number():
    with opened() as (pd, s, t):
        index, seq = pd.index, pd.fdseq
    with opened() as (again, s, t):
        assert again is pd
        assert again.index == index and again.fdseq > seq
        assert (again.rd, again.wd, again.closing, again.hup, again.rg) == (0, 0, False, 0, None)


def test_what_was_read_in_an_earlier_life_is_not_the_next_ones():
    with half("unix") as (fd, _):
        pd = fd.pd
        pd.rn, pd.rbuf = 5, bytearray(5)
    with half("unix") as (fd, _):
        assert fd.pd is pd and (pd.rn, pd.rbuf) == (rnNone, None)



def test_polldescs_are_never_freed():
    before = len(pollcache.all)
    for _ in range(50):
        with opened(edges=False):
            pass
    assert len(pollcache.all) <= before + 1
    for i, pd in enumerate(pollcache.all[2:], 2):
        assert pd.index == i


def test_close_without_unblock_is_a_bug():
    with opened() as (pd, s, t), pytest.raises(Throw, match="close polldesc w/o unblock"):
        poll_runtime_pollClose(pd)


def test_unblock_twice_is_a_bug():
    with opened() as (pd, s, t):
        poll_runtime_pollUnblock(pd)
        with pytest.raises(Throw, match="unblock on closing polldesc"):
            poll_runtime_pollUnblock(pd)


def test_a_polldesc_describes_itself():
    with opened() as (pd, s, t):
        assert repr(pd) == f"<PollDesc {pd.index} seq {pd.fdseq} fd {s.fileno()} rg=None wg=None>"


# ---- waiting


def test_a_wait_ends_when_data_comes():
    with opened() as (pd, s, t):
        task = parked(poll_runtime_pollWait, pd, READ)
        assert pd.rg is task.g
        t.send(b"x")
        assert task.join() == pollNoError
        assert pd.rg is None
        assert s.recv(5) == b"x"


def test_data_that_came_before_the_wait_ends_it_at_once():
    with opened() as (pd, s, t):
        t.send(b"x")
        until(lambda: pd.rg is pdReady)
        assert poll_runtime_pollWait(pd, READ) == pollNoError
        assert pd.rg is None


def test_a_readiness_is_good_for_one_wait():
    with opened() as (pd, s, t):
        t.send(b"x")
        until(lambda: pd.rg is pdReady)
        assert poll_runtime_pollWait(pd, READ) == pollNoError
        task = parked(poll_runtime_pollWait, pd, READ)
        t.send(b"y")
        task.join()


def test_reset_forgets_a_readiness():
    with opened() as (pd, s, t):
        t.send(b"x")
        until(lambda: pd.rg is pdReady)
        assert poll_runtime_pollReset(pd, READ) == pollNoError
        assert pd.rg is None


def test_read_and_write_are_waited_for_apart():
    with opened() as (pd, s, t):
        fill(s)
        poll_runtime_pollReset(pd, WRITE)
        writer = parked(poll_runtime_pollWait, pd, WRITE)
        reader = parked(poll_runtime_pollWait, pd, READ)
        t.send(b"x")
        assert reader.join() == pollNoError
        assert writer.g.state() == "IO wait"
        while not writer.done:
            t.recv(1 << 20, socket.MSG_DONTWAIT) if select.select([t], [], [], 0)[0] else Sleep(0.001)
        assert writer.join() == pollNoError


def test_one_event_ends_both_waits():
    with opened() as (pd, s, t):
        reader = parked(poll_runtime_pollWait, pd, READ)
        fill(s)
        poll_runtime_pollReset(pd, WRITE)
        writer = parked(poll_runtime_pollWait, pd, WRITE)
        t.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        t.close()  # RST
        assert reader.join() == pollNoError
        assert writer.join() == pollNoError


def test_a_double_wait_names_both_goroutines():
    with opened() as (pd, s, t):
        first = parked(poll_runtime_pollWait, pd, READ)
        second = spawn(poll_runtime_pollWait, pd, READ)
        err = second.error()
        assert isinstance(err, Error)
        text = str(err)
        assert "double wait" in text
        assert f"goroutine {first.g.goid}" in text and f"goroutine {second.g.goid}" in text
        t.send(b"x")
        assert first.join() == pollNoError  # undisturbed


def test_a_double_wait_to_write_too():
    with opened() as (pd, s, t):
        first = parked(poll_runtime_pollWait, pd, WRITE)
        assert "double wait" in str(spawn(poll_runtime_pollWait, pd, WRITE).error())
        poll_runtime_pollUnblock(pd)
        assert first.join() == pollErrClosing


class Stop(Exception):
    pass


def test_an_exception_ends_a_wait_and_the_descriptor_can_be_waited_on_again():
    with opened() as (pd, s, t):
        task = parked(poll_runtime_pollWait, pd, READ)
        inject(task.g, Stop())
        assert isinstance(task.error(), Stop)
        assert pd.rg is None
        task = parked(poll_runtime_pollWait, pd, READ)
        t.send(b"x")
        assert task.join() == pollNoError


def test_an_exception_for_one_that_is_about_to_wait_leaves_nothing():
    with opened() as (pd, s, t):
        task = spawn(poll_runtime_pollWait, pd, READ)
        inject(task.g, Stop())
        assert isinstance(task.error(), Stop)
        assert pd.rg is None
        t.send(b"x")
        assert poll_runtime_pollWait(pd, READ) == pollNoError


def test_a_foreign_thread_waits():
    with opened() as (pd, s, t):
        th = Thread(poll_runtime_pollWait, pd, READ)
        until(lambda: th.state() == "IO wait")
        t.send(b"x")
        assert th.join() == pollNoError


# ---- closing


def test_unblock_ends_all_waits_and_forbids_others():
    with opened() as (pd, s, t):
        tasks = [parked(poll_runtime_pollWait, pd, mode) for mode in (READ, WRITE)]
        poll_runtime_pollUnblock(pd)
        assert [t.join() for t in tasks] == [pollErrClosing] * 2
        for mode in READ, WRITE:
            assert poll_runtime_pollWait(pd, mode) == pollErrClosing
            assert poll_runtime_pollReset(pd, mode) == pollErrClosing


def test_unblock_from_a_thread():
    with opened() as (pd, s, t):
        task = parked(poll_runtime_pollWait, pd, READ)
        Thread(poll_runtime_pollUnblock, pd).join()
        assert task.join() == pollErrClosing


def test_deadlines_end_with_the_descriptor():
    """The timer of one that is closed does not wake who has its PollDesc next."""
    with opened() as (pd, s, t):
        poll_runtime_pollSetDeadline(pd, soon(0.03), BOTH)
    with opened() as (again, s, t):
        assert again is pd
        task = parked(poll_runtime_pollWait, again, READ)
        Sleep(0.06)
        assert task.g.state() == "IO wait"
        t.send(b"x")
        assert task.join() == pollNoError


# ---- deadlines


@pytest.mark.parametrize("mode", [READ, WRITE, BOTH])
def test_a_deadline_ends_a_wait_that_is_under_way(mode):
    with opened() as (pd, s, t):
        tasks = [parked(poll_runtime_pollWait, pd, m) for m in (READ, WRITE) if m & mode]
        start = monotonic()
        poll_runtime_pollSetDeadline(pd, soon(), mode)
        assert {t.join() for t in tasks} == {pollErrTimeout}
        assert monotonic() - start >= 0.02


def test_a_deadline_set_before_ends_a_wait():
    with opened() as (pd, s, t):
        start = monotonic()
        poll_runtime_pollSetDeadline(pd, soon(), READ)
        assert poll_runtime_pollWait(pd, READ) == pollErrTimeout
        assert monotonic() - start >= 0.019


@pytest.mark.parametrize("d", [-1, 1, -(1 << 62)])
def test_one_in_the_past_ends_waits_at_once(d):
    with opened() as (pd, s, t):
        task = parked(poll_runtime_pollWait, pd, READ)
        poll_runtime_pollSetDeadline(pd, d, READ)
        assert task.join() == pollErrTimeout
        assert poll_runtime_pollWait(pd, READ) == pollErrTimeout


def test_one_that_has_fired_stays_until_it_is_set_anew():
    with opened() as (pd, s, t):
        poll_runtime_pollSetDeadline(pd, -1, READ)
        t.send(b"x")
        for _ in range(3):
            assert poll_runtime_pollWait(pd, READ) == pollErrTimeout
            assert poll_runtime_pollReset(pd, READ) == pollErrTimeout
        poll_runtime_pollSetDeadline(pd, 0, READ)
        assert poll_runtime_pollWait(pd, READ) == pollNoError


def test_one_side_is_not_the_other():
    with opened() as (pd, s, t):
        poll_runtime_pollSetDeadline(pd, -1, WRITE)
        assert netpollcheckerr(pd, READ) == pollNoError
        assert netpollcheckerr(pd, WRITE) == pollErrTimeout


def test_one_that_is_moved_later_is_honoured():
    with opened() as (pd, s, t):
        for d in delays(0.01):
            poll_runtime_pollSetDeadline(pd, 0, READ)
            task = parked(poll_runtime_pollWait, pd, READ)
            start = monotonic()
            poll_runtime_pollSetDeadline(pd, soon(d), READ)
            Sleep(d / 10)
            poll_runtime_pollSetDeadline(pd, soon(6 * d), READ)
            in_time = monotonic() - start < d
            assert task.join() == pollErrTimeout
            if in_time:
                assert monotonic() - start >= 6 * d
                break


def test_one_that_is_moved_earlier_is_honoured():
    with opened() as (pd, s, t):
        poll_runtime_pollSetDeadline(pd, soon(1000), READ)
        task = parked(poll_runtime_pollWait, pd, READ)
        poll_runtime_pollSetDeadline(pd, soon(0.01), READ)
        assert task.join() == pollErrTimeout


def test_one_that_is_taken_back_does_not_fire():
    with opened() as (pd, s, t):
        for d in delays(0.02):
            poll_runtime_pollSetDeadline(pd, 0, READ)
            task = parked(poll_runtime_pollWait, pd, READ)
            start = monotonic()
            poll_runtime_pollSetDeadline(pd, soon(d), READ)
            Sleep(d / 10)
            poll_runtime_pollSetDeadline(pd, 0, READ)
            if monotonic() - start < d:
                break
            poll_runtime_pollSetDeadline(pd, -1, READ)
            assert task.join() == pollErrTimeout
        Sleep(2 * d)
        assert task.g.state() == "IO wait"
        t.send(b"x")
        assert task.join() == pollNoError


def test_one_that_fires_and_is_taken_back_before_the_waiter_runs_has_not_been():
    """Go: the wait goes on as if it had not happened."""
    with opened() as (pd, s, t):
        task = parked(poll_runtime_pollWait, pd, READ)
        poll_runtime_pollSetDeadline(pd, -1, READ)  # readies the waiter, which does not run yet
        poll_runtime_pollSetDeadline(pd, 0, READ)
        for _ in range(5):
            runtime.Gosched()
        assert task.g.state() == "IO wait"
        t.send(b"x")
        assert task.join() == pollNoError


def test_far_deadlines_are_legal():
    with opened() as (pd, s, t):
        poll_runtime_pollSetDeadline(pd, (1 << 63) - 1, BOTH)
        task = parked(poll_runtime_pollWait, pd, READ)
        t.send(b"x")
        assert task.join() == pollNoError


def test_one_set_by_a_thread_wakes_the_sleeping_poller():
    with opened() as (pd, s, t):
        th = Thread(lambda: (threading.Event().wait(0.05), poll_runtime_pollSetDeadline(pd, soon(0.01), READ)))
        assert poll_runtime_pollWait(pd, READ) == pollErrTimeout
        th.join()


def test_setting_many_deadlines_makes_no_timers():
    from runtime.time import armed

    with opened() as (pd, s, t):
        before = armed()
        for i in range(1000):
            poll_runtime_pollSetDeadline(pd, soon(100 + i), BOTH)
        assert armed() == before + 2
        poll_runtime_pollSetDeadline(pd, 0, BOTH)
        assert armed() == before


def test_on_one_that_is_closing_they_are_nothing():
    with opened() as (pd, s, t):
        poll_runtime_pollUnblock(pd)
        poll_runtime_pollSetDeadline(pd, -1, BOTH)
        assert poll_runtime_pollWait(pd, READ) == pollErrClosing


# ---- the pieces


def test_netpollready_gives_each_goroutine_once():
    with opened() as (pd, s, t):
        task = parked(netpollblock, pd, READ, False)
        glist = []
        netpollready(glist, pd, BOTH, False)
        assert glist == [task.g]
        netpollready(glist, pd, READ, False)
        assert glist == [task.g]
        assert pd.rg is pdReady and pd.wg is pdReady
        from runtime.proc import goready

        goready(task.g)
        assert task.join() is True


def test_unblocking_without_readiness_leaves_a_readiness_be():
    with opened() as (pd, s, t):
        netpollready([], pd, READ, False)
        assert netpollunblock(pd, READ, False) is None
        assert pd.rg is pdReady
        assert netpollunblock(pd, WRITE, False) is None
        assert pd.wg is None


# ---- reuse


def test_stale_events_are_dropped():
    """A descriptor has an event in the kernel's queue; it is closed and its PollDesc given to another first."""
    for _ in range(50):
        s1, t1 = sockets("unix")
        s2, t2 = sockets("unix")
        s1.setblocking(False)
        s2.setblocking(False)
        pd, _ = poll_runtime_pollOpen(s1.fileno())
        t1.send(b"x")
        dup = s1.dup()  # keeps the registration of s1 in epoll alive beyond its close
        poll_runtime_pollUnblock(pd)
        fd = s1.detach()
        pd_fd = pd.fd
        assert pd_fd == fd
        poll_runtime_pollClose(pd)
        again, _ = poll_runtime_pollOpen(s2.fileno())
        assert again is pd
        Sleep(0.0001)
        assert again.rg is None
        poll_runtime_pollUnblock(again)
        poll_runtime_pollClose(again)
        for x in dup, socket.socket(fileno=fd), s2, t1, t2:
            x.close()


def test_an_event_of_an_earlier_life_names_another_sequence():
    """What the kernel hands back for an earlier life of the PollDesc readies nobody."""
    with opened() as (pd, s, t):
        first = sched.poller
        task = parked(poll_runtime_pollWait, pd, READ)
        # As if it had been closed and opened between epoll_wait and the look at the event.
        if compiled:
            pd.fdseq += 1
        else:
            del first.ep.tags[pd.fd]
        t.send(b"x")
        Sleep(0.01)
        assert task.g.state() == "IO wait"
        assert first is sched.poller
        if compiled:
            pd.fdseq -= 1
        else:
            first.ep.tags[pd.fd] = pd
        t.send(b"y")
        assert task.join() == pollNoError


def test_a_polldesc_given_to_another_right_after_it_was_found_reads_from_its_new_descriptor():
    """Uncompiled, another thread may come between finding the PollDesc of an event and the look at its reader."""
    program = """
        from runtime.gmp import G
        from runtime.netpoll import PollDesc
        from runtime.netpoll_pure import PurePoller
        pairs = [socket.socketpair() for _ in range(2)]
        (first, p), (second, q) = pairs
        first.settimeout(1)
        second.setblocking(False)
        pd = PollDesc(2)
        buf = bytearray(8)
        class Tags(dict):
            def get(self, fd):  # the first is closed; the second has its PollDesc, and a reader that waits
                pd.fd = second.fileno()
                pd.rbuf = buf
                pd.rg = reader
                return pd
        reader = G()
        p.send(b"secret")
        poller = PurePoller()
        poller.ep.tags = Tags()
        poller.ep.ready = [(first.fileno(), 0x1 | 0x4)]
        say(poller.drain(0) == [reader], bytes(buf).rstrip(bytes(1)), first.recv(10))
        pd.rg, pd.rbuf = reader, buf
        q.send(b"own")
        poller.ep.ready = [(first.fileno(), 0x1 | 0x4)]
        say(poller.drain(0) == [reader], bytes(buf).rstrip(bytes(1)))
    """
    assert runs(program, env={"GONET_PURE": "1"}) == "True b'' b'secret'\nTrue b'own'\n"


CYCLES = 100_000  # a second or two


@pytest.mark.limit(300)
def test_descriptors_used_again_and_again():
    """Open, wait, close, reuse: no event of an earlier life, no foreign descriptor closed, every waiter is told.

    A pool of sockets, each pair with a waiter now and then; numbers are used again at once, by the kernel's rule of
    the lowest free one.
    """
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    stray = []
    told = [0]
    waits = [0]
    s, t = socket.socketpair()
    s.setblocking(False)

    def wait(pd, expected):
        code = poll_runtime_pollWait(pd, READ)
        told[0] += 1
        if code != expected:
            stray.append((code, expected))

    from runtime import rawsys

    for i in range(CYCLES):
        fd = rawsys.dup(s.fileno())
        pd, err = poll_runtime_pollOpen(fd)
        assert err == 0
        what = rnd.randrange(4)
        if what == 0:
            waits[0] += 1
            runtime.go(wait, pd, pollErrClosing)
            runtime.Gosched()
        elif what == 1:
            waits[0] += 1
            runtime.go(wait, pd, pollNoError)
            runtime.Gosched()
            t.send(b"x")
            n = told[0]
            while told[0] == n:
                runtime.Gosched()
            assert s.recv(10) == b"x"
        poll_runtime_pollUnblock(pd)
        if what == 0:
            n = told[0]
            while told[0] == n:
                runtime.Gosched()
        assert poll_runtime_pollClose(pd) == 0
        assert rawsys.close(fd) == 0
    until(lambda: told[0] == waits[0])
    s.close()
    t.close()
    assert stray == []


def test_thousands_of_waiters():
    """As many descriptors as the limit allows, all parked, all woken; more events than one poll takes."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(2000, (soft - 100) // 4)
    pairs = [socket.socketpair() for _ in range(n)]
    pds = []
    for s, _ in pairs:
        s.setblocking(False)
        pds.append(poll_runtime_pollOpen(s.fileno())[0])
    tasks = [spawn(poll_runtime_pollWait, pd, READ) for pd in pds]
    until(lambda: all(t.g.state() == "IO wait" for t in tasks))
    gc.collect()
    for _, t in pairs:
        t.send(b"x")
    assert {t.join() for t in tasks} == {pollNoError}
    for pd in pds:
        poll_runtime_pollUnblock(pd)
        poll_runtime_pollClose(pd)
    for s, t in pairs:
        s.close()
        t.close()


def test_the_poller_is_made_when_it_is_first_needed():
    program = """
        import runtime
        from runtime.gmp import sched
        print(sched.poller)
        from runtime.timesleep import timeSleep
        timeSleep(0.001)
        print(type(sched.poller).__name__)
    """
    assert runs(program, prelude="").startswith("None\n")


def test_two_threads_make_one_poller():
    program = """
        import threading, sys
        import runtime
        from runtime.gmp import sched
        from runtime.netpoll import netpollGenericInit
        sys.setswitchinterval(1e-5)
        barrier = threading.Barrier(8)
        made = []
        def f():
            barrier.wait()
            made.append(netpollGenericInit())
        ts = [threading.Thread(target=f) for _ in range(8)]
        for t in ts: t.start()
        for t in ts: t.join()
        print(len(set(map(id, made))), made[0] is sched.poller)
    """
    assert runs(program, prelude="") == "1 True\n"


def test_pollopen_without_descriptors_left_is_an_errno():
    assert np.poll_runtime_pollOpen(-1)[0] is None
