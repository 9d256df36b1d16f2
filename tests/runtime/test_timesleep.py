"""Sleeping goroutines. Only lower bounds are tested: a busy machine may be late."""

from __future__ import annotations

import random
from time import monotonic

import pytest

from gonet import time as gtime
from runtime import time as rtime
from runtime.gmp import sched
from runtime.proc import inject
from runtime.rawsys import nanotime
from runtime.time import maxWhen
from runtime.timesleep import instant, timeSleep
from tests.helpers import Thread, delays, parked, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")


class Stop(Exception):
    pass


@pytest.mark.parametrize("seconds", [1e-9, 1e-6, 0.0005, 0.001, 0.0123, 0.05])
def test_a_sleep_lasts_at_least_its_time(seconds):
    start = nanotime()
    timeSleep(seconds)
    assert nanotime() - start >= int(seconds * 1e9)


def test_in_a_goroutine_and_in_a_thread_too():
    def nap():
        start = monotonic()
        timeSleep(0.02)
        return monotonic() - start

    assert spawn(nap).join() >= 0.02
    assert Thread(nap).join() >= 0.02
    assert nap() >= 0.02


def test_sleeps_overlap():
    """A thousand sleeps of a fifth of a second, one after the other, would take 200."""
    start = monotonic()
    for t in [spawn(timeSleep, 0.2) for _ in range(1000)]:
        t.join()
    assert 0.2 <= monotonic() - start < 20


def test_sleepers_wake_in_the_order_of_their_instants():
    for _ in range(50):  # until each has woken before the next is due: of two that are due at once the later runs first
        woken = []
        naps = [0.03 * i for i in range(1, 9)]
        random.shuffle(naps)
        start = monotonic()

        def nap(d, start=start, woken=woken):
            timeSleep(d)
            woken.append((d, monotonic() - start))

        for t in [spawn(nap, d) for d in naps]:
            t.join()
        if all(at < d + 0.03 for d, at in woken):
            break
    else:
        pytest.fail(f"never one after the other: {woken}")
    assert [d for d, _ in woken] == sorted(naps)


def test_the_others_run_meanwhile():
    ran = []
    for d in delays(0.001):
        t = spawn(ran.append, 1)
        start = monotonic()
        timeSleep(d)
        if ran or monotonic() - start < 2 * d:  # else it may have been over before it began
            break
    assert ran
    t.join()


def test_its_state_is_sleep():
    t = parked(timeSleep, 1000.0, state="sleep")
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)


def test_an_exception_ends_it_and_disarms_its_timer():
    before = rtime.armed()

    tasks = [parked(timeSleep, 1000.0, state="sleep") for _ in range(10)]
    assert rtime.armed() >= before + 10
    for t in tasks:
        inject(t.g, Stop())
    for t in tasks:
        t.error()
    assert rtime.armed() == before


def test_centuries_are_legal():
    for d in 9.3e9, 2.0**63, 1e300, float("inf"):
        t = parked(gtime.Sleep, d, state="sleep")
        inject(t.g, Stop())
        t.error()


@pytest.mark.parametrize("d", [0, 0.0, -1, -1e300, float("-inf")])
def test_nothing_and_less_return_at_once(d):
    other = spawn(int)
    gtime.Sleep(d)
    assert not other.done
    other.join()


def test_what_is_no_time_is_refused():
    with pytest.raises(ValueError):
        gtime.Sleep(float("nan"))
    with pytest.raises(TypeError):
        gtime.Sleep("1")
    with pytest.raises(TypeError):
        gtime.Sleep(None)


def test_instants():
    assert instant(float("inf")) == instant(1e300) == maxWhen
    before = nanotime()
    assert before + 2_000_000_000 <= instant(2) <= nanotime() + 2_000_000_000
    assert instant(1e-12) >= before
    assert 1 <= instant(-1e9)


def test_a_thousand_short_sleeps_of_many():
    def naps(n):
        for _ in range(n):
            timeSleep(0.0001)

    for t in [spawn(naps, 20) for _ in range(50)]:
        t.join()


def test_an_earlier_sleep_is_not_held_up_by_a_later_one():
    long = parked(timeSleep, 1000.0, state="sleep")
    start = monotonic()
    timeSleep(0.01)
    assert monotonic() - start < 20
    inject(long.g, Stop())
    long.error()


def test_sleep_from_a_thread_does_not_hold_up_goroutines():
    t = Thread(timeSleep, 1000.0)
    until(lambda: t.state() == "sleep")
    ran = []
    spawn(ran.append, 1).join()
    assert ran and t.state() == "sleep"
    inject(sched.extram[t.ident].curg, Stop())
    with pytest.raises(Stop):
        t.join()
