"""The heap of timers, under a clock that the test supplies: now is an argument of runtimers."""

from __future__ import annotations

import itertools
import random
from heapq import heappush

import pytest

from runtime import time as rtime
from runtime.time import maxWhen, modify, runtimers, stop, timer, timers
from tests.helpers import PRELUDE, Thread, child, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")

FAR = 1 << 60  # later than any clock of today, so that nobody but the test runs it


@pytest.fixture
def ts():
    return timers()


def make(ts, f, arg=None):
    t = timer(f, arg)
    t.ts = ts
    return t


def entries(ts):
    """All that are in the heap, or in front of it."""
    return ts.heap + ([] if ts.last is None else [ts.last])


class Log(list):
    """Timers' f: notes (arg, seq, delta)."""

    def f(self, arg, seq, delta):
        self.append((arg, seq, delta))

    def args(self):
        return [e[0] for e in self]


def test_it_fires_at_its_instant_with_what_it_was_given(ts):
    log = Log()
    t = make(ts, log.f)
    assert modify(t, FAR, 0, "arg", 7) is False
    assert runtimers(ts, FAR - 1) == 0 and log == []
    assert runtimers(ts, FAR + 5) == 1
    assert log == [("arg", 7, 5)]
    assert runtimers(ts, maxWhen) == 0


def test_a_heap_that_is_empty_says_so(ts):
    assert ts.minwhen == 0
    t = make(ts, Log().f)
    modify(t, FAR, 0, None, 0)
    assert ts.minwhen == FAR
    runtimers(ts, FAR)
    assert ts.minwhen == 0 and entries(ts) == []


def test_timers_fire_in_the_order_of_their_instants(ts):
    log = Log()
    whens = random.sample(range(FAR, FAR + 1000), 200)
    for w in whens:
        modify(make(ts, log.f), w, 0, w, 0)
    runtimers(ts, FAR + 1000)
    assert log.args() == sorted(whens)


def test_equal_instants_fire_in_the_order_of_arming(ts):
    log = Log()
    for i in range(20):
        modify(make(ts, log.f), FAR, 0, i, 0)
    runtimers(ts, FAR)
    assert log.args() == list(range(20))


def test_a_stopped_timer_does_not_fire(ts):
    log = Log()
    t = make(ts, log.f)
    modify(t, FAR, 0, None, 0)
    assert stop(t) is True
    assert stop(t) is False
    runtimers(ts, FAR)
    assert log == []
    assert stop(t) is False


def test_a_stopped_timer_can_be_armed_again(ts):
    log = Log()
    t = make(ts, log.f)
    for when in (FAR + 10, FAR + 20, FAR + 5):  # later than, and earlier than, the entry it left behind
        modify(t, when, 0, when, 0)
        stop(t)
        assert modify(t, when, 0, when, 0) is False
    runtimers(ts, FAR + 4)
    assert log == []
    runtimers(ts, FAR + 100)
    assert log.args() == [FAR + 5]
    assert ts.zombies == len(entries(ts))


def test_a_timer_moved_later_fires_then_and_only_then(ts):
    log = Log()
    t = make(ts, log.f)
    modify(t, FAR, 0, "first", 1)
    assert modify(t, FAR + 100, 0, "second", 2) is True
    runtimers(ts, FAR + 99)
    assert log == []
    runtimers(ts, FAR + 100)
    assert log == [("second", 2, 0)]
    runtimers(ts, maxWhen)
    assert len(log) == 1


def test_a_timer_moved_earlier_fires_then_and_only_then(ts):
    log = Log()
    t = make(ts, log.f)
    modify(t, FAR + 100, 0, "first", 1)
    assert modify(t, FAR, 0, "second", 2) is True
    runtimers(ts, FAR)
    assert log == [("second", 2, 0)]
    runtimers(ts, maxWhen)
    assert len(log) == 1
    assert entries(ts) == []


