"""gonet.time: timers and tickers as Go's since 1.23, fired and changed by goroutines and by plain threads."""

from __future__ import annotations

import contextvars
import copy
import gc
import pickle
import random
from collections.abc import Callable
from time import process_time
from typing import Any
from weakref import ref

import pytest

import runtime
from gonet import chan, select, time
from runtime.time import armed
from tests.helpers import delays, foreign, rounds, runs, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")

FAR = 3600.0
SOON = 0.002


def waiting(c: Any) -> list[Any]:
    """What can be received from c at once."""
    got = []
    while True:
        i, v, _ = select(c, default=True)
        if i < 0:
            return got
        got.append(v)


def both(fn: Callable[[], Any]) -> None:
    """fn in two goroutines and two plain threads at a time (under a seed, in four goroutines)."""
    tasks = [spawn(fn), spawn(fn), foreign(fn), foreign(fn)]
    for t in tasks:
        t.join()


# ---- instants and sleeping


def test_units() -> None:
    assert (time.Nanosecond, time.Microsecond, time.Millisecond) == (1e-9, 1e-6, 1e-3)
    assert (time.Second, time.Minute, time.Hour) == (1, 60, 3600)


def test_Since_and_Until() -> None:
    t = time.Now()
    assert time.Since(t) >= 0
    assert time.Until(t) <= 0
    assert 0 < time.Until(t + FAR) <= FAR


def test_Sleep_lasts_at_least_so_long() -> None:
    t0 = time.Now()
    time.Sleep(0.02)
    assert time.Since(t0) >= 0.02


@pytest.mark.parametrize("d", [0, -1, -(2.0**63), float("-inf")])
def test_no_time_at_all(d: float) -> None:
    time.Sleep(d)
    t0 = time.Now()
    assert time.NewTimer(d).C.recv() >= t0 - 1e-3


def test_sleepers_wake_in_order() -> None:
    for d in delays(0.02):
        order: list[int] = []
        start = time.Now()

        def sleep(n: int, start: float = start, d: float = d, order: list[int] = order) -> None:
            time.Sleep(start + d * n - time.Now())
            order.append(n)

        tasks = [spawn(sleep, n) for n in (3, 1, 2)]
        until(lambda tasks=tasks: all(t.done or t.g.state() == "sleep" for t in tasks))  # type: ignore[misc]
        in_time = time.Since(start) < d  # all slept before the first was to wake
        for t in tasks:
            t.join()
        if in_time:
            break
    assert order == [1, 2, 3]


@pytest.mark.parametrize("d", [2.0**63, 1e300, float("inf"), 9.3e9])
def test_a_time_that_never_comes(d: float) -> None:
    base = armed()
    t, ticker = time.NewTimer(d), time.NewTicker(d)
    f = time.AfterFunc(d, pytest.fail)
    assert armed() == base + 3
    time.Sleep(SOON)
    assert waiting(t.C) == waiting(ticker.C) == []
    assert t.Reset(d) and t.Stop() and f.Stop()
    ticker.Stop()
    assert armed() == base


@pytest.mark.parametrize("fn", [time.NewTimer, time.After, time.NewTicker, time.Tick, time.Sleep])
def test_NaN_is_refused(fn: Callable[[float], Any]) -> None:
    with pytest.raises(ValueError, match="NaN"):
        fn(float("nan"))


def test_AfterFunc_refuses_what_is_not_callable() -> None:
    with pytest.raises(TypeError):
        time.AfterFunc(0, 5)  # type: ignore[arg-type]


# ---- timers


def test_After_gives_the_instant_at_which_it_fires() -> None:
    t0 = time.Now()
    v = time.After(SOON).recv()
    assert t0 + SOON - 1e-6 <= v <= time.Now()


def test_a_timer_fires_once() -> None:
    t = time.NewTimer(0)
    t.C.recv()
    time.Sleep(SOON)
    assert waiting(t.C) == []
    assert not t.Stop()
    assert not t.Reset(FAR)
    assert t.Stop()
    assert not t.Stop()


def test_a_value_that_was_sent_and_not_received_counts_as_not_fired() -> None:
    t = time.NewTimer(0)
    until(lambda: t.C.qcount, "the firing")
    assert t.Stop()
    assert waiting(t.C) == []
    t.Reset(0)
    until(lambda: t.C.qcount, "the firing")
    assert t.Reset(FAR)
    assert waiting(t.C) == []
    assert t.Stop()


