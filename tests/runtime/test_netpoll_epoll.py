"""epoll's half: what an event means, the wake-up, signals, and the own descriptors."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import threading
import time
from contextlib import contextmanager

import pytest

import runtime
from runtime.gmp import sched
from runtime.netpoll import _newpoller, poll_runtime_pollClose, poll_runtime_pollOpen, poll_runtime_pollUnblock
from runtime.pollcodes import pdReady
from tests.helpers import Thread, child, runs, sockets, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@contextmanager
def registered(kind="tcp"):
    """(PollDesc, socket, peer), registered with the poller of the process."""
    s, t = sockets(kind)
    s.setblocking(False)
    pd, err = poll_runtime_pollOpen(s.fileno())
    assert err == 0
    until(lambda: pd.wg is pdReady)
    pd.wg = None
    try:
        yield pd, s, t
    finally:
        poll_runtime_pollUnblock(pd)
        poll_runtime_pollClose(pd)
        s.close()
        t.close()


@pytest.fixture
def poller():
    """A poller of the test's own, closed at the end."""
    p = Thread(_newpoller).join()  # on another thread: the wakeup descriptor of signals stays as it is
    yield p
    p.close()


# ---- events


def test_data_is_readable_only():
    with registered() as (pd, s, t):
        t.send(b"x")
        until(lambda: pd.rg is pdReady)
        assert pd.hup == 0 and not pd.everr


def test_an_edge_is_reported_once():
    with registered() as (pd, s, t):
        t.send(b"x")
        until(lambda: pd.rg is pdReady)
        pd.rg = None
        time.sleep(0.01)
        sched.poller.netpoll(0)
        assert pd.rg is None
        t.send(b"y")  # a new edge, though the first byte is still there
        until(lambda: pd.rg is pdReady)


def test_the_peers_end_is_readable_and_voids_the_hint():
    with registered() as (pd, s, t):
        t.shutdown(socket.SHUT_WR)
        until(lambda: pd.rg is pdReady)
        assert pd.hup > 0 and not pd.everr


def test_data_and_the_end_void_the_hint():
    with registered() as (pd, s, t):
        t.send(b"x")
        t.shutdown(socket.SHUT_WR)
        until(lambda: pd.rg is pdReady and pd.hup)


def test_a_reset_is_readable_and_writable_and_voids_the_hint():
    with registered() as (pd, s, t):
        t.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        t.close()
        until(lambda: pd.rg is pdReady and pd.wg is pdReady)
        assert pd.hup > 0


def test_urgent_data_is_readable_and_voids_the_hint():
    with registered() as (pd, s, t):
        t.send(b"u", socket.MSG_OOB)
        until(lambda: pd.rg is pdReady)
        assert pd.hup > 0


def test_a_connection_refused_wakes_both_sides():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        addr = probe.getsockname()
        with socket.socket() as s:
            s.setblocking(False)
            s.connect_ex(addr)
            pd, err = poll_runtime_pollOpen(s.fileno())
            assert err == 0
            until(lambda: pd.wg is pdReady and pd.rg is pdReady)
            poll_runtime_pollUnblock(pd)
            poll_runtime_pollClose(pd)