def test_order_holds_for_one_moved_later_past_another(ts):
    """Both are overdue when somebody looks: still the earlier instant first."""
    log = Log()
    moved, other = make(ts, log.f), make(ts, log.f)
    modify(moved, FAR + 1, 0, "moved", 0)
    modify(other, FAR + 2, 0, "other", 0)
    modify(moved, FAR + 3, 0, "moved", 0)
    runtimers(ts, FAR + 10)
    assert log.args() == ["other", "moved"]


def test_moving_later_again_and_again_does_not_grow_the_heap(ts):
    t = make(ts, Log().f)
    for i in range(10_000):
        modify(t, FAR + i, 0, None, 0)
    assert len(entries(ts)) == 1
    stop(t)


def test_one_that_is_stopped_at_once_leaves_nothing_in_the_heap(ts):
    t, late = make(ts, Log().f), make(ts, Log().f)
    for others in 0, 1:
        for i in range(10):
            modify(t, FAR + i, 0, None, 0)
            assert ts.minwhen == (FAR if others else FAR + i)
            assert stop(t) is True and stop(t) is False
            assert len(entries(ts)) == others and ts.zombies == 0
            assert ts.minwhen == (FAR if others else 0)
        modify(late, FAR, 0, None, 0)
    stop(late)


def test_timeouts_in_each_other_leave_nothing_whichever_ends_first(ts):
    a, b, c = (make(ts, Log().f) for _ in range(3))
    for order in itertools.permutations((a, b, c)):
        for i, t in enumerate((a, b, c)):
            modify(t, FAR + 10 * (3 - i), 0, None, 0)  # the inner one is due first
        for t in order:
            whens = [x.when for x in (a, b, c) if x.when]
            assert 0 < ts.minwhen <= min(whens)
            assert stop(t) is True
        assert ts.zombies == len(entries(ts)) and ts.last is None
    assert runtimers(ts, maxWhen) == 0 and entries(ts) == [] and ts.zombies == 0


def test_what_was_set_last_counts_as_armed_and_is_not_dropped():
    before = rtime.armed()
    t, u = timer(Log().f, None), timer(Log().f, None)
    modify(t, FAR, 0, None, 0)
    modify(u, FAR + 1, 0, None, 0)
    assert rtime.armed() == before + 2
    stop(t)
    rtime.dropzombies()
    assert rtime.armed() == before + 1
    assert stop(u) is True
    assert rtime.armed() == before


def test_what_was_set_last_fires_in_its_turn(ts):
    log = Log()
    for when in FAR + 1, FAR + 3, FAR + 2:
        modify(make(ts, log.f), when, 0, when, 0)
        assert ts.last[0] == when
    assert runtimers(ts, FAR + 2) == 2
    assert runtimers(ts, FAR + 3) == 1
    assert log.args() == [FAR + 1, FAR + 2, FAR + 3]


@pytest.fixture
def finalizer(monkeypatch):
    """finalizer(f): f() is called once right after the next entry is put into a heap, where a collection may come."""
    todo = []

    def push(heap, e):
        heappush(heap, e)
        if todo:
            todo.pop()()

    monkeypatch.setattr(rtime, "heappush", push)
    return todo.append


def test_a_finalizer_sets_a_timer_while_the_last_entry_enters_the_heap(ts, finalizer):
    log = Log()
    a, b = make(ts, log.f), make(ts, log.f)
    modify(a, FAR, 0, "a", 0)
    finalizer(lambda: modify(b, FAR + 1, 0, "b", 0))
    runtimers(ts, FAR)
    runtimers(ts, FAR + 1)
    assert log.args() == ["a", "b"]
    assert entries(ts) == [] and ts.zombies == 0 and ts.minwhen == 0


def test_a_finalizer_stops_a_timer_while_another_or_itself_is_set(ts, finalizer):
    for mine in 0, 1:
        pair = [make(ts, Log().f), make(ts, Log().f)]
        modify(pair[0], FAR + 10, 0, None, 0)
        finalizer(lambda pair=pair, mine=mine: stop(pair[mine]))
        modify(pair[1], FAR, 0, None, 0)
        assert len(entries(ts)) - ts.zombies == 1
        assert ts.minwhen == min(e[0] for e in entries(ts))  # below it runtimers would look for ever
        stop(pair[1 - mine])
        assert ts.zombies == len(entries(ts))
        runtimers(ts, maxWhen)


