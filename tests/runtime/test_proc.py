"""The scheduler: who runs next, parking and readying, stacks and ending."""

from __future__ import annotations

import gc
import random
import sys
import time
from contextlib import suppress

import pytest

import runtime
from gonet import chan
from gonet.sync import Mutex
from gonet.time import Sleep
from runtime.gmp import WaitLock, _Grunnable, _Gwaiting, sched, waitReasonChanReceive
from runtime.panic import Error, GoexitException, Throw
from runtime.proc import getg, gopark, goready, inject
from runtime.sema import Sema, semacquire, semrelease
from tests.helpers import Thread, child, connected, listening, parked, runs, spawn, until, until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@pytest.fixture
def fresh_slice():
    """A P at the beginning of a slice, far from a tick at which it looks elsewhere first."""
    p = sched.m0.p
    Sleep(0.001)
    p.schedtick = 62
    p.preempt = False
    return p


# ---- stacks


def test_goroutines_started_deep_in_recursion_have_all_the_depth():
    def descend(n):
        return 0 if n == 0 else 1 + descend(n - 1)

    def start(n):
        if n == 0:
            return [spawn(descend, 700) for _ in range(5)]
        return start(n - 1)

    for t in start(700):
        assert t.join() == 700


def test_a_recursion_error_ends_one_goroutine():
    def forever():
        forever()

    assert isinstance(spawn(forever).error(), RecursionError)
    assert spawn(lambda: 5).join() == 5


def test_stacks_are_used_again():
    """A hundred goroutines, one after the other, on the stacks of few."""
    import greenlet

    stacks = [spawn(greenlet.getcurrent).join() for _ in range(100)]
    assert len({id(s) for s in stacks}) <= 3


def test_spare_stacks_are_kept_up_to_a_limit():
    s = Sema()
    ts = [parked(semacquire, s, state="semacquire") for _ in range(20)]
    for _ in ts:
        semrelease(s)
    for t in ts:
        t.join()
    assert 20 <= len(sched.m0.p.gfree) <= 512


def deep(n, f):
    """f() below n frames, more than a stack begins with."""
    return deep(n - 1, f) if n else f()


def test_greenlets_of_the_programs_own_park_inside_a_goroutine():
    """Each in its turn, at any depth, made and ended again and again: what runs is known at every park."""
    import greenlet

    from runtime.asm import curstack

    rnd = random.Random(7)
    seen = []

    def step():
        assert curstack() is greenlet.getcurrent()
        runtime.Gosched()
        assert curstack() is greenlet.getcurrent()

    def inner(depth):
        deep(depth, step)
        seen.append(greenlet.getcurrent().parent.switch())
        deep(depth, step)

    def outer():
        own = greenlet.getcurrent()
        for _ in range(20):
            step()
            g = greenlet.greenlet(inner)
            g.switch(rnd.randrange(40))
            deep(rnd.randrange(40), step)
            if rnd.random() < 0.3:
                with suppress(greenlet.GreenletExit):
                    g.throw()
            else:
                g.switch("back")
            assert g.dead and greenlet.getcurrent() is own
            del g
            deep(rnd.randrange(40), step)

    for _ in range(3):  # on stacks that are used again
        for t in [spawn(outer) for _ in range(50)]:
            t.join()
    assert set(seen) == {"back"}
    outer()  # in main


@pytest.mark.parametrize("alone", [True, False])
def test_the_finalizer_of_a_greenlet_that_is_left_for_good_may_park(alone):
    """The runtime has the last reference to it, until its goroutine parks on another stack, or longer."""
    import greenlet

    did = []

    class Last(greenlet.greenlet):
        def __del__(self):
            Sleep(0.001)
            ch = chan()
            spawn(ch.send, self.dead)
            did.append(ch.recv())
            runtime.Gosched()

    def body():
        def inside():
            runtime.Gosched()  # here the goroutine is on this one

        for _ in range(100):
            own = Last(inside)
            own.switch()
            del own
            if not alone:
                spawn(int)
            runtime.Gosched()

    t = spawn(body)
    t.join()
    until(lambda: did == [True] * 100)


