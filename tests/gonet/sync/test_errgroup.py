"""gonet.sync.errgroup, as golang.org/x/sync's."""

from __future__ import annotations

import copy
import pickle
import sys
import traceback
from typing import Any

import pytest

import runtime
from gonet import chan, context, select, time
from gonet.sync import atomic, errgroup
from gonet.testing import synctest
from tests.helpers import foreign, runs, spawn, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def fails(err: BaseException) -> Any:
    def f() -> None:
        raise err

    return f


def test_nothing_to_wait_for() -> None:
    errgroup.Group().Wait()


@pytest.mark.schedseeds
def test_Wait_waits_for_all() -> None:
    g = errgroup.Group()
    n = atomic.Int64()
    for _ in range(20):
        g.Go(lambda: (runtime.Gosched(), n.Add(1)))
    g.Wait()
    assert n.Load() == 20


@pytest.mark.schedseeds
def test_Wait_raises_the_first_exception() -> None:
    g = errgroup.Group()
    first, gate = ValueError("first"), chan()
    g.Go(lambda: gate.recv() or fails(KeyError("second"))())
    g.Go(lambda: None)

    def fail() -> None:
        try:
            raise first
        finally:
            pass

    g.Go(fail)
    while g._err is None:
        runtime.Gosched()
    gate.close()
    depths = []
    for _ in range(3):
        with pytest.raises(ValueError) as info:
            g.Wait()
        assert info.value is first
        depths.append(len(traceback.extract_tb(first.__traceback__)))
        assert any(f.name == "fail" for f in traceback.extract_tb(first.__traceback__))
    assert depths[0] == depths[2]


@pytest.mark.schedseeds
def test_an_error_ends_the_others() -> None:
    g, ctx = errgroup.WithContext(context.Background())
    why = ValueError("why")
    g.Go(ctx.Done().recv)
    g.Go(fails(why))
    with pytest.raises(ValueError) as info:
        g.Wait()
    assert info.value is why
    assert isinstance(ctx.Err(), context.Canceled)
    assert context.Cause(ctx) is why


@pytest.mark.schedseeds
def test_Wait_ends_the_context() -> None:
    g, ctx = errgroup.WithContext(context.Background())
    g.Go(lambda: None)
    assert ctx.Err() is None
    g.Wait()
    assert isinstance(ctx.Err(), context.Canceled)
    assert context.Cause(ctx) is ctx.Err()


@pytest.mark.schedseeds
def test_the_parent_ends_the_group() -> None:
    parent, cancel = context.WithCancel(context.Background())
    g, ctx = errgroup.WithContext(parent)

    def f() -> None:
        ctx.Done().recv()
        err = ctx.Err()
        assert err is not None
        raise err

    g.Go(f)
    cancel()
    with pytest.raises(context.Canceled):
        g.Wait()


@pytest.mark.schedseeds
def test_the_limit_holds() -> None:
    g = errgroup.Group()
    g.SetLimit(3)
    active, most = atomic.Int64(), [0]

    def f() -> None:
        most[0] = max(most[0], active.Add(1))
        runtime.Gosched()
        active.Add(-1)

    def start() -> None:
        for _ in range(20):
            g.Go(f)

    tasks = [spawn(start), foreign(start)]
    for t in tasks:
        t.join()
    g.Wait()
    assert 1 <= most[0] <= 3
    assert g._sem.count == 3


@pytest.mark.schedseeds
def test_Go_parks_at_the_limit() -> None:
    g = errgroup.Group()
    g.SetLimit(1)
    gate = chan()
    g.Go(gate.recv)
    t = spawn(g.Go, lambda: None)
    until_state(t.g, "chan send")
    assert not g.TryGo(pytest.fail)
    gate.close()
    t.join()
    g.Wait()
    assert g.TryGo(lambda: None)
    g.Wait()


def test_limits() -> None:
    g = errgroup.Group()
    g.SetLimit(0)
    assert not g.TryGo(pytest.fail)
    g.SetLimit(-1)
    assert g.TryGo(lambda: None)
    g.Wait()
    gate = chan()
    g.SetLimit(2)
    g.Go(gate.recv)
    with pytest.raises(runtime.Error) as info:
        g.SetLimit(1)
    assert str(info.value) == "errgroup: modify limit while 1 goroutines in the group are still active"
    gate.close()
    g.Wait()
    g.SetLimit(1)
    g.Go(lambda: None)
    g.Wait()


@pytest.mark.parametrize("n", [1 << 40, sys.maxsize, 1 << 70])
def test_a_limit_costs_no_memory(n: int) -> None:
    g = errgroup.Group()
    g.SetLimit(n)
    assert g.TryGo(lambda: None)
    g.Go(lambda: None)
    g.Wait()


def test_in_a_bubble_the_wait_for_a_place_is_durable() -> None:
    def f() -> None:
        g = errgroup.Group()
        g.SetLimit(1)
        g.Go(lambda: time.Sleep(3600))
        g.Go(lambda: time.Sleep(3600))  # the clock moves on while this one waits
        g.Wait()

    synctest.Test(f)


def test_a_place_is_given_back_if_the_goroutine_cannot_be_counted() -> None:
    g = errgroup.Group()
    g.SetLimit(2)
    gate = chan()
    g.Go(gate.recv)
    for start in g.Go, g.TryGo:
        with pytest.raises(runtime.Error, match="from inside and outside synctest bubble"):
            synctest.Test(lambda: start(lambda: None))  # type: ignore[operator]  # noqa: B023
    assert g.TryGo(lambda: None)
    gate.close()
    g.Wait()


def test_a_limit_of_nobody_is_a_deadlock() -> None:
    out = runs("""
        from gonet.sync import errgroup
        g = errgroup.Group()
        g.SetLimit(0)
        try:
            g.Go(print)
        except runtime.Error as err:
            say(str(err).splitlines()[0])
        g.Wait()
        g.SetLimit(1)
        g.Go(lambda: say("called"))
        g.Wait()
    """)
    assert out == "all goroutines are asleep - deadlock!\ncalled\n"


@pytest.mark.schedseeds
def test_Goexit_counts_as_done() -> None:
    g, ctx = errgroup.WithContext(context.Background())
    g.SetLimit(1)
    g.Go(runtime.Goexit)
    g.Go(lambda: None)
    g.Wait()
    assert context.Cause(ctx) is ctx.Err()


def test_SystemExit_ends_the_program() -> None:
    runs(
        """
        from gonet.sync import errgroup
        g = errgroup.Group()
        g.Go(lambda: sys.exit(3))
        g.Wait()
        until(lambda: False)
    """,
        status=3,
    )


def test_misuse() -> None:
    g = errgroup.Group()
    with pytest.raises(TypeError):
        g.Go(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        g.TryGo(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        copy.copy(g)
    g.Wait()
    assert select(chan(), default=True)[0] == -1


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_cannot_be_copied(clone):
    with pytest.raises(TypeError, match="an errgroup.Group cannot be copied or pickled"):
        clone(errgroup.Group())