def test_a_pipe_whose_reader_is_gone_is_an_error_and_nothing_else():
    """EPOLLERR alone: Go's everr."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, bytes(65536))
    except BlockingIOError:
        pass
    pd, err = poll_runtime_pollOpen(w)
    assert err == 0
    sched.poller.netpoll(0)
    os.close(r)
    until(lambda: pd.wg is pdReady)
    assert pd.everr
    poll_runtime_pollUnblock(pd)
    poll_runtime_pollClose(pd)
    os.close(w)


@pytest.mark.skipif(runtime.compiled, reason="there the event says of which life it is")
def test_an_error_of_a_descriptor_that_has_been_closed_is_not_its_successors(poller):
    """The event was fetched before: it may end a wait, but must not forbid all others."""
    with registered() as (pd, s, t):
        poller.netpollopen(s.fileno(), pd)
        poller.ep.ready.append((s.fileno(), select.EPOLLERR))
        pd.rg = None
        poller.drain(0)
        assert not pd.everr
        assert pd.rg is pdReady and pd.wg is pdReady
        poller.netpollclose(s.fileno())


def test_more_events_than_one_poll_takes():
    pairs = [socket.socketpair() for _ in range(300)]
    pds = []
    for s, t in pairs:
        s.setblocking(False)
        pds.append(poll_runtime_pollOpen(s.fileno())[0])
        t.send(b"x")
    until(lambda: all(pd.rg is pdReady for pd in pds))
    for pd in pds:
        poll_runtime_pollUnblock(pd)
        poll_runtime_pollClose(pd)
    for s, t in pairs:
        s.close()
        t.close()


# ---- delays


def test_no_delay_does_not_wait(poller):
    start = time.monotonic()
    for _ in range(100):
        assert poller.netpoll(0) == []
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("delay", [1, 500_000, 20_000_000])
def test_a_delay_lasts_about_its_time(poller, delay):
    """In milliseconds, rounded down but never to none: the scheduler asks again for the rest."""
    start = time.monotonic_ns()
    assert poller.netpoll(delay) == []
    assert time.monotonic_ns() - start >= delay // 1_000_000 * 1_000_000


@pytest.mark.parametrize("delay", [-1, 1 << 62, (1 << 63) - 1, 10**15, 10**15 - 1])
def test_long_delays_are_ended_by_a_wakeup(poller, delay):
    poller.netpollBreak()
    assert poller.netpoll(delay) == []


def test_a_wakeup_ends_a_sleep_that_is_under_way(poller):
    t = Thread(poller.netpoll, -1)
    poller.netpollBreak()
    assert t.join() == []


def test_many_wakeups_end_one_sleep(poller):
    for _ in range(10):
        poller.netpollBreak()
    assert poller.netpoll(-1) == []
    start = time.monotonic()
    assert poller.netpoll(10_000_000) == []
    assert time.monotonic() - start >= 0.01


def test_a_poll_that_does_not_sleep_leaves_the_wakeup_to_one_that_does(poller):
    poller.netpollBreak()
    assert poller.netpoll(0) == []
    assert poller.netpoll(-1) == []


def test_wakeups_from_many_threads(poller):
    stop = []

    def wake():
        while not stop:
            poller.netpollBreak()

    ts = [Thread(wake) for _ in range(3)]
    for _ in range(30):
        assert poller.netpoll(-1) == []
    stop.append(1)
    for t in ts:
        t.join()


# ---- signals


def test_the_programs_own_wakeup_descriptor_is_left_alone():
    program = """
        import os, signal, socket, time
        r, w = os.pipe2(os.O_NONBLOCK)
        signal.set_wakeup_fd(w)
        import runtime
        from runtime.sema import Sema, semacquire, semrelease
        from runtime.timesleep import timeSleep
        timeSleep(0.001)
        s = Sema()
        signal.signal(signal.SIGALRM, lambda *args: semrelease(s))
        runtime.go(timeSleep, 100)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        semacquire(s)
        print(os.read(r, 10) == bytes([signal.SIGALRM]), signal.set_wakeup_fd(-1) == w)
    """
    assert runs(program, prelude="") == "True True\n"


def test_signals_wake_main_after_the_program_took_the_wakeup_descriptor_for_a_while():
    """As asyncio.run does."""
    program = """
        import asyncio
        gtime.Sleep(0.001)
        asyncio.run(asyncio.sleep(0))
        s = Sema()
        signal.signal(signal.SIGALRM, lambda *args: semrelease(s))
        go(gtime.Sleep, 100)
        for i in range(20):
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            semacquire(s)
        say("woken")
    """
    assert runs(program) == "woken\n"


def test_a_signal_while_a_thread_polls_and_main_sleeps_on_its_note():
    """The handler is main's to run, whoever is told of the signal."""
    program = """
        a, b = tcp_pair()
        t = threading.Thread(target=a.Read, args=(bytearray(5),), daemon=True)
        t.start()
        while not [m for m in sched.extram.values() if m.blocked == 1]:
            time.sleep(0.001)
        s = Sema()
        signal.signal(signal.SIGUSR1, lambda *args: semrelease(s))
        if os.fork() == 0:
            time.sleep(0.2)
            os.kill(os.getppid(), signal.SIGUSR1)
            os._exit(0)
        semacquire(s)
        say("woken")
    """
    assert runs(program) == "woken\n"