def test_a_goroutine_that_has_left_its_own_stack():
    """It goes on on a greenlet of the program's own, whose parent is none of ours; nothing else holds the first."""
    program = """
        import gc, greenlet, os
        from gonet import go, time
        from runtime import Gosched

        def deep(n, f):
            return deep(n - 1, f) if n else f()

        def elsewhere():
            for i in range(10):
                Gosched()
                gc.collect()
                g = greenlet.greenlet(lambda: deep(i, Gosched))
                g.switch()
            print("went on", flush=True)
            os._exit(0)

        top = greenlet.getcurrent()
        go(lambda: greenlet.greenlet(elsewhere, top).switch())
        while True:
            go(deep, 5, Gosched)
            time.Sleep(0.001)
    """
    assert "went on" in runs(program)


@pytest.mark.parametrize("how", ["throw(ValueError)", "throw()", "switch()"])
def test_a_parked_goroutine_that_is_switched_to_by_others_ends_the_program(how):
    """Two goroutines would go on as one: not even a report could be trusted."""
    program = f"""
        import greenlet
        from gonet import chan, go
        found = []
        def body():
            found.append(greenlet.getcurrent())
            try:
                chan().recv()
            except ValueError:
                pass
        until_state(go(body), "chan receive")
        found[0].{how}
        print("not reached")
    """
    r = child(program)
    assert (r.returncode, r.stdout) == (2, "")
    assert r.stderr == (
        "runtime: the program has called switch or throw of a greenlet that belongs to a parked goroutine\n"
        "fatal error: stray switch\n"
    )


# ---- order


def test_the_one_just_started_runs_next_and_the_others_in_turn(fresh_slice):
    order = []
    gs = [runtime.go(order.append, i) for i in range(5)]
    assert fresh_slice.runnext is gs[-1]
    fresh_slice.preempt = False
    runtime.Gosched()  # not until_dead: its timer, if due at once, would put main before the one just started
    until_dead(*gs)
    assert order == [4, 0, 1, 2, 3]


def test_the_one_just_readied_runs_next(fresh_slice):
    order = []
    s = Sema()

    def wait():
        semacquire(s)
        order.append("readied")

    t = parked(wait, state="semacquire")
    fresh_slice.schedtick = 62
    fresh_slice.preempt = False
    gs = [runtime.go(order.append, i) for i in range(3)]
    semrelease(s)
    assert fresh_slice.runnext is t.g
    fresh_slice.preempt = False
    runtime.Gosched()
    until_dead(*gs, t.g)
    assert order[0] == "readied"


def test_gosched_lets_all_others_have_a_turn(fresh_slice):
    ran = []
    for i in range(10):
        runtime.go(ran.append, i)
    runtime.Gosched()
    assert sorted(ran) == list(range(10))


def test_gosched_lets_all_others_have_a_turn_when_the_slice_is_spent(fresh_slice):
    ran = []
    for i in range(10):
        runtime.go(ran.append, i)
    fresh_slice.preempt = True
    runtime.Gosched()
    assert sorted(ran) == list(range(10))


def test_gosched_alone_returns():
    for _ in range(1000):
        runtime.Gosched()


def test_goroutines_take_turns():
    order = []

    def body(i):
        for _ in range(5):
            order.append(i)
            runtime.Gosched()

    for t in [spawn(body, i) for i in range(3)]:
        t.join()
    assert sorted(order) == [0] * 5 + [1] * 5 + [2] * 5
    assert all(len(set(order[i : i + 3])) == 3 for i in range(0, 15, 3)), order


def test_the_global_queue_is_looked_at_while_the_local_one_never_empties():
    """Go's: every 61st tick. What a foreign thread starts belongs to no P."""
    stop = []

    def spin():
        while not stop:
            runtime.Gosched()

    spinners = [spawn(spin) for _ in range(5)]
    ran = []
    Thread(lambda: [runtime.go(ran.append, i) for i in range(10)]).join()
    for _ in range(61 * 100):
        runtime.Gosched()
        if len(ran) == 10:
            break
    assert sorted(ran) == list(range(10))
    stop.append(1)
    for t in spinners:
        t.join()


def test_io_is_looked_at_while_the_local_queue_never_empties():
    stop = []

    def spin():
        while not stop:
            runtime.Gosched()

    with connected() as (a, b):
        reader = parked(a.Read, bytearray(5))
        spinners = [spawn(spin) for _ in range(5)]
        b.Write(b"x")
        give_up = time.monotonic() + 40
        while not reader.done and time.monotonic() < give_up:
            runtime.Gosched()
        assert reader.done
        stop.append(1)
        for t in spinners:
            t.join()