def test_starting_and_stopping_does_not_grow_the_heap(ts):
    early, late = make(ts, Log().f), make(ts, Log().f)
    for _ in range(10_000):
        modify(early, FAR, 0, None, 0)
        modify(late, FAR + 1, 0, None, 0)
        stop(early)  # not at the heap's end
        stop(late)
        early = make(ts, Log().f)
    assert len(ts.heap) < 500


def test_moving_earlier_again_and_again_does_not_grow_the_heap(ts):
    log = Log()
    t = make(ts, log.f)
    for i in range(10_000):
        modify(t, FAR - i, 0, None, i)
    assert len(ts.heap) < 500
    runtimers(ts, FAR)
    assert [e[1] for e in log] == [9999]


def test_a_period_arms_it_again(ts):
    log = Log()
    t = make(ts, log.f)
    modify(t, FAR, 10, "tick", 0)
    for i in range(5):
        runtimers(ts, FAR + 10 * i)
    assert len(log) == 5
    stop(t)
    runtimers(ts, FAR + 1000)
    assert len(log) == 5


def test_periods_that_were_missed_are_one_tick_and_the_beat_is_kept(ts):
    log = Log()
    t = make(ts, log.f)
    modify(t, FAR, 10, "tick", 0)
    runtimers(ts, FAR + 35)
    assert log == [("tick", 0, 35)]
    assert t.when == FAR + 40
    runtimers(ts, FAR + 39)
    assert len(log) == 1
    runtimers(ts, FAR + 40)
    assert len(log) == 2
    stop(t)


def test_a_timer_may_arm_itself_from_its_own_f(ts):
    log = []

    def f(arg, seq, delta):
        log.append(seq)
        if seq < 3:
            modify(t, FAR + 10 * (seq + 1), 0, None, seq + 1)

    t = make(ts, f)
    modify(t, FAR, 0, None, 0)
    runtimers(ts, FAR + 100)
    assert log == [0, 1, 2, 3]


def test_a_timer_may_stop_and_start_others_from_its_f(ts):
    log = Log()
    victim, late = make(ts, log.f), make(ts, log.f)

    def f(arg, seq, delta):
        stop(victim)
        modify(late, FAR + 2, 0, "late", 0)

    modify(make(ts, f), FAR, 0, None, 0)
    modify(victim, FAR + 1, 0, "victim", 0)
    runtimers(ts, FAR + 10)
    assert log.args() == ["late"]


def test_armed_counts_what_is_going_to_fire():
    before = rtime.armed()
    ts = [timer(Log().f, None) for _ in range(10)]
    for t in ts:
        modify(t, FAR, 0, None, 0)
    assert rtime.armed() == before + 10
    for t in ts[:5]:
        modify(t, FAR + 5, 0, None, 0)
    for t in ts[5:]:
        modify(t, FAR - 5, 0, None, 0)
    assert rtime.armed() == before + 10
    for t in ts:
        stop(t)
    assert rtime.armed() == before


def test_the_latest_instant_is_legal(ts):
    log = Log()
    t = make(ts, log.f)
    modify(t, maxWhen, 0, None, 0)
    runtimers(ts, maxWhen - 1)
    assert log == []
    assert stop(t) is True


def test_the_scheduler_runs_what_another_thread_arms():
    from runtime.rawsys import nanotime

    log = Log()
    t = timer(log.f, None)
    Thread(modify, t, nanotime() + 1_000_000, 0, "x", 0).join()
    until(lambda: log)
    assert log.args() == ["x"]
    assert log[0][2] >= 0  # never early


