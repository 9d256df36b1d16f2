"""Blocking calls on helper threads."""

from __future__ import annotations

import contextvars
import gc
import os
import threading
import time
import weakref

import pytest

import runtime
from gonet.time import Sleep
from runtime.proc import inject
from runtime.sema import Sema, semacquire, semrelease
from runtime.syscall import maxHelpers
from tests.helpers import Thread, parked, runs, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def test_the_result_comes_back():
    assert runtime.Syscall(lambda a, b=0: (a, b), 1, b=2) == (1, 2)
    assert spawn(runtime.Syscall, divmod, 7, 2).join() == (3, 1)


def test_nothing_may_be_returned():
    assert runtime.Syscall(lambda: None) is None


@pytest.mark.parametrize("exc", [ValueError("x"), OSError(2, "y"), KeyError(), BaseException(), SystemExit(3)])
def test_the_very_exception_comes_back(exc):
    def fail():
        raise exc

    with pytest.raises(type(exc)) as caught:
        runtime.Syscall(fail)
    assert caught.value is exc
    names = [entry.name for entry in caught.traceback]
    assert names[-1] == "fail"


@pytest.mark.parametrize("fn", [None, 5, "x"])
def test_what_is_not_callable_is_refused_at_once(fn):
    with pytest.raises(TypeError, match="Syscall"):
        runtime.Syscall(fn)


def test_it_runs_on_another_thread():
    assert runtime.Syscall(threading.get_ident) != threading.get_ident()


def test_a_foreign_thread_makes_its_call_itself():
    assert Thread(lambda: runtime.Syscall(threading.get_ident) == threading.get_ident()).join()


def test_its_goroutine_is_in_syscall_and_others_run():
    r, w = os.pipe()
    try:
        t = parked(runtime.Syscall, os.read, r, 5, state="syscall")
        assert spawn(lambda: 5).join() == 5
        os.write(w, b"x")
        assert t.join() == b"x"
    finally:
        os.close(r)
        os.close(w)


def test_calls_overlap():
    """Each waits until all have begun."""
    barrier = threading.Barrier(20, timeout=20)
    for t in [spawn(runtime.Syscall, barrier.wait) for _ in range(20)]:
        t.join()


def test_helpers_are_used_again():
    idents = set()
    for _ in range(20):
        idents.add(runtime.Syscall(threading.get_ident))
        Sleep(0.002)  # until the helper idles
    assert len(idents) <= 3


def test_helpers_that_stay_idle_end():
    program = """
        from runtime import syscall
        assert syscall._IDLE == 10_000_000_000
        syscall._IDLE = 1_000_000
        go(int)
        gtime.Sleep(0.001)
        before = len(os.listdir("/proc/self/task"))  # with the monitor
        gate = threading.Event()
        gs = [go(runtime.Syscall, gate.wait) for _ in range(20)]
        until(lambda: syscall._helpers.count == 20)
        gate.set()
        until(lambda: syscall._helpers.count == 0)
        until(lambda: not syscall._helpers.idle and all(g.state() == "dead" for g in gs))
        until(lambda: len(os.listdir("/proc/self/task")) <= before)
        say(runtime.Syscall(int, "7"))
    """
    assert runs(program) == "7\n"


def test_there_are_at_most_so_many_helpers_and_the_rest_waits_its_turn():
    program = """
        from runtime.syscall import maxHelpers
        lock, active, most, done = threading.Lock(), 0, 0, 0
        gate = threading.Event()
        def call():
            global active, most
            with lock:
                active += 1
                most = max(most, active)
            gate.wait()
            with lock:
                active -= 1
        def one():
            global done
            runtime.Syscall(call)
            done += 1
        for i in range(maxHelpers + 40):
            go(one)
        until(lambda: active == maxHelpers)
        gtime.Sleep(0.05)
        say(active == maxHelpers)
        gate.set()
        until(lambda: done == maxHelpers + 40)
        say(most == maxHelpers, active)
    """
    assert maxHelpers >= 16
    assert runs(program) == "True\nTrue 0\n"


def test_a_call_under_way_does_not_hold_up_the_programs_end():
    start = time.monotonic()
    program = "go(runtime.Syscall, time.sleep, 60)\ngtime.Sleep(0.05)\nsys.exit(4)"
    assert runs(program, status=4) == ""
    assert time.monotonic() - start < 30