def test_io_is_looked_at_every_61_switches():
    """Or so: the reader then queues behind those who run all the time."""
    spinners, turns, stop = 20, 0, []

    def spin():
        nonlocal turns
        while not stop:
            turns += 1
            runtime.Gosched()

    worst = 0
    with connected("unix") as (a, b):
        ts = [spawn(spin) for _ in range(spinners)]
        for _ in range(20):
            reader = parked(a.Read, bytearray(5))
            before = turns
            b.Write(b"x")
            while not reader.done:
                runtime.Gosched()
            worst = max(worst, turns - before)
        stop.append(1)
        for t in ts:
            t.join()
    assert worst <= 61 + 2 * (spinners + 2)


def test_a_busy_scheduler_leaves_the_gil_to_other_threads():
    """Uncompiled its polls let go of the GIL, each too shortly for them, and so often that they never ask for it."""
    program = """
        def spin():
            while turns < 100:
                runtime.Gosched()
        def other():
            global turns
            while turns < 100:
                time.sleep(0.001)
                turns += 1
        turns = 0
        pair = tcp_pair()  # from now on there is a poller
        gs = [go(spin) for _ in range(3)]
        t = threading.Thread(target=other)
        t.start()
        give_up = time.monotonic() + 30
        while turns < 100:
            runtime.Gosched()
            assert time.monotonic() < give_up, turns
        t.join()
        say("ok")
    """
    assert runs(program) == "ok\n"


def test_timers_run_while_the_local_queue_never_empties():
    stop = []

    def spin():
        while not stop:
            runtime.Gosched()

    spinners = [spawn(spin) for _ in range(5)]
    Sleep(0.01)
    stop.append(1)
    for t in spinners:
        t.join()


def test_two_that_wake_each_other_do_not_keep_the_rest_out():
    """Each is always the other's runnext: without an end to their common slice nobody else would run."""
    a, b = Sema(), Sema()
    stop = []

    def ping():
        while not stop:
            semrelease(b)
            semacquire(a)
        semrelease(b)

    def pong():
        while not stop:
            semacquire(b)
            semrelease(a)
        semrelease(a)

    ts = [spawn(ping), spawn(pong)]
    for _ in range(3):
        runtime.Gosched()
    ran = []
    t = spawn(ran.append, 1)
    Sleep(0.001)
    until(lambda: ran)
    stop.append(1)
    for t in ts:
        t.join()


def test_a_goroutine_whose_io_always_succeeds_at_once_yields():
    """A chatty connection never parks; a ticker beside it ticks all the same, by the end of each slice of 10 ms."""
    stop = []
    with connected() as (a, b):

        def chat():
            buf = bytearray(10)
            n = 0
            while not stop:
                a.Write(b"0123456789")
                b.Read(buf)
                n += 1
            return n

        t = spawn(chat)
        for _ in range(20):
            Sleep(0.001)  # each wakes up only if chat has given way
        stop.append(1)
        assert t.join() > 20


def test_a_goroutine_whose_writes_always_succeed_at_once_yields():
    stop = []
    with connected("unixgram") as (a, b):

        def chat():
            buf = bytearray(10)
            while not stop:
                a.Write(b"0123456789")
                b.Read(buf)

        t = spawn(chat)
        for _ in range(10):
            Sleep(0.001)
        stop.append(1)
        t.join()


def test_gosched_in_a_thread_does_nothing():
    assert not Thread(runtime.Gosched).join()


# ---- parking


class Box(WaitLock):
    """Something to park on that notes what it is asked."""

    def __init__(self, park=True):
        WaitLock.__init__(self)
        self.park = park
        self.calls = []

    def unlockf(self, gp, mode):
        self.calls.append(("unlockf", gp, mode, gp.status))
        return self.park

    def cancelf(self, gp, mode):
        self.calls.append(("cancelf", gp, mode, gp.status))
        return True


def test_parking_calls_unlockf_once_the_goroutine_counts_as_waiting():
    box = Box()
    t = parked(gopark, box, waitReasonChanReceive, 7, state="chan receive")
    assert box.calls == [("unlockf", t.g, 7, _Gwaiting)]
    goready(t.g)
    assert t.g.status == _Grunnable
    t.join()
    assert len(box.calls) == 1


def test_a_park_that_unlockf_calls_off_does_not_park():
    box = Box(park=False)
    gopark(box, waitReasonChanReceive, 0)
    assert getg().state() == "running"