def test_hundreds_of_signals_at_once_do_not_fill_anything():
    seen = []
    old = signal.signal(signal.SIGUSR2, lambda signum, frame: seen.append(1))
    try:
        for _ in range(5000):
            signal.raise_signal(signal.SIGUSR2)
        until(lambda: seen)
    finally:
        signal.signal(signal.SIGUSR2, old)


# ---- own descriptors


def test_closing_gives_back_all_descriptors():
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        p = Thread(_newpoller).join()
        p.netpollBreak()
        p.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_its_descriptors_are_not_inherited_by_programs_that_are_started():
    p = sched.poller
    for fd in (p.ep.fileno(), p.eventfd, p.sigr, p.sigw):
        if fd >= 0:
            assert not os.get_inheritable(fd)


def test_registering_what_is_no_descriptor_is_an_errno(poller):
    import errno

    class Dummy:
        pass

    s, t = sockets("unix")
    pd, _ = poll_runtime_pollOpen(s.fileno())
    try:
        assert poller.netpollopen(1 << 20, pd) == -errno.EBADF
        assert poller.netpollclose(1 << 20) == -errno.EBADF
        assert poller.netpollclose(t.fileno()) == -errno.ENOENT
    finally:
        poll_runtime_pollUnblock(pd)
        poll_runtime_pollClose(pd)
        s.close()
        t.close()


def test_no_descriptors_left_is_an_oserror():
    program = """
        gtime.Sleep(0.001)
        from runtime.netpoll import _newpoller
        with NoDescriptors():
            try:
                _newpoller()
            except OSError as e:
                say(e.errno in (24,))
    """
    assert runs(program) == "True\n"


def test_no_descriptors_left_when_main_first_sleeps():
    """It would open what signals wake it by; it sleeps without that, and tries again."""
    program = """
        from runtime.netpoll import netpollGenericInit
        netpollGenericInit()
        with NoDescriptors():
            gtime.Sleep(0.005)
            say("slept", sched.poller.signals)
        t = threading.Thread(target=gtime.Sleep, args=(0.005,))  # nobody holds the poller
        t.start()
        t.join()
        until(lambda: sched.poller.signals)
        say(sched.poller.signals, sched.poller.sigr >= 0)
    """
    assert runs(program) == "slept False\nTrue True\n"


def test_a_poller_whose_descriptor_the_program_has_closed_is_fatal():
    """As in Go: nobody would ever be woken."""
    program = """
        until(lambda: sched.poller is not None)
        os.close(sched.poller.ep.fileno())
        for _ in range(100): gtime.Sleep(0.01)
        say("not reached")
    """
    r = child(program)
    assert (r.returncode, r.stdout) == (2, "")
    assert re.fullmatch(r"runtime: epollwait on fd \d+ failed with 9\nfatal error: runtime: netpoll failed\n", r.stderr)



def test_select_agrees_that_nothing_is_left_in_the_eventfd(poller):
    poller.netpollBreak()
    assert select.select([poller.eventfd], [], [], 0)[0]
    poller.netpoll(-1)
    assert not select.select([poller.eventfd], [], [], 0)[0]
    assert threading.current_thread() is threading.main_thread()