def test_calls_that_wait_for_a_helper_do_not_hold_it_up_either():
    program = "for i in range(300): go(runtime.Syscall, time.sleep, 60)\ngtime.Sleep(0.2)\nsys.exit(4)"
    assert runs(program, status=4) == ""


var = contextvars.ContextVar("var", default="unset")


def test_it_sees_a_copy_of_the_callers_context():
    def call():
        seen = var.get()
        var.set("the call's")
        return seen

    token = var.set("the caller's")
    try:
        assert runtime.Syscall(call) == "the caller's"
        assert var.get() == "the caller's"
    finally:
        var.reset(token)


def test_concurrent_calls_have_contexts_of_their_own():
    def body(i):
        var.set(i)
        return runtime.Syscall(lambda: (time.sleep(0.001), var.get())[1])

    assert [t.join() for t in [spawn(body, i) for i in range(10)]] == list(range(10))


class Stop(Exception):
    pass


def test_an_exception_ends_the_wait_and_the_call_goes_on():
    r, w = os.pipe()
    try:
        t = parked(runtime.Syscall, os.read, r, 5, state="syscall")
        inject(t.g, Stop())
        assert isinstance(t.error(), Stop)
        os.write(w, b"x")
        from runtime.gmp import sched

        until(lambda: sched.nsyscall == 0)
        assert runtime.Syscall(lambda: 5) == 5
    finally:
        os.close(r)
        os.close(w)


def test_a_call_may_wake_and_start_goroutines():
    s = Sema()
    t = parked(semacquire, s, state="semacquire")
    started = []
    runtime.Syscall(semrelease, s)
    t.join()
    runtime.Syscall(lambda: runtime.go(started.append, 1))
    until(lambda: started)


def test_a_call_may_itself_block_here():
    assert runtime.Syscall(lambda: (Sleep(0.01), 5)[1]) == 5
    assert runtime.Syscall(runtime.Syscall, lambda: 6) == 6
    s = Sema()
    t = spawn(runtime.Syscall, semacquire, s)
    until(lambda: s.waiters)
    semrelease(s)
    t.join()


def test_nothing_is_kept_of_a_call():
    class Thing:
        pass

    def call(thing):
        return Thing()

    a = Thing()
    refs = [weakref.ref(a)]
    result = runtime.Syscall(call, a)
    refs.append(weakref.ref(result))
    del a, result
    runtime.Syscall(int)
    until(lambda: gc.collect() is not None and not any(r() for r in refs), "the call's arguments and result freed")


def test_exit_in_a_call_is_raised_where_it_was_called():
    def body():
        with pytest.raises(SystemExit):
            runtime.Syscall(exit, 3)
        return "on"

    assert spawn(body).join() == "on"


def test_many_calls_of_many_goroutines():
    def body(i):
        return sum(runtime.Syscall(lambda: i) for _ in range(20))

    assert [t.join() for t in [spawn(body, i) for i in range(50)]] == [20 * i for i in range(50)]


def test_a_call_is_made_once_though_its_thread_could_not_be_started(monkeypatch):
    """Another goroutine's helper has taken it by then, and ended."""
    from runtime import syscall

    h = syscall._Helpers()
    monkeypatch.setattr(syscall, "_helpers", h)

    def newosproc(fn, helpers):
        assert helpers is h
        syscall._run(h.calls.popleft())
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(syscall, "newosproc", newosproc)
    made = []
    assert runtime.Syscall(made.append, 1) is None
    assert made == [1] and h.count == 0 and not h.calls


def test_no_more_threads_is_no_error():
    """Where no helper can be started the caller makes the call itself."""
    program = """
        from runtime import os_linux
        refused = []
        def refuse(*args):
            refused.append(args)
            raise RuntimeError("can't start new thread")
        os_linux.start_new_thread = refuse
        me = threading.get_ident()
        say(runtime.Syscall(threading.get_ident) == me, len(refused))
        say(runtime.Syscall(lambda: 6), len(refused), sched.nsyscall, sched.own_threads, sched.own_starting)
    """
    assert runs(program) == "True 1\n6 2 0 0 0\n"
