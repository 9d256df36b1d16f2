"""One-shot sleep and wake-up between threads."""

from __future__ import annotations

import signal
import sys
import threading
from time import monotonic

import pytest

from runtime.note import note
from tests.helpers import LIMIT, Thread, spawn

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def test_a_wakeup_before_the_sleep_is_kept():
    n = note()
    n.wakeup()
    assert n.sleep(-1) is True


def test_many_wakeups_are_kept_as_one():
    n = note()
    for _ in range(5):
        n.wakeup()
    assert n.sleep(1_000_000_000) is True
    assert n.sleep(1_000_000) is False


def test_a_sleep_that_nobody_ends_lasts_its_time():
    start = monotonic()
    assert note().sleep(20_000_000) is False
    assert monotonic() - start >= 0.02


def test_another_thread_ends_a_sleep_for_ever():
    n = note()
    asleep = threading.Event()

    def sleeper():
        asleep.set()
        return n.sleep(-1)

    t = Thread(sleeper)
    asleep.wait()
    n.wakeup()
    assert t.join() is True


def test_it_clears_itself():
    n = note()
    for _ in range(3):
        n.wakeup()
        assert n.sleep(-1) is True
    assert n.sleep(0) is False


def test_signal_handlers_run_in_the_sleep_and_may_end_it():
    n = note()
    previous = signal.signal(signal.SIGUSR1, lambda signum, frame: n.wakeup())
    try:
        main = threading.main_thread().ident
        t = Thread(lambda: (threading.Event().wait(0.02), signal.pthread_kill(main, signal.SIGUSR1)))
        assert n.sleep(-1) is True
        t.join()
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_a_very_long_sleep_can_be_asked_for():
    n = note()
    Thread(n.wakeup)
    assert n.sleep((1 << 63) - 1) is True


def test_a_wakeup_is_not_lost_where_the_stack_ends():
    """Its caller may be too deep for one more call; then the monitor makes it."""

    def descend(n, f):
        return descend(n - 1, f) if n else f()

    spawn(int).join()  # the monitor runs
    woken = refused = 0
    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit()):
        n = note()
        try:
            descend(depth, n.wakeup)
        except RecursionError:  # it was not called
            refused += 1
            if refused == 10:
                break
            continue
        assert n.sleep(int(LIMIT * 1e9)), depth
        woken += 1
    assert woken and refused
