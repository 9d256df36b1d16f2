"""Threads: more than one M, foreign threads, and what belongs to whom."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import pytest

import runtime
from gonet.time import Sleep
from runtime.gmp import M, sched
from runtime.mthread import dropdead
from runtime.proc import getg
from runtime.sema import Sema, semacquire, semrelease
from tests.helpers import Thread, connected, parked, runs, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")


# ---- GOMAXPROCS


def test_it_is_1_under_the_gil():
    program = "say(runtime.GOMAXPROCS(), runtime.GOMAXPROCS(0), runtime.GOMAXPROCS(-5), runtime.GOMAXPROCS())"
    assert runs(program, env={"GOMAXPROCS": ""}) == "1 1 1 1\n"


@pytest.mark.parametrize("n", ["2", 2.0, None, float("nan")])
def test_GOMAXPROCS_takes_an_integer(n):
    with pytest.raises(TypeError, match="object cannot be interpreted as an integer"):
        runtime.GOMAXPROCS(n)


@pytest.mark.parametrize("value, want", [("3", 3), ("0", 1), ("-2", 1), ("many", 1), ("100000", 256)])
def test_the_environment_sets_it(value, want):
    assert runs("say(runtime.GOMAXPROCS())", env={"GOMAXPROCS": value}) == f"{want}\n"


def test_setting_it_returns_what_it_was():
    program = "say(runtime.GOMAXPROCS(3), runtime.GOMAXPROCS(2), runtime.GOMAXPROCS(1), runtime.GOMAXPROCS())"
    assert runs(program, env={"GOMAXPROCS": ""}) == "1 3 2 1\n"


MANY = """
idents = set()
def work(i):
    idents.add(threading.get_ident())
    me = threading.get_ident()
    for _ in range(20):
        time.sleep(0.001)   # gives the GIL up: there is something to gain
        runtime.Gosched()
        assert threading.get_ident() == me
def round(n=40):
    gs = [go(work, i) for i in range(n)]
    for g in gs:
        until_state(g, "dead")
"""


def test_goroutines_that_have_not_run_are_stolen_and_then_stay_with_their_thread():
    program = (
        MANY
        + """
runtime.GOMAXPROCS(4)
round()
say(2 <= len(idents) <= 4)
"""
    )
    assert runs(program) == "True\n"


def test_one_goroutine_is_stolen_from_a_busy_main():
    """A single go, while main does not park: another M must find it without being called a second time."""
    program = """
        runtime.GOMAXPROCS(2)
        ran = []
        go(ran.append, 1)
        end = time.monotonic() + 8
        while not ran and time.monotonic() < end:
            time.sleep(0.001)
        say(ran)
    """
    assert runs(program) == "[1]\n"


def test_each_of_several_is_stolen_from_a_busy_main():
    program = """
        runtime.GOMAXPROCS(2)
        ran = []
        for i in range(10):
            go(ran.append, i)
        end = time.monotonic() + 8
        while len(ran) < 10 and time.monotonic() < end:
            time.sleep(0.001)
        say(len(ran))
        time.sleep(0.1)  # the other M is asleep now
        go(ran.append, 10)
        end = time.monotonic() + 8
        while len(ran) < 11 and time.monotonic() < end:
            time.sleep(0.001)
        say(len(ran))
    """
    assert runs(program) == "10\n11\n"


def test_what_was_queued_before_there_was_another_p_is_stolen_too():
    program = """
        ran = []
        for i in range(10):
            go(ran.append, i)
        runtime.GOMAXPROCS(2)
        end = time.monotonic() + 8
        while len(ran) < 9 and time.monotonic() < end:  # the tenth runs next here, and cannot be stolen
            time.sleep(0.001)
        say(len(ran) >= 9)
    """
    assert runs(program) == "True\n"


def test_one_m_at_a_time_is_woken_to_look_for_work():
    """Go's spinning M: until it has looked nobody wakes another, whatever is queued meanwhile."""
    program = """
        from runtime.gmp import M, P
        from runtime.mthread import wakep
        from runtime.time import timers
        sched.gomaxprocs = 3
        ms = []
        for i in 98, 99:
            mp, pp = M(), P(i, timers())
            mp.p, pp.m = pp, mp
            mp.blocked = 2  # asleep on mp.park
            sched.allp.append(pp)
            ms.append(mp)
        def woken():
            return [mp.park.sleep(0) for mp in ms]
        wakep()
        wakep()
        say(sched.nmspinning, woken())
        wakep()
        say(woken())
        ms[0].blocked = 0  # it has looked, as idle does, and is at work
        sched.nmspinning = 0
        wakep()
        say(woken())
        sched.nmspinning = 0
        ms[1].blocked = 0
        sched.gomaxprocs = 1
        wakep()  # all are busy, and no P is without an M
        say(sched.nmspinning, woken())
        del sched.allp[1:]
    """
    assert runs(program) == "1 [True, False]\n[False, False]\n[False, True]\n0 [False, False]\n"