def test_Reset_to_an_earlier_time_and_to_a_later_one() -> None:
    t = time.NewTimer(FAR)
    assert t.Reset(0)
    t.C.recv()
    t.Reset(SOON)
    t0 = time.Now()
    assert t.Reset(0.03)
    assert t.C.recv() >= t0 + 0.03 - 1e-6


@pytest.mark.schedseeds
def test_a_receiver_that_is_parked_sees_the_time_change() -> None:
    t = time.NewTimer(FAR)
    task = spawn(t.C.recv)
    until(lambda: task.g.state() == "chan receive")
    t.Reset(0)
    assert task.join() <= time.Now()


def test_uninitialized() -> None:
    for t in (time.Timer(),):
        with pytest.raises(runtime.Error, match="time: Stop called on uninitialized Timer"):
            t.Stop()
        with pytest.raises(runtime.Error, match="time: Reset called on uninitialized Timer"):
            t.Reset(1)
    ticker = time.Ticker()
    ticker.Stop()
    with pytest.raises(runtime.Error, match="time: Reset called on uninitialized Ticker"):
        ticker.Reset(1)


def test_a_channel_that_the_program_has_closed_takes_no_instants() -> None:
    base = armed()
    timer, ticker = time.NewTimer(FAR), time.NewTicker(FAR)
    timer.C.close()
    ticker.C.close()
    timer.Reset(SOON)
    ticker.Reset(SOON)
    until(lambda: armed() == base + 1, "the timer's firing")
    first = ticker._t.when
    until(lambda: ticker._t.when > first, "a tick")
    assert timer.C.recv2() == ticker.C.recv2() == (None, False)
    assert not timer.Stop()
    ticker.Stop()
    assert armed() == base


@pytest.mark.schedseeds
def test_nothing_stale_after_Stop_and_Reset() -> None:
    """Each has a timer of its own, which is fired by whoever finds it due."""

    def work() -> None:
        rnd = random.Random(1)
        t = time.NewTimer(0)
        for _ in range(rounds(300)):
            if rnd.random() < 0.5:
                t.Stop()
                assert waiting(t.C) == []
                if rnd.random() < 0.2:
                    time.Sleep(0)
                    assert waiting(t.C) == []
            before = time.Now()
            t.Reset(rnd.choice([0, 0, 1e-6, 1e-4]))
            if rnd.random() < 0.5:
                assert t.C.recv() >= before - 1e-6
            elif rnd.random() < 0.5:
                runtime.Gosched()
        t.Stop()
        assert waiting(t.C) == []

    both(work)


@pytest.mark.schedseeds
def test_each_firing_is_received_or_stopped_never_both_and_never_neither() -> None:
    def work() -> None:
        for n in range(rounds(300)):
            t = time.NewTimer(0 if n % 2 else 1e-5)
            got = n % 3 == 0 and select(t.C, default=True)[0] == 0
            assert t.Stop() is not got
            assert waiting(t.C) == []
            assert not t.Stop()

    both(work)


@pytest.mark.schedseeds
def test_one_timer_that_many_change() -> None:
    t = time.NewTimer(FAR)
    base = armed()

    def work() -> None:
        rnd = random.Random(2)
        for _ in range(rounds(300)):
            rnd.choice([t.Stop, lambda: t.Reset(0), lambda: t.Reset(FAR), lambda: waiting(t.C)])()

    both(work)
    t.Stop()
    assert waiting(t.C) == []
    assert not t.Stop()
    assert armed() == base - 1
    before = time.Now()
    t.Reset(0)
    assert t.C.recv() >= before - 1e-6


@pytest.mark.schedseeds
def test_a_timer_that_is_changed_by_the_function_it_calls() -> None:
    left = [5]
    done = chan()

    def again() -> None:
        left[0] -= 1
        if left[0]:
            assert not t.Reset(0)
        else:
            done.close()

    t = time.AfterFunc(FAR, again)
    t.Reset(0)
    done.recv()
    assert left == [0]
    assert not t.Stop()


# ---- AfterFunc