@pytest.mark.parametrize("start", [spawn, Thread])
def test_who_is_about_to_park_cannot_park_on_something_else(start):
    """As a finalizer would that came in between: the park would be in two queues."""
    want = "cannot block: a finalizer or a callback that runs in the middle of the scheduler"

    class Reentrant(WaitLock):
        def unlockf(self, gp, mode):
            for block in ch.recv, lambda: ch.send(1), mu.Lock, lambda: a.Read(bytearray(1)), lambda: Sleep(0.001):
                with pytest.raises(Error, match=want):
                    block()
            runtime.Gosched()
            assert gp.status == _Gwaiting
            tried.append(gp)
            return False

    def park():
        gopark(Reentrant(), waitReasonChanReceive, 0)
        assert getg().state() == "running"
        return a.Read(bytearray(1))

    ch, mu, tried = chan(), Mutex(), []
    with connected() as (a, b), mu:
        t = start(park)
        until(lambda: tried)
        b.Write(b"x")
        assert t.join() == 1


def test_readying_one_that_is_not_parked_is_a_bug():
    with pytest.raises(Throw, match="bad g->status in ready"):
        goready(getg())


def test_readying_twice_is_a_bug():
    t = parked(gopark, Box(), waitReasonChanReceive, 0, state="chan receive")
    goready(t.g)
    with pytest.raises(Throw):
        goready(t.g)
    t.join()


def test_a_park_in_a_thread_blocks_the_thread():
    box = Box()
    t = Thread(gopark, box, waitReasonChanReceive, 3)
    until(lambda: t.state() == "chan receive")
    (_, gp, mode, status) = box.calls[0]
    assert (mode, status) == (3, _Gwaiting)
    goready(gp)
    t.join()


class Stop(Exception):
    pass


def parks():
    """Every point at which a goroutine can park: its state, and a function that gives (what parks, cleaning up)."""

    def io(method, *args, state="IO wait"):
        def make():
            cm = connected()
            a, b = cm.__enter__()
            return (lambda: getattr(a, method)(*args)), lambda: cm.__exit__(None, None, None)

        return state, make

    def accept():
        cm = listening()
        fd, _ = cm.__enter__()
        return fd.Accept, lambda: cm.__exit__(None, None, None)

    def second_reader():
        cm = connected()
        a, b = cm.__enter__()
        first = parked(a.Read, bytearray(5))

        def clean():
            b.Write(b"x")
            first.join()
            cm.__exit__(None, None, None)

        return (lambda: a.Read(bytearray(5))), clean

    return {
        "sleep": ("sleep", lambda: ((lambda: Sleep(1000)), None)),
        "read": io("Read", bytearray(5)),
        "write": io("Write", bytes(64 << 20)),
        "accept": ("IO wait", accept),
        "read-lock": ("semacquire", second_reader),
        "semacquire": ("semacquire", lambda: ((lambda: semacquire(Sema())), None)),
        "gopark": ("chan receive", lambda: ((lambda: gopark(Box(), waitReasonChanReceive, 0)), None)),
    }


@pytest.mark.parametrize("point", list(parks()))
def test_an_exception_can_be_raised_at_every_park(point):
    state, make = parks()[point]
    body, clean = make()
    t = parked(body, state=state)
    exc = Stop()
    inject(t.g, exc)
    assert t.error() is exc
    assert t.g.injected is None
    if clean:
        clean()


@pytest.mark.parametrize("point", list(parks()))
def test_an_exception_for_one_that_runs_is_raised_at_its_next_park(point):
    state, make = parks()[point]
    body, clean = make()
    t = spawn(body)
    exc = Stop()
    inject(t.g, exc)
    assert t.error() is exc
    if clean:
        clean()


def test_finally_blocks_may_block_after_an_exception_at_a_park():
    log = []

    def body():
        try:
            Sleep(1000)
        finally:
            Sleep(0.001)
            log.append(runtime.Syscall(lambda: "finally"))

    t = parked(body, state="sleep")
    inject(t.g, Stop())
    t.error()
    assert log == ["finally"]


def test_an_exception_and_a_wakeup_at_once():
    """Readied and then injected, before it runs: the park ends once, with the exception."""
    t = parked(gopark, Box(), waitReasonChanReceive, 0, state="chan receive")
    goready(t.g)
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)