def test_up_and_down_while_goroutines_run():
    program = (
        MANY
        + """
before = threading.active_count()
for n in (3, 1, 4, 2, 1):
    runtime.GOMAXPROCS(n)
    idents.clear()
    round(20)
    assert len(idents) <= n + 1, (n, idents)
runtime.GOMAXPROCS(1)
until(lambda: len(sched.allm) == 1)
say(len(sched.allm), runtime.NumGoroutine())
idents.clear()
round(10)
say(len(idents))
"""
    )
    assert runs(program) == "1 1\n1\n"


def test_goroutines_parked_on_a_retired_p_go_on():
    program = """
        runtime.GOMAXPROCS(3)
        s, done = Sema(), []
        def work(i):
            time.sleep(0.005)
            semacquire(s)
            gtime.Sleep(0.005)
            done.append(i)
        for i in range(30):
            go(work, i)
            time.sleep(0.001)
        until(lambda: len(s.waiters) == 30)
        runtime.GOMAXPROCS(1)
        for i in range(30): semrelease(s)
        until(lambda: len(done) == 30)
        until(lambda: len(sched.allm) == 1)
        say(sorted(done) == list(range(30)))
    """
    assert runs(program) == "True\n"


def test_what_a_goroutine_on_a_retired_p_starts_is_run():
    """It is the last there, and ends: its M goes, and must leave to the others what has not run."""
    program = """
        runtime.GOMAXPROCS(2)
        s, ran = Sema(), []
        def last():
            semacquire(s)
            for i in range(50):
                go(ran.append, i)
        g = go(last)
        while g.state() != "semacquire":
            time.sleep(0.001)  # so that it is stolen
        assert g.m is not sched.m0
        runtime.GOMAXPROCS(1)
        semrelease(s)
        until(lambda: len(ran) == 50)
        until(lambda: len(sched.allm) == 1)
        say(runtime.NumGoroutine(), sorted(ran) == list(range(50)))
    """
    assert runs(program) == "1 True\n"


def test_retiring_a_p_gives_its_queue_to_the_others():
    """Its M computes, and what waits there would wait for the end of that."""
    program = """
        runtime.GOMAXPROCS(2)
        ran, stop = [], []
        def compute():
            for i in range(20):
                go(ran.append, i)
            while not stop:
                time.sleep(0.001)
        g = go(compute)
        while g.m is None:
            time.sleep(0.001)
        assert g.m is not sched.m0
        runtime.GOMAXPROCS(1)
        until(lambda: len(ran) == 20)
        stop.append(1)
        until(lambda: len(sched.allm) == 1)
        say(runtime.NumGoroutine())
    """
    assert runs(program) == "1\n"


def test_an_m_that_ends_leaves_no_stacks_behind():
    """Its spare ones hold each other: each was left by a switch to the next."""
    program = """
        import greenlet
        def stacks():
            gc.collect()
            return sum(isinstance(o, greenlet.greenlet) for o in gc.get_objects())
        def work():
            time.sleep(0.0005)
            gtime.Sleep(0.001)
        for i in range(4):
            runtime.GOMAXPROCS(4)
            for j in range(100):
                go(work)
            until(lambda: runtime.NumGoroutine() == 1)
            assert any(p.gfree for p in sched.allp[1:])
            runtime.GOMAXPROCS(1)
            until(lambda: len(sched.allm) == 1)
            assert stacks() <= len(sched.allp[0].gfree) + 4, (stacks(), len(sched.allp[0].gfree))
        say("none")
    """
    assert runs(program) == "none\n"


def test_semaphores_between_ms():
    program = """
        runtime.GOMAXPROCS(3)
        a, b = Sema(), Sema()
        def ping(n):
            for _ in range(n):
                semrelease(a)
                semacquire(b)
        def pong(n):
            for _ in range(n):
                semacquire(a)
                semrelease(b)
        gs = []
        for i in range(6):
            gs += [go(ping, 300), go(pong, 300)]
            time.sleep(0.002)
        for g in gs:
            until_state(g, "dead")
        say(a.count, b.count)
    """
    assert runs(program) == "0 0\n"


def test_io_and_timers_on_several_ms():
    program = """
        runtime.GOMAXPROCS(3)
        done = []
        def pairwise(i):
            a, b = tcp_pair()
            def echo():
                buf = bytearray(100)
                while n := b.Read(buf):
                    b.Write(buf[:n])
                b.Close()
            go(echo)
            buf = bytearray(100)
            for _ in range(100):
                a.SetDeadline(time.monotonic() + 10)
                a.Write(b"hello")
                assert a.Read(buf) == 5
                if _ % 10 == 0:
                    gtime.Sleep(0.001)
            a.Close()
            done.append(i)
        for i in range(10):
            go(pairwise, i)
            time.sleep(0.002)
        until(lambda: len(done) == 10)
        until(lambda: runtime.NumGoroutine() == 1)
        say("ok")
    """
    assert runs(program) == "ok\n"