@pytest.mark.parametrize("population", [3, 40, 400])
def test_ten_thousand_random_operations_agree_with_a_model(ts, population):
    """The model: a dict of (when, period) by timer. Fired are those due, each once, and in order of when."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    log = Log()
    all = [make(ts, log.f) for _ in range(population)]
    model: dict[int, tuple[int, int, int]] = {}  # index: (when, period, seq)
    now = FAR
    for op in range(10_000):
        i = rnd.randrange(population)
        what = rnd.random()
        if what < 0.6:
            when = now + rnd.randrange(1, 200)
            period = rnd.choice([0, 0, 0, rnd.randrange(1, 50)])
            assert modify(all[i], when, period, i, op) == (i in model), op
            model[i] = (when, period, op)
        elif what < 0.8:
            assert stop(all[i]) == (i in model), op
            model.pop(i, None)
        else:
            now += rnd.randrange(60)
            log.clear()
            ran = runtimers(ts, now)
            due = {j: e for j, e in model.items() if e[0] <= now}
            assert ran == len(log)
            assert sorted((a, s, now - d) for a, s, d in log) == sorted((j, e[2], e[0]) for j, e in due.items()), op
            for j, (when, period, seq) in due.items():
                if period:
                    model[j] = (when + period * (1 + (now - when) // period), period, seq)
                else:
                    del model[j]
        assert len(entries(ts)) - ts.zombies == len(model), op
        assert ts.minwhen == min((e[0] for e in entries(ts)), default=0)
        assert ts.heap == [] or ts.heap[0] == min(ts.heap)
        if model:
            assert 0 < ts.minwhen <= min(e[0] for e in model.values())
    for t in all:
        stop(t)


# ---- a function that fails

FAILING = """
from runtime.idle import queuefinalizer
from runtime.proc import getg
from runtime.rawsys import nanotime
from runtime.time import armed, modify, timer
def fail(arg, *rest):
    ran.append(arg)
    raise arg
ran = []
me = getg()
"""


@pytest.mark.parametrize("exc", ["MemoryError('first')", "ValueError('first')"])
def test_a_function_that_fails_is_reported_and_nobody_else_hears_of_it(exc):
    """It runs wherever somebody parks or sleeps: there the exception would end a goroutine that has not made it."""
    program = f"""
        first = {exc}
        modify(timer(fail, None), 1, 0, first, 0)
        go(runtime.Gosched)
        runtime.Gosched()  # run in the middle of that
        assert ran == [first] and getg() is me and me.state() == "running"
        modify(timer(fail, None), nanotime() + 5_000_000, 0, OSError("second"), 0)
        gtime.Sleep(0.02)  # run in the middle of the sleep
        assert len(ran) == 2 and getg() is me
        queuefinalizer(fail, OSError("third"))
        until(lambda: len(ran) == 3)
        assert len(ran) == 3 and getg() is me
        assert armed() == 0
        out = []
        until_state(go(out.append, 1), "dead")
        say(out, runtime.NumGoroutine())
    """
    r = child(program, prelude=PRELUDE + FAILING)
    assert (r.returncode, r.stdout) == (0, "[1] 1\n"), r.stderr
    lines = r.stderr.splitlines()
    assert [line for line in lines if "Error: " in line] == [
        f"{exc.partition('(')[0]}: first", "OSError: second", "OSError: third",
    ]  # fmt: skip


@pytest.mark.parametrize("exc, status", [("SystemExit(7)", 7), ("KeyboardInterrupt()", -2)])
def test_an_exit_in_a_function_is_mains(exc, status):
    program = f"""
        modify(timer(fail, None), 1, 0, {exc}, 0)
        go(runtime.Gosched)
        runtime.Gosched()
        gtime.Sleep(5)
        say("not reached")
    """
    r = child(program, prelude=PRELUDE + FAILING)
    assert (r.returncode, r.stdout) == (status, ""), r.stderr


def test_a_function_that_fails_ends_the_program_if_a_panic_does():
    program = """
        modify(timer(fail, None), 1, 0, MemoryError(), 0)
        gtime.Sleep(5)
        say("not reached")
    """
    r = child(program, prelude=PRELUDE + FAILING, env={"GODEBUG": "paniccrash=1"})
    assert (r.returncode, r.stdout) == (2, ""), r.stderr