def test_AfterFunc_calls_in_a_goroutine_of_its_own() -> None:
    c = chan(1)
    n = runtime.NumGoroutine()
    t = time.AfterFunc(0, lambda: (c.send(runtime.NumGoroutine()), time.Sleep(SOON)))
    assert t.C is None
    assert c.recv() == n + 1


def test_a_timer_costs_no_goroutine() -> None:
    n = runtime.NumGoroutine()
    ts: list[Any] = [time.NewTimer(FAR), time.AfterFunc(FAR, pytest.fail), time.NewTicker(FAR)]
    assert runtime.NumGoroutine() == n
    for t in ts:
        t.Stop()


@pytest.mark.schedseeds
def test_AfterFunc_has_the_callers_contextvars() -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var")
    var.set("made")
    c = chan(1)

    def f() -> None:
        c.send(var.get())
        var.set("changed")

    t = time.AfterFunc(0, f)
    var.set("later")
    assert c.recv() == "made"
    t.Reset(0)
    assert c.recv() == "made"
    assert var.get() == "later"


@pytest.mark.schedseeds
def test_AfterFunc_Stop() -> None:
    called: list[int] = []
    t = time.AfterFunc(FAR, lambda: called.append(1))
    assert t.Stop()
    assert not t.Stop()
    assert not t.Reset(0)
    until(lambda: called)
    assert not t.Stop()
    assert called == [1]


@pytest.mark.schedseeds
def test_AfterFunc_is_called_or_stopped() -> None:
    def work() -> None:
        for n in range(rounds(200)):
            called = chan(1)
            t = time.AfterFunc(0 if n % 2 else 1e-5, called.close)
            if n % 3:
                runtime.Gosched()
            if t.Stop():
                time.Sleep(0)
                assert select(called, default=True)[0] == -1
            else:
                called.recv()

    both(work)


@pytest.mark.schedseeds
def test_a_timer_that_fired_is_collected_with_its_function() -> None:
    class Thing:
        def f(self) -> None:
            called.close()

    called = chan()
    thing = Thing()
    r = ref(thing)
    t = time.AfterFunc(0, thing.f)
    called.recv()
    del thing, t
    until(lambda: gc.collect() >= 0 and r() is None)


# ---- tickers


@pytest.mark.parametrize("d", [0, -1])
def test_no_ticker_without_an_interval(d: float) -> None:
    with pytest.raises(runtime.Error, match="^non-positive interval for NewTicker$"):
        time.NewTicker(d)
    t = time.NewTicker(FAR)
    with pytest.raises(runtime.Error, match="^non-positive interval for Ticker.Reset$"):
        t.Reset(d)
    t.Stop()
    assert time.Tick(d) is None


def test_ticks() -> None:
    t0 = time.Now()
    t = time.NewTicker(SOON)
    ticks = [t.C.recv() for _ in range(5)]
    t.Stop()
    assert ticks == sorted(ticks)
    assert ticks[0] >= t0 + SOON - 1e-6
    assert ticks[4] >= t0 + 5 * SOON - 1e-6


def test_a_slow_receiver_misses_ticks() -> None:
    t = time.NewTicker(SOON)
    until(lambda: t.C.qcount, "a tick")
    first = t._t.when
    until(lambda: t._t.when > first + 3 * int(SOON * 1e9), "more ticks")
    assert t.C.qcount == 1
    t.Stop()


def test_ticks_do_not_drift() -> None:
    t = time.NewTicker(SOON)
    first = t._t.when
    for _ in range(5):
        t.C.recv()
        time.Sleep(SOON / 3)
        assert (t._t.when - first) % t._t.period == 0
    t.Stop()


@pytest.mark.schedseeds
def test_nothing_stale_from_a_ticker() -> None:
    def work() -> None:
        t = time.NewTicker(1e-5)
        for n in range(rounds(100)):
            before = time.Now()
            t.Reset(1e-5)
            assert t.C.recv() >= before
            if n % 2:
                t.Stop()
                assert waiting(t.C) == []
                runtime.Gosched()
                assert waiting(t.C) == []
        t.Stop()

    both(work)


def test_a_ticker_that_was_stopped_may_be_reset() -> None:
    t = time.NewTicker(FAR)
    t.Stop()
    t.Stop()
    t.Reset(SOON)
    assert [t.C.recv() <= time.Now() for _ in range(2)] == [True, True]
    t.Stop()
    assert not t.C.closed