def test_timers_of_one_m_are_not_held_up_by_another_that_computes():
    """The M that slept in the poller leaves it to compute: somebody must sleep there in its place."""
    program = """
        runtime.GOMAXPROCS(2)
        gate = Sema()
        ready = []
        def compute():
            ready.append(threading.get_ident())
            semacquire(gate)
            if threading.get_ident() != threading.main_thread().ident:
                spin(3)
        for i in range(4):
            go(compute)
            while not ready:
                time.sleep(0.001)  # not gonet's: the other M takes it
        until(lambda: len(ready) == 4)
        assert threading.main_thread().ident != ready[0], "not stolen"
        gtime.Sleep(0.2)
        for i in range(4): semrelease(gate)
        start = time.monotonic()
        for i in range(20): gtime.Sleep(0.001)
        took = time.monotonic() - start
        say(took < 2.5, took) if took >= 2.5 else say(True)
        os._exit(0)
    """
    assert runs(program) == "True\n"


def test_a_goroutine_that_raises_on_another_m():
    program = """
        runtime.GOMAXPROCS(2)
        seen = []
        runtime.SetPanicHook(lambda g, exc: seen.append(type(exc)))
        def fail():
            time.sleep(0.001)
            1 / 0
        gs = [go(fail) for i in range(20)]
        for g in gs: until_state(g, "dead")
        say(len(seen), set(seen) == {ZeroDivisionError})
    """
    assert runs(program) == "20 True\n"


def test_stress_with_several_ms():
    """Everything at once, for a second: starts, sleeps, semaphores, calls, I/O, GOMAXPROCS."""
    program = """
        import random
        seed = int(sys.argv[1])
        rnd = random.Random(seed)
        end = time.monotonic() + 1.5
        s = Sema()
        counts = dict.fromkeys("abcde", 0)
        def work(depth):
            what = rnd.choice("abcde")
            if what == "a":
                gtime.Sleep(rnd.random() * 0.002)
            elif what == "b":
                semrelease(s)
                semacquire(s)
            elif what == "c":
                runtime.Syscall(time.sleep, rnd.random() * 0.002)
            elif what == "d":
                a, b = fds(*socket.socketpair(), "unix")
                go(lambda: (b.Write(b"x" * 10), b.Close()))
                buf = bytearray(100)
                while a.Read(buf): pass
                a.Close()
            else:
                runtime.Gosched()
            counts[what] += 1
            if depth and time.monotonic() < end:
                go(work, depth - 1)
                go(work, depth - 2) if depth > 1 else None
        while time.monotonic() < end:
            for _ in range(5):
                go(work, 4)
            gtime.Sleep(0.005)
            runtime.GOMAXPROCS(rnd.choice([1, 2, 3, 4]))
        until(lambda: runtime.NumGoroutine() == 1)
        assert all(counts.values()), counts
        say("ok", s.count)
    """
    import random

    seed = random.randrange(1 << 30)
    print("seed", seed)
    assert runs(program, str(seed)) == "ok 0\n"


# ---- NumCPU, LockOSThread


def test_numcpu_is_the_size_of_the_affinity_mask():
    assert runtime.NumCPU() == len(os.sched_getaffinity(0))
    program = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); say(runtime.NumCPU())"
    assert runs(program) == "1\n"


def test_lockosthread_counts():
    g = getg()
    before = g.lockedExt
    runtime.LockOSThread()
    runtime.LockOSThread()
    assert g.lockedExt == before + 2
    runtime.UnlockOSThread()
    runtime.UnlockOSThread()
    runtime.UnlockOSThread()
    assert g.lockedExt == 0


# ---- foreign threads


def test_a_thread_is_adopted_when_it_first_calls():
    def body():
        me = threading.get_ident()
        assert me not in sched.extram
        runtime.NumGoroutine()
        m = sched.extram[me]
        assert m.isextra and m.p is None and m.ident == me
        assert getg() is m.curg
        return m

    before = len(sched.allm)
    m = Thread(body).join()
    assert len(sched.allm) == before
    until(lambda: m not in sched.extram.values())


def test_a_threads_m_is_released_when_it_ends():
    for _ in range(20):
        Thread(lambda: Sleep(0.0001)).join()
    until(lambda: not sched.extram)