def test_an_exception_at_gosched():
    def body():
        while True:
            runtime.Gosched()

    t = spawn(body)
    runtime.Gosched()
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)


def test_the_traceback_of_a_raised_exception_does_not_keep_the_goroutine():
    import weakref

    class Thing:
        pass

    def body(thing):
        Sleep(1000)

    thing = Thing()
    ref = weakref.ref(thing)
    t = parked(body, thing, state="sleep")
    del thing
    inject(t.g, Stop())
    t.error()
    t.exc = None
    gc.collect()
    assert ref() is None


# ---- many


def test_ten_thousand_parked_and_woken():
    s = Sema()
    n = 10_000
    woken = [0]

    def wait():
        semacquire(s)
        woken[0] += 1

    before = runtime.NumGoroutine()
    for _ in range(n):
        runtime.go(wait)
    until(lambda: len(s.waiters) == n)
    assert runtime.NumGoroutine() == before + n
    for _ in range(n):
        semrelease(s)
    until(lambda: woken[0] == n)
    until(lambda: runtime.NumGoroutine() == before)


def test_ten_thousand_sleepers():
    woken = [0]

    def nap():
        Sleep(0.05)
        woken[0] += 1

    for _ in range(10_000):
        runtime.go(nap)
    until(lambda: woken[0] == 10_000)


def test_a_hundred_thousand_short_ones():
    done = [0]

    def short():
        done[0] += 1

    for _ in range(100):
        for _ in range(1000):
            runtime.go(short)
        runtime.Gosched()
    until(lambda: done[0] == 100_000)


# ---- ending


def test_goexit_ends_the_goroutine_and_runs_finally_blocks_that_block():
    log = []

    def body():
        try:
            try:
                runtime.Goexit()
            except Exception:
                log.append("except")
            log.append("after")
        finally:
            Sleep(0.001)
            log.append("finally")
            Sleep(0.001)
            log.append("still")

    g = runtime.go(body)
    until_dead(g)
    assert log == ["finally", "still"]


def test_goexit_deep_in_calls():
    log = []

    def body(n):
        try:
            runtime.Goexit() if n == 0 else body(n - 1)
        finally:
            log.append(n)

    until_dead(runtime.go(body, 20))
    assert log == list(range(21))


def test_goexit_in_a_context_manager():
    from contextlib import contextmanager

    log = []

    @contextmanager
    def manager():
        try:
            yield
        finally:
            log.append("exit")

    def body():
        with manager():
            runtime.Goexit()

    until_dead(runtime.go(body))
    assert log == ["exit"]


def test_goexit_in_a_thread_ends_what_called_it():
    def body():
        runtime.Goexit()

    with pytest.raises(GoexitException):
        Thread(body).join()


def test_a_goroutine_that_ends_by_goexit_leaves_nothing():
    before = runtime.NumGoroutine()
    until_dead(*[runtime.go(runtime.Goexit) for _ in range(50)])
    assert runtime.NumGoroutine() == before


# ---- what goes with a stack


def test_exceptions_being_handled_are_the_goroutines_own():
    def body():
        assert sys.exc_info() == (None, None, None)
        try:
            raise KeyError
        except KeyError:
            Sleep(0.001)
            return sys.exc_info()[0]

    try:
        raise ValueError
    except ValueError:
        t = spawn(body)
        assert t.join() is KeyError
        assert sys.exc_info()[0] is ValueError


def test_a_goroutine_started_in_an_except_clause_has_no_context_exception():
    def body():
        raise OSError

    try:
        raise ValueError
    except ValueError:
        err = spawn(body).error()
    assert err.__context__ is None


def test_generators_can_be_shared_by_goroutines_that_take_turns():
    def numbers():
        for i in range(5):
            Sleep(0.0005)
            yield i

    gen = numbers()
    assert [spawn(next, gen).join() for _ in range(5)] == list(range(5))


# ---- collections in odd places


def test_collections_at_every_park():
    """A finalizer that wakes, starts and closes, run by a collection at each step of others."""
    s = Sema()
    made = [0]

    class Fin:
        def __init__(self):
            self.me = self
            made[0] += 1

        def __del__(self):
            semrelease(s)
            runtime.go(int)

    def body():
        for _ in range(20):
            Fin()
            gc.collect(0)
            Sleep(0.0001)
            Fin()
            runtime.Gosched()

    old = gc.get_threshold()
    gc.set_threshold(7)
    try:
        ts = [spawn(body) for _ in range(10)]
        for t in ts:
            t.join()
    finally:
        gc.set_threshold(*old)
    gc.collect()
    for _ in range(made[0]):
        semacquire(s)
    assert s.count == 0