@pytest.mark.parametrize("make", [lambda: time.NewTicker(SOON).C, lambda: time.Tick(SOON)])
def test_a_ticker_that_is_dropped_is_collected(make: Callable[[], Any]) -> None:
    base = armed()
    c = make()
    c.recv()
    r = ref(c)
    del c
    gc.collect()
    until(lambda: r() is None, "the end of the channel")
    until(lambda: armed() == base, "the end of the ticks")


# ---- many


def test_starting_and_stopping_does_not_grow_the_heap() -> None:
    t = time.NewTimer(FAR)
    for n in range(20000):
        time.NewTimer(FAR - n % 100).Stop()
    assert len(t.ts.heap) < 5000
    t.Stop()


def test_the_cost_of_a_timer_hardly_grows_with_their_number() -> None:
    def cost() -> float:
        best = FAR
        for _ in range(5):
            t0 = process_time()
            for n in range(500):
                time.NewTimer(FAR + n).Stop()
            best = min(best, process_time() - t0)
        return best

    few = cost()
    pending = [time.NewTimer(FAR + (n * 7919) % 100003) for n in range(100_000)]
    many = cost()
    for t in pending:
        t.Stop()
    assert many < 40 * few, "linear would be some hundred times as much"


# ---- programs


def test_no_deadlock_while_a_timer_is_armed() -> None:
    out = runs("""
        from gonet import chan
        c = chan()
        gtime.AfterFunc(0.05, lambda: c.send("fired"))
        say(c.recv())
        t = gtime.NewTimer(0.05)
        t.C.recv()
        say("received")
    """)
    assert out == "fired\nreceived\n"


@pytest.mark.parametrize(
    "stopped",
    [
        "t = gtime.NewTimer(3600); t.Stop()",
        "t = gtime.NewTicker(3600); t.Stop()",
        "t = gtime.AfterFunc(3600, print); t.Stop()",
        "t = gtime.NewTimer(0); t.C.recv()",
        "from gonet import context; ctx, cancel = context.WithTimeout(context.Background(), 3600); cancel()",
    ],
)
def test_a_stopped_timer_hides_no_deadlock(stopped: str) -> None:
    out = runs(f"""
        from gonet import chan
        {stopped}
        try:
            chan().recv()
        except runtime.Error as err:
            say(err)
    """)
    assert "all goroutines are asleep - deadlock!" in out


def test_fork_with_timers_pending() -> None:
    out = runs("""
        fired = []
        t = gtime.NewTimer(0.05)
        idle = gtime.NewTimer(3600)
        idle.Stop()
        f = gtime.AfterFunc(0.05, lambda: fired.append(1))
        ticker = gtime.NewTicker(0.01)
        pid = os.fork()
        if pid == 0:
            gtime.Sleep(0.1)
            assert not fired
            for x in t, idle:
                before = gtime.Now()
                x.Reset(0.001)
                assert x.C.recv() >= before
            f.Reset(0.001)
            until(lambda: fired)
            ticker.Reset(0.001)
            ticker.C.recv()
            ticker.Stop()
            assert runtime.NumGoroutine() == 1
            os._exit(7)
        t.C.recv()
        until(lambda: fired)
        ticker.C.recv()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        say("good")
    """)
    assert out == "good\n"


@pytest.mark.skipif(runtime.compiled, reason="nothing comes between its lines, and its lock cannot be got at")
def test_fork_while_another_thread_changes_a_timer() -> None:
    program = """
        _mu = gtime._mu
        t0, t1 = gtime.NewTimer(3600), gtime.NewTicker(3600)
        with Holding(_mu):
            pid = os.fork()
            if pid == 0:
                t0.Reset(0.001)
                t1.Reset(0.001)
                t0.C.recv()
                t1.C.recv()
                os._exit(7)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    assert runs(program) == "7\n"


@pytest.mark.parametrize(
    "make", [lambda: time.NewTimer(FAR), lambda: time.AfterFunc(FAR, int), lambda: time.NewTicker(FAR)]
)
def test_they_cannot_be_copied(make: Callable[[], Any]) -> None:
    base = armed()
    t = make()
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match=f"a time.{type(t).__name__} cannot be copied or pickled"):
            clone(t)
    t.Stop()
    assert armed() == base