def test_a_threads_goroutine_needs_no_collector():
    gone = []
    gc.collect()
    gc.disable()
    try:
        Thread(lambda: gone.append(weakref.ref(getg()))).join()
        until(lambda: gone[0]() is None)
    finally:
        gc.enable()


def test_a_thread_is_not_a_goroutine():
    before = runtime.NumGoroutine()
    s = Sema()
    t = Thread(semacquire, s)
    until(lambda: t.state() == "semacquire")
    assert runtime.NumGoroutine() == before
    semrelease(s)
    t.join()


def test_a_thread_starts_goroutines_and_they_run_on_an_m():
    """Main's, or one that the monitor has started since main is late."""
    ran = []

    def thread():
        runtime.go(lambda: ran.append(getg().m in sched.allm))

    Thread(thread).join()
    until(lambda: ran)
    assert ran == [True]


def test_goroutines_started_by_a_thread_while_main_is_asleep():
    ran = []
    done = Sema()

    def thread():
        for i in range(10):
            runtime.go(lambda i=i: (ran.append(i), semrelease(done)))

    t = Thread(lambda: (threading.Event().wait(0.02), thread()))
    for _ in range(10):
        semacquire(done)
    assert sorted(ran) == list(range(10))
    t.join()


def test_goroutines_started_by_a_thread_while_main_is_stuck():
    """Nobody is there to run them: the monitor starts an M for them, which ends when it is done."""
    program = """
        ran = []
        def thread():
            for i in range(5):
                go(lambda i=i: ran.append((i, threading.get_ident())))
        threading.Thread(target=thread).start()
        end = time.monotonic() + 8
        while len(ran) < 5 and time.monotonic() < end:
            time.sleep(0.001)  # not gonet's
        say(sorted(i for i, _ in ran))
        until(lambda: len(sched.allm) == 1)
        assert runtime.GOMAXPROCS() == 1
        go(say, "on")
        gtime.Sleep(0.01)
    """
    assert runs(program) == "[0, 1, 2, 3, 4]\non\n"


def test_a_thread_blocks_in_everything():
    with connected() as (a, b):

        def thread():
            Sleep(0.001)
            buf = bytearray(10)
            n = a.Read(buf)
            a.Write(buf[:n])
            a.SetReadDeadline(1.0)
            try:
                a.Read(buf)
            except TimeoutError:
                return runtime.Syscall(lambda: "done")

        t = Thread(thread)
        until(lambda: t.state() == "IO wait")
        b.Write(b"hello")
        assert b.Read(bytearray(10)) == 5
        assert t.join() == "done"


def test_threads_read_and_write_while_main_is_busy():
    """Main does not poll: a foreign thread that sleeps must."""
    program = """
        a, b = tcp_pair()
        out = []
        def reader():
            out.append(a.Read(bytearray(10)))
        def writer():
            gtime.Sleep(0.05)
            b.Write(b"hello")
        for f in reader, writer:
            threading.Thread(target=f).start()
        end = time.monotonic() + 8
        while not out and time.monotonic() < end:
            time.sleep(0.001)
        say(out)
    """
    assert runs(program) == "[5]\n"


def test_many_threads_and_goroutines_on_one_semaphore():
    s, back = Sema(), Sema()

    def body():
        for _ in range(50):
            semacquire(s)
            semrelease(back)

    threads = [Thread(body) for _ in range(5)]
    tasks = [spawn(body) for _ in range(5)]
    for _ in range(500):
        semrelease(s)
        semacquire(back)
    for t in [*threads, *tasks]:
        t.join()
    assert (s.count, back.count) == (0, 0)


def test_a_goroutine_wakes_threads_and_threads_wake_goroutines():
    a, b = Sema(), Sema()
    t = parked(lambda: (semacquire(a), semrelease(b)), state="semacquire")
    th = Thread(lambda: (semrelease(a), semacquire(b)))
    th.join()
    t.join()


def test_threads_that_end_while_others_wait():
    for _ in range(10):
        s = Sema()
        ts = [Thread(semacquire, s) for _ in range(3)]
        Thread(lambda s=s: [semrelease(s) for _ in range(3)])
        for t in ts:
            t.join()
    until(lambda: not sched.extram)


def test_a_thread_that_has_the_number_of_a_dead_one_is_kept(monkeypatch):
    """It calls in just when the dead one, which called in again while it ended, is found out."""
    dead, alive = M(), M()
    dead.ident = alive.ident = 1  # no thread's

    def access(path, mode, real=os.access):
        if path == "/proc/self/task/0":
            sched.extram[1] = alive
        return real(path, mode)

    monkeypatch.setattr(os, "access", access)
    sched.extram[1] = dead
    try:
        dropdead()
        assert sched.extram[1] is alive
    finally:
        del sched.extram[1]
    sched.extram[1] = dead
    monkeypatch.undo()
    dropdead()
    assert 1 not in sched.extram