def test_a_collection_while_everything_is_parked():
    s = Sema()
    ts = [parked(semacquire, s, state="semacquire") for _ in range(50)]
    gc.collect()
    for _ in ts:
        semrelease(s)
    for t in ts:
        t.join()


def test_parked_goroutines_are_kept_alive_by_the_runtime():
    s = Sema()
    done = []

    def body():
        semacquire(s)
        done.append(1)

    runtime.go(body)
    until(lambda: s.waiters)
    gc.collect()
    semrelease(s)
    until(lambda: done)


def test_numgoroutine_counts_main_and_nothing_of_the_runtimes():
    program = """
        say(runtime.NumGoroutine())
        ln, addr = listener()
        a, b = tcp_pair()
        a.SetDeadline(time.monotonic() + 100)
        gtime.Sleep(0.01)
        runtime.Syscall(int)
        say(runtime.NumGoroutine())
        g = go(gtime.Sleep, 0.05)
        say(runtime.NumGoroutine())
        until_state(g, "dead")
        say(runtime.NumGoroutine())
    """
    assert runs(program) == "1\n1\n2\n1\n"


def test_a_trace_function_set_before_the_import_does_no_harm():
    """Coverage and debuggers: Python runs between any two lines."""
    program = """
        import sys
        sys.settrace(lambda *args: None)
        import runtime, socket
        from gonet import go
        from gonet.poll import FD
        from gonet.time import Sleep
        from runtime.sema import Sema, semacquire, semrelease
        s = Sema()
        for i in range(100): go(semacquire, s)
        a, b = socket.socketpair()
        fds = []
        for x in a, b:
            x.setblocking(False)
            fds.append(FD(x.detach()))
            fds[-1].Init("unix", True)
        go(lambda: (Sleep(0.01), fds[1].Write(b"hello")))
        print(fds[0].Read(bytearray(9)))
        for i in range(100): semrelease(s)
        while runtime.NumGoroutine() > 1: Sleep(0.001)
        print(runtime.NumGoroutine())
        sys.settrace(None)
    """
    assert runs(program, prelude="") == "5\n1\n"


def test_state_of_one_that_waits_in_the_queue():
    g = runtime.go(int)
    assert g.state() == "runnable"
    until_state(g, "dead")


def test_the_scheduler_runs_no_python_lines_when_compiled():
    """Between two of them a signal's handler could raise, with no goroutine on this thread to raise it in."""
    program = """
        import sys
        from gonet import net, context
        from runtime.asm import getm
        from runtime.gmp import WaitLock
        if not runtime.compiled:
            say(set())
            sys.exit()
        class Names(net.Resolver):
            def lookupIPAddr(self, ctx, network, host):
                return [net.IPAddr("127.0.0.1"), net.IPAddr("::1")]
        runtime.GOMAXPROCS(2)
        ln = net.Listen("tcp", "127.0.0.1:0")
        go(lambda: [c.Close() for c in ln])
        gtime.Sleep(0.01)
        seen = set()
        def profile(frame, event, arg):
            mp = getm()
            if event == "call" and mp is not None and mp.curg is None:
                seen.add((str(frame.f_globals.get("__name__")), frame.f_code.co_name))
        def work():
            for _ in range(20):
                go(runtime.Gosched)
            timer = gtime.AfterFunc(0.001, int)
            gtime.Sleep(0.002)
            net.Dialer(Resolver=Names(), FallbackDelay=0.0001).Dial("tcp", str(ln.Addr())).Close()
            net.DialTimeout("tcp", f"localhost:{ln.Addr().Port}", 5).Close()
            try:
                net.DialTimeout("tcp", "nosuchname.invalid:1", 0.001)
            except OSError:
                pass
            ctx, cancel = context.WithTimeout(context.Background(), 0.001)
            gtime.Sleep(0.002)
            cancel()
            ch = gtime.NewTicker(0.0005)
            ch.C.recv()
            ch.Stop()
        sys.setprofile(profile)
        for _ in range(20):
            work()
        sys.setprofile(None)
        say(seen)
    """
    assert runs(program) == "set()\n"
