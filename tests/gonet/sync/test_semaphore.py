"""gonet.sync.semaphore, as golang.org/x/sync's."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable

import pytest

import runtime
from gonet import context
from gonet.sync import atomic, semaphore
from tests.helpers import foreign, rounds, runs, spawn, until, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

BG = context.Background()


def test_Acquire_and_Release() -> None:
    s = semaphore.NewWeighted(3)
    s.Acquire(BG, 1)
    s.Acquire(BG, 2)
    s.Acquire(BG, 0)
    assert not s.TryAcquire(1)
    s.Release(2)
    assert not s.TryAcquire(3)
    assert s.TryAcquire(2)
    s.Release(3)
    assert s.TryAcquire(3)


def test_Release_of_more_than_is_held() -> None:
    s = semaphore.Weighted(2)
    s.Acquire(BG, 1)
    with pytest.raises(runtime.Error, match="^semaphore: released more than held$"):
        s.Release(2)
    assert not s.TryAcquire(2)
    s.Release(1)
    assert s.TryAcquire(2)


def test_negative() -> None:
    s = semaphore.Weighted(2)
    calls: list[Callable[[], object]] = [lambda: s.Acquire(BG, -1), lambda: s.TryAcquire(-1), lambda: s.Release(-1)]
    for f in (*calls, lambda: semaphore.Weighted(-1)):
        with pytest.raises(ValueError):
            f()


@pytest.mark.schedseeds
def test_first_come_first_served() -> None:
    s = semaphore.Weighted(10)
    s.Acquire(BG, 10)
    got: list[int] = []

    def take(n: int) -> None:
        s.Acquire(BG, n)
        got.append(n)

    tasks = []
    for n in (3, 8, 1, 2):
        tasks.append(spawn(take, n))
        until_state(tasks[-1].g, "select")
    s.Release(5)
    tasks[0].join()
    assert got == [3]
    assert not s.TryAcquire(1)  # there are 2, but the one who wants 8 comes first
    s.Release(5)
    assert got == [3]
    s.Release(3)
    tasks[1].join()
    until(lambda: len(got) == 3)
    assert sorted(got) == [1, 3, 8]  # two were let in at once
    s.Release(8)
    tasks[3].join()
    assert got[3] == 2
    s.Release(3)
    assert s.TryAcquire(10)


def test_a_context_that_has_ended() -> None:
    s = semaphore.Weighted(1)
    ctx, cancel = context.WithCancel(BG)
    cancel()
    for n in (0, 1, 5):
        with pytest.raises(context.Canceled) as info:
            s.Acquire(ctx, n)
        assert info.value is ctx.Err()
    assert s.TryAcquire(1)


@pytest.mark.schedseeds
def test_a_context_that_ends_meanwhile() -> None:
    s = semaphore.Weighted(2)
    s.Acquire(BG, 1)
    ctx, cancel = context.WithCancel(BG)
    big = spawn(s.Acquire, ctx, 2)
    until_state(big.g, "select")
    small = spawn(s.Acquire, BG, 1)
    until_state(small.g, "select")
    cancel()
    assert big.error() is ctx.Err()
    small.join()  # the way is free
    s.Release(2)
    assert s.TryAcquire(2)


def test_a_deadline() -> None:
    s = semaphore.Weighted(1)
    s.Acquire(BG, 1)
    for n in (1, 2):
        ctx, cancel = context.WithTimeout(BG, 0.002)
        with pytest.raises(TimeoutError) as info:
            s.Acquire(ctx, n)
        assert info.value is ctx.Err()
        cancel()
    s.Release(1)


@pytest.mark.schedseeds
def test_more_than_there_will_ever_be_holds_up_nobody() -> None:
    s = semaphore.Weighted(1)
    ctx, cancel = context.WithCancel(BG)
    t = spawn(s.Acquire, ctx, 2)
    until(lambda: t.g.state() in ("select", "chan receive"))
    s.Acquire(BG, 1)
    s.Release(1)
    cancel()
    assert isinstance(t.error(), context.Canceled)


@pytest.mark.schedseeds
def test_many_at_once() -> None:
    s = semaphore.Weighted(5)
    held = atomic.Int64()

    def work(seed: int) -> None:
        rnd = random.Random(seed)
        for _ in range(rounds(60)):
            n = rnd.randint(1, 5)
            ctx, cancel = context.WithTimeout(BG, rnd.choice([1e-5, 1e-3, 60]))
            try:
                s.Acquire(ctx, n)
            except TimeoutError:
                continue
            finally:
                cancel()
            assert held.Add(n) <= 5
            runtime.Gosched()
            held.Add(-n)
            s.Release(n)

    tasks = [spawn(work, 1), spawn(work, 2), foreign(work, 3), foreign(work, 4)]
    for t in tasks:
        t.join()
    assert s._head is None and s._tail is None
    assert s.TryAcquire(5)


def test_an_interrupted_Acquire_leaves_nothing_behind() -> None:
    out = runs("""
        from gonet import context
        from gonet.sync import semaphore
        s = semaphore.Weighted(2)
        bg = context.Background()
        s.Acquire(bg, 1)
        for _ in range(2):
            try:
                s.Acquire(bg, 2)
            except runtime.Error as err:
                say(str(err).splitlines()[0])
        s.Release(1)
        say(s.TryAcquire(2))
    """)
    assert out == "all goroutines are asleep - deadlock!\n" * 2 + "True\n"


def test_in_a_forked_child_those_who_waited_are_gone():
    program = """
        from gonet import context
        from gonet.sync import semaphore
        w = semaphore.Weighted(2)
        w.Acquire(context.Background(), 2)
        gs = [until_state(go(w.Acquire, context.Background(), n), "select") for n in (2, 1)]
        with Holding(w):
            pid = os.fork()
            if pid == 0:
                w.Release(2)
                assert w.TryAcquire(2) and not w.TryAcquire(1)
                g = until_state(go(w.Acquire, context.Background(), 1), "select")
                w.Release(1)
                until_state(g, "dead")
                w.Release(2)
                assert w._cur == 0 and w._head is w._tail is None
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        w.Release(2)
        until_state(gs[0], "dead")
        w.Release(2)
        until_state(gs[1], "dead")
        say(w._cur)
    """
    assert runs(program) == "1\n"


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_cannot_be_copied(clone):
    with pytest.raises(TypeError, match="a semaphore.Weighted cannot be copied or pickled"):
        clone(semaphore.Weighted(1))
